"""The relay's two ends at Kafka: what is entered outside is read in order, and written inside as it was."""

# ruff: noqa: PLC0415 - kafka-python loads in a tenth of a second, and only a running relay needs it

import heapq
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from connectors.landing import Landing
from connectors.relay.envelope import RelayedRecord
from connectors.relay.receiver import RELAY_HEADER
from connectors.relay.sender import Read
from schemas import TryLater

POLL_MS = 500
"""Longest wait for new records: the lag of an idle link."""
WAIT_MS = 10_000


class _Consumer:
    """A consumer without a group: where to read on is the relay's own state. A context manager."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: Any = None  # kafka-python carries no types

    def __enter__(self) -> Self:
        """Connect. Raises TryLater."""
        from kafka import KafkaConsumer
        from kafka.errors import KafkaError

        try:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap.split(","), group_id=None, enable_auto_commit=False,
                auto_offset_reset="earliest", isolation_level="read_committed", bootstrap_timeout_ms=WAIT_MS,
            )  # fmt: skip
        except KafkaError as error:
            raise TryLater(f"no Kafka answers at {self._bootstrap}: {type(error).__name__}") from error
        return self

    def _partitions(self, topics: Iterable[str]) -> list[Any]:
        from kafka import TopicPartition

        there = self._consumer.topics()
        return [
            TopicPartition(topic, number)
            for topic in sorted(set(topics) & set(there))
            for number in sorted(self._consumer.partitions_for_topic(topic) or ())
        ]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        if self._consumer is not None:
            self._consumer.close()


class OuterReader(_Consumer):
    """Reads topics from given positions on; topics that are made later are found."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        super().__init__(bootstrap)
        self._topics = topics
        self._at: dict[str, int] = {}

    def read(self, positions: Mapping[str, int], most: int) -> Read:
        """Give what is new, in the order of entry as far as the partitions tell. Raises TryLater."""
        from kafka.errors import KafkaError

        try:
            self._seek(positions)
            found = self._consumer.poll(timeout_ms=POLL_MS, max_records=most)
            # Merged, not sorted: within a partition the log's order holds, whatever its timestamps are.
            records = heapq.merge(*found.values(), key=lambda r: (r.timestamp, r.topic, r.partition))
            self._at = {_place(tp): self._consumer.position(tp) for tp in self._consumer.assignment()}
            deleted = self._deleted(positions, {_place(tp): batch[0].offset for tp, batch in found.items()})
        except KafkaError as error:
            raise TryLater(f"{self._bootstrap}: {type(error).__name__}") from error
        relayed = [
            RelayedRecord(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in records
        ]
        return Read(relayed, dict(self._at), deleted)

    def _deleted(self, positions: Mapping[str, int], firsts: Mapping[str, int]) -> dict[str, int]:
        """Give by place how many records at most had been deleted before they were read.

        The client goes on at the topic's beginning and says nothing. Not every jump is a deletion: transactions and
        compaction leave gaps, too.
        """
        known = {tp: positions.get(_place(tp)) for tp in self._consumer.assignment()}
        jumped = {
            tp: at for tp, at in known.items() if at is not None and firsts.get(_place(tp), self._at[_place(tp)]) > at
        }
        begins = self._consumer.beginning_offsets(list(jumped)) if jumped else {}
        return {_place(tp): begins[tp] - at for tp, at in jumped.items() if begins[tp] > at}

    def _seek(self, positions: Mapping[str, int]) -> None:
        partitions = self._partitions(self._topics)
        if set(partitions) != set(self._consumer.assignment()) or any(
            self._at.get(place) != offset for place, offset in positions.items()
        ):
            self._consumer.assign(partitions)
            for tp in partitions:
                self._consumer.seek(tp, positions.get(_place(tp), 0))


class InnerWriter(_Consumer):
    """Writes records with the keys that they had, and finds those that stand already."""

    def __init__(self, bootstrap: str, landing: Landing, *, partitions: int | None = None) -> None:
        super().__init__(bootstrap)
        self._landing, self._count = landing, partitions

    def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """Give where the topics end; they are made if they are not there. Raises TryLater."""
        from kafka.errors import KafkaError

        listed = sorted(topics)
        for topic in listed:
            self._landing.make_topic(topic, self._count)
        try:
            ends = self._consumer.end_offsets(self._partitions(listed))
        except KafkaError as error:
            raise TryLater(f"{self._bootstrap}: {type(error).__name__}") from error
        return {_place(tp): offset for tp, offset in ends.items()}

    def marks(self, ends: Mapping[str, int]) -> set[str]:
        """Give the relay headers of what stands behind `ends`. Raises TryLater."""
        from kafka.errors import KafkaError

        found: set[str] = set()
        partitions = self._partitions({place.rpartition(":")[0] for place in ends})
        try:
            self._consumer.assign(partitions)
            for tp in partitions:
                self._consumer.seek(tp, ends.get(_place(tp), 0))
            is_at_end = False
            while not is_at_end:
                targets = self._consumer.end_offsets(partitions)
                is_at_end = all(self._consumer.position(tp) >= targets[tp] for tp in partitions)
                for batch in self._consumer.poll(timeout_ms=POLL_MS).values():
                    found |= {
                        value.decode() for record in batch for name, value in record.headers if name == RELAY_HEADER
                    }
        except KafkaError as error:
            raise TryLater(f"{self._bootstrap}: {type(error).__name__}") from error
        return found

    def width(self, topic: str) -> int:
        """Give how many partitions a topic has. Raises TryLater."""
        partitions = self._partitions([topic])
        if not partitions:
            raise TryLater(f"{self._bootstrap} does not say yet how many partitions {topic} has")
        return len(partitions)

    def write(self, records: Iterable[RelayedRecord]) -> None:
        """Write records in order, each with the time at which it arrives here. Raises TryLater.

        Those without a key go into the partition that they name.
        """
        for record in records:
            partition = record.partition if record.key is None else None
            self._landing.put(record.topic, record.key, record.value, record.headers, partition)
        self._landing.settle()


def _place(tp: Any) -> str:  # noqa: ANN401 - kafka-python carries no types
    return f"{tp.topic}:{tp.partition}"
