"""What was read of several partitions before its turn, given out in the order in which it was entered. Pure.

Why: when a topic grows, rows go on in other partitions, and a backlog is read partition by partition. Inside, what
arrives later counts as the later (`schemas.arrival_order`), so an older change must cross before a newer one.
"""

import heapq
from collections import deque
from collections.abc import Collection, Sequence

from connectors.relay.envelope import RelayedRecord


class ReadAhead:
    """Records by place (`topic:partition`), of each in the order of its log."""

    def __init__(self) -> None:
        self._held: dict[str, deque[RelayedRecord]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def add(self, records: Sequence[RelayedRecord]) -> None:
        """Take what was read, of each place behind what is held of it."""
        for record in records:
            self._held.setdefault(record.place, deque()).append(record)

    def next_offset(self, place: str) -> int | None:
        """Give where a place's next record stands; None: nothing is held of it."""
        held = self._held.get(place)
        return held[0].offset if held else None

    def give(self, most: int, unread: Collection[str]) -> list[RelayedRecord]:
        """Give up to `most` records, the earliest first; within a partition the log's order holds, whatever its times.

        `unread`: places that have more than is held of them. Nothing is given that could be newer than that.
        """
        given: list[RelayedRecord] = []
        if any(not self._held.get(place) for place in unread):
            return given
        turns = [_turn(held[0]) for held in self._held.values() if held]
        heapq.heapify(turns)
        while turns and len(given) < most:
            record = turns[0][-1]
            held = self._held[record.place]
            given.append(held.popleft())
            if held:
                heapq.heapreplace(turns, _turn(held[0]))
            elif record.place in unread:
                break
            else:
                heapq.heappop(turns)
        return given


def _turn(record: RelayedRecord) -> tuple[int, str, int, RelayedRecord]:
    """Of one millisecond the higher partition counts as the later: that is where a topic grows."""
    return record.timestamp, record.topic, record.partition, record
