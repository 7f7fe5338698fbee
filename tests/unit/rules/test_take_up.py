"""Other rules taken up by a partition that is at work: what becomes of what is open."""

import pytest

from rules import Definitions, Engine, Ledger, Step, proposed, restored
from tests.helpers.builders import World, local, ms
from tests.helpers.rulebooks import CHOICE, LOOSE, SURVEY, TIGHT, Book, Edit, edited, sets

ORDER = "{code: SCHEME, title: 供电方案编制"
NEW_TITLE: Edit = ("process/hv_connection", ORDER, "{code: SCHEME, title: 方案编制")
TOTAL = "{process: hv_connection, total: true, limit: 46wd}"


def take_up(world: World, definitions: Definitions, *, portion: int = 1000) -> None:
    """Let the world's partition go over to other rules, all at once."""
    begin(world, definitions)
    while carry_on(world, portion):
        pass


def begin(world: World, definitions: Definitions) -> None:
    before, world.engine = world.engine, Engine(definitions, world.reference)
    world.definitions = definitions
    world.engine.take_up(world.partition, before)


def carry_on(world: World, portion: int) -> bool:
    step = Step()
    has_more = world.engine.carry_on(world.partition, step, limit=portion)
    world.steps.append(step)
    return has_more


def surveyed() -> World:
    """An application whose survey began on Monday, looked at on Thursday."""
    world = World()
    world.manager()
    world.app(tg_no="TG1")
    world.visit("SURVEY")
    return world.until("2026-03-05T10:00")


def test_what_a_tighter_limit_finds_late_is_raised_at_once_and_the_next_rung_on_time() -> None:
    world = surveyed()
    take_up(world, sets([TIGHT])[0])
    assert world.raised("R-T03") == [("R-T03", "WARN", "2026-03-05T10:00"), ("R-T03", "ALARM", "2026-03-05T10:00")]
    assert world.last("R-T03", "ALARM").due_at == ms("2026-03-05")


def test_what_a_looser_limit_does_not_find_late_is_cleared_and_raised_later() -> None:
    world = surveyed().until("2026-03-10T09:00")
    assert world.open("R-T03") == [("R-T03", "ALARM"), ("R-T03", "WARN")]
    take_up(world, sets([LOOSE])[0])
    assert world.open("R-T03") == []
    assert world.events("R-T03")[-2:] == [("R-T03", "WARN", "cleared"), ("R-T03", "ALARM", "cleared")]
    world.until("2026-04-30")
    assert world.open("R-T03") == [("R-T03", "ALARM"), ("R-T03", "WARN")]


def test_a_moved_deadline_is_the_only_one_that_fires() -> None:
    world = surveyed()
    take_up(world, sets([LOOSE])[0])
    world.until("2026-03-20")
    assert world.raised("R-T03") == []


def test_each_person_gets_one_message_about_all_that_became_late() -> None:
    world = World()
    world.manager()
    for number in range(3):
        world.app(f"A{number}", tg_no="TG1")
        world.visit("SURVEY", f"A{number}")
    world.until("2026-03-05T10:00")
    take_up(world, sets([TIGHT])[0])
    assert len(world.notices) == 6
    assert {notice.group for notice in world.notices} == {"rules:1"}
    assert all("{count}" in (notice.group_text or "") for notice in world.notices)


def test_a_rung_and_a_rule_that_are_gone_leave_nothing_open() -> None:
    world = surveyed().until("2026-03-10T09:00")
    gone: Edit = (
        "rules/connection",
        "rungs: {WARN: {before: 1wd}, ALARM: {at: deadline}}",
        "rungs: {WARN: {before: 1wd}}",
    )
    take_up(world, sets([gone])[0])
    assert world.open("R-T03") == [("R-T03", "WARN")]
    off: Edit = ("rules/connection", "  - code: R-T03\n", "  - code: R-T03\n    enabled: false\n")
    take_up(world, sets([], [off])[1])
    assert world.open("R-T03") == []


