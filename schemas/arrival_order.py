"""Changes whose source does not say where in its log they stand: they are ordered by when they arrived.

Why: Canal, Maxwell without `output_binlog_position`, GoldenGate without trail or commit number, and flattened records
without the source's place leave nothing but the topic's own order. An offset counts in one partition only: when a
topic grows, rows go on in other partitions, at lower offsets. The arrival goes on. It is the running maximum of the
partition's timestamps, so it never goes back within a partition; what arrived in one millisecond has the order of the
partition. Made from the record's own place alone: a repeat and a replay of the topic give the same again.

Its limit: between two partitions nothing but clocks tells which change is the later. A record dated ahead holds all
that follow it in its partition at its own time, and a row that moves away from there when the topic grows stands still
until that time has come. `ArrivalWatch` notices such records. Nor can a reader hold a date against its own clock: it
would find another order the next time, and after an outage another than live. Where clocks cannot be trusted, let the
broker date the records (`message.timestamp.type=LogAppendTime`), or let the source tell its places. Or the topic grows
only to a multiple of its partitions (`format: {partitions: multiplied}`): a key's partition is a hash modulo their
count, so it stays, or goes to one with a higher number, and of two partitions the higher has the later change, whatever
any clock says (`by_partition`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.change import Change

FIRST_ARRIVAL = -(1 << 61)
"""The lowest of these positions: above all rows from outside (`schemas.ingested`). All are below zero: where a source
begins to tell its places, they come after all that had none."""
_MOST_MS = 1 << 53
_PART_BITS, _OFFSET_BITS, _PARTITION_BITS = 16, 36, 10
"""Changes of a record, records of a partition, partitions: more share the last number. So many images of one row are in
no record; records and partitions beyond it count in one millisecond as they come."""


def arrival_place(at: int, partition: int, offset: int, part: int = 0) -> tuple[int, int]:
    """Give position and order of a change that arrived at `at` (epoch ms), as change number `part` of its record.

    Of one millisecond the higher partition counts as the later: that is where a topic grows.
    """
    number = min(partition, (1 << _PARTITION_BITS) - 1) << _OFFSET_BITS | min(offset, (1 << _OFFSET_BITS) - 1)
    return FIRST_ARRIVAL + min(max(at, 0), _MOST_MS), number << _PART_BITS | min(part, (1 << _PART_BITS) - 1)


_FIRST_MULTIPLIED = FIRST_ARRIVAL + 2 * _MOST_MS
"""Above all arrivals, so that a row known by one is changed by what comes after its topic was declared so."""
_MULTIPLIED_BITS = 43
"""Of an arrival in epoch ms: until the year 2248. With those of a partition far below zero."""


def by_partition(changes: Sequence[Change]) -> list[Change]:
    """Give changes of a topic that grows only to a multiple of its partitions the order that follows from it.

    Within a partition by arrival as else, so that a topic that is made anew goes on.
    """
    return [
        msgspec.structs.replace(change, position=_multiplied(change.position - FIRST_ARRIVAL, change.partition))
        if FIRST_ARRIVAL <= change.position < _FIRST_MULTIPLIED
        else change
        for change in changes
    ]


def _multiplied(at: int, partition: int) -> int:
    place = min(partition, (1 << _PARTITION_BITS) - 1) << _MULTIPLIED_BITS
    return _FIRST_MULTIPLIED + place + min(at, (1 << _MULTIPLIED_BITS) - 1)


def _is_by_clock(change: Change) -> bool:
    return FIRST_ARRIVAL <= change.position < _FIRST_MULTIPLIED


class ArrivalWatch:
    """Notices in one topic changes by arrival that stand behind a record dated ahead of them."""

    MOST_APART_MS = 60_000
    """Clocks of producers that keep time, and one's tries to send again, are less apart."""

    def __init__(self) -> None:
        self.most_ms = 0
        """How far ahead the record before was dated, at most; 0: none was, or not far."""
        self.place = (0, 0)
        """Partition and offset of the change that stands so far behind."""

    def note(self, changes: Sequence[Change], own_ms: int, arrived: int) -> None:
        """Take in the changes of a record with its own timestamp and its arrival, epoch ms."""
        apart = arrived - own_ms
        if apart > max(self.most_ms, self.MOST_APART_MS) and any(map(_is_by_clock, changes)):
            self.most_ms, self.place = apart, (changes[0].partition, changes[0].offset)


class _Homes(NamedTuple):
    """Where a row was seen."""

    highest: int
    """Its partition with the highest number."""
    last_ms: int
    """Time of its newest record there, and in the others, epoch ms."""
    last_elsewhere_ms: int


class MultipleWatch:
    """Notices rows that went to a lower partition, in a topic that is declared to grow only to a multiple."""

    def __init__(self) -> None:
        self._homes: dict[str, _Homes] = {}

    def note(self, changes: Sequence[Change], own_ms: int) -> None:
        """Take in the changes of a record with its own timestamp, epoch ms; in any order of the partitions."""
        for change in changes:
            if _FIRST_MULTIPLIED <= change.position < 0:
                known = self._homes.get(change.row, _Homes(change.partition, own_ms, 0))
                self._homes[change.row] = _seen(known, change.partition, own_ms)

    @property
    def gone_down(self) -> str | None:
        """Give the key of a row that went to a lower partition; None: none did, as far as clocks tell."""
        most = ArrivalWatch.MOST_APART_MS
        return next((row for row, home in self._homes.items() if home.last_elsewhere_ms > home.last_ms + most), None)


def _seen(known: _Homes, partition: int, at: int) -> _Homes:
    if partition < known.highest:
        return known._replace(last_elsewhere_ms=max(known.last_elsewhere_ms, at))
    if partition == known.highest:
        return known._replace(last_ms=max(known.last_ms, at))
    return _Homes(partition, at, max(known.last_ms, known.last_elsewhere_ms))
