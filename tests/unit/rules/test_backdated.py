"""Times that cannot be: ended before begun, or told long after (R-T19)."""

from typing import Any

import pytest

from tests.helpers.builders import World

MONDAY = "2026-03-02T09:00"


def application() -> World:
    w = World()
    w.app()
    return w


def test_an_end_before_the_beginning() -> None:
    w = application()
    w.visit("SURVEY", finished_at="2026-03-02T08:59:59.999")
    assert w.raised("R-T19") == [("R-T19", "ALARM", MONDAY)]
    assert "结束早于开始" in w.last("R-T19").text
    assert w.document()["visits"][0]["finished_at"] == "2026-03-02T00:59:59.999Z"


def test_an_end_at_the_beginning_is_possible() -> None:
    w = application()
    w.visit("SURVEY", finished_at=MONDAY)
    assert w.raised("R-T19") == []


def test_a_correction_ends_the_finding() -> None:
    w = application()
    w.visit("SURVEY", row="V", finished_at="2026-03-01T09:00")
    w.visit("SURVEY", row="V", op="u", at="2026-03-03T09:00", entered_at=MONDAY, finished_at="2026-03-02T18:00")
    assert w.open("R-T19") == []


@pytest.mark.parametrize(("told", "is_found"), [("2026-03-05T09:00", False), ("2026-03-05T09:00:00.001", True)])
def test_news_is_late_after_three_days(told: str, is_found: Any) -> None:
    w = application()
    w.visit("SURVEY", at=told, entered_at=MONDAY)
    assert bool(w.raised("R-T19")) == is_found


def test_only_times_that_are_news_are_looked_at() -> None:
    w = application()
    w.visit("SURVEY", row="V")
    w.visit("SURVEY", row="V", op="u", at="2026-03-20T09:00", entered_at=MONDAY, handler="H9")
    w.visit("SURVEY", row="V", op="u", at="2026-03-20T10:00", entered_at=MONDAY, finished_at="2026-03-20T09:30")
    assert w.raised("R-T19") == []


def test_an_ordinary_end_does_not_undo_that_the_beginning_was_told_late() -> None:
    w = application()
    w.visit("SURVEY", row="V", at="2026-03-09T09:00", entered_at=MONDAY)
    w.visit("SURVEY", row="V", op="u", at="2026-03-10T09:00", entered_at=MONDAY, finished_at="2026-03-10T09:00")
    assert w.open("R-T19") == [("R-T19", "ALARM")]


def test_a_beginning_that_is_corrected_ends_the_finding() -> None:
    w = application()
    w.visit("SURVEY", row="V", at="2026-03-09T09:00", entered_at=MONDAY)
    w.visit("SURVEY", row="V", op="u", at="2026-03-10T09:00", entered_at="2026-03-09T08:00")
    assert w.open("R-T19") == []


def test_impossible_times_are_found_when_the_application_comes_last() -> None:
    w = World()
    w.visit("SURVEY", finished_at="2026-03-01T09:00")
    w.app()
    assert w.open("R-T19") == [("R-T19", "ALARM")]


def test_a_deleted_stage_takes_its_finding_back() -> None:
    w = application()
    w.visit("SURVEY", row="V", finished_at="2026-03-01T09:00")
    w.delete("visit", "V", "A1")
    assert w.open("R-T19") == []
