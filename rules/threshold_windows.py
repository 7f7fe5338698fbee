"""Rolling means: the last events of a unit, so many at most and none older than a time (R-T16's mean).

Pure; what the windows hold goes into the changelog of the summing agent, one row per window.
"""

from __future__ import annotations

import msgspec

from rules.threshold_alerts import Subject
from rules.thresholds import Judged, Ratio
from rules.totals import added
from schemas import Number

Event = tuple[int, Number, Number]
"""The moment up to which it happened (epoch ms), and what it adds."""


class Window(msgspec.Struct, array_like=True):
    """One window of one unit."""

    indicator: str
    unit: str
    dims: str
    most: int
    """Events."""
    ms: int
    events: list[Event] = []

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return Subject(self.unit, self.dims)

    @property
    def key(self) -> str:
        """Tell it from the others."""
        return f"{self.indicator}|{self.unit}|{self.dims}|{self.most}|{self.ms}"

    def add(self, event: Event) -> None:
        """Take an event in; those beyond the number leave. Events of one moment stay together."""
        self.events.append(event)
        count = sum(max(0, each[2]) for each in self.events)
        while len(self.events) > 1 and count - max(0, self.events[0][2]) >= self.most:
            count -= max(0, self.events.pop(0)[2])

    def expire(self, now: int) -> bool:
        """Let go of what happened too long ago; tell whether anything did."""
        count = len(self.events)
        self.events = [event for event in self.events if event[0] + self.ms > now]
        return len(self.events) < count

    def mean(self, min_count: float) -> Ratio | None:
        """Give the mean; None without events, or with fewer than `min_count`."""
        numerator: Number = 0
        denominator: Number = 0
        for _, n, d in self.events:
            numerator, denominator = added(numerator, n), added(denominator, d)
        return Ratio.of(numerator, denominator) if denominator > 0 and denominator >= min_count else None


class Windows:
    """All windows of one judge."""

    def __init__(self) -> None:
        self.rows: dict[str, Window] = {}
        self.changed: set[str] = set()
        self._due: int | None = None
        self._is_due_known = True

    def load(self, window: Window) -> None:
        """Take one back in."""
        self.rows[window.key] = window
        self._is_due_known = False

    def add(self, judged: Judged, subject: Subject, event: Event) -> None:
        """Take an event into the window of a threshold; twice at one moment: once (two severities share a window)."""
        threshold = judged.threshold
        if threshold.window is None:
            return
        window = Window(threshold.indicator, subject.unit, subject.dims, threshold.window.events, judged.window_ms)
        window = self.rows.setdefault(window.key, window)
        if window.events and window.events[-1][0] >= event[0]:
            return
        window.add(event)
        self._note(window)

    def of(self, judged: Judged, subject: Subject) -> Window | None:
        """Give the window of a threshold."""
        threshold = judged.threshold
        if threshold.window is None:
            return None
        most = threshold.window.events
        return self.rows.get(Window(threshold.indicator, subject.unit, subject.dims, most, judged.window_ms).key)

    @property
    def due(self) -> int | None:
        """When the next event grows too old."""
        if not self._is_due_known:
            firsts = [window.events[0][0] + window.ms for window in self.rows.values() if window.events]
            self._due, self._is_due_known = min(firsts, default=None), True
        return self._due

    def expire(self, now: int) -> list[Window]:
        """Give the windows that an event left at `now`."""
        if self.due is None or self.due > now:
            return []
        left = [window for window in self.rows.values() if window.expire(now)]
        for window in left:
            self._note(window)
        return left

    def _note(self, window: Window) -> None:
        self.changed.add(window.key)
        self._is_due_known = False
