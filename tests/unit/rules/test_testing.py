"""The tests inside definition files: they run on the engine, and a wrong one is a fault, not a crash."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rules import SHIPPED, read_definitions
from rules.testing import run_tests


def test_every_shipped_test_comes_out_as_it_says() -> None:
    results = run_tests(read_definitions([SHIPPED]))
    assert [r for r in results if not r.is_ok] == []
    assert len(results) >= 30
    assert all(r.line > 1 for r in results)


def results_of(folder: Path, test: dict[str, Any]) -> list[str]:
    """Run one test in a rules file of its own beside the shipped definitions."""
    (folder / "own.yaml").write_text(yaml.safe_dump({"version": "rules/v1", "id": "own", "rules": [], "tests": [test]}))
    loaded = read_definitions([SHIPPED, folder])
    assert loaded.faults == []
    return [fault for result in run_tests(loaded, only=str(folder / "own.yaml")) for fault in result.faults]


GOOD: dict[str, Any] = {
    "name": "a survey",
    "application": {"volt_class": "HV", "accepted_at": "2026-03-02T09:00+08:00"},
    "visits": [{"stage": "SURVEY", "entered_at": "2026-03-02T09:00+08:00"}],
    "until": "2026-03-07T00:00+08:00",
    "raised": [{"rule": "R-T03", "severity": "WARN", "at": "2026-03-07T00:00+08:00"}],
}


def test_a_right_test_has_no_faults(tmp_path: Path) -> None:
    assert results_of(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"raised": []}, "is not expected"),
        ({"raised": [{"rule": "R-T03", "severity": "ALARM", "at": "2026-03-07"}]}, "was not raised"),
        ({"open_stages": []}, "open stages are ['SURVEY']"),
        ({"process": "lv_connection"}, "the process is hv_connection"),
        ({"indicators": [{"code": "I111", "org_no": "", "date": "2026-03-02", "numerator": 9, "denominator": 0}]},
         "I111 is 1"),
    ],
)  # fmt: skip
def test_a_wrong_expectation_says_what_came_of_it(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    assert any(fault in text for text in results_of(tmp_path, {**GOOD, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"application": 5}, {"application": []}, {"visits": "x"}, {"visits": [{}]}, {"visits": [5]}, {"until": None},
        {"until": "never"}, {"until": "2026-03-02T09:00"}, {"rows": [{"entity": "x"}]}, {"rows": {"a": 1}},
        {"raised": [{}]}, {"raised": "x"}, {"raised": [5]}, {"only": 5}, {"indicators": [{}]}, {"indicators": 7},
        {"application": {"accepted_at": "9999-99-99"}}, {"item": {"determined_at": []}},
    ],
)  # fmt: skip
def test_a_test_that_makes_no_sense_is_a_fault(tmp_path: Path, change: dict[str, Any]) -> None:
    faults = results_of(tmp_path, {**GOOD, **change})
    assert faults


def test_a_file_without_tests_is_told(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"version": "rules/v1", "id": "own", "rules": []}))
    results = run_tests(read_definitions([SHIPPED, tmp_path]), only=str(tmp_path / "own.yaml"))
    assert [r.faults for r in results] == [("the file carries no `tests:`",)]


def test_every_row_of_a_processes_own_entity_is_an_instance(tmp_path: Path) -> None:
    process = {"version": "process/v1", "id": "permits", "code": "P90", "title": "许可", "entity": "permit"}
    rule = {
        "code": "R-T90", "title": "许可超期", "kind": "deadline", "processes": ["permits"], "start": "asked_at",
        "spans": "none", "rungs": {"ALARM": {"after": "1h"}}, "tell": [], "text": "crossing_late",
    }  # fmt: skip
    asked = {"entity": "permit", "at": "2026-03-02T09:00+08:00", "fields": {"asked_at": "2026-03-02T09:00+08:00"}}
    test = {
        "name": "two permits are late", "rows": [{**asked, "row": "P1"}, {**asked, "row": "P2"}],
        "until": "2026-03-02T10:00+08:00",
        "raised": [{"rule": "R-T90", "severity": "ALARM", "at": "2026-03-02T10:00+08:00"}] * 2,
    }  # fmt: skip
    own = {"version": "rules/v1", "id": "own", "rules": [rule], "tests": [test, {**test, "raised": []}]}
    (tmp_path / "process.yaml").write_text(yaml.safe_dump(process), encoding="utf-8")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    loaded = read_definitions([SHIPPED, tmp_path])
    assert loaded.faults == []
    right, wrong = run_tests(loaded, only=str(tmp_path / "own.yaml"))
    assert right.is_ok
    assert not wrong.is_ok
