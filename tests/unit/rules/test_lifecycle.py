"""What a life does to alerts: ends, late news, visits, process changes, deletes, snapshots, first runs."""

from typing import Any

import pytest
from msgspec.structs import replace

from rules import Step
from schemas import alert_id
from tests.helpers.builders import World, ms

ENTERED = "2026-03-02T09:00"


def surveyed(**fields: Any) -> World:
    """An HV application whose survey was entered on Monday 2026-03-02; due 03-10, warned 03-07."""
    w = World()
    w.app()
    w.visit("SURVEY", row="V", **fields)
    return w


def update(w: World, at: str, **fields: Any) -> None:
    w.visit("SURVEY", row="V", op="u", at=at, **{"entered_at": ENTERED, **fields})


# -- ends


def test_an_end_before_anything_was_due_raises_nothing() -> None:
    w = surveyed()
    update(w, "2026-03-04T09:00", finished_at="2026-03-04T09:00")
    assert w.until("2026-04-01T00:00").events("R-T03") == []


@pytest.mark.parametrize(
    ("finished", "warn", "alarm"),
    [
        ("2026-03-06T12:00", "cleared", "cleared"),
        ("2026-03-07T00:00", "cleared", "cleared"),
        ("2026-03-07T00:00:00.001", "closed", "cleared"),
        ("2026-03-10T00:00", "closed", "cleared"),
        ("2026-03-10T00:00:00.001", "closed", "closed"),
    ],
)
def test_an_end_at_or_before_the_time_of_a_rung_clears_it_else_closes_it(finished: str, warn: str, alarm: str) -> None:
    w = surveyed()
    w.until("2026-03-11T00:00")
    update(w, "2026-03-11T09:00", finished_at=finished)
    assert w.events("R-T03")[2:] == [("R-T03", "WARN", warn), ("R-T03", "ALARM", alarm)]


def test_a_closed_alert_says_how_late_it_was() -> None:
    w = surveyed()
    update(w, "2026-03-13T05:30", finished_at="2026-03-13T05:30")
    assert "逾3天5小时" in w.last("R-T03", "ALARM").text
    assert w.last("R-T03", "ALARM").event == "closed"


def test_a_warning_of_what_ended_before_its_deadline_is_closed_and_not_called_late() -> None:
    w = surveyed()
    w.until("2026-03-08T00:00")
    update(w, "2026-03-09T10:00", finished_at="2026-03-09T10:00")
    assert w.last("R-T03", "WARN").event == "closed"
    assert w.last("R-T03", "WARN").text.endswith("（已办结）")


def test_the_warning_of_what_was_late_counts_from_the_deadline_too() -> None:
    w = surveyed()
    update(w, "2026-03-13T05:30", finished_at="2026-03-13T05:30")
    assert "逾3天5小时" in w.last("R-T03", "WARN").text


def test_what_becomes_of_an_alert_is_told_of_the_unit_it_was_raised_for_whoever_has_the_application_now() -> None:
    w = surveyed()
    w.until("2026-03-11T00:00")
    was = w.last("R-T03", "ALARM").org_no
    w.app(op="u", org_no="3340102", at="2026-03-11T08:00")
    update(w, "2026-03-11T09:00", finished_at="2026-03-10T00:00")
    update(w, "2026-03-11T10:00", finished_at=None)
    ours = [(a.event, a.org_no) for a in w.alerts if (a.rule, a.severity) == ("R-T03", "ALARM")]
    assert ours == [("raised", was), ("cleared", was), ("reopened", was)]
    assert was not in {None, "3340102"}


def test_a_cleared_alert_says_that_it_is_over() -> None:
    w = surveyed()
    update(w, "2026-03-13T05:30", finished_at="2026-03-06T05:30")
    assert w.last("R-T03", "ALARM").text.endswith("（已解除）")


