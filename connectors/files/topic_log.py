"""What a table's topic says about rows, read from an offset to its present end.

The only place that knows what was there before a batch. Reads as a worker does: with the table's own decoder, committed
records only, and by the same rule of what is newer.
"""

# ruff: noqa: PLC0415 - kafka-python loads in a tenth of a second, and a preview needs none of it

import json
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from schemas import (
    BEFORE_ALL,
    Change,
    Columns,
    Decoder,
    Origin,
    Raw,
    RowForm,
    TableMapping,
    TryLater,
    as_written,
    is_ingested,
    read_origin,
    standing,
    supersedes,
)

Offsets = dict[int, int]
"""Partition to the next offset to read."""
Highs = dict[int, int]
"""Partition to the running maximum of its timestamps, epoch ms: the arrival of what comes next is never before it."""
WAIT_S = 30.0
POLL_MS = 200
MOST_RECORDS = 5_000


class Told(NamedTuple):
    """One change and the record that told it."""

    change: Change
    record: Raw
    origin: Origin | None


class TopicLog:
    """One table's topic; a context manager."""

    def __init__(self, bootstrap: str, mapping: TableMapping) -> None:
        self._bootstrap, self._topic = bootstrap, mapping.topic
        self._decoder = Decoder(as_written(mapping))
        self._consumer: Any = None  # kafka-python carries no types
        self._partitions: list[Any] = []
        self.read_to: Offsets = {}
        self.high: Highs = {}
        """At `read_to`."""

    def __enter__(self) -> Self:
        """Connect. Raises TryLater."""
        from kafka import KafkaConsumer, TopicPartition
        from kafka.errors import KafkaError

        try:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap.split(","), group_id=None, enable_auto_commit=False,
                auto_offset_reset="earliest", isolation_level="read_committed",
            )  # fmt: skip
            numbers = self._consumer.partitions_for_topic(self._topic) or ()
        except KafkaError as error:
            raise TryLater(f"no Kafka answers at {self._bootstrap}: {type(error).__name__}") from error
        self._partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        self._consumer.assign(self._partitions)
        return self

    def ends(self) -> Offsets:
        """Give where the topic ends now."""
        return {tp.partition: end for tp, end in self._consumer.end_offsets(self._partitions).items()}

    def since(self, at_ms: int) -> Offsets:
        """Give where the topic begins to be of a moment, epoch ms, or later, by its records' own times.

        Raises TryLater.
        """
        from kafka.errors import KafkaError

        try:
            found = self._consumer.offsets_for_times(dict.fromkeys(self._partitions, at_ms))
            ends = self.ends()
        except KafkaError as error:
            raise TryLater(f"{self._topic} cannot be looked into: {type(error).__name__}") from error
        return {
            tp.partition: ends[tp.partition] if place is None or place.timestamp < 0 else place.offset
            for tp, place in found.items()
        }

    def begins_late(self) -> bool:
        """Tell whether records have been deleted from the topic's front: rows told there are not known any more."""
        return any(offset > 0 for offset in self._consumer.beginning_offsets(self._partitions).values())

    def read(
        self, start: Mapping[int, int], advance: Callable[[int], None], *, high: Mapping[int, int] | None = None
    ) -> Iterator[Told]:
        """Give the changes from `start` to the topic's present end, in order within a partition. Raises TryLater.

        `high`: what `high` was where an earlier reading stopped at `start`. Without it a source without positions is
        read as if nothing stood before, which is right only from the topic's front.

        `advance` is told how many records have been read; `read_to` says afterwards where to go on. A record that
        cannot be decoded is passed over. The embedded broker's answer about ends lies inside the last batch; what a
        fetch says beside its records is right. With Kafka that may be more than can be read: a transaction is open.
        """
        ends = self._consumer.end_offsets(self._partitions)
        for tp in self._partitions:
            self._consumer.seek(tp, start.get(tp.partition, 0))
        told: dict[Any, int] = {}
        self.high = dict(high or {})
        done, deadline = 0, time.monotonic() + WAIT_S
        while not self._is_at(ends) or not self._is_at(told):
            batches = self._consumer.poll(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
            marks = {tp: self._consumer.highwater(tp) for tp in self._partitions if tp not in told}
            told |= {tp: mark for tp, mark in marks.items() if mark is not None}
            for tp, records in batches.items():
                yield from self._told(tp.partition, records)
                done += len(records)
            advance(done)
            if batches:
                deadline = time.monotonic() + WAIT_S
            elif self._is_at(ends):
                break
            elif time.monotonic() > deadline:
                raise TryLater(f"{self._topic} cannot be read to its end")
        self.read_to = {tp.partition: self._consumer.position(tp) for tp in self._partitions}

    def _is_at(self, ends: Mapping[Any, int]) -> bool:
        return all(self._consumer.position(tp) >= end for tp, end in ends.items())

    def _told(self, partition: int, records: list[Raw]) -> Iterator[Told]:
        by_offset = {record.offset: record for record in records}
        changes, _, self.high[partition] = self._decoder.decode_run(
            records, topic=self._topic, partition=partition, high=self.high.get(partition, 0)
        )
        for change in changes:
            record = by_offset[change.offset]
            origin = read_origin(record.value) if is_ingested(record.headers) and record.value else None
            yield Told(change, record, origin)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        if self._consumer is not None:
            self._consumer.close()


class RowImage(NamedTuple):
    """A row as far as the topic has told it."""

    position: int
    at: int
    columns: Columns | None
    """None: deleted."""
    order: int = 0
    """Within one commit of the source."""
    said: int = 0
    """Position of the latest time that a row from outside said."""


def fused(known: RowImage | None, told: Told, form: RowForm) -> tuple[RowImage, bool]:
    """Give the row after one more change, and whether that change was news (`rules.engine.fusion` in small)."""
    change = told.change
    at = change.at if told.origin is None else told.origin.src_ts
    columns: Columns = {} if change.op == "d" else form.columns_of(change)
    known = known or RowImage(BEFORE_ALL, at, None)
    if supersedes(change, known, is_later=True):
        whole = None if change.op == "d" else {**(known.columns or {}), **columns}
        position, order, said = standing(change, known)
        return RowImage(position, at, whole, order, said), True
    if known.columns is None or change.op == "d":
        return known, False
    return known._replace(columns={**columns, **known.columns}), False


def dump_offsets(offsets: Offsets) -> str:
    """Write offsets into a journal."""
    return json.dumps(offsets)


def load_offsets(text: str) -> Offsets:
    """Undo `dump_offsets`; none where nothing was written."""
    return {int(partition): offset for partition, offset in json.loads(text or "{}").items()}
