"""Deadlines of stages and of the whole process: every sentence of the contract's section 7 about them."""

from typing import Any

import msgspec
import pytest

from rules import load_definitions
from rules.loader import Choice
from schemas import decode_alert, encode_alert
from tests.helpers.builders import World, ms

FIVE_LATE = [("R-T03", "WARN", "2026-03-07T00:00"), ("R-T03", "ALARM", "2026-03-10T00:00")]


def world(**fields: Any) -> World:
    made = World()
    made.app(**fields)
    return made


def test_five_workdays_from_monday_end_on_the_tuesday_after() -> None:
    w = world()
    w.visit("SURVEY")
    assert w.until("2026-03-20T00:00").raised("R-T03") == FIVE_LATE


def test_a_rung_fires_at_its_time_and_not_a_millisecond_before() -> None:
    w = world()
    w.visit("SURVEY")
    assert w.until("2026-03-06T23:59:59.999").raised("R-T03") == []
    assert w.until("2026-03-07T00:00").raised("R-T03") == FIVE_LATE[:1]
    assert w.until("2026-03-09T23:59:59.999").raised("R-T03") == FIVE_LATE[:1]
    assert w.until("2026-03-10T00:00").raised("R-T03") == FIVE_LATE


def test_the_clock_passing_twice_raises_once() -> None:
    w = world()
    w.visit("SURVEY")
    w.until("2026-03-20T00:00").until("2026-03-20T00:00").until("2026-04-20T00:00")
    assert w.raised("R-T03") == FIVE_LATE


def test_a_backward_clock_changes_nothing() -> None:
    w = world()
    w.visit("SURVEY")
    w.until("2026-03-07T00:00").until("2026-03-02T00:00")
    assert w.partition.clock == ms("2026-03-07T00:00")
    assert w.raised("R-T03") == FIVE_LATE[:1]


def test_a_row_that_arrives_after_both_times_raises_both_at_once_with_ids_of_their_own() -> None:
    w = world()
    w.visit("SURVEY", at="2026-03-12T08:00", entered_at="2026-03-02T09:00")
    at = "2026-03-12T08:00"
    assert w.raised("R-T03") == [("R-T03", "WARN", at), ("R-T03", "ALARM", at)]
    assert len({a.alert_id for a in w.alerts if a.rule == "R-T03"}) == 2


def test_a_row_that_arrives_late_and_ended_raises_no_deadline() -> None:
    w = world()
    w.visit("SURVEY", at="2026-03-12T08:00", entered_at="2026-03-02T09:00", finished_at="2026-03-11T09:00")
    assert w.until("2026-05-01T00:00").raised("R-T03") == []


def test_a_timer_at_the_moment_of_a_change_waits_for_the_change() -> None:
    w = world()
    w.visit("SURVEY", row="V")
    w.visit(
        "SURVEY", row="V", op="u", at="2026-03-07T00:00", entered_at="2026-03-02T09:00", finished_at="2026-03-06T12:00"
    )
    assert w.raised("R-T03") == []


def test_due_at_is_the_deadline_for_the_warning_too() -> None:
    w = world()
    w.visit("SURVEY")
    w.until("2026-03-07T00:00")
    assert w.last("R-T03").due_at == ms("2026-03-10T00:00")


# -- workdays in suspended spans


def test_a_workday_partly_suspended_is_not_counted() -> None:
    w = world()
    w.visit("SURVEY", suspend_from="2026-03-04T17:00", suspend_to="2026-03-05T08:00")
    assert w.until("2026-03-20T00:00").raised("R-T03") == [
        ("R-T03", "WARN", "2026-03-11T00:00"), ("R-T03", "ALARM", "2026-03-12T00:00"),
    ]  # fmt: skip


