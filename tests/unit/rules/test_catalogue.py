"""What is defined stands in the catalogue a second time, and every flow of P28 is judged by what is written there."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from rules import SHIPPED, read_definitions
from rules.loader import DefinitionSet
from rules.models import Process
from tests.helpers.builders import SHANGHAI, World, local
from tests.helpers.catalogue import catalogue_faults, nodes_of, way_of, written

START = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)
"""A Monday; in the four weeks after it Mondays to Fridays are the workdays: no holiday, no make-up day."""
FLOWS = [name for name in written()["processes"] if name[0] == "f" and name[1:3].isdigit()]
HOURS = {"h": 1, "d": 24}
SATURDAY = 5


@pytest.fixture(scope="module")
def loaded() -> DefinitionSet:
    return read_definitions([SHIPPED])


def test_what_is_defined_is_written_in_the_catalogue(loaded: DefinitionSet) -> None:
    assert list(catalogue_faults(file.model for file in loaded.files)) == []


def test_a_slip_in_either_place_is_a_fault(loaded: DefinitionSet) -> None:
    models = [file.model for file in loaded.files]
    [rename] = [model for model in models if isinstance(model, Process) and model.id == "f15_rename"]
    slip = rename.model_copy(update={"stages": rename.stages[:-1]})
    assert way_of(slip) == "ACCEPT:1wd CHECK:2wd"
    [fault] = catalogue_faults([slip if model is rename else model for model in models])
    assert fault.startswith("f15_rename: defined is ACCEPT:1wd CHECK:2wd, written is ACCEPT:1wd CHECK:2wd ARCHIVE:3wd")
    assert [fault.partition(":")[0] for fault in catalogue_faults(m for m in models if m is not rename)] == [
        "f15_rename"
    ]


@pytest.mark.parametrize("flow", FLOWS)
def test_nodes_of_a_flow_that_never_end_are_late_by_their_limits_and_out_of_order(flow: str) -> None:
    """One after the other is begun, an hour apart."""
    facts = written()["processes"][flow]
    nodes = nodes_of(facts if isinstance(facts, str) else facts["way"])
    world, expected = World(), set()
    order: dict[str, Any] = {"flow_code": flow[:3].upper(), "created_at": world.now}
    world.row("work_order", "A1", "A1", **order)
    for hours, (code, limit, has_before) in enumerate(nodes):
        begun = START + timedelta(hours=hours)
        world.visit(code, at=minute(begun))
        if has_before:
            expected.add(("R-T18", code, minute(begun)))
        if limit:
            expected.add(("R-T22", code, minute(due(begun, limit))))
    world.until("2026-03-31T00:00")
    alarms = [a for a in world.alerts if a.event == "raised" and a.severity == "ALARM"]
    assert {(a.rule, a.stage, local(a.raised_at)) for a in alarms} == expected
    world.row("work_order", "A1", "A1", op="u", **order, finished_at=world.now)
    instance = world.partition.instances["A1"]
    assert (instance.process, local(instance.over_at)) == (flow, "2026-03-31T00:00")


def due(begun: datetime, limit: str) -> datetime:
    """Workdays count from the day after, to their end; hours and days by the clock."""
    if not limit.endswith("wd"):
        return begun + timedelta(hours=int(limit[:-1]) * HOURS[limit[-1]])
    day, left = begun.date(), int(limit.removesuffix("wd"))
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < SATURDAY
    return end_of(day)


def end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), tzinfo=SHANGHAI)


def minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"
