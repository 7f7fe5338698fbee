"""What a change would mean right now is what happens when it is taken up."""

from collections import Counter
from pathlib import Path

from rules import (
    SHIPPED,
    Definitions,
    DefinitionSet,
    Engine,
    Impact,
    Step,
    compiled,
    measure,
    measure_values,
    read_definitions,
    with_files,
)
from tests.helpers.builders import World, shipped
from tests.helpers.rulebooks import LOOSE, TIGHT, edited, sets
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


# -- the change, and what replaying everything by it raises

NOW = "2026-03-12T10:00"
CITY = (
    "version: cascade/v1\nid: city\ntitle: T\norg: '33401'\nlimits:\n"
    "  - {process: hv_connection, stage: SURVEY, limit: 2wd}\n"
)
TRIAL = (
    "version: rules/v1\nid: trial\ntitle: T\nrules:\n"
    "  - {code: R-T91, title: T, kind: deadline, processes: [hv_connection], stage: SURVEY,"
    " rungs: {WARN: {after: 1d}, ALARM: {after: 3d}}, text: stage_idle}\ntests: []\n"
)
BASE = "base: state_council\n"
EXTRA_DAYS = (
    f"{BASE}holidays: [{{name: X, from: 2026-03-09, to: 2026-03-10}}]\n"
    "workdays: [{name: Y, from: 2026-03-07, to: 2026-03-07}]\n"
)


def staggered(definitions: Definitions) -> World:
    """Surveys that began day after day, of two cities; every third was finished in time."""
    world = World(definitions=definitions, now="2026-03-02T09:00")
    for number in range(8):
        key, at = f"A{number}", f"2026-03-{2 + number:02}T09:00"
        world.app(key, at=at, org_no="3340102" if number % 2 else "3340201")
        world.visit("SURVEY", key, at=at, finished_at=f"{at[:10]}T18:00" if number % 3 == 0 else None)
    return world.until(NOW)


def open_alerts(world: World) -> set[tuple[str, str, str]]:
    last = {alert.alert_id: alert for alert in world.alerts}
    return {(a.rule, a.severity, a.instance) for a in last.values() if a.event in {"raised", "reopened"}}


def without_survey(text: str) -> str:
    begin, end = text.index("  - code: R-T03"), text.index("  - code: R-T04")
    return text[:begin] + text[end:]


def changed_sets(folder: Path) -> dict[str, DefinitionSet]:
    """A limit, a unit's template, a calendar, a new rule and one that is gone."""
    shipped_set = read_definitions([SHIPPED])
    texts = {file.key: file.text for file in shipped_set.files}
    new = {
        "a unit's template": CITY,
        "a new rule": TRIAL,
        "a rule that is gone": without_survey(texts["rules/connection"]),
        "a calendar": texts["calendar/state_council"].replace(BASE, EXTRA_DAYS),
    }
    found = {"a tighter limit": edited(TIGHT), "a looser limit": edited(LOOSE)}
    for name, text in new.items():
        path = folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        found[name] = with_files(shipped_set, [path])
        assert not found[name].faults, found[name].faults
    return found


def test_what_is_foretold_is_what_a_replay_by_the_changed_rules_raises(tmp_path: Path) -> None:
    before = open_alerts(staggered(shipped()))
    for name, loaded in changed_sets(tmp_path).items():
        after, world, impact = compiled(loaded), staggered(shipped()), Impact()
        measure(impact, world.engine, Engine(after, world.reference), world.partition)
        replayed = open_alerts(staggered(after))
        raised, spared = Counter(a[:2] for a in replayed - before), Counter(a[:2] for a in before - replayed)
        assert raised or spared, f"{name} changes nothing here"
        assert (impact.raised, impact.spared) == (raised, spared), name