def test_a_suspension_on_the_day_of_entry_or_at_a_weekend_costs_nothing() -> None:
    w = world()
    w.visit("SURVEY", suspend_from="2026-03-02T10:00", suspend_to="2026-03-02T20:00")
    w.app("A2")
    w.visit("SURVEY", "A2", suspend_from="2026-03-07T10:00", suspend_to="2026-03-08T20:00")
    assert w.until("2026-03-20T00:00").raised("R-T03") == [FIVE_LATE[0]] * 2 + [FIVE_LATE[1]] * 2


def test_while_a_suspension_is_open_nothing_falls_due() -> None:
    w = world()
    w.visit("SURVEY", row="V")
    w.visit(
        "SURVEY", row="V", op="u", at="2026-03-04T10:00", entered_at="2026-03-02T09:00", suspend_from="2026-03-04T10:00"
    )
    assert w.until("2026-12-01T00:00").raised("R-T03", "R-T14") == []
    assert w.document()["next_due_at"] is None


def test_a_suspension_that_ends_sets_the_timers_again() -> None:
    w = world()
    told: dict[str, Any] = {"entered_at": "2026-03-02T09:00", "suspend_from": "2026-03-04T10:00"}
    w.visit("SURVEY", row="V")
    w.visit("SURVEY", row="V", op="u", at="2026-03-04T10:00", **told)
    w.visit("SURVEY", row="V", op="u", at="2026-03-18T10:00", **told, suspend_to="2026-03-18T10:00")
    assert w.until("2026-04-20T00:00").raised("R-T03") == [
        ("R-T03", "WARN", "2026-03-24T00:00"), ("R-T03", "ALARM", "2026-03-25T00:00"),
    ]  # fmt: skip


def test_several_suspensions_of_one_visit_in_succession_all_count() -> None:
    w = world()
    entered: dict[str, Any] = {"row": "V", "op": "u", "entered_at": "2026-03-02T09:00"}
    w.visit("SURVEY", row="V")
    w.visit("SURVEY", at="2026-03-03T09:00", **entered, suspend_from="2026-03-03T09:00")
    w.visit("SURVEY", at="2026-03-03T18:00", **entered, suspend_from="2026-03-03T09:00", suspend_to="2026-03-03T18:00")
    w.visit("SURVEY", at="2026-03-05T09:00", **entered, suspend_from="2026-03-05T09:00")
    w.visit("SURVEY", at="2026-03-05T18:00", **entered, suspend_from="2026-03-05T09:00", suspend_to="2026-03-05T18:00")
    w.visit("SURVEY", at="2026-03-06T09:00", **entered, suspend_from="2026-03-06T09:00", suspend_to="2026-03-06T10:00")
    assert w.until("2026-04-20T00:00").raised("R-T03") == [
        ("R-T03", "WARN", "2026-03-12T00:00"), ("R-T03", "ALARM", "2026-03-13T00:00"),
    ]  # fmt: skip


def test_a_suspension_that_is_taken_back_counts_no_more() -> None:
    w = world()
    w.visit("SURVEY", row="V", suspend_from="2026-03-02T10:00")
    w.visit("SURVEY", row="V", op="u", at="2026-03-03T10:00", entered_at="2026-03-02T09:00")
    assert w.until("2026-03-20T00:00").raised("R-T03") == FIVE_LATE


def test_an_open_suspension_that_is_taken_back_sets_the_whole_going_again() -> None:
    w = world()
    w.visit("BUILD", row="V", suspend_from="2026-03-02T10:00")
    w.visit("BUILD", row="V", op="u", at="2026-03-03T10:00", entered_at="2026-03-02T09:00")
    assert w.until("2026-12-01T00:00").raised("R-T14") != []


def test_news_of_a_suspension_takes_back_what_was_raised_after_it_began() -> None:
    w = world()
    w.visit("SURVEY", row="V")
    w.until("2026-03-11T00:00")
    w.visit("SURVEY", row="V", op="u", entered_at="2026-03-02T09:00", suspend_from="2026-03-09T10:00")
    assert w.events("R-T03")[2:] == [("R-T03", "ALARM", "cleared")]
    assert w.open("R-T03") == [("R-T03", "WARN")]


