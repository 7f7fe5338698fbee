"""What a tracking partition tells the summing agent of its clock, among its differences.

Thresholds over indicator values are judged, and reports leave, by the least clock of all tracking partitions; so each
says how far it has come, behind everything that it has told up to there, to the partitions that own something of that.
"""

from rules import Definitions
from schemas import ClockMark
from schemas.codec import CLOCK_KEY, encode_clock
from streams.logic import Batch, SourcePartition
from streams.partitioner import Partitioner

MARK_EVERY_MS = 1_000
"""Thresholds that are judged at once are judged within the second."""


class ClockMarks:
    """One tracking partition's word on its clock."""

    def __init__(self, number: int, deltas: str, partitioner: Partitioner) -> None:
        self._number, self._deltas, self._partitioner = number, deltas, partitioner
        self._told = 0
        self._due: int | None = None  # something is judged then by the clock

    def is_due(self, clock: int) -> bool:
        """Tell whether the clock has passed a moment at which something is judged by the clock alone."""
        return self._due is not None and clock > self._due

    def write(self, batch: Batch, clock: int, definitions: Definitions) -> None:
        """Put the clock behind the differences of a batch, if it has gone on enough."""
        passed = clock - 1  # at its own moment there may still come more
        thresholds, reports = definitions.thresholds, definitions.reports
        owned = {*thresholds.judged, *reports.by_id}
        if not owned or (passed < self._told + MARK_EVERY_MS and not self.is_due(clock)):
            return
        data = encode_clock(ClockMark(self._number, passed))
        for number in sorted({self._partitioner.of(code)[1] for code in owned}):
            batch.writes.setdefault(SourcePartition(self._deltas, number), []).append((CLOCK_KEY, data))
        times = (thresholds.next_after(passed), reports.next_after(passed))
        self._told, self._due = passed, min((time for time in times if time is not None), default=None)
