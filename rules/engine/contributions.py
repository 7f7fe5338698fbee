"""What an instance contributes to indicators: a pure function of its state.

A change emits the contributions after it minus those before it, so that a late change repairs a past day.
"""

from __future__ import annotations

from collections.abc import Callable

from rules.compiler import CompiledProcess
from rules.engine.conditions import compile_condition
from rules.engine.deadlines import EARLIEST, LATEST, usable
from rules.engine.energy import amount as amount_of
from rules.engine.open_parts import OpenParts
from rules.engine.partition import Part
from rules.engine.row_parts import RowParts
from rules.indicator_models import Indicator
from rules.state import VISIT_FIELDS, Instance, Row, Visit
from rules.workdays import WorkCalendar
from schemas import from_wire

Amounts = Callable[[Row, Visit], tuple[int, int] | None]
"""From the instance's own row and a visit: numerator and denominator; None: nothing."""


STOCKS = frozenset({"stage_open", "stage_blocked"})
"""Kinds that count visits which have not ended."""


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
        self._fits = {i.code: compile_condition(i.when) for i in self._of_main if i.when}
        self._finished = {
            stage: tuple((i.code, amounts_of) for i in of_stage if (amounts_of := _of_finished(i)) is not None)
            for stage, of_stage in self._by_stage.items()
        }
        self.of_rows = RowParts(process.id, process.indicators, calendar)
        self.of_open = OpenParts(process.id, process.indicators)
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
            if instance.over_at is not None:
                return []
            held = ((i.code, _held(main, i)) for i in indicators if i.kind in STOCKS)
            return [(code, org, "", self._dims, *amounts) for code, amounts in held if any(amounts)]
        day = self._calendar.local_date(finished)
        parts: list[Part] = []
        for code, amounts_of in self._finished[visit.stage or ""]:
            amounts = amounts_of(main, visit)
            if amounts is not None:
                parts.append((code, org, day, self._dims, *amounts))
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
            amount = _counted(instance.main, i)
            if time is not None and amount and (not i.when or self._fits[i.code](from_wire(fields))):
                amounts = (amount, 0) if i.part == "numerator" else (0, amount)
                parts.append((i.code, org, self._calendar.local_date(time), self._dims, *amounts))
        return parts


def _of_finished(indicator: Indicator) -> Amounts | None:
    """Give what says what a visit that has ended adds to numerator and denominator; None: it adds nothing."""
    match indicator.kind:
        case "stage_on_time":
            return _on_time(indicator)
        case "stage_mean":
            return lambda _, visit: None if visit.took is None else (visit.took, 1)
        case "stage_count":
            return lambda main, _: (amount, 0) if (amount := _counted(main, indicator)) else None
        case "stage_share":
            return _share_of(indicator)
        case _:
            return None


def _on_time(indicator: Indicator) -> Amounts:
    fits = compile_condition(indicator.when)
    names = [name for name in VISIT_FIELDS if name in indicator.when]

    def amounts(_: Row, visit: Visit) -> tuple[int, int] | None:
        if visit.is_on_time is None or (names and not fits({name: getattr(visit, name) for name in names})):
            return None
        return int(visit.is_on_time), 1

    return amounts


def _share_of(indicator: Indicator) -> Amounts:
    fits, shares = compile_condition(indicator.when), compile_condition(indicator.share or {})
    names = [name for name in VISIT_FIELDS if name in indicator.when or name in (indicator.share or {})]

    def amounts(_: Row, visit: Visit) -> tuple[int, int] | None:
        fields = {name: getattr(visit, name) for name in names}
        return (int(shares(fields)), 1) if fits(fields) else None

    return amounts


def _held(main: Row, indicator: Indicator) -> tuple[int, int]:
    """Give what an open visit adds; of those that alerts block, `open_parts` has the numerator."""
    return (0, 1) if indicator.kind == "stage_blocked" else (_counted(main, indicator), 0)


def _counted(main: Row, indicator: Indicator) -> int:
    """Give 1, or the number field that is summed, in whole units; 0 for what is no amount."""
    if indicator.sum is None:
        return 1
    known = amount_of(from_wire({"": main.fields.get(indicator.sum)})[""])
    return 0 if known is None else int(known)