def test_an_end_that_is_taken_back_reopens_under_the_same_id() -> None:
    w = surveyed()
    w.until("2026-03-11T00:00")
    first = w.last("R-T03", "ALARM").alert_id
    update(w, "2026-03-11T09:00", finished_at="2026-03-11T08:00")
    update(w, "2026-03-11T10:00")
    assert w.last("R-T03", "ALARM").event == "reopened"
    assert w.last("R-T03", "ALARM").alert_id == first
    assert w.last("R-T03", "ALARM").text.endswith("（重新打开）")


def test_late_update_does_not_reopen_a_closed_stage() -> None:
    w = surveyed()
    w.until("2026-03-11T00:00")
    update(w, "2026-03-11T09:00", finished_at="2026-03-11T08:00")
    first = w.visit("SURVEY", row="V", op="u", entered_at=ENTERED, finished_at="2026-03-11T08:00", handler="H1")
    before = len(w.alerts), w.document()
    late = {**first.fields, "finished_at": None, "handler": "H0"}
    w.take(replace(first, position=first.position - 1, at=ms("2026-03-12T09:00"), fields=late))
    assert (len(w.alerts), w.document()) == before
    assert w.steps[-1].dropped == 1


def test_archived_ends_what_is_open_about_stages_that_never_ended() -> None:
    w = surveyed()
    w.until("2026-03-12T00:00")
    w.app(op="u", at="2026-03-12T09:00", accepted_at=ENTERED, archived_at="2026-03-12T09:00", status_code="archived")
    assert w.open() == []
    assert w.events("R-T03")[2:] == [("R-T03", "WARN", "closed"), ("R-T03", "ALARM", "closed")]
    assert w.until("2026-12-01T00:00").raised("R-T14") == []
    assert w.document()["status"] == "over"


@pytest.mark.parametrize("status", ["cancelled", "terminated"])
def test_a_status_that_ends_the_application_ends_its_alerts(status: str) -> None:
    w = surveyed()
    w.app(op="u", at="2026-03-08T09:00", accepted_at=ENTERED, status_code=status)
    assert w.until("2026-12-01T00:00").raised("R-T03", "R-T14") == [("R-T03", "WARN", "2026-03-07T00:00")]
    assert w.open() == []


def test_an_application_stays_over_since_the_first_word_of_it() -> None:
    w = surveyed()
    w.app(op="u", at="2026-03-08T09:00", accepted_at=ENTERED, status_code="cancelled")
    w.app(op="u", at="2026-03-20T09:00", accepted_at=ENTERED, status_code="cancelled", org_no="33402")
    assert w.partition.instances["A1"].over_at == ms("2026-03-08T09:00")


# -- visits


def test_a_second_visit_after_a_rejection_counts_anew_and_has_alerts_of_its_own() -> None:
    w = World()
    w.app()
    w.visit("COMPLETE", row="C1", visit=1, finished_at="2026-03-03T09:00", result="rejected")
    w.visit("BUILD", row="B2", visit=2, at="2026-03-03T10:00", finished_at="2026-03-05T09:00")
    w.visit("COMPLETE", row="C2", visit=2, at="2026-03-05T10:00")
    w.until("2026-03-20T00:00")
    assert [(a.visit, a.severity) for a in w.alerts if a.rule == "R-T11"] == [(2, "WARN"), (2, "ALARM")]
    assert w.raised("R-T11")[1] == ("R-T11", "ALARM", "2026-03-13T00:00")


def test_the_end_of_the_second_visit_does_not_touch_the_alerts_of_the_first() -> None:
    w = World()
    w.app()
    w.visit("COMPLETE", row="C1", visit=1)
    w.visit("COMPLETE", row="C2", visit=2)
    w.until("2026-03-12T00:00")
    w.visit("COMPLETE", row="C2", visit=2, op="u", entered_at=ENTERED, finished_at="2026-03-12T00:00")
    alerts = [a for a in w.document()["alerts"] if a["rule"] == "R-T11"]
    assert {(a["visit"], a["open"]) for a in alerts} == {(1, True), (2, False)}


