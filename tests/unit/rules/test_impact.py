"""What a change would mean right now is what happens when it is taken up."""

from pathlib import Path

from rules import Engine, Impact, Step, measure, measure_values
from tests.helpers.builders import World
from tests.helpers.rulebooks import LOOSE, TIGHT, sets
from tests.helpers.thresholds import Court, definitions, delta


def world_of(count: int, until: str) -> World:
    world = World()
    world.manager()
    for number in range(count):
        world.app(f"A{number}", tg_no="TG1")
        world.visit("SURVEY", f"A{number}")
    return world.until(until)


def test_raised_spared_and_moved_are_those_of_the_change_itself() -> None:
    for edit, until in ((TIGHT, "2026-03-05T10:00"), (LOOSE, "2026-03-10T09:00")):
        world = world_of(3, until)
        after = Engine(sets([edit])[0], world.reference)
        impact = Impact()
        measure(impact, world.engine, after, world.partition)
        twin = world_of(3, until)
        step = Step()
        after.take_up(twin.partition, twin.engine)
        after.carry_on(twin.partition, step, limit=100)
        assert impact.running == impact.touched == 3
        assert impact.raised.total() == sum(alert.event == "raised" for alert in step.alerts)
        assert impact.spared.total() == sum(alert.event == "cleared" for alert in step.alerts)
        assert impact.messages == (1 if edit is TIGHT else 0)
        assert impact.raised.total() + impact.spared.total() == 6


def test_deadlines_ahead_that_move_are_counted_apart() -> None:
    world = world_of(2, "2026-03-02T10:00")
    impact = Impact()
    measure(impact, world.engine, Engine(sets([LOOSE])[0], world.reference), world.partition)
    assert (impact.touched, impact.later, impact.earlier, impact.raised.total()) == (2, 2, 0, 0)


def test_what_is_over_is_not_touched() -> None:
    world = world_of(1, "2026-03-02T10:00")
    world.app("A0", op="u", accepted_at="2026-03-02T09:00", archived_at="2026-03-02T10:00", tg_no="TG1")
    impact = Impact()
    measure(impact, world.engine, Engine(sets([TIGHT])[0], world.reference), world.partition)
    assert (impact.running, impact.touched) == (0, 0)


def threshold(folder: Path, value: int) -> Court:
    rule = f'[{{indicator: I122, severity: ALARM, operator: lt, value: {value}, unit: "%"}}]'
    return Court(definitions(folder, rule))


def test_values_are_judged_by_the_thresholds_that_would_count(tmp_path: Path) -> None:
    for before, after, raised, spared in ((50, 90, 1, 0), (90, 50, 0, 1), (90, 90, 0, 0)):
        court = threshold(tmp_path, before)
        court.take([delta("I122", 8, 10, at="03-02T09:00", date="2026-03-02")])
        court.until("03-02T10:00")
        impact = Impact()
        measure_values(impact, court.judge, threshold(tmp_path, after).rules)
        assert (impact.raised.total(), impact.spared.total()) == (raised, spared)
        assert {example.rule for example in impact.examples} <= {"X-TRIAL"}
