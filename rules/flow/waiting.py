"""Where the instances that have not ended stand at one moment, and for how long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappush, heappushpop

from rules.engine.deadlines import suspended, usable
from rules.flow.case import Case, entered, spans_of
from rules.flow.spread import HOUR_MS, Lengths, Spread, WorkTime
from rules.state import Visit


class State(StrEnum):
    """How an instance stands at a stage."""

    OPEN = "open"
    SUSPENDED = "suspended"
    BETWEEN = "between"
    """The stage has ended and no other was entered: nobody has it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The instances that stand at one stage in one state; one at two parallel stages counts at both."""

    stage: str | None
    """None: no stage was ever entered."""
    state: State
    instances: int
    waited_h: Spread
    """Working hours in this state; at an open stage without its suspensions."""


@dataclass(frozen=True, slots=True)
class WaitingInstance:
    """One instance that stands somewhere."""

    instance: str
    stage: str | None
    state: State
    org_no: str | None
    handler: str | None
    since_at: int
    """Since when it is in this state, epoch ms."""
    waited_h: float


class Waits:
    """Measures the instances that have not ended."""

    def __init__(self, work: WorkTime, at: int, most: int) -> None:
        """Take the moment (epoch ms), and how many of the longest-waiting instances to name."""
        self._work, self._at, self._most = work, at, most
        self._groups: dict[tuple[str | None, State], Lengths] = defaultdict(Lengths)
        self._longest: list[tuple[int, str, str, WaitingInstance]] = []

    def add(self, case: Case) -> None:
        """Take in a case."""
        if case.is_over:
            return
        for stage, state, since, visit in self._standing(case):
            spans = spans_of(visit, self._at) if visit is not None and state is State.OPEN else ()
            waited = self._work.between(since, self._at, spans)
            self._groups[stage, state].add(waited)
            handler = visit.handler if visit is not None and state is not State.BETWEEN else None
            hours = round(waited / HOUR_MS, 2)
            self._keep(waited, WaitingInstance(case.key, stage, state, case.org_no, handler, since, hours))

    def _standing(self, case: Case) -> Iterator[tuple[str | None, State, int, Visit | None]]:
        """Give stage, state, since when, and the visit."""
        is_open = False
        for visit in case.events:
            if usable(visit.finished_at) is None:
                is_open = True
                if suspended(visit) is None:
                    yield visit.stage, State.SUSPENDED, usable(visit.suspend_from) or entered(visit), visit
                else:
                    yield visit.stage, State.OPEN, entered(visit), visit
        if is_open:
            return
        last = max(case.events, key=lambda visit: usable(visit.finished_at) or 0, default=None)
        if last is None:
            yield None, State.BETWEEN, case.instance.since, None
        else:
            yield last.stage, State.BETWEEN, usable(last.finished_at) or 0, last

    def _keep(self, waited: int, row: WaitingInstance) -> None:
        entry = (waited, row.instance, row.stage or "", row)
        if len(self._longest) < self._most:
            heappush(self._longest, entry)
        elif self._most:
            heappushpop(self._longest, entry)

    def rows(self) -> list[Waiting]:
        """Give the places where instances stand, the most waiting time in sum first."""
        ordered = sorted(self._groups.items(), key=lambda item: (-item[1].total, item[0][0] or "", item[0][1]))
        return [Waiting(stage, state, len(waited), waited.spread(HOUR_MS)) for (stage, state), waited in ordered]

    def longest(self) -> list[WaitingInstance]:
        """Give the instances that have waited longest, the longest first."""
        return [row for *_, row in sorted(self._longest, key=lambda entry: entry[:3], reverse=True)]
