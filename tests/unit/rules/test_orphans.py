"""Rows whose application is unknown, and codes that nobody knows: kept, marked, reported."""

from typing import Any

import pytest

from rules import load_definitions, parse_duration
from rules.loader import Choice
from tests.helpers.builders import World

FOUND = [("R-D03", "WARN", "2026-03-02T09:30")]


def test_rows_without_their_application_are_reported_after_half_an_hour() -> None:
    w = World()
    w.visit("SURVEY")
    assert w.until("2026-03-02T09:29:59.999").raised() == []
    assert w.until("2026-03-02T09:30").raised() == FOUND
    assert w.document()["status"] == "unknown"


def test_the_wait_runs_from_the_first_row_and_over_a_restart() -> None:
    w = World()
    w.visit("SURVEY")
    w.restart()
    w.visit("SCHEME", at="2026-03-02T09:20")
    assert w.until("2026-03-03T09:00").raised() == FOUND


def test_an_application_that_comes_in_time_is_no_finding() -> None:
    w = World()
    w.visit("SURVEY")
    w.app(at="2026-03-02T09:29")
    assert w.until("2026-03-02T12:00").raised() == []


@pytest.mark.parametrize("volt_class", ["HV", "LV", None])
def test_the_finding_ends_under_its_own_id_when_the_application_comes(volt_class: str | None) -> None:
    w = World()
    w.visit("ACCEPT", finished_at="2026-03-02T09:00")
    w.until("2026-03-02T12:00")
    w.app(volt_class=volt_class)
    first, last = (a for a in w.alerts if a.rule == "R-D03")
    assert (first.event, last.event) == ("raised", "cleared")
    assert first.alert_id == last.alert_id


def test_what_waited_is_judged_when_the_application_comes() -> None:
    w = World()
    w.visit("SURVEY")
    w.until("2026-03-12T09:00")
    w.app(accepted_at="2026-03-02T09:00")
    assert w.raised("R-T03") == [("R-T03", s, "2026-03-12T09:00") for s in ("WARN", "ALARM")]


def test_an_orphan_that_is_deleted_is_no_finding_any_more() -> None:
    w = World()
    w.visit("SURVEY", row="V")
    w.until("2026-03-02T12:00")
    w.delete("visit", "V")
    assert w.open("R-D03") == []


def test_the_wait_can_be_chosen() -> None:
    w = World(definitions=load_definitions(choice=Choice(orphan_after=parse_duration("2h"))))
    w.visit("SURVEY")
    assert w.until("2026-03-03T09:00").raised() == [("R-D03", "WARN", "2026-03-02T11:00")]


# -- codes


@pytest.mark.parametrize("stage", ["LUNCH", "", None, "A|B%|", "勘查\x1f", "x" * 5000])
def test_an_unknown_stage_is_kept_and_found(stage: str | None) -> None:
    w = World()
    w.app()
    w.visit(stage, row="V")
    w.restart()
    assert w.open() == [("R-D02", "INFO")]
    assert w.document()["visits"][0]["stage"] == stage


def test_a_stage_that_is_corrected_ends_the_finding() -> None:
    w = World()
    w.app()
    w.visit("A|B", row="V")
    w.visit("SURVEY", row="V", op="u", entered_at="2026-03-02T09:00")
    assert w.open() == []


def test_a_stage_that_was_not_told_is_no_finding() -> None:
    w = World()
    w.app()
    w.row("visit", "V", "A1", handler="H1")
    assert w.open() == []


@pytest.mark.parametrize(
    ("field", "value", "is_found"),
    [
        ("status_code", "???", True), ("status_code", None, False), ("status_code", "archived", False),
        ("source_count", 0, True), ("source_count", 2, False), ("app_type", "x", True), ("volt_class", "超高压", True),
        ("volt_class", None, True),
    ],
)  # fmt: skip
def test_an_unknown_code_of_the_application_is_found(field: str, value: Any, is_found: Any) -> None:
    w = World()
    w.app(**{field: value})
    assert w.open() == ([("R-D02", "INFO")] if is_found else [])


def test_a_finding_tells_nobody() -> None:
    w = World()
    w.manager()
    w.app(status_code="???", tg_no="TG1")
    assert w.notices == []


def test_a_nameless_visit_and_a_bad_application_row_do_not_fight() -> None:
    w = World()
    w.app(status_code="???")
    w.visit(None, row="V", visit=None)
    w.app(op="u")
    w.app(op="u", org_no="33402")
    assert [e for _, _, e in w.events("R-D02")] == ["raised"]


@pytest.mark.parametrize("visit", [-1, 0, 2**63 - 1, None])
def test_any_visit_number_is_carried(visit: int | None) -> None:
    w = World()
    w.app()
    w.visit("SURVEY", visit=visit)
    w.restart()
    w.until("2026-03-20T00:00")
    assert w.last("R-T03").visit == visit
    assert {a["visit"] for a in w.document()["alerts"]} == {visit}
