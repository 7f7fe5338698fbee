"""`templates list|show|preview`."""

import json
from pathlib import Path

import pytest

from rules import SHIPPED, RuleFile, StrategyFile, read_definitions, task_hints
from stagewatch.__main__ import run

Said = pytest.CaptureFixture[str]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A unit's copies, in a folder beside the shipped definitions; nothing is published."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("STAGEWATCH_DEFINITIONS", f"{SHIPPED}:{folder}")
    path = folder / "own.yaml"
    text = f'version: templates/v1\nid: own\norg: "3340102"\ntemplates:\n  stage_late: "{"长" * 60}{{instance}}"\n'
    path.write_text(text, "utf-8")
    return path


def rows(capsys: Said) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_list_has_the_library_and_the_copies_with_length_and_parts(own: Path, capsys: Said) -> None:
    assert run(["templates", "list", "-o", "json"]) == 0
    found = {(row["id"], row["unit"]): row for row in rows(capsys)}
    assert ("M17", "standard") in found
    assert found["stage_late", "standard"]["parts"] == 1
    copy = found["stage_late", "3340102"]
    assert (copy["length"], copy["parts"], copy["parameters"]) == (72 + len("办结回48270366"), 2, "instance")


def test_what_tells_of_a_task_is_one_sms_with_its_number(capsys: Said) -> None:
    assert run(["templates", "list", "-o", "json"]) == 0
    found = {str(row["id"]): row for row in rows(capsys)}
    loaded = read_definitions([SHIPPED])
    strategies = [each for file in loaded.of(StrategyFile) for each in file.strategies]
    told = task_hints((rule for file in loaded.of(RuleFile) for rule in file.rules), strategies, "48270366")
    assert told["stage_idle"] == "办结回48270366"
    assert "billing_flag" not in told
    assert [name for name in told if name in found and found[name]["parts"] != 1] == ["newly_constrained_group"]


def test_the_list_of_a_unit_has_what_its_messages_use(own: Path, capsys: Said) -> None:
    assert run(["templates", "list", "--org", "334010203", "-o", "json"]) == 0
    found = rows(capsys)
    assert [row["unit"] for row in found if row["id"] == "stage_late"] == ["3340102"]
    assert {row["unit"] for row in found if row["id"] != "stage_late"} == {"standard"}


def test_a_sample_is_shown_part_by_part(own: Path, capsys: Said) -> None:
    assert run(["templates", "show", "stage_late", "--org", "3340102", "-o", "json"]) == 0
    (found,) = rows(capsys)
    assert [len(part) for part in str(found["sample"]).split(" | ")] == [67, 16]
    assert run(["templates", "show", "M12", "-o", "json"]) == 0
    assert rows(capsys)[0]["title"] == "督办短信"


def test_an_unknown_template_names_the_near_ones(capsys: Said) -> None:
    assert run(["templates", "show", "stage_lat"]) == 2
    assert "stage_late" in capsys.readouterr().err


def test_a_preview_tells_parts_and_faults_before_anything_is_saved(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "new.yaml"
    path.write_text('version: templates/v1\nid: n\norg: "33401"\ntemplates: {stage_late: "{instance}请办"}\n', "utf-8")
    assert run(["templates", "preview", str(path), "-o", "json"]) == 0
    (row,) = rows(capsys)
    assert (row["unit"], row["parts"], row["sample"]) == ("33401", 1, "330126000129请办办结回48270366")
    path.write_text('version: templates/v1\nid: n\norg: "33401"\ntemplates: {stage_late: "{nobody}"}\n', "utf-8")
    assert run(["templates", "preview", str(path)]) == 1
    assert f"{path}:4:" in capsys.readouterr().err