def test_what_has_ended_stays_as_it_was_judged() -> None:
    world = surveyed()
    world.visit("SURVEY", op="u", entered_at="2026-03-02T09:00", finished_at="2026-03-05T10:00")
    before = world.document()
    take_up(world, sets([TIGHT])[0])
    world.until("2026-03-31")
    assert world.raised("R-T03") == []
    assert world.document()["visits"] == before["visits"]


def test_a_process_for_new_instances_only_leaves_running_ones_as_they_began() -> None:
    world = surveyed()
    world.visit("SCHEME")
    take_up(world, sets([NEW_TITLE])[0])
    world.app("A2", accepted_at="2026-03-05T10:00")
    world.visit("SCHEME", "A2")
    world.until("2026-03-31")
    texts = {alert.instance: alert.text for alert in world.alerts if alert.rule == "R-T04"}
    assert "供电方案编制" in texts["A1"]
    assert "供电方案编制" not in texts["A2"]


def test_an_instance_keeps_its_edition_through_later_changes_until_one_is_for_running_ones() -> None:
    book = Book()
    world = surveyed()
    take_up(world, book.publish(NEW_TITLE))
    assert world.partition.instances["A1"].edition == 1
    take_up(world, book.publish(NEW_TITLE, LOOSE))
    assert world.partition.instances["A1"].edition == 1
    running: Edit = ("process/hv_connection", "entity: application\n", "entity: application\napplies_to: running\n")
    take_up(world, book.publish(NEW_TITLE, LOOSE, running))
    assert world.partition.instances["A1"].edition == 0


FOR_NEW: Edit = ("limits/default", "title: 现行承诺时限\n", "title: 现行承诺时限\napplies_to: new\n")


def versions(world: World, rule: str) -> set[tuple[str, int]]:
    return {(alert.instance, alert.rule_version) for alert in world.alerts if alert.rule == rule}


def two_at_survey(*definitions: Definitions) -> World:
    """A1 began before all the sets, A2 after them; both are late."""
    world = surveyed()
    for each in definitions:
        take_up(world, each)
    world.app("A2", accepted_at="2026-03-05T10:00")
    world.visit("SURVEY", "A2")
    return world.until("2026-03-31")


def test_alerts_of_what_goes_on_as_it_began_carry_the_version_of_then() -> None:
    book = Book()
    first = book.publish(FOR_NEW, TIGHT)
    assert versions(two_at_survey(first), "R-T03") == {("A1", 1), ("A2", 2)}
    later = proposed(book.ledger, edited(FOR_NEW, TIGHT), edited(FOR_NEW, LOOSE), CHOICE)
    assert later.held_versions == {"1": {"R-T03": 1}, "2": {"R-T03": 2}}
    rungs: Edit = ("rules/connection", "WARN: {before: 1wd}, ALARM: {at: deadline}", "ALARM: {at: deadline}")
    for_all = book.publish(FOR_NEW, TIGHT, rungs)
    assert versions(two_at_survey(first, for_all), "R-T03") == {("A1", 3), ("A2", 3)}


def test_news_of_its_own_row_leaves_an_instance_with_what_it_began_with() -> None:
    world = surveyed()
    take_up(world, Book().publish(FOR_NEW, LOOSE))
    world.until("2026-03-10T09:00")
    assert world.open("R-T03") == [("R-T03", "ALARM"), ("R-T03", "WARN")]
    world.app(tg_no="TG2", op="u", org_no="3340102")
    assert world.open("R-T03") == [("R-T03", "ALARM"), ("R-T03", "WARN")]
    assert versions(world, "R-T03") == {("A1", 1)}


def test_a_rollback_brings_back_the_versions_of_what_instances_keep() -> None:
    ledger = Ledger()
    ledger.put(proposed(ledger, edited(), edited(FOR_NEW, TIGHT), CHOICE), 0)
    assert restored(2, ledger.manifests[1]).held_versions == {"1": {"R-T03": 1}}
    assert restored(2, ledger.manifests[1]).digest == ledger.manifests[1].digest


