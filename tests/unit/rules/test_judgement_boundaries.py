"""Judging at its edges: several rules, several rows of one visit, several projects, and the edges of calendar files."""

import pytest
from pydantic import ValidationError

from rules.calendar_overlay import DayRange
from tests.helpers.builders import World


def test_a_rule_without_a_deadline_does_not_keep_the_next_from_being_judged() -> None:
    w = World()
    w.item(published_at=None, plan_finish_at=None)
    w.until("2026-03-06T00:00")
    assert w.raised() == [("R-N07", "WARN", "2026-03-06T00:00")]


def test_of_several_projects_the_last_planned_finish_counts() -> None:
    w = World()
    w.app()
    for number, day in enumerate(("2026-03-20T00:00", "2026-03-25T00:00", "2026-03-15T00:00")):
        w.row("project_schedule", f"P{number}", plan_finish=day)
        w.row("customer_project", f"P{number}", "A1", prj_no=f"P{number}")
    w.row("customer_project", "P9", "A1", prj_no=None)
    w.visit("BUILD")
    w.until("2026-03-25T00:00")
    assert w.raised("R-T07") == [("R-T07", "WARN", "2026-03-22T00:00"), ("R-T07", "ALARM", "2026-03-25T00:00")]


def test_a_visit_with_two_rows_goes_on_until_both_have_ended() -> None:
    w = World()
    w.app()
    w.visit("SURVEY", row="R1")
    w.visit("SURVEY", row="R2")
    w.until("2026-03-07T00:00")
    assert w.events("R-T03") == [("R-T03", "WARN", "raised")]
    w.visit("SURVEY", row="R1", op="u", entered_at="2026-03-02T09:00", finished_at="2026-03-05T09:00")
    assert w.open("R-T03") == [("R-T03", "WARN")]
    w.visit("SURVEY", row="R2", op="u", entered_at="2026-03-02T09:00", finished_at="2026-03-06T09:00")
    assert w.events("R-T03")[1:] == [("R-T03", "WARN", "cleared")]


def test_a_row_that_is_deleted_leaves_its_twin_late() -> None:
    w = World()
    w.app()
    w.visit("SURVEY", row="R1")
    w.visit("SURVEY", row="R2")
    w.visit("SCHEME")
    w.until("2026-03-07T00:00")
    w.delete("visit", "R1", "A1")
    assert w.open("R-T03") == [("R-T03", "WARN")]
    w.delete("visit", "R2", "A1")
    assert w.open("R-T03") == []


@pytest.mark.parametrize(
    ("first", "last", "is_right"),
    [
        ("2000-01-01", None, True),
        ("1999-12-31", None, False),
        ("2099-12-31", None, True),
        ("2100-01-01", None, False),
        ("2026-06-01", "2026-06-01", True),
        ("2026-06-02", "2026-06-01", False),
        ("2026-06-01", "2027-06-02", True),
        ("2026-06-01", "2027-06-03", False),
    ],
)
def test_a_range_of_days_lies_in_the_table_and_is_a_year_at_most(
    first: str,
    last: str | None,
    is_right: bool,  # noqa: FBT001
) -> None:
    given = {"from": first, "to": last, "name": "周年庆"}
    if is_right:
        assert str(next(iter(DayRange.model_validate(given).days()))) == first
    else:
        with pytest.raises(ValidationError):
            DayRange.model_validate(given)
