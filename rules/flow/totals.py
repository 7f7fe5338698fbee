"""All that is measured of the cases of one process, in one pass over them."""

from __future__ import annotations

from dataclasses import dataclass

from rules.compiler import CompiledProcess
from rules.flow.case import Case
from rules.flow.conformance import Conformance
from rules.flow.durations import Durations
from rules.flow.follows import Follows, Variants
from rules.flow.rework import Reworks
from rules.flow.spread import WorkTime
from rules.flow.waiting import Waits


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted."""

    instances: int
    over: int
    events: int
    """Visits with a stage and a time of entry."""
    without_events: int
    """Instances that have none."""


class Flow:
    """The flow of a process as its cases had it."""

    def __init__(self, process: CompiledProcess, at: int, *, longest: int) -> None:
        """Take the moment (epoch ms) at which instances wait, and how many of the longest waits to name."""
        work = WorkTime(process.calendar)
        self.process, self.at = process, at
        self.variants = Variants(work)
        self.follows = Follows(process, work)
        self.durations = Durations(process, work)
        self.reworks = Reworks(process, work)
        self.waits = Waits(work, at, longest)
        self.conformance = Conformance(process)
        self._instances = self._over = self._events = self._without = 0

    def add(self, case: Case) -> None:
        """Take in a case."""
        for measure in (
            self.variants, self.follows, self.durations, self.reworks, self.waits, self.conformance,
        ):  # fmt: skip
            measure.add(case)
        self._instances += 1
        self._over += case.is_over
        self._events += len(case.events)
        self._without += not case.events

    @property
    def totals(self) -> Totals:
        """What was counted so far."""
        return Totals(self._instances, self._over, self._events, self._without)
