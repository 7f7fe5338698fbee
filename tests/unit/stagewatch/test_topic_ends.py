"""A topic is read to its end on the embedded broker, too, which calls an end what lies inside the last batch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.errors import CoordinatorNotAvailableError
from kafka.structs import OffsetAndMetadata

from connectors.files import TopicLog
from connectors.flow import read_flows, read_offsets
from stagewatch.topic_reader import read_topic
from tests.helpers.brokers import make_topics, running_tansu
from tests.helpers.decoding import table

BATCHES = (3, 5, 12_000)
"""The last is more than two polls take."""
CODECS = ("gzip", "lz4", "snappy", "zstd")


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("broker")
    with running_tansu(folder) as broker:
        make_topics(broker.bootstrap, ["cdc.x.t", "cdc.x.empty", "cdc.x.compressed"])
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=60_000, batch_size=1 << 20)
        for count in BATCHES:
            for _ in range(count):
                producer.send("cdc.x.t", b"x")
            producer.flush()
        producer.close()
        for codec in CODECS:
            compressing = KafkaProducer(bootstrap_servers=broker.bootstrap, compression_type=codec)
            compressing.send("cdc.x.compressed", codec.encode() * 100)
            compressing.close()
        yield broker.bootstrap


def test_every_record_is_read(bootstrap: str) -> None:
    assert [record.offset for record in read_topic(bootstrap, "cdc.x.t")] == list(range(sum(BATCHES)))
    assert list(read_topic(bootstrap, "cdc.x.empty")) == []


def test_what_a_source_writes_compressed_is_read(bootstrap: str) -> None:
    assert [record.value for record in read_topic(bootstrap, "cdc.x.compressed")] == [c.encode() * 100 for c in CODECS]


def test_a_batch_of_files_looks_back_on_every_record(bootstrap: str) -> None:
    told: list[int] = []
    with TopicLog(bootstrap, table({"id": "int"})) as log:
        assert list(log.read({}, told.append)) == []  # none of them is a row
        assert log.read_to == {0: sum(BATCHES)}
    assert told[-1] == sum(BATCHES)


def test_every_record_is_counted(bootstrap: str) -> None:
    flows = read_flows(bootstrap, ["cdc.x.t", "cdc.x.empty"], group="nobody")
    assert {topic: flow.records for topic, flow in flows.items()} == {"cdc.x.t": sum(BATCHES), "cdc.x.empty": 0}
    assert flows["cdc.x.t"].last_at is not None


class JustMade:
    """An admin client of a Kafka that makes the topic of the groups when it is first asked about one."""

    def __init__(self) -> None:
        self.asked = 0

    def list_group_offsets(self, groups: dict[str, None]) -> dict[str, dict[str, OffsetAndMetadata]]:
        self.asked += 1
        if self.asked < 3:
            raise CoordinatorNotAvailableError
        return {name: {"read": OffsetAndMetadata(7, "", -1), "never": OffsetAndMetadata(-1, "", -1)} for name in groups}


def test_a_kafka_that_never_had_a_group_is_asked_until_it_has_a_place_for_them() -> None:
    assert read_offsets(JustMade(), "nobody", pause_s=0) == {"read": 7}