def test_a_stage_that_ended_while_suspended_is_measured_without_the_open_span() -> None:
    w = world()
    w.visit("SURVEY", row="V")
    w.until("2026-03-10T00:00")
    w.visit(
        "SURVEY",
        row="V",
        op="u",
        at="2026-03-11T00:00",
        entered_at="2026-03-02T09:00",
        suspend_from="2026-03-10T09:00",
        finished_at="2026-03-10T10:00",
    )
    assert w.events("R-T03")[2:] == [("R-T03", "WARN", "closed"), ("R-T03", "ALARM", "closed")]


# -- limits of other kinds


def test_a_limit_of_no_workdays_ends_with_the_day_and_is_warned_half_way() -> None:
    w = World(now="2026-03-02T08:00")
    w.lv_app()
    w.visit("ACCEPT")
    assert w.until("2026-03-03T00:00").raised("R-T02") == [
        ("R-T02", "WARN", "2026-03-02T16:00"), ("R-T02", "ALARM", "2026-03-03T00:00"),
    ]  # fmt: skip


def test_no_workdays_on_a_day_off_end_with_that_day() -> None:
    w = World(now="2026-03-07T12:00")
    w.lv_app()
    w.visit("ACCEPT")
    assert w.until("2026-03-09T00:00").raised("R-T02")[-1] == ("R-T02", "ALARM", "2026-03-08T00:00")


def test_half_of_a_workday_limit_is_half_of_the_time_to_its_end() -> None:
    w = world()
    w.visit("ACCEPT")
    assert w.until("2026-03-04T00:00").raised("R-T02") == [
        ("R-T02", "WARN", "2026-03-03T04:30"), ("R-T02", "ALARM", "2026-03-04T00:00"),
    ]  # fmt: skip


def test_a_warning_before_a_limit_that_is_shorter_falls_on_the_day_of_entry() -> None:
    w = World()
    w.lv_app(cons_no="C1")
    w.row("customer", "C1", cons_type="resident")
    w.visit("SCHEME")
    assert w.until("2026-03-06T00:00").raised("R-T04") == [
        ("R-T04", "WARN", "2026-03-03T00:00"), ("R-T04", "ALARM", "2026-03-06T00:00"),
    ]  # fmt: skip


@pytest.mark.parametrize(("stage", "days", "rule"), [("DESIGN", (45, 60), "R-T05"), ("TEST", (10, 15), "R-T10")])
def test_idle_rules_run_by_the_clock_from_entry(stage: str, days: tuple[int, int], rule: str) -> None:
    w = world()
    w.visit(stage)
    w.until("2026-07-01T00:00")
    day = 86_400_000
    assert [a.raised_at - ms("2026-03-02T09:00") for a in w.alerts if a.rule == rule] == [days[0] * day, days[1] * day]


def test_idle_time_does_not_run_while_suspended() -> None:
    w = world()
    w.visit("TEST", suspend_from="2026-03-05T09:00", suspend_to="2026-03-07T21:00")
    assert w.until("2026-04-01T00:00").raised("R-T10") == [
        ("R-T10", "WARN", "2026-03-14T21:00"), ("R-T10", "ALARM", "2026-03-19T21:00"),
    ]  # fmt: skip


def test_a_works_report_restarts_the_idle_time() -> None:
    w = world()
    w.visit("TEST")
    w.row("works_report", "R1", "A1", at="2026-03-10T12:00", submitted_at="2026-03-10T09:00")
    assert w.until("2026-04-01T00:00").raised("R-T10") == [
        ("R-T10", "WARN", "2026-03-20T09:00"), ("R-T10", "ALARM", "2026-03-25T09:00"),
    ]  # fmt: skip


def test_a_works_report_counts_however_early_it_arrives() -> None:
    w = World()
    w.row("works_report", "R1", "A1", submitted_at="2026-03-10T09:00")
    w.app()
    w.visit("TEST", entered_at="2026-03-02T09:00")
    assert w.until("2026-04-01T00:00").raised("R-T10")[0] == ("R-T10", "WARN", "2026-03-20T09:00")


