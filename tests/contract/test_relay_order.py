"""What the relay writes inside a broker stands in the order in which it stood outside, and none is passed over."""

import time
import uuid

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from bench.kafka_server import KafkaServer
from connectors import Landing
from connectors.relay import InnerWriter, OuterReader, RelayedRecord
from tests.helpers.brokers import Broker, make_topics

TOPIC, OUTER_PARTITIONS, INNER_PARTITIONS = "cdc.ech.ech_app_doc", 3, 8


def test_records_without_a_key_keep_the_order_of_the_partition_that_they_came_from(tansu: Broker) -> None:
    topic = f"{TOPIC}_{id(tansu):x}"
    entries = [
        RelayedRecord(topic, number % OUTER_PARTITIONS, number, 1_772_413_200_000 + number, None, b"%d" % number)
        for number in range(300)
    ]
    with (
        Landing(tansu.bootstrap) as landing,
        InnerWriter(tansu.bootstrap, landing, "dmz", partitions=INNER_PARTITIONS) as inner,
    ):
        inner.ends([topic])
        for first in range(0, len(entries), 70):
            inner.write(entries[first : first + 70], {})
    consumer = KafkaConsumer(bootstrap_servers=tansu.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=3000)
    consumer.assign([TopicPartition(topic, number) for number in range(INNER_PARTITIONS)])
    found: dict[int, list[int]] = {}
    for record in consumer:
        found.setdefault(record.partition, []).append(int(record.value))
    consumer.close()
    assert sorted(found.values()) == [list(range(first, 300, OUTER_PARTITIONS)) for first in range(OUTER_PARTITIONS)]


PATIENCE_S = 60


def test_a_topic_that_was_deleted_and_made_anew_is_read_from_its_beginning(kafka: KafkaServer) -> None:
    topic = f"{TOPIC}_{uuid.uuid4().hex[:8]}"
    make_topics(kafka.bootstrap, [topic])
    with Landing(kafka.bootstrap) as landing, OuterReader(kafka.bootstrap, [topic]) as reader:
        landing.write(topic, [(b"row", b"%d" % n, []) for n in range(3)])
        first = reader.read({}, 500)
        assert [record.value for record in first.records] == [b"0", b"1", b"2"]
        admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        admin.delete_topics([topic])
        admin.close()
        _make_when_it_is_gone(kafka.bootstrap, topic)
    with Landing(kafka.bootstrap) as landing, OuterReader(kafka.bootstrap, [topic]) as reader:
        landing.write(topic, [(b"row", b"%d" % n, []) for n in range(3, 9)])
        second = reader.read(first.positions, 500)
    assert [record.value for record in second.records] == [b"3", b"4", b"5", b"6", b"7", b"8"]
    assert {record.place for record in second.records}.isdisjoint(record.place for record in first.records)


def _make_when_it_is_gone(bootstrap: str, topic: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            make_topics(bootstrap, [topic])
        except TopicAlreadyExistsError:
            assert time.monotonic() < deadline, f"{topic} is still there"
            time.sleep(0.1)
        else:
            return
