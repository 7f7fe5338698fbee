"""What an instance contributes to indicators: a pure function of its state.

A change emits the contributions after it minus those before it, so that a late change repairs a past day.
"""

from __future__ import annotations

from decimal import Decimal

from rules.compiler import CompiledProcess
from rules.engine.deadlines import EARLIEST, LATEST, usable
from rules.engine.partition import Part
from rules.indicator_models import Indicator
from rules.state import Instance, Visit
from rules.workdays import WorkCalendar
from schemas import WireValue, from_wire


class Contributions:
    """The indicators of one process, sorted by what they look at."""

    def __init__(self, process: CompiledProcess, calendar: WorkCalendar) -> None:
        self._calendar = calendar
        self._dims = f'{{"process":"{process.id}"}}'
        self._of_main = tuple(i for i in process.indicators if i.kind == "count")
        self._by_stage: dict[str, tuple[Indicator, ...]] = {}
        for indicator in process.indicators:
            if indicator.stage is not None:
                self._by_stage[indicator.stage] = (*self._by_stage.get(indicator.stage, ()), indicator)
        self.deadline_rules = {i.stage: i.rule for i in process.indicators if i.kind == "stage_on_time"}
        self.measured = frozenset(i.stage for i in process.indicators if i.kind in ("stage_on_time", "stage_mean"))

    def of_visit(self, instance: Instance, visit: Visit) -> list[Part]:
        """Give what one visit contributes."""
        indicators, main = self._by_stage.get(visit.stage or "", ()), instance.main
        if not indicators or visit.is_deleted or main is None or main.is_deleted:
            return []
        org, finished = str(main.fields.get("org_no") or ""), visit.finished_at
        if finished is not None and not EARLIEST < finished < LATEST:
            finished = None
        if finished is None:
            is_running = instance.over_at is None
            return [(i.code, org, "", self._dims, 1, 0) for i in indicators if i.kind == "stage_open" and is_running]
        day = self._calendar.local_date(finished)
        parts: list[Part] = []
        for i in indicators:
            if i.kind == "stage_on_time" and visit.is_on_time is not None:
                parts.append((i.code, org, day, self._dims, int(visit.is_on_time), 1))
            elif i.kind == "stage_mean" and visit.took is not None:
                parts.append((i.code, org, day, self._dims, visit.took, 1))
            elif i.kind == "stage_count":
                parts.append((i.code, org, day, self._dims, 1, 0))
        return parts

    def of_main(self, instance: Instance) -> list[Part]:
        """Give what the instance's own row contributes."""
        if instance.main is None or instance.main.is_deleted:
            return []
        fields = instance.main.fields
        org = str(fields.get("org_no") or "")
        parts: list[Part] = []
        for i in self._of_main:
            time = usable(fields.get(i.field or ""))
            amount = _amount(fields.get(i.sum)) if i.sum else 1
            if time is not None and amount:
                parts.append((i.code, org, self._calendar.local_date(time), self._dims, amount, 0))
        return parts


def _amount(value: WireValue) -> int:
    """Give a number field in whole units; sums of fractions are not needed by any indicator so far."""
    known = from_wire({"": value})[""]
    return int(known) if isinstance(known, int | Decimal) else 0
