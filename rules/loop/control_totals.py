"""What the long loops of a period come to: three phases, the effect of control, points (domain.md 4.7). Pure."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from rules.evaluation_period import Period
from rules.loop.anomaly import AnomalyState
from rules.workdays import WorkCalendar
from schemas import AnomalyFacts, TaskView

By = Literal["domain", "org", "dept", "person"]
Counts = Callable[[int | None], bool]
"""Tells whether something happened in the period."""


class ControlTotal(msgspec.Struct, kw_only=True):
    """The sum of one domain, unit, department or person. Each number counts what happened in the period."""

    of: str
    warned: int = 0
    """Anomalies raised."""
    guided: int = 0
    """Anomalies that a person confirmed, so that they went to a department."""
    evaluated: int = 0
    """Anomalies archived after approval: those that the sums below rest on."""
    dismissed: int = 0
    self_cleared: int = 0
    """Of the evaluated, those that the data had stopped showing by themselves."""
    energy_kwh: Decimal = Decimal(0)
    money: Decimal = Decimal(0)
    """Yuan."""
    errors: int = 0
    points: Decimal = Decimal(0)


def control_totals(views: Iterable[TaskView], by: By, period: Period, calendar: WorkCalendar) -> list[ControlTotal]:
    """Sum anomalies; those without what they are summed by (nobody's duty yet) are left out."""
    sums: dict[str, ControlTotal] = {}

    def counts(at: int | None) -> bool:
        return at is not None and period.covers(calendar.local_date(at))

    for view in views:
        key = "" if view.anomaly is None else _OF[by](view, view.anomaly)
        if view.anomaly is not None and key:
            _add(sums.setdefault(key, ControlTotal(of=key)), view, view.anomaly, counts)
    return [sums[key] for key in sorted(sums)]


_OF: dict[By, Callable[[TaskView, AnomalyFacts], str]] = {
    "domain": lambda _, facts: facts.domain,
    "org": lambda view, _: view.org_no or "",
    "dept": lambda _, facts: facts.duty_dept or facts.dept,
    "person": lambda _, facts: facts.duty_person,
}


def _add(total: ControlTotal, view: TaskView, facts: AnomalyFacts, counts: Counts) -> None:
    total.warned += counts(view.created_at)
    total.guided += any(act.what == AnomalyState.SCREENED and counts(act.at) for act in view.acts)
    if not counts(view.closed_at):
        return
    if facts.is_dismissed:
        total.dismissed += 1
        return
    if facts.merged_into:  # its effect is counted once, with that one
        return
    total.evaluated += 1
    total.self_cleared += facts.is_self_cleared
    total.points += facts.deducted_score
    for order in facts.rectifications:
        if not order.is_rejected:
            total.energy_kwh += order.energy_kwh
            total.money += order.money
            total.errors += order.errors