def test_parallel_stages_are_judged_beside_each_other() -> None:
    w = surveyed()
    w.visit("SCHEME")
    w.until("2026-04-01T00:00")
    assert {a.rule for a in w.alerts if a.event == "raised"} >= {"R-T03", "R-T04"}
    assert w.document()["stages"] == ["SCHEME", "SURVEY"]


# -- a row that turns out to be of another stage, number or process


def test_a_stage_that_is_corrected_ends_only_its_own_alerts() -> None:
    w = surveyed()
    w.visit("ACCEPT", row="X")
    w.until("2026-03-11T00:00")
    w.visit("SCHEME", row="X", op="u", entered_at=ENTERED)
    assert w.open("R-T02") == []
    assert w.open("R-T03") == [("R-T03", "ALARM"), ("R-T03", "WARN")]
    assert ("R-T03", "ALARM", "cleared") not in w.events()


def test_a_visit_number_that_is_corrected_takes_its_alerts_along() -> None:
    w = surveyed()
    w.until("2026-03-11T00:00")
    w.visit("SURVEY", row="V", visit=2, op="u", entered_at=ENTERED)
    alerts = {(a["visit"], a["severity"], a["open"]) for a in w.document()["alerts"] if a["rule"] == "R-T03"}
    assert alerts == {(1, "WARN", False), (1, "ALARM", False), (2, "WARN", True), (2, "ALARM", True)}


def test_an_application_that_turns_out_low_voltage_is_judged_anew_under_ids_of_its_own() -> None:
    w = World()
    w.app()
    w.visit("SCHEME")
    w.until("2026-03-25T00:00")
    w.lv_app(op="u", accepted_at=ENTERED)
    events = [(a.process, a.severity, a.event) for a in w.alerts if a.rule == "R-T04"]
    assert events == [
        *[("hv_connection", s, "raised") for s in ("WARN", "ALARM")],
        *[("hv_connection", s, "cleared") for s in ("WARN", "ALARM")],
        *[("lv_connection", s, "raised") for s in ("WARN", "ALARM")],
    ]


def test_an_application_that_comes_back_to_its_process_raises_no_id_twice() -> None:
    w = World()
    w.item()
    w.app(tg_no="TG1")
    w.visit("SCHEME")
    w.until("2026-03-25T00:00")
    w.lv_app(op="u", accepted_at=ENTERED, tg_no="TG1")
    w.app(op="u", accepted_at=ENTERED, tg_no="TG1")
    raised = [a.alert_id for a in w.alerts if a.event == "raised"]
    assert len(raised) == len(set(raised))
    known = set(raised)
    assert all(a.alert_id in known for a in w.alerts)
    assert ("R-T04", "ALARM") in w.open()
    assert ("R-N01", "ALARM") in w.open()


def test_an_unknown_voltage_class_stops_the_timers_and_is_a_finding() -> None:
    w = surveyed()
    w.app(op="u", volt_class="超高压", accepted_at=ENTERED)
    w.until("2026-12-01T00:00")
    assert w.raised() == [("R-D02", "INFO", "2026-03-02T09:00")]
    assert w.document()["next_due_at"] is None


def test_the_finding_about_a_class_ends_when_the_class_is_known() -> None:
    w = World()
    w.app(volt_class=None)
    w.lv_app(op="u", accepted_at=ENTERED)
    assert w.open() == []
    assert {a.alert_id for a in w.alerts if a.event == "cleared"} == {
        a.alert_id for a in w.alerts if a.event == "raised"
    }


# -- deletes


def test_a_deleted_stage_takes_its_alerts_back() -> None:
    w = surveyed()
    w.until("2026-03-11T00:00")
    w.delete("visit", "V", "A1")
    assert w.open("R-T03") == []
    assert w.document()["visits"] == []
    assert w.until("2026-04-01T00:00").raised("R-T03")[2:] == []


def test_a_delete_that_names_no_instance_finds_its_row() -> None:
    w = surveyed()
    w.delete("visit", "V")
    assert w.document()["visits"] == []
    w.restart()
    w.visit("SURVEY", row="V2")
    w.delete("visit", "V2")
    assert w.document()["visits"] == []


