import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * The simple work on Flink SQL: each change is joined to its instance's last stage by LAG; parallelism 1, exactly once
 * in source, state and sink. Runs in this JVM until it is killed.
 *
 * <p>Arguments: bootstrap servers, input topic, alert topic, consumer group, folder for its state, limit in ms,
 * state backend (hashmap or rocksdb).
 */
public class FlinkSqlPeer {
  public static void main(String[] args) throws Exception {
    String bootstrap = args[0];
    String group = args[3];
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.getExecutionEnvironment(settings(Path.of(args[4]).toAbsolutePath(), args[6]));
    environment.setParallelism(1);
    StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
    tables.executeSql(
        "CREATE TABLE changes ("
            + " `after` ROW<app_no STRING, stage_code STRING, handler_id STRING, started_at BIGINT>,"
            + " seen AS PROCTIME()"
            + ") WITH ('connector'='kafka', 'format'='json', 'scan.startup.mode'='earliest-offset',"
            + " 'topic'='" + args[1] + "', 'properties.group.id'='" + group + "',"
            + " 'properties.bootstrap.servers'='" + bootstrap + "')");
    tables.executeSql(
        "CREATE TABLE alerts (app_no STRING, stage STRING, ms BIGINT) WITH ("
            + " 'connector'='kafka', 'format'='json', 'topic'='" + args[2] + "',"
            + " 'properties.bootstrap.servers'='" + bootstrap + "',"
            + " 'sink.delivery-guarantee'='exactly-once', 'sink.transactional-id-prefix'='" + group + "',"
            // The sink's default of an hour is more than a broker allows (transaction.max.timeout.ms).
            + " 'properties.transaction.timeout.ms'='600000')");
    tables
        .executeSql(
            "INSERT INTO alerts SELECT app_no, previous_stage, started_at - previous_start FROM ("
                + " SELECT `after`.app_no AS app_no, `after`.started_at AS started_at,"
                + " LAG(`after`.started_at) OVER w AS previous_start, LAG(`after`.stage_code) OVER w AS previous_stage"
                + " FROM changes WINDOW w AS (PARTITION BY `after`.app_no ORDER BY seen)"
                + ") WHERE started_at - previous_start > " + Long.parseLong(args[5]))
        .await();
  }

  private static Configuration settings(Path folder, String backend) {
    Configuration settings = new Configuration();
    settings.setString("execution.checkpointing.interval", "1s");
    settings.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    settings.setString("execution.checkpointing.storage", "filesystem");
    settings.setString("execution.checkpointing.dir", folder.resolve("checkpoints").toUri().toString());
    settings.setString("execution.checkpointing.incremental", "true");
    settings.setString("state.backend.type", backend);
    settings.setString("io.tmp.dirs", folder.resolve("tmp").toString());
    settings.setString("pipeline.object-reuse", "true");
    settings.setString("taskmanager.memory.managed.size", "512m");
    settings.setString("taskmanager.numberOfTaskSlots", "1");
    return settings;
  }
}
