"""S0-19: scores per dimension can be traced to deduction rows. Over the recorded capture, counted again by others."""

import json
import subprocess
import sys
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.capture import CAPTURE, capture
from tests.helpers.evaluation_recount import ITEMS, Application, answer, applications

STAGEWATCH = str(Path(sys.executable).with_name("stagewatch"))
PERIODS = {
    "2026": (date(2026, 1, 1), date(2026, 12, 31)),
    "2026-Q1": (date(2026, 1, 1), date(2026, 3, 31)),
    "2026-04": (date(2026, 4, 1), date(2026, 4, 30)),
    "2026-W20": (date(2026, 5, 11), date(2026, 5, 17)),
}
UNITS = ["33", "33401", "3340101", "3340102", "3340103"]
LEAST_POINT = 0.0002
"""Each item is rounded to four decimals before it is added up."""


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replayed")
    command = [STAGEWATCH, "replay", str(CAPTURE), "--until", "2026-07-01T00:00+08:00", "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def evaluated(folder: Path, period: str, *more: str) -> dict[str, Any]:
    command = [STAGEWATCH, "evaluate", "--period", period, "--from", str(folder), "-o", "json", *more]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


@lru_cache(maxsize=1)
def every() -> dict[str, Application]:
    return applications(capture())


@pytest.mark.parametrize("period", PERIODS)
def test_scores_of_every_unit_are_those_that_a_second_count_gives(replayed: Path, period: str) -> None:
    report = evaluated(replayed, period)
    rows = {(row["org_no"], row["eval_item"]): row for row in report["summary"]}
    assert [row["org_no"] for row in report["summary"] if row["eval_item"] == "total"] == UNITS
    for org_no in UNITS:
        expected = answer(every(), org_no, *PERIODS[period])
        assert rows[org_no, "total"]["score"] == pytest.approx(expected.total, abs=LEAST_POINT * len(ITEMS))
        found = {item: rows[org_no, item] for item in ITEMS if (org_no, item) in rows}
        shares = {item: row["score"] / row["full_score"] for item, row in found.items()}
        assert shares == pytest.approx(expected.shares, abs=LEAST_POINT)


@pytest.mark.parametrize("org_no", ["33", "3340102"])
def test_deductions_name_exactly_the_late_applications_and_add_up_to_what_was_lost(replayed: Path, org_no: str) -> None:
    report = evaluated(replayed, "2026-Q1", "--org", org_no)
    (unit,) = report["units"]
    rows = {row["eval_item"]: row for row in report["summary"] if row["org_no"] == org_no}
    assert sum(_parts(row["deducted_score"]) for row in unit["detail"]) == _parts(100) - _parts(rows["total"]["score"])
    late = answer(every(), org_no, *PERIODS["2026-Q1"]).late
    for item in ITEMS:
        own = [row for row in unit["detail"] if row["eval_item"] == item]
        lost = _parts(rows[item]["full_score"]) - _parts(rows[item]["score"])
        assert sum(_parts(row["deducted_score"]) for row in own) == lost
        if lost and item in late:
            assert {row["app_no"] for row in own} == late[item]
            assert all(row["duty_person"] and row["reason"] and row["late_h"] for row in own)
    for sums in (unit["by_person"], unit["by_dept"]):
        assert sum(_parts(row["deducted_score"]) for row in sums) == _parts(unit["lost"])


def _parts(points: float) -> int:
    return round(points * 10_000)


def test_the_page_shows_a_bar_for_each_unit_and_needs_nothing_else(replayed: Path) -> None:
    command = [STAGEWATCH, "evaluate", "--period", "2026-Q1", "--from", str(replayed), "-o", "html"]
    page = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert page.count('<div class="bar">') == len(UNITS)
    assert all(each not in page for each in ("<script", "http:", "https:", "<link", "$"))
