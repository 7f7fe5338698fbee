"""The negative list: applications under it, items over applications, and what items themselves owe."""

from typing import Any

import pytest

from rules import Step
from schemas import AlertObject, message_text
from tests.helpers.builders import World, ms

LEVELS = [("1", "WARN"), ("2", "ALARM"), ("3", "ALARM")]


@pytest.mark.parametrize(("level", "severity"), LEVELS)
def test_an_application_under_a_listed_transformer(level: str, severity: str) -> None:
    w = World()
    w.item(limit_level=level)
    w.app(tg_no="TG1", at="2026-03-03T09:00")
    assert w.raised() == [("R-N01", severity, "2026-03-03T09:00")]
    alert = w.last("R-N01")
    assert (alert.process, alert.instance, alert.stage, alert.visit) == ("hv_connection", "A1", None, None)
    assert alert.object == AlertObject("pub_trans", "T1", "N1")


@pytest.mark.parametrize(("level", "severity"), LEVELS)
def test_an_application_under_a_listed_line(level: str, severity: str) -> None:
    w = World()
    w.line_item(limit_level=level)
    w.app(line_no="L1", at="2026-03-03T09:00")
    assert w.raised() == [("R-N02", severity, "2026-03-03T09:00")]
    assert w.last("R-N02").object == AlertObject("dist_line", "L1", "N1")


def test_one_alert_per_item() -> None:
    w = World()
    w.item("N1")
    w.item("N2")
    w.app(tg_no="TG1")
    assert [a.object.item for a in w.alerts if a.object] == ["N1", "N2"]
    assert len({a.alert_id for a in w.alerts}) == 2


def test_a_transformer_is_found_through_the_district() -> None:
    w = World()
    w.row("tg", "TG7", trans_no="T1", line_no="L9")
    w.item(tg_no=None)
    w.app(tg_no="TG7")
    assert w.raised() == [("R-N01", "ALARM", "2026-03-02T09:00")]


def test_a_line_is_found_through_the_district_if_the_application_names_none() -> None:
    w = World()
    w.row("tg", "TG7", trans_no="T1", line_no="L9")
    w.line_item(line_no="L9")
    w.app("A1", tg_no="TG7")
    w.app("A2", tg_no="TG7", line_no="L8")
    assert [(a.rule, a.instance) for a in w.alerts] == [("R-N02", "A1")]


def test_a_district_that_is_known_late_brings_the_application_under_the_item() -> None:
    w = World()
    w.item(tg_no=None)
    w.app(tg_no="TG7")
    w.row("tg", "TG7", trans_no="T1", at="2026-03-03T09:00")
    w.until("2026-03-03T10:00")
    assert w.raised() == [("R-N01", "ALARM", "2026-03-03T09:00")]


@pytest.mark.parametrize(
    "item", [{"published_at": None}, {"cleared_at": "2026-03-02T09:00"}, {"published_at": "1900-01-01"}]
)
def test_an_item_that_is_not_open_touches_nobody(item: dict[str, Any]) -> None:
    w = World()
    w.item(**item)
    w.app(tg_no="TG1")
    assert w.raised("R-N01", "R-N04") == []


def test_an_item_cleared_in_9999_is_open() -> None:
    w = World()
    w.item(cleared_at="9999-12-31")
    w.app(tg_no="TG1")
    assert w.raised("R-N01") != []


def test_an_application_that_moves_under_an_item_and_away_again() -> None:
    w = World()
    w.item()
    w.app(tg_no="TG9")
    w.app(op="u", tg_no="TG1", at="2026-03-03T09:00")
    w.app(op="u", tg_no="TG9", at="2026-03-04T09:00")
    assert w.events("R-N01") == [("R-N01", "ALARM", "raised"), ("R-N01", "ALARM", "cleared")]
    w.app(op="u", tg_no="TG1", at="2026-03-05T09:00")
    assert w.events("R-N01")[2:] == [("R-N01", "ALARM", "reopened")]


def test_other_changes_of_the_application_are_not_judged_again() -> None:
    w = World()
    w.app(tg_no="TG1")
    w.item(at="2026-03-03T09:00")
    w.app(op="u", tg_no="TG1", apply_cap_kva=500, at="2026-03-04T09:00")
    assert w.raised() == [("R-N04", "ALARM", "2026-03-03T09:00")]


def test_an_item_that_opens_over_running_applications() -> None:
    w = World()
    w.app("A1", tg_no="TG1")
    w.app("A2", tg_no="TG2")
    w.app("A3", tg_no="TG1", archived_at="2026-03-02T10:00")
    w.lv_app("A4", tg_no="TG1")
    w.app("A5", tg_no="TG1")
    w.visit("CONNECT", "A5")
    w.item(at="2026-03-03T09:00")
    assert [(a.rule, a.severity, a.instance) for a in w.alerts] == [("R-N04", "ALARM", "A1"), ("R-N04", "ALARM", "A4")]


