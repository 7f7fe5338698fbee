"""`rules diff`, `apply`, `rollback`, `versions` and `explain`, as far as they need no broker; the rest is in e2e."""

import json
from pathlib import Path

import pytest

from rules import SHIPPED
from stagewatch.__main__ import run

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STAGEWATCH_BROKER", raising=False)


@pytest.fixture
def tight(tmp_path: Path) -> Path:
    """The shipped limits with two workdays for the survey."""
    text = (SHIPPED / "limits" / "default.yaml").read_text(encoding="utf-8")
    path = tmp_path / "limits.yaml"
    path.write_text(text.replace("stage: SURVEY, limit: 5wd", "stage: SURVEY, limit: 2wd"), encoding="utf-8")
    return path


def test_diff_shows_the_field_and_the_version_that_alerts_will_have(tight: Path, capsys: Said) -> None:
    assert run(["rules", "diff", str(tight), "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["changes"] == [
        {"definition": "limits/default", "place": "rows.hv_connection SURVEY.limit", "before": "5wd", "after": "2wd"}
    ]
    assert document["rules"] == [{"rule": "R-T03", "before": 1, "after": 2}]
    assert document["impact"] is None


def test_diff_shows_that_a_unit_changed_its_threshold(tmp_path: Path, capsys: Said) -> None:
    unit = """\
version: cascade/v1
id: city
title: 市公司
org: "33401"
thresholds: [{indicator: I122, severity: ALARM, operator: lt, value: 90, unit: "%"}]
tests:
  - name: nothing is accepted
    application: {volt_class: HV, accepted_at: "2026-03-02T09:00+08:00"}
    until: "2026-03-02T10:00+08:00"
    only: [X-I122]
    raised: []
"""
    folder, changed = tmp_path / "units", tmp_path / "city.yaml"
    folder.mkdir()
    (folder / "city.yaml").write_text(unit, encoding="utf-8")
    changed.write_text(unit.replace("90", "95"), encoding="utf-8")
    config = tmp_path / "settings.yaml"
    config.write_text(f"definitions: ['{SHIPPED}', '{folder}']\n", encoding="utf-8")
    assert run(["rules", "diff", str(changed), "-c", str(config), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"] == [{"rule": "X-I122", "before": 1, "after": 2}]


def test_diff_of_what_says_the_same_shows_nothing(capsys: Said) -> None:
    assert run(["rules", "diff", str(SHIPPED / "limits" / "default.yaml")]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no field changes" in said.err


def test_faults_of_a_change_are_reported_with_their_places(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("version: limits/v1\nid: default\ntitle: x\nrows:\n  - {process: nobody, limit: 5wd}\n")
    assert run(["rules", "diff", str(path)]) == 1
    assert f"{path}:5:" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["apply"], ["rollback"], ["versions"]])
def test_what_needs_a_broker_says_how_to_name_one(arguments: list[str], capsys: Said) -> None:
    assert run(["rules", *arguments]) == 1
    assert "STAGEWATCH_BROKER" in capsys.readouterr().err


def test_explain_gives_the_chain_with_its_place(tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "city.yaml").write_text(
        'version: cascade/v1\nid: city\ntitle: 市公司\norg: "33401"\nlimits:\n'
        "  - {process: hv_connection, stage: SURVEY, limit: 3wd}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("STAGEWATCH_DEFINITIONS", f"{SHIPPED}:{tmp_path}")
    assert run(["rules", "explain", "--org", "3340102", "R-T03", "-o", "json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    mine = [row for row in rows if row["what"] == "hv_connection SURVEY"]
    assert [(row["value"], row["counts"], row["from"], row["unit"], row["line"]) for row in mine] == [
        ("3wd", True, "cascade/city", "33401", 6), ("5wd", False, "limits/default", None, 7),
    ]  # fmt: skip


def test_explain_gives_the_limits_of_every_stage_and_of_the_processes_that_are_one(capsys: Said) -> None:
    assert run(["rules", "explain", "--org", "3340102", "R-T22", "-o", "json"]) == 0
    said = capsys.readouterr()
    rows = {row["what"]: row for row in map(json.loads, said.out.splitlines())}
    locked = rows["work_order LOCKED"]
    assert (locked["value"], locked["counts"], locked["from"]) == ("4h", True, "process/work_order")
    assert rows["control_loop CHECKING"]["value"] == "2wd"
    assert "no template sets this for unit 3340102" in said.err


def test_explain_lists_the_rules_when_it_does_not_know_one(capsys: Said) -> None:
    assert run(["rules", "explain", "--org", "334", "R-T99"]) == 2
    assert "R-T03" in capsys.readouterr().err
