import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The simple work on Kafka Streams: each change is joined to its instance's last stage, in RocksDB with a cache and a
 * changelog; one thread, exactly once. Runs until it is killed.
 *
 * <p>Arguments: bootstrap servers, input topic, alert topic, application id, folder for its state, limit in ms.
 */
public class KafkaStreamsPeer {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) {
    long limitMs = Long.parseLong(args[5]);
    new KafkaStreams(topology(args[1], args[2], limitMs), settings(args[0], args[3], args[4])).start();
  }

  private static Properties settings(String bootstrap, String applicationId, String folder) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("application.id", applicationId);
    settings.put("state.dir", Path.of(folder).toAbsolutePath().toString());
    settings.put("num.stream.threads", "1");
    settings.put("processing.guarantee", "exactly_once_v2");
    // Ten times the default under exactly once: fewer transactions, and a key that changes twice is written once.
    settings.put("commit.interval.ms", "1000");
    settings.put("statestore.cache.max.bytes", "67108864");
    settings.put("producer.linger.ms", "50");
    settings.put("auto.offset.reset", "earliest");
    settings.put("replication.factor", "1");
    settings.put("default.key.serde", Serdes.StringSerde.class);
    settings.put("default.value.serde", Serdes.ByteArraySerde.class);
    return settings;
  }

  private static Topology topology(String input, String alerts, long limitMs) {
    Topology topology = new Topology();
    topology.addSource("changes", new StringDeserializer(), new ByteArrayDeserializer(), input);
    topology.addProcessor("judge", () -> new Judge(limitMs), "changes");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("inst"), Serdes.String(), Serdes.ByteArray())
            .withCachingEnabled(),
        "judge");
    topology.addSink("alerts", alerts, new StringSerializer(), new ByteArraySerializer(), "judge");
    return topology;
  }

  private static class Judge implements Processor<String, byte[], String, byte[]> {
    private final long limitMs;
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, byte[]> instances;

    Judge(long limitMs) {
      this.limitMs = limitMs;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
      this.context = context;
      this.instances = context.getStateStore("inst");
    }

    @Override
    public void process(Record<String, byte[]> change) {
      try {
        judge(change);
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }

    private void judge(Record<String, byte[]> change) throws IOException {
      JsonNode after = JSON.readTree(change.value()).get("after");
      long startedAt = after.get("started_at").asLong();
      byte[] known = instances.get(change.key());
      ObjectNode instance = known == null ? JSON.createObjectNode() : (ObjectNode) JSON.readTree(known);
      if (known != null) {
        long tookMs = startedAt - instance.get("started_at").asLong();
        if (tookMs > limitMs) {
          ObjectNode alert = JSON.createObjectNode();
          alert.put("app_no", change.key());
          alert.put("stage", instance.get("stage").asText());
          alert.put("ms", tookMs);
          context.forward(new Record<>(change.key(), JSON.writeValueAsBytes(alert), change.timestamp()));
        }
      }
      instance.put("stage", after.get("stage_code").asText());
      instance.put("started_at", startedAt);
      instance.put("handler", after.get("handler_id").asText());
      instances.put(change.key(), JSON.writeValueAsBytes(instance));
    }
  }
}
