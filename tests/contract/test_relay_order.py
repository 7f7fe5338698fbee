"""What the relay writes inside a broker stands in the order in which it stood outside."""

from kafka import KafkaConsumer, TopicPartition

from connectors import Landing
from connectors.relay import InnerWriter, RelayedRecord
from tests.helpers.brokers import Broker

TOPIC, OUTER_PARTITIONS, INNER_PARTITIONS = "cdc.ech.ech_app_doc", 3, 8


def test_records_without_a_key_keep_the_order_of_the_partition_that_they_came_from(tansu: Broker) -> None:
    topic = f"{TOPIC}_{id(tansu):x}"
    entries = [
        RelayedRecord(topic, number % OUTER_PARTITIONS, number, 1_772_413_200_000 + number, None, b"%d" % number)
        for number in range(300)
    ]
    with (
        Landing(tansu.bootstrap) as landing,
        InnerWriter(tansu.bootstrap, landing, partitions=INNER_PARTITIONS) as inner,
    ):
        inner.ends([topic])
        for first in range(0, len(entries), 70):
            inner.write(entries[first : first + 70])
    consumer = KafkaConsumer(bootstrap_servers=tansu.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=3000)
    consumer.assign([TopicPartition(topic, number) for number in range(INNER_PARTITIONS)])
    found: dict[int, list[int]] = {}
    for record in consumer:
        found.setdefault(record.partition, []).append(int(record.value))
    consumer.close()
    assert sorted(found.values()) == [list(range(first, 300, OUTER_PARTITIONS)) for first in range(OUTER_PARTITIONS)]
