"""Stages entered before those they come after had ended (R-T18)."""

import pytest

from tests.helpers.builders import World

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02T09:00", "2026-03-03T09:00", "2026-03-04T09:00"


def application() -> World:
    w = World()
    w.app()
    return w


def test_a_connection_before_the_works_were_accepted() -> None:
    w = application()
    w.visit("COMPLETE")
    w.visit("CONNECT", at=TUESDAY)
    assert w.raised("R-T18") == [("R-T18", "ALARM", TUESDAY)]
    assert (w.last("R-T18").stage, w.last("R-T18").visit) == ("CONNECT", 1)
    assert "竣工验收" in w.last("R-T18").text


def test_a_predecessor_that_ended_at_the_same_moment_is_in_order() -> None:
    w = application()
    w.visit("COMPLETE", finished_at=MONDAY)
    w.visit("CONNECT", entered_at=MONDAY)
    assert w.raised("R-T18") == []


def test_a_predecessor_that_nobody_entered_is_no_finding() -> None:
    w = application()
    w.visit("CONNECT")
    assert w.raised("R-T18") == []


@pytest.mark.parametrize("first", ["SCHEME", "SURVEY"])
def test_survey_and_scheme_run_beside_each_other(first: str) -> None:
    w = application()
    w.visit("ACCEPT", finished_at=MONDAY)
    for stage in sorted(["SURVEY", "SCHEME"], key=lambda s: s != first):
        w.visit(stage)
    assert w.raised("R-T18") == []


def test_late_news_of_the_end_takes_the_finding_back() -> None:
    w = application()
    w.visit("COMPLETE", row="C")
    w.visit("CONNECT", at=TUESDAY)
    w.visit("COMPLETE", row="C", op="u", at=WEDNESDAY, entered_at=MONDAY, finished_at="2026-03-02T18:00")
    assert w.events("R-T18") == [("R-T18", "ALARM", "raised"), ("R-T18", "ALARM", "cleared")]


def test_a_predecessor_told_later_is_found_then() -> None:
    w = application()
    w.visit("CONNECT", at=TUESDAY)
    w.visit("COMPLETE", at=WEDNESDAY, entered_at=MONDAY)
    assert w.raised("R-T18") == [("R-T18", "ALARM", WEDNESDAY)]


def test_a_rejected_predecessor_does_not_let_on() -> None:
    w = application()
    w.visit("COMPLETE", finished_at=MONDAY, result="rejected")
    w.visit("CONNECT", at=TUESDAY)
    assert w.raised("R-T18") == [("R-T18", "ALARM", TUESDAY)]


def test_the_last_visit_of_the_predecessor_counts() -> None:
    w = application()
    w.visit("COMPLETE", visit=1, finished_at=MONDAY, result="rejected")
    w.visit("COMPLETE", visit=2, entered_at="2026-03-02T10:00", finished_at="2026-03-02T12:00")
    w.visit("CONNECT", at=TUESDAY)
    assert w.raised("R-T18") == []


def test_going_back_after_a_rejection_is_in_order() -> None:
    w = application()
    w.visit("TEST", finished_at=MONDAY)
    w.visit("COMPLETE", finished_at="2026-03-02T10:00", result="rejected")
    w.visit("BUILD", visit=2, at=TUESDAY, finished_at="2026-03-03T10:00")
    w.visit("COMPLETE", visit=2, at=WEDNESDAY)
    assert w.raised("R-T18") == []


def test_a_deleted_predecessor_takes_the_finding_back() -> None:
    w = application()
    w.visit("COMPLETE", row="C")
    w.visit("CONNECT", at=TUESDAY)
    w.delete("visit", "C", "A1", at=WEDNESDAY)
    assert w.open("R-T18") == []


def test_a_deleted_stage_takes_its_own_finding_back() -> None:
    w = application()
    w.visit("COMPLETE")
    w.visit("CONNECT", row="X", at=TUESDAY)
    w.delete("visit", "X", "A1", at=WEDNESDAY)
    assert w.open("R-T18") == []


def test_the_order_is_judged_too_when_the_application_comes_last() -> None:
    w = World()
    w.visit("COMPLETE")
    w.visit("CONNECT", at=TUESDAY)
    w.app(at=WEDNESDAY)
    assert w.raised("R-T18") == [("R-T18", "ALARM", WEDNESDAY)]
