"""What was done again: repeated visits and rejected results, by stage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rules.compiler import CompiledProcess
from rules.engine.deadlines import usable
from rules.flow.case import Case, entered, spans_of, stage_of
from rules.flow.spread import HOUR_MS, WorkTime


@dataclass(frozen=True, slots=True)
class Rework:
    """How often one stage was gone through again."""

    stage: str
    visits: int
    instances: int
    repeats: int
    """Visits that are not an instance's first of the stage, or are numbered above one."""
    repeated_instances: int
    most: int
    """Visits of the instance that has the most."""
    rejected: int
    """Visits whose result leads back."""
    repeated_h: float
    """Working hours that ended repeats took."""


class Reworks:
    """Counts repeats."""

    def __init__(self, process: CompiledProcess, work: WorkTime) -> None:
        self._process, self._work = process, work
        self._visits: Counter[str] = Counter()
        self._instances: Counter[str] = Counter()
        self._repeats: Counter[str] = Counter()
        self._repeated: Counter[str] = Counter()
        self._most: dict[str, int] = {}
        self._rejected: Counter[str] = Counter()
        self._worked: Counter[str] = Counter()

    def add(self, case: Case) -> None:
        """Take in a case."""
        seen: Counter[str] = Counter()
        repeated: set[str] = set()
        for visit in case.events:
            stage = stage_of(visit)
            seen[stage] += 1
            self._rejected[stage] += visit.result in self._process.rejected
            if seen[stage] > 1 or (visit.visit or 1) > 1:
                self._repeats[stage] += 1
                repeated.add(stage)
                end = usable(visit.finished_at)
                if end is not None:
                    self._worked[stage] += self._work.between(entered(visit), end, spans_of(visit, end))
        self._visits.update(seen)
        self._instances.update(seen.keys())
        self._repeated.update(repeated)
        for stage, count in seen.items():
            self._most[stage] = max(self._most.get(stage, 0), count)

    def rows(self) -> list[Rework]:
        """Give every stage that was visited, the most repeated first."""
        stages = sorted(self._visits, key=lambda stage: (-self._repeats[stage], -self._rejected[stage], stage))
        return [
            Rework(
                stage, self._visits[stage], self._instances[stage], self._repeats[stage], self._repeated[stage],
                self._most[stage], self._rejected[stage], round(self._worked[stage] / HOUR_MS, 2),
            )
            for stage in stages
        ]  # fmt: skip
