"""Strategies with the calendar that they reckon by: what the loop asks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rules.loop.office_hours import OfficeHours, due_after
from rules.loop.strategy import Strategy, StrategyFile
from rules.workdays import WorkCalendar

LOCK_MS = 4 * 3_600_000


@dataclass(frozen=True, slots=True)
class Strategies:
    """All strategies of a set of definitions, in the order in which they are asked."""

    calendar: WorkCalendar
    entries: tuple[tuple[Strategy, OfficeHours], ...] = ()
    lock_ms: int = LOCK_MS
    """A work order is locked for so long (domain.md, P21); the shortest that a file says."""

    @classmethod
    def of(cls, files: Sequence[StrategyFile], calendar: WorkCalendar) -> Strategies:
        """Put the strategies of some files together."""
        entries = tuple((each, file.office) for file in files for each in file.complete())
        return cls(calendar, entries, min((file.lock_for.clock_ms for file in files), default=LOCK_MS))

    def find(self, rule: str, severity: str) -> Strategy | None:
        """Give the strategy of an alert; None: it becomes no task."""
        return next((each for each, _ in self.entries if each.fits(rule, severity)), None)

    def named(self, name: str) -> Strategy | None:
        """Give a strategy by its id; None if it is gone."""
        return next((each for each, _ in self.entries if each.id == name), None)

    def reply_due(self, strategy: Strategy, at: int) -> int:
        """Until when a task that was sent at `at` must be answered."""
        return due_after(self.calendar, at, strategy.reply_within)

    def finish_due(self, strategy: Strategy, at: int) -> int:
        """Until when the data should show it done."""
        return due_after(self.calendar, at, strategy.finish_within)

    def verify_at(self, strategy: Strategy, at: int) -> int:
        """When a task that was closed at `at` is looked at again."""
        return due_after(self.calendar, at, strategy.verify_after)

    def working(self, strategy: Strategy, at: int, length_ms: int) -> int:
        """Give when so much working time has passed since `at`."""
        office = next((office for each, office in self.entries if each is strategy), OfficeHours())
        return office.deadline(self.calendar, at, length_ms)
