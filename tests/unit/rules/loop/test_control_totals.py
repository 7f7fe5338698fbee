"""Totals of the long loops: by domain, unit, department and person, each number in the period of its own event."""

from decimal import Decimal

import pytest

from rules import By, Period
from rules.loop import control_totals
from rules.loop.anomaly import AnomalyState
from schemas import TaskView
from tests.helpers.anomalies import ANALYST, LEADER, WAY, begun, brought_to, raised, say, view_of
from tests.helpers.loops import new_loop, shipped

MARCH, APRIL = Period.parse("2026-03"), Period.parse("2026-04")


def views() -> list[TaskView]:
    """Two of one unit archived, one of them after a rejection; a dismissed one; one under way elsewhere."""
    loop = new_loop()
    rejected = brought_to(loop, AnomalyState.FORWARDED, raised("2"))
    say(loop, rejected, "reject", LEADER)
    for kind, by, _ in WAY[3:]:
        say(loop, rejected, kind, by)
    dismissed = begun(loop, raised("3"))
    say(loop, dismissed, "dismiss", ANALYST)
    under_way = brought_to(loop, AnomalyState.CHECKING, raised("4", org_no="3340201", rule="A16"))
    every = (brought_to(loop, AnomalyState.ARCHIVED), rejected, dismissed, under_way)
    return [view_of(loop, anomaly.number) for anomaly in every]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("domain", [("电量电费", 3, 2, 2, 1, "241.0", 4), ("线损", 1, 1, 0, 0, "0", 0)]),
        ("org", [("3340101", 3, 2, 2, 1, "241.0", 4), ("3340201", 1, 1, 0, 0, "0", 0)]),
        ("dept", [("营销", 3, 2, 2, 1, "241.0", 4), ("运检", 1, 1, 0, 0, "0", 0)]),
        ("person", [("H9", 2, 2, 2, 0, "241.0", 4)]),
    ],
)
def test_anomalies_are_summed(by: By, expected: list[tuple[object, ...]]) -> None:
    totals = control_totals(views(), by, MARCH, shipped().calendar)
    found = [
        (each.of, each.warned, each.guided, each.evaluated, each.dismissed, str(each.energy_kwh), each.points)
        for each in totals
    ]
    assert found == expected


def test_another_month_has_none_of_it() -> None:
    (total,) = control_totals(views(), "person", APRIL, shipped().calendar)
    assert (total.warned, total.evaluated, total.energy_kwh, total.points) == (0, 0, Decimal(0), Decimal(0))