def test_a_works_report_without_its_time_counts_from_its_arrival() -> None:
    w = world()
    w.visit("TEST")
    w.row("works_report", "R1", "A1", at="2026-03-10T12:00", submitted_at=None)
    w.row("works_report", "R1", "A1", op="u", at="2026-03-12T12:00", review_result="ok")
    assert w.until("2026-04-01T00:00").raised("R-T10")[0] == ("R-T10", "WARN", "2026-03-20T12:00")


def test_a_works_report_that_is_deleted_restarts_nothing() -> None:
    w = world()
    w.visit("TEST")
    w.row("works_report", "R1", "A1", at="2026-03-10T12:00", submitted_at="2026-03-10T09:00")
    w.delete("works_report", "R1", at="2026-03-11T12:00")
    assert w.until("2026-04-01T00:00").raised("R-T10")[0] == ("R-T10", "WARN", "2026-03-12T09:00")


def test_other_updates_of_the_row_do_not_restart_the_idle_time() -> None:
    w = world()
    w.visit("TEST", row="V")
    w.visit("TEST", row="V", op="u", at="2026-03-10T12:00", entered_at="2026-03-02T09:00", handler="H9")
    assert w.until("2026-03-12T09:00").raised("R-T10") == [("R-T10", "WARN", "2026-03-12T09:00")]


def test_a_report_takes_back_the_warning_and_the_next_idleness_reopens_it() -> None:
    w = world()
    w.visit("TEST")
    w.row("works_report", "R1", "A1", at="2026-03-13T09:00", submitted_at="2026-03-13T08:00")
    w.until("2026-03-23T08:00")
    assert w.events("R-T10") == [("R-T10", "WARN", e) for e in ("raised", "cleared", "reopened")]


# -- the scheme counts from acceptance


def test_the_scheme_counts_from_acceptance_not_from_its_own_entry() -> None:
    w = world()
    w.visit("SCHEME", at="2026-03-10T09:00")
    assert w.until("2026-04-01T00:00").raised("R-T04") == [
        ("R-T04", "WARN", "2026-03-19T00:00"), ("R-T04", "ALARM", "2026-03-24T00:00"),
    ]  # fmt: skip


def test_two_sources_give_the_scheme_thirty_workdays() -> None:
    w = world(source_count=2)
    w.visit("SCHEME")
    assert w.until("2026-05-01T00:00").raised("R-T04")[-1] == ("R-T04", "ALARM", "2026-04-15T00:00")


def test_only_the_schemes_own_suspension_is_left_out() -> None:
    w = world()
    w.visit("SURVEY", finished_at="2026-03-05T09:00", suspend_from="2026-03-03T09:00", suspend_to="2026-03-04T09:00")
    w.visit("SCHEME", suspend_from="2026-03-11T09:00", suspend_to="2026-03-11T10:00")
    assert w.until("2026-04-01T00:00").raised("R-T04") == [
        ("R-T04", "WARN", "2026-03-20T00:00"), ("R-T04", "ALARM", "2026-03-25T00:00"),
    ]  # fmt: skip


def test_a_scheme_that_opens_after_it_was_due_fires_on_arrival() -> None:
    w = world()
    assert w.until("2026-04-10T00:00").raised("R-T04") == []
    w.visit("SCHEME", at="2026-04-10T09:00")
    assert w.raised("R-T04") == [("R-T04", "WARN", "2026-04-10T09:00"), ("R-T04", "ALARM", "2026-04-10T09:00")]


def test_the_scheme_of_an_application_without_acceptance_is_silent() -> None:
    w = world(accepted_at=None)
    w.visit("SCHEME")
    assert w.until("2026-12-01T00:00").raised("R-T04", "R-T14") == []


# -- planned dates