def test_a_delete_of_what_nobody_knows_is_dropped() -> None:
    w = surveyed()
    w.delete("visit", "unknown")
    assert w.steps[-1].dropped == 1


def test_a_deleted_application_ends_all_and_counts_no_more() -> None:
    w = surveyed()
    w.visit("SCHEME", finished_at="2026-03-02T10:00")
    w.until("2026-03-11T00:00")
    w.delete("application", "A1", "A1")
    assert w.open() == []
    assert w.indicator("I111", "2026-03-02") == (0, 0)
    assert w.indicator("I122", "2026-03-02") == (0, 0)
    assert w.until("2026-12-01T00:00").raised("R-T14") == []


@pytest.mark.parametrize("order", ["delete first", "create first"])
def test_a_changed_primary_key_carries_the_alerts_of_its_stage_over(order: str) -> None:
    w = surveyed()
    w.until("2026-03-11T00:00")
    if order == "create first":
        w.visit("SURVEY", row="V9", entered_at=ENTERED)
    w.delete("visit", "V")
    if order == "delete first":
        w.visit("SURVEY", row="V9", entered_at=ENTERED)
    assert w.open("R-T03") == [("R-T03", "ALARM"), ("R-T03", "WARN")]
    before = len(w.alerts)
    w.app(op="u", accepted_at=ENTERED, org_no="33402")
    w.app(op="u", accepted_at=ENTERED, org_no="33403")
    assert len(w.alerts) == before
    w.visit("SURVEY", row="V9", op="u", entered_at=ENTERED, finished_at="2026-03-11T12:00")
    assert w.open("R-T03") == []


def test_two_rows_of_one_visit_end_together_with_the_application() -> None:
    w = surveyed()
    w.visit("SURVEY", row="V9")
    w.until("2026-03-11T00:00")
    w.app(op="u", accepted_at=ENTERED, archived_at="2026-03-11T00:00")
    assert w.open() == []


def test_a_row_that_is_inserted_again_lives_again() -> None:
    w = surveyed()
    w.delete("visit", "V", at="2026-03-03T09:00")
    w.visit("SURVEY", row="V", at="2026-03-03T10:00", entered_at=ENTERED)
    assert [s for _, s, _ in w.until("2026-03-20T00:00").raised("R-T03")] == ["WARN", "ALARM"]


# -- snapshots, first runs, downtime


def test_a_snapshot_raises_what_is_still_open_and_late_on_arrival_and_tells_nobody() -> None:
    w = World(now="2026-03-12T09:00")
    w.manager()
    w.app(op="r", accepted_at="2026-03-02T09:00", tg_no="TG1")
    w.visit("SURVEY", op="r", entered_at=ENTERED)
    w.visit("ACCEPT", op="r", entered_at="2026-02-12T09:00", finished_at=ENTERED)
    assert w.raised() == [("R-T03", "WARN", "2026-03-12T09:00"), ("R-T03", "ALARM", "2026-03-12T09:00")]
    assert w.notices == []


def test_what_falls_due_after_a_snapshot_is_told() -> None:
    w = World(now="2026-03-05T09:00")
    w.manager()
    w.app(op="r", accepted_at="2026-03-02T09:00", tg_no="TG1")
    w.visit("SURVEY", op="r", entered_at=ENTERED)
    w.until("2026-03-10T00:00")
    assert [(n.rule, n.severity) for n in w.notices] == [("R-T03", "WARN"), ("R-T03", "ALARM")]


def test_a_snapshot_of_an_old_life_finds_nothing_back_dated_or_out_of_order() -> None:
    w = World(now="2026-06-12T09:00")
    w.app(op="r", accepted_at="2026-03-02T09:00", archived_at="2026-06-01T09:00", status_code="archived")
    w.visit("DESIGN_REVIEW", op="r", entered_at=ENTERED, finished_at="2026-03-09T09:00")
    w.visit("BUILD", op="r", entered_at="2026-03-03T09:00", finished_at="2026-03-20T09:00")
    assert w.alerts == []


