"""How long stages took: by stage, by stage and unit, by stage and handler."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

from rules.compiler import CompiledProcess
from rules.engine.deadlines import usable
from rules.flow.case import Case, entered, spans_of, stage_of
from rules.flow.spread import HOUR_MS, Lengths, Spread, WorkTime


class By(StrEnum):
    """What visits are grouped by, beside their stage."""

    STAGE = "stage"
    UNIT = "unit"
    HANDLER = "handler"


@dataclass(frozen=True, slots=True)
class Taken:
    """How long the ended visits of a stage took."""

    stage: str
    title: str | None
    """None: the definition does not know the stage."""
    by: By
    who: str | None
    """The unit or handler; None for all, or if the rows name none."""
    open: int
    """Visits that have not ended."""
    workdays: Spread
    """As limits count: the day of entry is not counted, nor is a day that a suspension touches."""
    worked_h: Spread
    """Hours on workdays, without suspended ones; a workday has 24."""
    share: float
    """Of the working time of all ended visits."""


@dataclass(slots=True)
class _Group:
    open: int = 0
    workdays: Lengths = field(default_factory=Lengths)
    worked: Lengths = field(default_factory=Lengths)


class Durations:
    """Measures visits."""

    def __init__(self, process: CompiledProcess, work: WorkTime) -> None:
        self._process, self._work = process, work
        self._groups: dict[tuple[By, str, str | None], _Group] = defaultdict(_Group)

    def add(self, case: Case) -> None:
        """Take in a case. A visit that ended before it began is a finding, not a length, and is left out."""
        for visit in case.events:
            stage = stage_of(visit)
            begin, end = entered(visit), usable(visit.finished_at)
            groups = [
                self._groups[key]
                for key in ((By.STAGE, stage, None), (By.UNIT, stage, case.org_no), (By.HANDLER, stage, visit.handler))
            ]
            if end is None:
                for group in groups:
                    group.open += 1
            elif end >= begin:
                spans = spans_of(visit, end)
                workdays = self._work.calendar.workdays_between(begin, end, spans)
                worked = self._work.between(begin, end, spans)
                for group in groups:
                    group.workdays.add(workdays)
                    group.worked.add(worked)

    def rows(self, by: By) -> list[Taken]:
        """Give the groups of one kind, in the definition's order of stages, the most working time first within one."""
        order = {code: number for number, code in enumerate(self._process.stages)}
        found = [(stage, who, group) for (kind, stage, who), group in self._groups.items() if kind is by]
        totals = {(stage, who): group.worked.total for stage, who, group in found}
        whole = sum(totals.values())
        found.sort(key=lambda f: (order.get(f[0], len(order)), f[0], -totals[f[0], f[1]], f[1] or ""))
        return [
            Taken(
                stage, self._process.stages[stage].title if stage in order else None, by, who, group.open,
                group.workdays.spread(), group.worked.spread(HOUR_MS),
                round(totals[stage, who] / whole, 4) if whole else 0.0,
            )
            for stage, who, group in found
        ]  # fmt: skip