def plan(w: World, part: str) -> None:
    if part == "app":
        w.app(accepted_at="2026-03-02T09:00")
    elif part == "visit":
        w.visit("BUILD", entered_at="2026-03-02T09:00")
    elif part == "project":
        w.row("customer_project", "P1", "A1", prj_no="P1")
    else:
        w.row("project_schedule", "P1", plan_finish="2026-03-21T00:00")


@pytest.mark.parametrize("order", ["app visit project plan", "plan project visit app", "visit plan app project"])
def test_construction_past_its_planned_finish_in_any_order_of_arrival(order: str) -> None:
    w = World()
    for part in order.split():
        plan(w, part)
    assert w.until("2026-04-01T00:00").raised("R-T07") == [
        ("R-T07", "WARN", "2026-03-18T00:00"), ("R-T07", "ALARM", "2026-03-21T00:00"),
    ]  # fmt: skip


@pytest.mark.parametrize("missing", ["project", "plan"])
def test_construction_without_a_planned_finish_is_silent(missing: str) -> None:
    w = World()
    for part in {"app", "visit", "project", "plan"} - {missing}:
        plan(w, part)
    assert w.until("2026-12-01T00:00").raised("R-T07") == []


def test_a_plan_that_moves_takes_back_the_alarm_and_reopens_it_at_the_new_date() -> None:
    w = World()
    for part in ("app", "visit", "project", "plan"):
        plan(w, part)
    w.row("project_schedule", "P1", op="u", at="2026-03-25T09:00", plan_finish="2026-04-11T00:00")
    assert w.open("R-T07") == []
    w.until("2026-04-11T00:00")
    assert w.events("R-T07") == [
        *[("R-T07", s, "raised") for s in ("WARN", "ALARM")], *[("R-T07", s, "cleared") for s in ("WARN", "ALARM")],
        *[("R-T07", s, "reopened") for s in ("WARN", "ALARM")],
    ]  # fmt: skip


def test_a_plan_that_is_deleted_takes_its_alarm_back() -> None:
    w = World()
    for part in ("app", "visit", "project", "plan"):
        plan(w, part)
    w.until("2026-03-22T00:00")
    w.delete("project_schedule", "P1", at="2026-03-23T00:00")
    assert w.until("2026-03-24T00:00").open("R-T07") == []


# -- the whole process


def test_the_whole_is_warned_at_four_fifths_of_its_workdays() -> None:
    w = world()
    w.until("2026-12-01T00:00")
    warn, alarm = [a for a in w.alerts if a.rule == "R-T14"]
    start = ms("2026-03-02T09:00")
    assert warn.raised_at == start + (alarm.raised_at - start) * 80 // 100
    assert w.raised("R-T14")[1] == ("R-T14", "ALARM", "2026-05-10T00:00")


def test_the_whole_ends_when_the_connection_ends() -> None:
    w = world()
    w.visit("CONNECT", finished_at="2026-03-02T12:00")
    assert w.until("2026-12-01T00:00").raised("R-T14") == []


def test_a_connection_that_is_deleted_does_not_end_the_whole() -> None:
    w = world()
    w.visit("CONNECT", finished_at="2026-03-02T12:00")
    w.delete("visit", "A1-CONNECT-1", at="2026-03-03T12:00")
    assert [s for _, s, _ in w.until("2026-12-01T00:00").raised("R-T14")] == ["WARN", "ALARM"]


def test_every_stages_suspension_is_left_out_of_the_whole_once() -> None:
    w = world()
    w.visit("BUILD", suspend_from="2026-03-04T09:00", suspend_to="2026-03-05T09:00")
    w.visit("MID_INSPECT", suspend_from="2026-03-05T10:00", suspend_to="2026-03-06T10:00")
    assert w.until("2026-12-01T00:00").raised("R-T14")[1] == ("R-T14", "ALARM", "2026-05-14T00:00")


# -- limits by what other tables say


