"""Sources whose log began anew: positions are lifted over the earlier ones where that is declared, noticed where not.

Why: after a fail-over to another server, a restore or `resetlogs`, positions are lower than those that rows already
have, and every change would count as older than what is known. When that happened cannot be told from one record (what
a restarted connector sends again looks the same), so an operator declares the moments: `format: {log_resets: [...]}`.
By the moment and not by a number, so that records of before and after are told apart in every replay. Pure.
"""

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from schemas.change import Change
from schemas.debezium import MOST_POSITION
from schemas.ingested import BY_LOG

EPOCH_BITS = 58
"""Positions of one life of a source's log fit below: 32,768 binary logs of MySQL, 2**58 bytes of PostgreSQL's."""
MOST_RESETS = (1 << 63 - EPOCH_BITS) - 1
_ENOUGH, _LONG_MS = 100, 10 * 60_000
"""Changes, and how long they must be behind: what a restarted connector sends again, or a large transaction that began
long ago, has caught up by then."""

_position = attrgetter("position")


def lifted(changes: Sequence[Change], resets: Sequence[int]) -> list[Change]:
    """Give changes with positions over all that came before the last of `resets` (epoch ms, ascending) before them.

    Only captured rows have a place in the source's log.
    """
    return [_lifted(change, epoch) if (epoch := bisect_right(resets, change.at)) else change for change in changes]


def _lifted(change: Change, epoch: int) -> Change:
    over = epoch << EPOCH_BITS
    if change.position >= 0:
        return msgspec.structs.replace(change, position=min(change.position + over, MOST_POSITION))
    if change.position == BY_LOG and change.order:  # the place of a snapshot of PostgreSQL
        return msgspec.structs.replace(change, order=min(change.order + over, MOST_POSITION))
    return change


class LogWatch:
    """Notices in the changes of one topic that its source's log began anew."""

    def __init__(self) -> None:
        self._top: dict[int, tuple[int, int]] = {}
        """Partition to the highest position yet and how many changes have come below it since it last came."""
        self._since: dict[int, int] = {}
        """Partition to the arrival of the first of those changes, epoch ms."""
        self._found: dict[int, int] = {}

    def note(self, changes: Sequence[Change], partition: int) -> None:
        """Take in changes of one partition, in order."""
        if not changes:
            return
        highest = max(map(_position, changes))
        top, behind = self._top.get(partition, (0, 0))
        if highest >= top:
            self._top[partition] = highest, 0
            self._since.pop(partition, None)
            return
        captured = sum(change.position >= 0 for change in changes)
        if not captured:
            return
        self._top[partition] = top, behind + captured
        since = self._since.setdefault(partition, changes[0].at)
        if behind + captured >= _ENOUGH and changes[-1].at - since >= _LONG_MS:
            self._found.setdefault(partition, since)

    @property
    def began_at(self) -> int | None:
        """Give when the log seems to have begun anew, epoch ms; None if it does not."""
        return min(self._found.values(), default=None)
