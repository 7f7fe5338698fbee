"""The relay's two ends at Kafka: what is entered outside is read in order, and written inside as it was."""

# ruff: noqa: PLC0415 - kafka-python loads in a tenth of a second, and only a running relay needs it

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from connectors.landing import Landing
from connectors.relay.envelope import RelayedRecord
from connectors.relay.read_ahead import ReadAhead
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
    """Reads topics from given positions on; topics that are made later are found, and partitions that are added."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        super().__init__(bootstrap)
        self._topics = topics
        self._ahead = ReadAhead()
        """At most one fetch of each partition (1 MiB as it is sent, or one larger batch)."""
        self._at: dict[str, int] = {}

    def read(self, positions: Mapping[str, int], most: int) -> Read:
        """Give up to `most` new records in the order of entry, across partitions, too. Raises TryLater."""
        from kafka.errors import KafkaError

        try:
            self._seek(positions)
            unread = self._read_ahead()
            deleted = self._deleted(positions, self._next())
            records = self._ahead.give(most, unread)
            self._at = self._next()
        except KafkaError as error:
            raise TryLater(f"{self._bootstrap}: {type(error).__name__}") from error
        return Read(records, dict(self._at), deleted)

    def _read_ahead(self) -> set[str]:
        """Read until of each partition something is held or it is at its end; gives those that have more than is held.

        The ends are asked for when all that is held has been read: what was entered before it stands below them. (Not
        so on the embedded broker, which calls an end what lies before it: there the order is that of one poll.)
        """
        deadline, has_polled = time.monotonic() + WAIT_MS / 1000, False
        while True:
            unread = self._unread()
            behind = sorted(place for place in unread if self._ahead.next_offset(place) is None)
            if not behind and (has_polled or self._ahead):
                return unread
            if time.monotonic() > deadline:
                raise TryLater(f"{self._bootstrap}: {', '.join(behind)}: nothing comes, and what is newer waits for it")
            self._poll()
            has_polled = True

    def _unread(self) -> set[str]:
        ends = self._consumer.end_offsets(list(self._consumer.assignment()))
        return {_place(tp) for tp, end in ends.items() if self._consumer.position(tp) < end}

    def _poll(self) -> None:
        """Read on where nothing is held: a fetch of each such partition, whole.

        Of a fetch that was read in part and then paused, kafka-python 3.0.12 may never give the rest.
        """
        assigned = set(self._consumer.assignment())
        held = {tp for tp in assigned if self._ahead.next_offset(_place(tp)) is not None}
        self._consumer.pause(*held)
        self._consumer.resume(*(assigned - held))
        for batch in self._consumer.poll(timeout_ms=POLL_MS, max_records=sys.maxsize).values():
            self._ahead.add([
                RelayedRecord(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, list(r.headers))
                for r in batch
            ])  # fmt: skip

    def _next(self) -> dict[str, int]:
        """Give by place the next offset to give out."""
        found = {}
        for tp in self._consumer.assignment():
            held = self._ahead.next_offset(_place(tp))
            found[_place(tp)] = self._consumer.position(tp) if held is None else held
        return found

    def _deleted(self, positions: Mapping[str, int], firsts: Mapping[str, int]) -> dict[str, int]:
        """Give by place how many records at most had been deleted before they were read.

        The client goes on at the topic's beginning and says nothing. Not every jump is a deletion: transactions and
        compaction leave gaps, too.
        """
        known = {tp: positions.get(_place(tp)) for tp in self._consumer.assignment()}
        jumped = {tp: at for tp, at in known.items() if at is not None and firsts[_place(tp)] > at}
        begins = self._consumer.beginning_offsets(list(jumped)) if jumped else {}
        return {_place(tp): begins[tp] - at for tp, at in jumped.items() if begins[tp] > at}

    def _seek(self, positions: Mapping[str, int]) -> None:
        partitions = self._partitions(self._topics)
        if set(partitions) != set(self._consumer.assignment()) or any(
            self._at.get(place) != offset for place, offset in positions.items()
        ):
            self._ahead = ReadAhead()
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

        Those without a key go into the partition that they name. After an error none is under way any more: what
        `marks` tells then stays true.
        """
        try:
            for record in records:
                partition = record.partition if record.key is None else None
                self._landing.put(record.topic, record.key, record.value, record.headers, partition)
        finally:
            self._landing.settle()


def _place(tp: Any) -> str:  # noqa: ANN401 - kafka-python carries no types
    return f"{tp.topic}:{tp.partition}"
