"""What the relay writes inside stands once, on a real Kafka, whatever becomes of the process that wrote it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka.errors import KafkaError

from bench.kafka_server import KafkaServer
from connectors import Landing
from connectors.relay import Crossing, FolderBox, InnerWriter, Receiver, RelayedRecord, seal
from schemas import TryLater
from stagewatch.topic_reader import read_topic
from tests.helpers.brokers import Broker

START_MS, SECRET = 1_772_413_200_000, "shared"


def entries(topic: str, *numbers: int) -> list[RelayedRecord]:
    return [RelayedRecord(topic, 0, n, START_MS + n, b"row", b"%d" % n) for n in numbers]


@contextmanager
def inner_of(bootstrap: str, channel: str) -> Iterator[InnerWriter]:
    with Landing(bootstrap) as landing, InnerWriter(bootstrap, landing, channel, partitions=2) as inner:
        yield inner


def values(bootstrap: str, topic: str) -> list[int]:
    return [int(record.value or b"") for record in read_topic(bootstrap, topic)]


def test_a_late_request_of_a_receiver_that_was_replaced_is_refused(kafka: KafkaServer) -> None:
    channel = f"dmz-{uuid.uuid4().hex[:8]}"
    topic = f"cdc.x.{channel}"
    with inner_of(kafka.bootstrap, channel) as old, inner_of(kafka.bootstrap, channel) as new:
        old.take_over()
        old.write(entries(topic, 1), {"last": "1"})
        late = old._transactions  # noqa: SLF001 - its request must leave now and arrive when its successor has written
        sending = late._producer  # noqa: SLF001
        sending.begin_transaction()
        sending.send(topic, b"2", b"row").get(30)
        assert new.take_over() == {"last": "1"}
        new.write(entries(topic, 2, 3), {"last": "2"})
        with pytest.raises(KafkaError):
            sending.send(topic, b"2", b"row").get(30)
        with pytest.raises(TryLater):
            old.write(entries(topic, 2), {"last": "2"})
        assert values(kafka.bootstrap, topic) == [1, 2, 3]
        assert old.take_over() == {"last": "2"}, "it learns what its successor wrote"
        with pytest.raises(TryLater):  # "another receiver…", or what the client says of its own state by then
            new.write(entries(topic, 4), {"last": "3"})
    assert values(kafka.bootstrap, topic) == [1, 2, 3]


def test_a_receiver_that_lost_its_state_half_through_a_batch_goes_on_exactly(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    channel = f"dmz-{uuid.uuid4().hex[:8]}"
    topic, forward = f"cdc.x.{channel}", FolderBox(tmp_path / "forward")
    for number in range(1, 6):
        records = entries(topic, *range(number * 500, number * 500 + 500))
        before = START_MS + number - 1 if number > 1 else 0
        forward.put(number, seal(Crossing(channel, 1, number, START_MS + number, records, before), SECRET))

    def receive(state: str, most: int) -> None:
        """Apply up to so many batches, and die within the next one."""
        receiver = Receiver(
            channel, tmp_path / state, _First(tmp_path / "forward", most), FolderBox(tmp_path / "back"),
            topics=frozenset({topic}), secret=SECRET, clock=lambda: START_MS / 1000,
        )  # fmt: skip
        with inner_of(kafka.bootstrap, channel) as inner:
            receiver.receive(inner)
            inner._transactions._producer.begin_transaction()  # noqa: SLF001
            inner._transactions._producer.send(topic, b"-1", b"row").get(30)  # noqa: SLF001
            inner._transactions.give_up()  # noqa: SLF001
        receiver.close()

    receive("first.db", 2)
    receive("second.db", 4)
    receive("third.db", 5)
    assert values(kafka.bootstrap, topic) == list(range(500, 3000))


@pytest.mark.parametrize("broker", ["kafka", "tansu"])
def test_a_record_of_neither_key_nor_value_crosses(broker: str, request: pytest.FixtureRequest) -> None:
    bootstrap, channel = request.getfixturevalue(broker).bootstrap, f"dmz-{uuid.uuid4().hex[:8]}"
    topic = f"cdc.x.{channel}"
    nothing = RelayedRecord(topic, 1, 0, START_MS, None, None)
    with inner_of(bootstrap, channel) as inner:
        inner.take_over()
        inner.write([*entries(topic, 1), nothing, *entries(topic, 2)], {"last": "1"})
    found = list(read_topic(bootstrap, topic))
    assert sorted((r.key or b"", r.value or b"") for r in found) == [(b"", b""), (b"row", b"1"), (b"row", b"2")]


class _First(FolderBox):
    """Shows the batches up to a number."""

    def __init__(self, folder: Path, most: int) -> None:
        super().__init__(folder)
        self._most = most

    def numbers(self) -> list[int]:
        return [number for number in super().numbers() if number <= self._most]


def test_the_embedded_broker_is_known_to_have_no_transactions(tansu: Broker) -> None:
    with inner_of(tansu.bootstrap, "dmz") as inner:
        assert inner.take_over() is None
        assert not inner.is_exact
        inner.write(entries("cdc.x.t", 1, 2), {"last": "1"})
    assert values(tansu.bootstrap, "cdc.x.t") == [1, 2]
