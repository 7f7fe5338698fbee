"""What is open about an instance, as indicators count it: stocks of alerts, and stages that wait under them.

Counted after whatever may raise or end an alert. What an instance was counted for is kept with it
(`Instance.counted`), so that a change of its unit or process takes back exactly that. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from rules.engine.deadlines import usable
from rules.engine.energy import amount as amount_of
from rules.engine.partition import Part, Partition, Step
from rules.indicator_models import Indicator
from rules.state import Instance
from schemas import Number, from_wire

OPEN = "alerts"
"""Stands for all that is open among the names of what was counted; rows' names have a colon."""


class OpenParts:
    """The indicators of one process that look at open alerts."""

    def __init__(self, process: str, indicators: Iterable[Indicator]) -> None:
        self._dims = f'{{"process":"{process}"}}'
        every = tuple(indicators)
        self._stocks = tuple(i for i in every if i.kind == "open_alerts")
        self._blocked = tuple(i for i in every if i.kind == "stage_blocked")
        self._meant: dict[str, tuple[Indicator, ...]] = {}

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._stocks or self._blocked)

    def of(self, instance: Instance) -> list[Part]:
        """Give what is open; it counts for the unit of the instance's own row, at no date."""
        main = instance.main
        if main is None or main.is_deleted:
            return []
        things = self._things(instance) if instance.raised else None
        if not things:  # hot path
            return []
        org = str(main.fields.get("org_no") or "")
        parts: list[Part] = []
        for indicator in self._stocks:
            found = things.get(indicator.code)
            amount = _amount(indicator, instance, len(found)) if found else 0
            if amount:
                parts.append((indicator.code, org, "", self._dims, amount, 0))
        for indicator in self._blocked if instance.over_at is None else ():
            waiting = _waiting(instance, indicator.stage) if indicator.code in things else 0
            if waiting:
                parts.append((indicator.code, org, "", self._dims, waiting, 0))
        return parts

    def _things(self, instance: Instance) -> dict[str, set[str]]:
        """Give by indicator what its rules say something of now; several severities of one thing are one."""
        found: dict[str, set[str]] = {}
        for rule, rungs in (instance.raised or {}).items():
            meant = self._meant.get(rule)
            if meant is None:
                meant = self._meant[rule] = tuple(i for i in (*self._stocks, *self._blocked) if i.is_meant(rule))
            for key in [key for key, rung in rungs.items() if rung.is_open] if meant else ():
                thing, _, severity = key.rpartition("|")
                for indicator in meant:
                    if not indicator.severities or severity in indicator.severities:
                        found.setdefault(indicator.code, set()).add(f"{rule}|{thing}")
        return found


def recount_open(partition: Partition, parts: OpenParts | None, instance: Instance, step: Step) -> None:
    """Tell the difference between what is open now and what the instance was counted for."""
    counted = instance.counted or {}
    before, after = counted.get(OPEN, []), parts.of(instance) if parts else []
    if before == after:
        return
    step.count(before, after, partition.clock)
    rest = {name: found for name, found in counted.items() if name != OPEN}
    instance.counted = (rest | {OPEN: after} if after else rest) or None


def _waiting(instance: Instance, stage: str | None) -> int:
    """Give how many visits of a stage are open; `contributions` counts them as the denominator."""
    visits = (visit for visit in instance.visits if visit.stage == stage and not visit.is_deleted)
    return sum(usable(visit.finished_at) is None for visit in visits)


def _amount(indicator: Indicator, instance: Instance, count: int) -> Number:
    """Give how many things are open, or the number field of the instance's own row: once, however many are."""
    if indicator.sum is None or instance.main is None:
        return count
    return amount_of(from_wire({"": instance.main.fields.get(indicator.sum)})[""]) or 0