def test_one_message_per_manager_lists_all_applications() -> None:
    w = World()
    w.manager("TG1", "M1")
    for key in ("A1", "A2", "A3"):
        w.app(key, tg_no="TG1")
    w.item(at="2026-03-03T09:00")
    assert {(n.group, n.at, n.recipient.no) for n in w.notices} == {("R-N04:N1", ms("2026-03-03T09:00"), "M1")}
    text = message_text(w.notices)
    assert "3户" in text
    assert "A1、A2、A3" in text


def test_an_item_published_in_the_future_opens_by_itself() -> None:
    w = World()
    w.app("A1", tg_no="TG1")
    w.item(published_at="2026-03-05T12:00")
    w.app("A2", tg_no="TG1", at="2026-03-04T09:00")
    assert w.raised("R-N01", "R-N04") == []
    w.until("2026-03-06T00:00")
    assert w.raised("R-N01", "R-N04") == [("R-N04", "ALARM", "2026-03-05T12:00")] * 2
    w.app("A3", tg_no="TG1", at="2026-03-06T09:00")
    assert w.raised("R-N01") == [("R-N01", "ALARM", "2026-03-06T09:00")]


def test_a_future_publication_survives_a_restart() -> None:
    w = World()
    w.app("A1", tg_no="TG1")
    w.item(published_at="2026-03-05T12:00")
    w.restart()
    w.until("2026-03-05T12:00").restart()
    assert w.until("2026-03-06T00:00").raised("R-N04") == [("R-N04", "ALARM", "2026-03-05T12:00")]


def test_a_future_publication_that_is_put_off_opens_at_the_later_date_only() -> None:
    w = World()
    w.app("A1", tg_no="TG1")
    w.item(published_at="2026-03-05T12:00")
    w.item(op="u", at="2026-03-03T09:00", determined_at="2026-03-02T09:00", published_at="2026-03-09T12:00")
    assert w.until("2026-03-10T00:00").raised("R-N04") == [("R-N04", "ALARM", "2026-03-09T12:00")]


def test_a_cleared_item_ends_its_alerts_about_applications() -> None:
    w = World()
    w.app("A1", tg_no="TG1")
    w.item()
    w.app("A2", tg_no="TG1", at="2026-03-03T09:00")
    w.item(op="u", at="2026-03-05T09:00", cleared_at="2026-03-05T09:00")
    w.until("2026-03-05T09:00")
    assert (w.open(key="A1"), w.open(key="A2")) == ([], [])


def test_an_item_cleared_in_the_future_ends_its_alerts_by_itself() -> None:
    w = World()
    w.item(cleared_at="2026-03-05T09:00")
    w.app(tg_no="TG1")
    assert w.open() == [("R-N01", "ALARM")]
    assert w.until("2026-03-05T09:00").open() == []


def test_a_deleted_item_ends_its_alerts_and_releases_nobody() -> None:
    w = World()
    w.app("A1", tg_no="TG1")
    w.item()
    w.until("2026-03-02T09:00")
    assert w.open() == [("R-N04", "ALARM")]
    w.delete("negative_item", "N1", "N1", at="2026-03-05T09:00")
    w.until("2026-03-06T09:00")
    assert w.open() == []
    assert w.raised("R-N08") == []
    assert w.last("R-N04").object == AlertObject("pub_trans", "T1", "N1")


def test_an_application_that_is_over_ends_its_alerts_about_items() -> None:
    w = World()
    w.item()
    w.app(tg_no="TG1")
    w.app(op="u", tg_no="TG1", archived_at="2026-03-03T09:00", at="2026-03-03T09:00")
    assert w.events("R-N01") == [("R-N01", "ALARM", "raised"), ("R-N01", "ALARM", "cleared")]


def test_at_one_moment_the_list_comes_before_the_application() -> None:
    together = World()
    app, item = World().app(tg_no="TG1"), World().item()
    together.reference.add(item)
    together.engine.apply(together.partition, [app, item], step := Step())
    assert [(a.rule, a.instance) for a in step.alerts] == [("R-N01", "A1")]


def test_an_item_read_late_is_judged_before_the_next_application() -> None:
    # At the head of the topics the clock may already stand past the item's arrival.
    w = World()
    w.app("A1", tg_no="TG1")
    w.until("2026-03-02T10:00")
    w.item(at="2026-03-02T09:59")
    w.app("A2", tg_no="TG1", at="2026-03-02T09:59")
    w.until("2026-03-03T09:00")
    assert [(a.rule, a.instance) for a in w.alerts if a.rule != "R-T19"] == [("R-N04", "A1"), ("R-N01", "A2")]


