"""Deadline rules at their edges: the order of rungs, suspensions of other stages, which end counts."""

from typing import Any

import pytest

from rules.durations import Duration
from rules.engine.deadlines import EARLIEST, LATEST, Deadline, usable
from rules.models import DeadlineRule
from rules.state import Instance, Place, Visit
from rules.workdays import state_council_calendar
from tests.helpers.builders import World, ms


def rule(**changes: Any) -> Deadline:
    given = {
        "code": "R-T98", "title": "t", "processes": ["p"], "text": "x", "kind": "deadline", "stage": "S",
        "rungs": {"WARN": {"after": "1h"}, "ALARM": {"after": "2h"}}, **changes,
    }  # fmt: skip
    return Deadline(DeadlineRule.model_validate(given), [], state_council_calendar())


def test_rungs_come_in_order_of_time_whatever_their_weight() -> None:
    late_warning = rule(rungs={"WARN": {"after": "3h"}, "ALARM": {"after": "2h"}})
    assert late_warning.reckoned(0, None).rungs == (("ALARM", 7_200_000), ("WARN", 10_800_000))
    three = rule(rungs={"INFO": {"after": "2h"}, "WARN": {"after": "1h"}, "ALARM": {"after": "3h"}})
    assert [severity for severity, _ in three.reckoned(0, None).rungs] == ["WARN", "INFO", "ALARM"]


def test_without_a_deadline_the_last_rung_is_it() -> None:
    assert rule().reckoned(5, None).deadline == 5 + 7_200_000
    assert rule().reckoned(5, 100).deadline == 100


def test_a_limit_by_the_clock_leaves_suspended_time_out() -> None:
    assert rule().deadline(0, Duration("h", 1), [(0, 500)]) == 3_600_500


def test_a_rung_beyond_comes_after_the_deadline_and_one_before_it_earlier() -> None:
    both = rule(rungs={"WARN": {"before": "1h"}, "CRITICAL": {"beyond": "1h"}})
    assert both.reckoned(0, 7_200_000).rungs == (("WARN", 3_600_000), ("CRITICAL", 10_800_000))


def test_a_warning_more_workdays_before_than_there_are_is_the_end_of_the_day_of_entry() -> None:
    early = rule(limit="2wd", rungs={"WARN": {"before": "3wd"}, "ALARM": {"at": "deadline"}})
    start = ms("2026-03-02T09:00")
    deadline = early.deadline(start, Duration("wd", 2))
    assert early.reckoned(start, deadline, Duration("wd", 2)).rungs[0] == ("WARN", ms("2026-03-03T00:00"))


def test_a_rung_that_says_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="the rung WARN says no time"):
        rule(rungs={"WARN": {}})


@pytest.mark.parametrize(
    ("time", "is_usable"),
    [(EARLIEST, False), (EARLIEST + 1, True), (LATEST - 1, True), (LATEST, False), (None, False), ("5", False)],
)
def test_a_time_that_people_type_for_none_is_not_reckoned_with(time: object, is_usable: bool) -> None:  # noqa: FBT001
    assert usable(time) == (time if is_usable else None)


def test_a_stage_waits_for_its_own_suspension_and_the_whole_for_any() -> None:
    w = World()
    w.app()
    w.visit("SURVEY", suspend_from="2026-03-03T09:00")
    w.visit("SCHEME")
    instance = w.partition.instances["A1"]
    survey, scheme = instance.visits
    rules = w.definitions.processes["hv_connection"].by_code
    since = ms("2026-03-03T09:00")
    assert rules["R-T03"].suspended_from(instance, survey) == since
    assert rules["R-T04"].suspended_from(instance, scheme) is None
    assert rules["R-T14"].suspended_from(instance, None) == since
    assert rules["R-T03"].suspended_from(instance, None) is None


def test_of_several_ends_of_the_whole_the_first_counts() -> None:
    w = World()
    w.item(published_at=None)
    w.until("2026-03-12T00:00")
    w.item(op="u", published_at="2026-03-05T09:00", cleared_at="2026-03-10T09:00", determined_at="2026-03-02T09:00")
    assert w.events("R-N07") == [("R-N07", "WARN", "raised"), ("R-N07", "WARN", "cleared")]


def test_the_last_report_up_to_the_end_of_the_stage_restarts_an_idle_rule() -> None:
    w = World(now="2026-01-05T09:00")
    w.app()
    w.visit("DESIGN", finished_at="2026-01-20T09:00")
    for row, day in enumerate(("2026-01-20T09:00", "2026-01-12T09:00", "2026-01-20T09:01")):
        w.row("works_report", f"R{row}", "A1", submitted_at=day)
    rule_of_design = w.definitions.processes["hv_connection"].by_code["R-T05"]
    instance = w.partition.instances["A1"]
    times = rule_of_design.times(instance, instance.visits[0], w.partition)
    assert times is not None
    assert times.start == ms("2026-01-20T09:00")
    assert rule_of_design.times(instance, None, w.partition) is None


@pytest.mark.parametrize(("entered_at", "is_reckoned"), [(EARLIEST, False), (EARLIEST + 1, True), (LATEST, False)])
def test_a_stage_entered_outside_of_time_has_no_deadline(entered_at: int, is_reckoned: bool) -> None:  # noqa: FBT001
    visit = Visit("V1", 1, Place("t", 0, 0), "S", 1, entered_at)
    assert (rule().times(Instance("A1", visits=[visit]), visit, World().partition) is not None) is is_reckoned


def test_suspensions_that_ended_count_and_a_rule_may_count_none() -> None:
    visit = Visit("V1", 1, Place("t", 0, 0), "S", 1, 1_000, spans=((1_000, 2_000),))
    instance, facts = Instance("A1", visits=[visit]), World().partition
    one_hour = {"limit": "1h", "rungs": {"ALARM": {"at": "deadline"}}}
    for spans, due in (("stage", 3_602_000), ("all", 3_602_000), ("none", 3_601_000)):
        times = rule(spans=spans, **one_hour).times(instance, visit, facts)
        assert times is not None
        assert times.deadline == due
    visit.suspend_from = 5_000
    assert rule(spans="stage", **one_hour).times(instance, visit, facts) is None
    assert rule(spans="none", **one_hour).times(instance, visit, facts) is not None


def test_the_whole_waits_since_the_first_of_several_suspensions() -> None:
    w = World()
    w.app()
    w.visit("SURVEY", suspend_from="2026-03-05T09:00")
    w.visit("SCHEME", suspend_from="2026-03-03T09:00")
    whole = w.definitions.processes["hv_connection"].by_code["R-T14"]
    assert whole.suspended_from(w.partition.instances["A1"], None) == ms("2026-03-03T09:00")


def test_a_suspension_told_late_takes_back_what_the_whole_had_raised() -> None:
    w = World()
    w.lv_app()
    w.until("2026-06-01T09:00")
    w.visit("ACCEPT", entered_at="2026-03-02T09:00", suspend_from="2026-03-03T09:00")
    assert [event for _, _, event in w.events("R-T14")] == ["raised", "raised", "cleared", "cleared"]


def test_the_department_of_the_row_answers_else_that_of_the_stage() -> None:
    for dept, answers in (("运检", "运检"), (None, "营销")):
        w = World()
        w.app()
        w.visit("SURVEY", dept=dept)
        w.until("2026-03-07T00:00")
        assert w.last("R-T03").dept == answers