def test_the_customer_type_that_arrives_late_shortens_the_limit() -> None:
    w = World()
    w.lv_app(cons_no="C1")
    w.visit("CONNECT")
    w.until("2026-03-06T12:00")
    assert w.raised("R-T12") == []
    w.row("customer", "C1", cons_type="resident", at="2026-03-06T13:00")
    w.until("2026-03-06T13:00")
    assert w.raised("R-T12") == [("R-T12", "WARN", "2026-03-06T13:00"), ("R-T12", "ALARM", "2026-03-06T13:00")]


def test_the_customer_type_that_turns_out_otherwise_takes_the_alarm_back() -> None:
    w = World()
    w.row("customer", "C1", cons_type="resident")
    w.lv_app(cons_no="C1")
    w.visit("CONNECT")
    w.until("2026-03-06T12:00")
    w.row("customer", "C1", op="u", cons_type="other", at="2026-03-06T13:00")
    w.until("2026-03-06T14:00")
    assert w.open("R-T12") == []


def test_an_unknown_customer_type_counts_as_other_low_voltage() -> None:
    w = World()
    w.lv_app(cons_no="nobody")
    w.visit("CONNECT")
    assert w.until("2026-04-01T00:00").raised("R-T12")[-1] == ("R-T12", "ALARM", "2026-03-10T00:00")


def test_the_older_limits_can_be_chosen() -> None:
    w = World(definitions=load_definitions(choice=Choice(limits="older")))
    w.app()
    w.visit("SCHEME")
    assert w.until("2026-06-01T00:00").raised("R-T04")[-1] == ("R-T04", "ALARM", "2026-03-31T00:00")


def test_a_source_count_that_changes_moves_the_deadline() -> None:
    w = world()
    w.visit("SCHEME")
    w.until("2026-03-25T00:00")
    w.app(op="u", source_count=2, accepted_at="2026-03-02T09:00")
    assert w.open("R-T04") == []
    assert w.until("2026-04-15T00:00").open("R-T04") == [("R-T04", "ALARM"), ("R-T04", "WARN")]


# -- calendar


def test_a_deadline_in_an_unpublished_year_says_so() -> None:
    w = World(now="2026-12-30T09:00")
    w.app()
    w.visit("SURVEY")
    w.until("2027-01-10T00:00")
    assert w.last("R-T03").text.endswith("（日历暂定）")
    said = encode_alert(w.last("R-T03"))
    assert msgspec.json.decode(said)["provisional"] is True
    assert decode_alert(said) == w.last("R-T03")


def test_the_make_up_saturday_counts_and_the_spring_festival_does_not() -> None:
    w = World(now="2026-02-12T09:00")
    w.app()
    w.visit("SURVEY")
    assert w.until("2026-03-20T00:00").raised("R-T03")[-1] == ("R-T03", "ALARM", "2026-02-27T00:00")


# -- times that no calendar means


@pytest.mark.parametrize("year", ["1900-01-01T00:00", "9999-12-31T00:00"])
def test_a_year_that_nobody_means_is_a_finding_and_no_deadline(year: str) -> None:
    w = world()
    w.visit("SURVEY", entered_at=year)
    assert w.raised() == [("R-D02", "INFO", "2026-03-02T09:00")]
    assert w.until("2026-04-20T00:00").raised("R-T03") == []
    assert w.document()["visits"][0]["entered_at"] is not None


def test_an_end_in_the_year_9999_is_no_end() -> None:
    w = world()
    w.visit("SURVEY", finished_at="9999-12-31T00:00")
    assert w.until("2026-03-20T00:00").raised("R-T03") == FIVE_LATE


def test_a_suspension_until_9999_is_open() -> None:
    w = world()
    w.visit("SURVEY", suspend_from="2026-03-03T09:00", suspend_to="9999-12-31T00:00")
    assert w.until("2026-12-20T00:00").raised("R-T03", "R-T14") == []


def test_an_application_accepted_in_9999_is_a_finding_that_ends_with_the_correction() -> None:
    w = world(accepted_at="9999-12-31T00:00")
    assert w.open() == [("R-D02", "INFO")]
    w.app(op="u", accepted_at="2026-03-02T09:00")
    assert w.open() == []
