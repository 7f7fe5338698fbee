"""Changes of many source partitions brought into one order of time. Pure: no I/O, no clock.

Why: two topics that feed one instance are read at different speeds, most of all while catching up. The
tracking agent pushes what it reads and pops what may be judged. It must never give out a change while an
earlier one may still come from a source partition that has unread records (contract, section 7).

The order is `(at, reference first, topic, partition, offset)`. It depends on the inputs alone, never on
how their deliveries interleave.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from schemas.change import Change, Mark
from streams.logic import SourcePartition

_NEVER = -1
"""`high` of a source partition of which nothing is known yet."""
_by_time = attrgetter("at")
_offset_of = attrgetter("offset")

HOLD_S = 0.5
"""How long a change from the future is held back: the broker is asked many times in between."""
UNCOUNTED_S = 10.0
"""How long a change is held back that lies beyond the end of its source: no answer that counts is so old. Then the
source has another end than it had: it was made anew."""


class SourceProgress(msgspec.Struct, array_like=True, gc=False):
    """What is persisted of one source partition."""

    topic: str
    partition: int
    judged: int
    """Next offset to judge."""
    read: int
    """How far it was read: next offset the re-keying agent reads, as its last mark said; of a direct source, next
    offset whose dead letters and forwarded changes are not written yet."""
    high: int
    """Running maximum of the timestamps up to `read`, epoch ms; of a direct source, up to `judged`."""
    is_direct: bool = False
    part: int = 0
    """Of the record before `judged`: the last of its changes that was judged."""


class MergePosition(msgspec.Struct, array_like=True, gc=False):
    """What is persisted of a merge."""

    resume: int
    """Where to read `stagewatch.changes` on: the first change not judged yet."""
    read_to: int
    """How far it had been read: nothing is given out after a restart before it is reached again."""
    sources: list[SourceProgress]


Place = tuple[int, SourcePartition | None]
"""A place in the order: everything up to this time, at this time up to this source partition (None: of none)."""


class _Source:
    """One source partition: its queue of changes not judged, and how far it has come."""

    __slots__ = (
        "ats", "blocked_since", "changes", "high", "is_direct", "is_passed", "judged", "judged_high", "judged_part",
        "key", "logs", "part", "read", "received", "written",
    )  # fmt: skip

    def __init__(self, key: SourcePartition) -> None:
        self.key = key
        self.is_direct = False
        self.changes: list[Change] = []
        self.ats: list[int] = []  # of `changes`, never decreasing: what the merge goes by
        self.logs: list[int] = []  # of `changes`, their offsets in `stagewatch.changes`; none of a direct source
        self.received = 0  # source offset below which everything has come
        self.part = 0  # of the record before `received`, the part that came last
        self.judged = 0
        self.judged_high = 0  # timestamp of the last change judged
        self.judged_part = 0  # its part
        self.read = 0
        self.written = 0  # direct: next offset whose dead letters are not written yet
        self.high = _NEVER
        self.blocked_since: float | None = None
        self.is_passed = False

    def has_news(self) -> None:
        self.blocked_since = None
        self.is_passed = False

    def cut(self, bound: Place | None) -> int:
        """How many changes at the head of the queue sort before `bound`."""
        if bound is None:
            return len(self.changes)
        at, key = bound
        if key is not None and self.key <= key:
            return bisect_right(self.ats, at)
        return bisect_left(self.ats, at)

    def take(self, count: int) -> list[Change]:
        """Give the head of the queue and note it as judged."""
        taken = self.changes[:count]
        last = taken[-1]
        self.judged, self.judged_high, self.judged_part = last.offset + 1, self.ats[count - 1], last.part
        del self.changes[:count], self.ats[:count], self.logs[:count]
        return taken

    def progress(self) -> SourceProgress:
        """What to persist: of a direct source, where to read on and how far its dead letters are written."""
        topic, number = self.key
        if not self.is_direct:
            return SourceProgress(topic, number, self.judged, self.read, self.high, part=self.judged_part)
        written = max(self.read, self.written)  # stopped again on the way back: it was written as far as it was
        if self.changes:
            return SourceProgress(topic, number, self.changes[0].offset, written, self.judged_high, is_direct=True)
        return SourceProgress(topic, number, self.read, written, self.high, is_direct=True)


class Merge:
    """The merge of one partition of `stagewatch.changes`, and of the captured topics that are read as they stand."""

    def __init__(self, *, merge_wait_s: float = 300.0) -> None:
        self._merge_wait_s = merge_wait_s
        self._sources: dict[SourcePartition, _Source] = {}
        self._allowed: tuple[Place | None] | None = None  # what lies before may be judged whatever comes
        self._hold_to = 0
        self._held_since: float | None = None
        self._uncounted_since: float | None = None
        self.read_to = 0
        self.passed = 0
        """Times that a silent source partition was passed."""
        self.repeats = 0
        """Changes that came again and were dropped."""

    # -- what comes in

    def push(self, change: Change, log_offset: int) -> bool:
        """Queue a change; False if it came before (a re-keying agent on a broker without transactions).

        A vote (topic "") is of no source partition. It is queued at its time like all others, under its own
        place in the log, and nothing waits for votes.
        """
        if not change.topic:
            change = msgspec.structs.replace(change, partition=0, offset=log_offset)
        source = self._source(change.topic, change.partition)
        if change.offset < source.received and (change.offset + 1 < source.received or change.part <= source.part):
            self.repeats += 1
            return False
        source.received, source.part = change.offset + 1, change.part
        at = change.at
        if source.ats and at < source.ats[-1]:
            at = source.ats[-1]
            change = msgspec.structs.replace(change, at=at)
        source.high = max(source.high, at)
        source.changes.append(change)
        source.ats.append(at)
        source.logs.append(log_offset)
        source.has_news()
        return True

    def extend(self, key: SourcePartition, changes: Sequence[Change], next_offset: int, high: int) -> None:
        """Queue what was read of a direct source: changes in order, none of them seen before, up to `next_offset`."""
        source = self.direct(key)
        source.changes += changes
        source.ats += [change.at for change in changes]
        source.read, source.high = next_offset, max(high, source.high)
        source.has_news()

    def direct(self, key: SourcePartition) -> _Source:
        """Give a source partition that is read as it stands, without marks."""
        source = self._source(*key)
        source.is_direct = True
        return source

    def mark(self, mark: Mark) -> None:
        """Note how far a source partition has been read. An older mark changes nothing."""
        source = self._source(mark.topic, mark.partition)
        if mark.next_offset > source.read or mark.at > source.high:
            source.has_news()
        source.read = max(source.read, mark.next_offset)
        source.high = max(source.high, mark.at)

    # -- what goes out

    def pop_ready(  # noqa: PLR0913 - what the order depends on
        self,
        ends: Mapping[SourcePartition, int],
        *,
        now: float,
        limit: int,
        reference_bound: int | None = None,
        horizon: int | None = None,
        floor: int | None = None,
        floor_ends: Mapping[SourcePartition, int] | None = None,
    ) -> Sequence[Change]:
        """Give the next changes that may be judged, about `limit` of each source, in order; empty if none may.

        Args:
            ends: the ends of all source partitions, from the latest question to the broker.
            now: seconds of a clock that only measures waiting.
            limit: what one step should take.
            reference_bound: the earliest time a reference record still unread may have; None: all are read.
            horizon: records of this time or later may not yet have been counted in `ends`; None: all are.
            floor: everything earlier than this has come, as an older question and its marks show.
            floor_ends: the ends as that question found them.

        Times compare clocks of the producers with ours, and ours may be wrong. So none is judged that its question
        has not counted: what was written before that one has been counted too, whatever the clocks say.
        """
        if self._allowed is not None:
            return self._take(self._allowed[0], limit)
        if self.read_to < self._hold_to or not ends:
            return []
        behind = self._behind(ends)
        while True:
            bound = self._limited(self._bound(behind, reference_bound), horizon, now)
            bound = self._counted(bound, ends, now)
            if floor is not None and bound is not None and bound[0] < floor:
                uncounted = self._uncounted(floor_ends or ends)
                come = floor if uncounted is None else min(floor, uncounted)
                if bound[0] < come:
                    bound = (come, None)
            taken = self._take(bound, limit)
            if taken or not self._pass_silent(behind, now):
                return taken

    def has_ready(self) -> bool:
        """The next `pop_ready` gives something whatever the ends are."""
        return self._allowed is not None

    def has_queued(self) -> bool:
        """Changes wait to be judged."""
        return any(source.changes for source in self._sources.values())

    def is_at_end(self, ends: Mapping[SourcePartition, int]) -> bool:
        """Every source partition has been read to its end, and here to the mark that said so."""
        if self.read_to < self._hold_to:
            return False
        sources = self._sources
        return all(end <= (s.read if (s := sources.get(key)) else 0) for key, end in ends.items())

    def _take(self, bound: Place | None, limit: int) -> Sequence[Change]:
        """Take what sorts before `bound`, in portions: all up to where the first source has given `limit`."""
        found = [(source, count) for source in self._sources.values() if source.ats and (count := source.cut(bound))]
        full = [(source.ats[limit - 1], source.key) for source, count in found if count > limit]
        self._allowed = None
        if full:
            portion = min(full)
            self._allowed = (bound,)
            found = [(source, count) for source, _ in found if (count := source.cut(portion))]
        return _merged([source.take(count) for source, count in found])

    def _behind(self, ends: Mapping[SourcePartition, int]) -> list[_Source]:
        """Source partitions that have records unread; what is not among `ends` is gone, never waited for."""
        return [source for key, end in ends.items() if (source := self._source(*key)).read < end]

    @staticmethod
    def _bound(behind: Iterable[_Source], reference_bound: int | None) -> Place | None:
        """The earliest place in the order at which something unread may still come."""
        best: Place | None = None
        for source in behind:
            at = source.high
            if not source.is_passed and (best is None or (at, source.key) < best):
                best = (at, source.key)
        if reference_bound is not None and (best is None or reference_bound <= best[0]):
            return (reference_bound, None)
        return best

    def _limited(self, bound: Place | None, horizon: int | None, now: float) -> Place | None:
        """Hold back what is newer than the question: an earlier record may have been written meanwhile.

        A record from the future (a producer whose clock is ahead) is not waited for longer than `HOLD_S`.
        """
        if horizon is None or (bound is not None and bound[0] < horizon):
            return bound
        heads = [source.ats[0] for source in self._sources.values() if source.ats]
        if not heads or min(heads) < horizon:
            self._held_since = None
            return (horizon, None)
        if self._held_since is None:
            self._held_since = now
        return bound if now - self._held_since > HOLD_S else (horizon, None)

    def _counted(self, bound: Place | None, ends: Mapping[SourcePartition, int], now: float) -> Place | None:
        """Hold back what lies beyond the ends: something earlier may have been written before it."""
        uncounted = self._uncounted(ends)
        if uncounted is None:
            self._uncounted_since = None
            return bound
        if self._uncounted_since is None:
            self._uncounted_since = now
        return bound if now - self._uncounted_since > UNCOUNTED_S else _earlier(bound, uncounted)

    def _uncounted(self, ends: Mapping[SourcePartition, int]) -> int | None:
        """The time of the earliest change that lies beyond the end of its source; None if there is none."""
        earliest: int | None = None
        for key, end in ends.items():
            source = self._sources.get(key)
            if source is None or not source.changes or source.changes[-1].offset < end:
                continue
            at = source.ats[bisect_left(source.changes, end, key=_offset_of)]
            if earliest is None or at < earliest:
                earliest = at
        return earliest

    def _pass_silent(self, behind: Iterable[_Source], now: float) -> bool:
        """Count the waiting of those that hold others up; True if one has kept us long enough to be passed."""
        heads = [(source.ats[0], source.key) for source in self._sources.values() if source.ats]
        if not heads:
            return False
        head, has_passed = min(heads), False
        for source in behind:
            if source.is_passed or (source.high, source.key) >= head:
                continue
            if source.blocked_since is None:
                source.blocked_since = now
            elif now - source.blocked_since >= self._merge_wait_s:
                source.is_passed = has_passed = True
                self.passed += 1
        return has_passed

    def _source(self, topic: str, partition: int) -> _Source:
        key = SourcePartition(topic, partition)
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = _Source(key)
        return source

    # -- what is kept

    def position(self) -> MergePosition:
        """What to persist with the state that the judged changes led to."""
        resume = min([self.read_to, *(source.logs[0] for source in self._sources.values() if source.logs)])
        progress = [s.progress() for s in self._sources.values() if s.read or s.written or not s.is_direct]
        # Stopped again on the way back: the marks are still as of where it was before.
        return MergePosition(resume, max(self.read_to, self._hold_to), progress)

    def restore(self, position: MergePosition) -> None:
        """Go on from a position: nothing is given out until the log is read again as far as it was.

        Otherwise the marks, which are as of `read_to`, would vouch for changes that are not back yet.
        """
        self._hold_to = position.read_to
        self.read_to = position.resume
        for kept in position.sources:
            source = self._source(kept.topic, kept.partition)
            source.judged = source.received = kept.judged
            source.part = source.judged_part = kept.part
            source.read, source.high = kept.read, kept.high
            if kept.is_direct:  # what was read and not judged is read again
                source.is_direct, source.written = True, kept.read
                source.read, source.judged_high = kept.judged, kept.high


def _earlier(bound: Place | None, at: int | None) -> Place | None:
    """Give the place that comes first: a bound, or what is at a time."""
    return bound if at is None or (bound is not None and bound[0] < at) else (at, None)


def _merged(parts: list[list[Change]]) -> list[Change]:
    """Merge runs that are each in order. Stable: equal times come in the order of their source partitions."""
    if len(parts) < 2:  # noqa: PLR2004 - nothing to merge
        return parts[0] if parts else []
    parts.sort(key=lambda part: (part[0].topic, part[0].partition))
    merged = [change for part in parts for change in part]
    merged.sort(key=_by_time)
    return merged