# -- what the items owe


def test_the_planned_day_comes_near_passes_and_stays_passed() -> None:
    w = World()
    w.manager()
    w.item(plan_finish_at="2026-03-21T00:00")
    assert w.until("2026-12-01T00:00").raised() == [
        ("R-N05", "WARN", "2026-03-14T00:00"), ("R-N06", "ALARM", "2026-03-21T00:00"),
        ("R-N06", "CRITICAL", "2026-04-20T00:00"),
    ]  # fmt: skip
    assert (w.last("R-N06").process, w.last("R-N06").instance) == ("negative_list", "N1")
    assert w.last("R-N06").object == AlertObject("pub_trans", "T1", "N1")
    assert {n.recipient.no for n in w.notices} == {"M1"}


def test_an_item_cleared_before_its_day_owes_nothing() -> None:
    w = World()
    w.item(plan_finish_at="2026-03-21T00:00")
    w.item(op="u", at="2026-03-13T09:00", plan_finish_at="2026-03-21T00:00", cleared_at="2026-03-13T09:00")
    assert w.until("2026-12-01T00:00").raised() == []


def test_an_item_to_be_cleared_after_its_day_is_overdue_until_then() -> None:
    w = World()
    w.item(plan_finish_at="2026-03-21T00:00", cleared_at="2026-04-01T00:00")
    w.until("2026-12-01T00:00")
    assert w.events("R-N06") == [("R-N06", "ALARM", "raised"), ("R-N06", "ALARM", "closed")]


def test_an_item_without_a_planned_day_owes_none() -> None:
    w = World()
    w.item(plan_finish_at=None)
    assert w.until("2027-12-01T00:00").raised() == []


def test_nothing_is_owed_before_determination() -> None:
    w = World()
    w.item(determined_at="2026-03-18T09:00", published_at=None, plan_finish_at="2026-03-21T00:00")
    assert w.until("2026-03-22T00:00").raised() == [
        ("R-N05", "WARN", "2026-03-18T09:00"), ("R-N06", "ALARM", "2026-03-21T00:00"),
    ]  # fmt: skip


def test_an_item_that_was_never_determined_owes_nothing() -> None:
    w = World()
    w.item(determined_at=None, published_at=None, plan_finish_at="2026-03-21T00:00")
    assert w.until("2026-12-01T00:00").raised() == []


def test_a_plan_that_is_put_off_takes_its_alarm_back() -> None:
    w = World()
    w.item(plan_finish_at="2026-03-21T00:00")
    w.until("2026-03-25T00:00")
    w.item(op="u", determined_at="2026-03-02T09:00", plan_finish_at="2026-06-21T00:00")
    assert w.open("R-N05", "R-N06", key="N1") == []


def test_determined_and_not_published_by_the_end_of_the_third_workday() -> None:
    w = World()
    w.item(published_at=None)
    assert w.until("2026-03-20T00:00").raised() == [("R-N07", "WARN", "2026-03-06T00:00")]


def test_published_within_three_workdays_is_in_time() -> None:
    w = World()
    w.item(published_at=None)
    w.item(op="u", determined_at="2026-03-02T09:00", at="2026-03-05T23:00", published_at="2026-03-05T23:00")
    assert w.until("2026-03-20T00:00").raised() == []


def test_a_publication_set_for_later_does_not_count_as_published() -> None:
    w = World()
    w.item(published_at="2026-03-09T09:00")
    w.until("2026-03-20T00:00")
    assert w.events("R-N07") == [("R-N07", "WARN", "raised"), ("R-N07", "WARN", "closed")]


# -- released


def test_a_cleared_item_tells_that_waiting_applications_can_go_on() -> None:
    w = World()
    w.manager()
    w.app("A1", tg_no="TG1")
    w.item()
    w.item(op="u", at="2026-03-05T09:00", cleared_at="2026-03-05T09:00")
    w.until("2026-03-06T09:00")
    assert w.raised("R-N08") == [("R-N08", "INFO", "2026-03-05T09:00")]
    assert (w.last("R-N08").process, w.last("R-N08").instance) == ("negative_list", "N1")


@pytest.mark.parametrize("gone", ["connected", "archived", "elsewhere"])
def test_a_cleared_item_over_nobody_who_waits_tells_nothing(gone: str) -> None:
    w = World()
    w.app("A1", tg_no="TG2" if gone == "elsewhere" else "TG1")
    if gone == "connected":
        w.visit("CONNECT")
    if gone == "archived":
        w.app(op="u", tg_no="TG1", archived_at="2026-03-02T09:00")
    w.item()
    w.item(op="u", at="2026-03-05T09:00", cleared_at="2026-03-05T09:00")
    w.until("2026-03-06T09:00")
    assert w.raised("R-N08") == []