def test_limits_may_be_for_new_instances_only() -> None:
    world = surveyed()
    take_up(world, sets([TIGHT, FOR_NEW])[0])
    world.app("A2", accepted_at="2026-03-05T10:00")
    world.visit("SURVEY", "A2")
    world.until("2026-03-10")
    assert world.raised("R-T03") == [
        *[("R-T03", "WARN", "2026-03-07T00:00")] * 2,
        *[("R-T03", "ALARM", "2026-03-10T00:00")] * 2,
    ]


def test_of_two_versions_at_work_each_notices_the_news_that_its_own_limits_ask_for() -> None:
    world = surveyed()
    by_industry = SURVEY.replace("limit: 5wd", "when: {industry_code: X}, limit: 2wd")
    take_up(world, Book().publish(FOR_NEW, ("limits/default", SURVEY, f"{by_industry}\n  {SURVEY}")))
    for key in ("A1", "A2"):
        world.app(key, accepted_at="2026-03-02T09:00", tg_no="TG1", industry_code="Y")
    world.visit("SURVEY", "A2")
    for key in ("A1", "A2"):
        world.app(key, op="u", accepted_at="2026-03-02T09:00", tg_no="TG1", industry_code="X")
    world.until("2026-03-11")
    late = {a.instance: local(a.raised_at) for a in world.alerts if (a.rule, a.severity) == ("R-T03", "ALARM")}
    assert late == {"A1": "2026-03-10T00:00", "A2": "2026-03-10T00:00"}


def test_an_overlay_published_late_moves_open_deadlines() -> None:
    day_off: Edit = (
        "calendar/state_council", "base: state_council\n",
        "base: state_council\nholidays: [{from: 2026-03-06, name: 公司纪念日}]\n",
    )  # fmt: skip
    loaded = ("calendar/state_council", "due: 2026-03-10T00:00:00+08:00", "due: 2026-03-11T00:00:00+08:00")
    world = surveyed()
    take_up(world, sets([day_off, loaded])[0])
    world.until("2026-03-31")
    assert world.last("R-T03", "ALARM").due_at == ms("2026-03-11")


@pytest.mark.parametrize("portion", [1, 2])
def test_in_portions_with_changes_and_a_restart_between_them_each_instance_is_taken_up_once(portion: int) -> None:
    world = World()
    for number in range(6):
        world.app(f"A{number}")
        world.visit("SURVEY", f"A{number}")
    world.until("2026-03-05T10:00")
    begin(world, sets([TIGHT])[0])
    before = Engine(World().definitions, world.reference)
    carry_on(world, portion)
    world.visit("SURVEY", "A5", op="u", entered_at="2026-03-02T09:00", handler="H2")
    world.app("B1", accepted_at="2026-03-05T10:00")
    world.restart()
    assert world.partition.rules.before == 0
    world.engine.take_up(world.partition, before)
    while carry_on(world, portion):
        pass
    assert sorted(a.instance for a in world.alerts if a.rule == "R-T03" and a.severity == "ALARM") == [
        f"A{number}" for number in range(6)
    ]
    assert world.partition.rules.cursor == ""
    assert world.partition.rules.serial == 1


def test_alerts_carry_the_version_that_judged() -> None:
    book = Book()
    world = surveyed()
    take_up(world, book.publish())
    assert world.definitions.processes["hv_connection"].by_code["R-T03"].face.version == 1
    take_up(world, book.publish(TIGHT))
    assert world.last("R-T03").rule_version == 2
    back = book.roll_back(1)
    assert back.processes["hv_connection"].by_code["R-T03"].face.version == 1
    again = book.publish(("limits/default", SURVEY, SURVEY.replace("5wd", "3wd")))
    assert again.processes["hv_connection"].by_code["R-T03"].face.version == 4
    assert again.processes["hv_connection"].by_code["R-T06"].face.version == 1


def test_a_process_of_duty_around_the_clock_counts_each_day() -> None:
    daily: Edit = (
        "process/hv_connection",
        "entity: application\n",
        "entity: application\ncalendar: every_day\napplies_to: running\n",
    )
    world = surveyed()
    take_up(world, sets([daily])[0])
    world.until("2026-03-31")
    assert world.raised("R-T03") == [("R-T03", "WARN", "2026-03-07T00:00"), ("R-T03", "ALARM", "2026-03-08T00:00")]
