"""The relay's outer end at Kafka: what is entered outside is read in order."""

# ruff: noqa: PLC0415 - kafka-python loads in a tenth of a second, and only a running relay needs it

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from connectors.relay.envelope import RelayedRecord, bare, place_in
from connectors.relay.read_ahead import ReadAhead
from connectors.relay.sender import Read
from schemas import TryLater

POLL_MS = 500
"""Longest wait for new records: the lag of an idle link."""
WAIT_MS = 10_000
_NO_ID = "00000000-0000-0000-0000-000000000000"
"""Said by a broker that gives topics no ids."""


class Groupless:
    """A consumer without a group: where to read on is the relay's own state. A context manager."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: Any = None  # kafka-python carries no types

    def __enter__(self) -> Self:
        """Connect. Raises TryLater."""
        self._connect()
        return self

    def _connect(self) -> None:
        from kafka import KafkaConsumer
        from kafka.errors import KafkaError

        try:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap.split(","), group_id=None, enable_auto_commit=False,
                auto_offset_reset="earliest", isolation_level="read_committed", bootstrap_timeout_ms=WAIT_MS,
            )  # fmt: skip
        except KafkaError as error:
            raise TryLater(f"no Kafka answers at {self._bootstrap}: {type(error).__name__}") from error

    def partitions(self, topics: Iterable[str]) -> list[Any]:
        """Give the partitions of those topics that are there, as the broker says now."""
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


class OuterReader(Groupless):
    """Reads topics from given positions on; topics that are made later are found, and partitions that are added.

    A topic that was made anew under its name is another one, and read from its beginning.
    """

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        super().__init__(bootstrap)
        self._topics = topics
        self._ahead = ReadAhead()
        """At most one fetch of each partition (1 MiB as it is sent, or one larger batch)."""
        self._at: dict[str, int] = {}
        self._incarnations: dict[str, str] = {}
        """Of each topic that is there."""
        self._admin: Any = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        super().__exit__(kind, error, trace)
        if self._admin is not None:
            self._admin.close()

    def _connect(self) -> None:
        from kafka.admin import KafkaAdminClient

        super()._connect()
        self._admin = self._admin or KafkaAdminClient(bootstrap_servers=self._bootstrap.split(","))

    def _begin_anew(self) -> None:
        """Forget what was read ahead, and with its connection what the client holds of topics that are gone."""
        self._ahead, self._at = ReadAhead(), {}
        self._consumer.close()
        self._connect()

    def _made_anew(self) -> set[str]:
        """Note which life of each topic is there; gives the topics that are another one than before."""
        described = self._admin.describe_topics(list(self._topics))
        there = {topic["name"]: _incarnation(topic["topic_id"]) for topic in described if not topic["error_code"]}
        anew = {topic for topic, known in self._incarnations.items() if there.get(topic, known) != known}
        self._incarnations |= there
        return anew

    def _place(self, tp: Any) -> str:  # noqa: ANN401 - kafka-python carries no types
        return place_in(tp.topic, tp.partition, self._incarnations[tp.topic])

    def read(self, positions: Mapping[str, int], most: int) -> Read:
        """Give up to `most` new records in the order of entry, across partitions, too. Raises TryLater."""
        from kafka.errors import KafkaError

        try:
            if self._made_anew():
                self._begin_anew()
            self._seek(positions)
            unread = self._read_ahead()
            if anew := self._made_anew():
                self._begin_anew()
                raise TryLater(f"{self._bootstrap}: {', '.join(sorted(anew))} was made anew while it was read")
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
                raise TryLater(
                    f"{self._bootstrap}: {', '.join(map(bare, behind))}: nothing comes, and what is newer waits for it"
                )
            self._poll()
            has_polled = True

    def _unread(self) -> set[str]:
        ends = self._consumer.end_offsets(list(self._consumer.assignment()))
        return {self._place(tp) for tp, end in ends.items() if self._consumer.position(tp) < end}

    def _poll(self) -> None:
        """Read on where nothing is held: a fetch of each such partition, whole.

        Of a fetch that was read in part and then paused, kafka-python 3.0.12 may never give the rest.
        """
        assigned = set(self._consumer.assignment())
        held = {tp for tp in assigned if self._ahead.next_offset(self._place(tp)) is not None}
        self._consumer.pause(*held)
        self._consumer.resume(*(assigned - held))
        for batch in self._consumer.poll(timeout_ms=POLL_MS, max_records=sys.maxsize).values():
            self._ahead.add([
                RelayedRecord(
                    r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, list(r.headers),
                    self._incarnations[r.topic],
                )
                for r in batch
            ])  # fmt: skip

    def _next(self) -> dict[str, int]:
        """Give by place the next offset to give out."""
        found = {}
        for tp in self._consumer.assignment():
            held = self._ahead.next_offset(self._place(tp))
            found[self._place(tp)] = self._consumer.position(tp) if held is None else held
        return found

    def _deleted(self, positions: Mapping[str, int], firsts: Mapping[str, int]) -> dict[str, int]:
        """Give by `topic:partition` how many records at most had been deleted before they were read.

        The client goes on at the topic's beginning and says nothing. Not every jump is a deletion: transactions and
        compaction leave gaps, too.
        """
        known = {tp: _read_to(positions, self._place(tp)) for tp in self._consumer.assignment()}
        jumped = {tp: at for tp, at in known.items() if at is not None and firsts[self._place(tp)] > at}
        begins = self._consumer.beginning_offsets(list(jumped)) if jumped else {}
        return {place_of(tp): begins[tp] - at for tp, at in jumped.items() if begins[tp] > at}

    def _seek(self, positions: Mapping[str, int]) -> None:
        there = [tp for tp in self.partitions(self._topics) if tp.topic in self._incarnations]
        starts = {tp: _read_to(positions, self._place(tp)) or 0 for tp in there}
        if set(there) != set(self._consumer.assignment()) or any(
            self._at.get(self._place(tp)) != offset for tp, offset in starts.items()
        ):
            self._ahead = ReadAhead()
            self._consumer.assign(there)
            for tp, offset in starts.items():
                self._consumer.seek(tp, offset)


def _read_to(positions: Mapping[str, int], place: str) -> int | None:
    """Give where a place is read on; None: it was never read. An older program named no incarnation."""
    return positions.get(place, positions.get(bare(place)))


def _incarnation(topic_id: object) -> str:
    return "" if topic_id is None or str(topic_id) == _NO_ID else str(topic_id)


def place_of(tp: Any) -> str:  # noqa: ANN401 - kafka-python carries no types
    """Give `topic:partition`."""
    return f"{tp.topic}:{tp.partition}"