def test_a_snapshot_row_never_overwrites_a_newer_one() -> None:
    w = surveyed()
    change = w.visit("SURVEY", row="V", op="u", entered_at=ENTERED, handler="new")
    w.take(replace(change, op="r", position=0, fields={**change.fields, "handler": "old"}))
    assert w.document()["visits"][0]["handler"] == "new"


def test_a_list_in_a_snapshot_raises_and_tells_nobody() -> None:
    w = World(now="2026-05-12T09:00")
    w.manager()
    w.app(op="r", accepted_at="2026-05-02T09:00", tg_no="TG1")
    w.item(op="r", determined_at="2026-03-02T09:00", published_at="2026-03-03T09:00")
    w.app("A2", op="r", accepted_at="2026-05-02T09:00", tg_no="TG1")
    assert [(r, s) for r, s, _ in w.raised()] == [("R-N04", "ALARM"), ("R-N01", "ALARM")]
    assert w.notices == []


def test_a_snapshot_does_not_silence_a_timer_that_fires_between_its_rows() -> None:
    w = World()
    w.manager()
    w.item(plan_finish_at="2026-02-01T00:00", at="2026-03-02T09:30", published_at=None)
    other = World()
    rows = [other.app("A2", op="r", at="2026-03-02T09:40"), other.app("A3", op="r", at="2026-03-03T09:40")]
    w.engine.apply(w.partition, rows, step := Step())
    assert [(n.rule, n.severity) for n in step.notices] == [("R-N06", "CRITICAL")]


def test_a_first_run_raises_all_and_tells_only_what_is_not_over() -> None:
    w = World(notify_from="2026-03-08T00:00")
    w.manager()
    w.app(tg_no="TG1")
    w.visit("SURVEY", row="V")
    w.until("2026-03-09T00:00")
    w.app("A2", tg_no="TG1", at="2026-03-09T09:00", accepted_at="2026-03-02T09:00")
    w.until("2026-03-11T00:00")
    assert [s for _, s, _ in w.raised("R-T03")] == ["WARN", "ALARM"]
    assert [(n.rule, n.severity) for n in w.notices] == [("R-T03", "WARN"), ("R-T03", "ALARM")]


def test_a_first_run_tells_nothing_whose_deadline_passed_before_it_began() -> None:
    w = World(notify_from="2026-03-15T00:00")
    w.manager()
    w.app(tg_no="TG1")
    w.visit("SURVEY")
    w.until("2026-03-20T00:00")
    assert [s for _, s, _ in w.raised("R-T03")] == ["WARN", "ALARM"]
    assert w.notices == []


def test_what_fell_due_during_a_downtime_is_told_and_marked_late() -> None:
    w = World(live_from="2026-03-08T00:00")
    w.manager()
    w.app(tg_no="TG1")
    w.visit("SURVEY")
    w.until("2026-03-11T00:00")
    assert [(n.severity, n.is_late) for n in w.notices] == [("WARN", True), ("ALARM", False)]


# -- ids


def test_an_alert_id_is_a_function_of_rule_process_instance_stage_visit_object_and_rung() -> None:
    w = surveyed()
    w.until("2026-03-11T00:00")
    assert w.last("R-T03", "ALARM").alert_id == alert_id("R-T03", "hv_connection", "A1", "SURVEY", 1, None, "ALARM")


def test_ids_differ_in_every_part() -> None:
    base = ("R-T03", "hv_connection", "A1", "SURVEY", 1, "N1", "WARN")
    others = [(*base[:i], None if i in {3, 4, 5} else "x", *base[i + 1 :]) for i in range(7)]
    assert len({alert_id(*parts) for parts in [base, *others]}) == 8  # type: ignore[arg-type]


def test_the_same_life_gives_the_same_ids_after_a_restart() -> None:
    plain, restarted = surveyed(), surveyed()
    restarted.restart()
    restarted.until("2026-03-08T00:00").restart()
    plain.until("2026-04-20T00:00")
    restarted.until("2026-04-20T00:00")
    assert restarted.alerts == plain.alerts
