"""`check`, `rules test` and `rules draw`."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from connectors.connect.files import ConnectorModel
from connectors.ogg import OggModel
from connectors.source_models import CodeListsModel, SourceModel
from connectors.web.pull_models import PullModel
from rules import SHIPPED
from rules.loader import KINDS
from stagewatch.__main__ import run

Said = pytest.CaptureFixture[str]


def test_what_is_shipped_has_no_faults_and_its_tests_pass(capsys: Said) -> None:
    assert run(["check"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["rules", "test", "-o", "json"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(results) >= 50
    assert all(result["is_ok"] for result in results)
    kinds = {Path(result["file"]).parent.name for result in results}
    assert kinds >= {"processes", "rules", "limits", "calendars", "templates", "sources"}


def test_check_reports_every_fault_of_every_file_with_its_place(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "rules.yaml").write_text(
        "version: rules/v1\nid: x\nrules:\n  - code: R-T03\n    kind: nonsense\n  - titel: y\n", encoding="utf-8"
    )
    (tmp_path / "source.yaml").write_text("version: source/v1\nsource: mkt\ntabels: {}\n", encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("version: [\n", encoding="utf-8")
    assert run(["check", str(tmp_path)]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert {Path(line.split(":")[0]).name for line in lines} == {"rules.yaml", "source.yaml", "broken.yaml"}
    assert len(lines) >= 4
    for line in lines:
        _, row, column, message = line.split(":", 3)
        assert int(row) >= 1
        assert int(column) >= 1
        assert message.strip()
    assert "Traceback" not in said.err


def test_check_runs_nothing_else_and_takes_single_files(capsys: Said) -> None:
    assert run(["check", str(SHIPPED / "rules" / "connection.yaml")]) == 0
    assert run(["check", str(SHIPPED.parents[1] / "connectors" / "sources" / "mkt.yaml")]) == 0
    assert capsys.readouterr().out == ""


def test_a_test_that_fails_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    wrong = (SHIPPED / "limits" / "default.yaml").read_text(encoding="utf-8").replace("limit: 30wd}", "limit: 29wd}", 1)
    for path in SHIPPED.rglob("*.yaml"):
        copy = tmp_path / path.relative_to(SHIPPED)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "limits" / "default.yaml").write_text(wrong, encoding="utf-8")
    monkeypatch.setenv("STAGEWATCH_DEFINITIONS", str(tmp_path))
    assert run(["rules", "test"]) == 1
    said = capsys.readouterr()
    assert "two sources get thirty workdays" in said.out
    assert "tests failed" in said.err


def test_a_process_is_drawn_as_a_tree_and_as_an_svg(tmp_path: Path, capsys: Said) -> None:
    assert run(["rules", "draw", "hv_connection"]) == 0
    assert "供电方案编制" in capsys.readouterr().out
    assert run(["rules", "draw", "hv_connection", "-o", str(tmp_path / "hv.svg")]) == 0
    assert ET.parse(tmp_path / "hv.svg").getroot().tag.endswith("svg")  # our own file
    assert capsys.readouterr().out == ""


def test_an_unknown_process_lists_the_known(capsys: Said) -> None:
    assert run(["rules", "draw", "hv"]) == 2
    assert "lv_connection" in capsys.readouterr().err


def test_an_edited_copy_of_the_shipped_has_only_its_own_fault(tmp_path: Path, capsys: Said) -> None:
    for path in SHIPPED.rglob("*.yaml"):
        copy = tmp_path / path.relative_to(SHIPPED)
        copy.parent.mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8").replace("restarts_on: works_report", "restarts_on: foo", 1)
        copy.write_text(text, encoding="utf-8")
    assert run(["check", str(tmp_path)]) == 1
    said = capsys.readouterr()
    (line,) = said.out.splitlines()
    assert "no source has an entity 'foo'" in line
    assert "1 fault" in said.err
    assert "1 faults" not in said.err


def test_an_entity_of_a_source_that_nobody_reads_is_a_fault(tmp_path: Path, capsys: Said) -> None:
    source = tmp_path / "x.yaml"
    source.write_text(
        "version: source/v1\nsource: x\ntables:\n  t:\n    entity: visitt\n    key: [id]\n    columns: {id: text}\n"
    )
    assert run(["check", str(source)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{source}:5:13: no definition knows an entity 'visitt'; known are visit,")


def test_a_choice_that_is_not_there_names_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    (tmp_path / "events.jsonl").write_text("")
    monkeypatch.setenv("STAGEWATCH_LIMITS", "nosuch")
    assert run(["replay", str(tmp_path / "events.jsonl"), "-o", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("STAGEWATCH_LIMITS: no limits 'nosuch'; known are default, older")


def test_a_join_to_a_table_that_no_source_declares_is_a_fault(tmp_path: Path, capsys: Said) -> None:
    source = tmp_path / "x.yaml"
    source.write_text(
        "version: source/v1\nsource: x\ntables:\n  t:\n    entity: visit\n    key: [id]\n"
        "    columns: {id: text, app_no: text}\n    joins: {app_no: mkt_app, id: mkt_ap}\n"
    )
    assert run(["check", str(source)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{source}:8:34: no source declares a table 'mkt_ap'; known are mkt_app, ")


def test_a_file_without_a_version_learns_of_every_kind_of_file(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "x.yaml").write_text("id: x\n")
    assert run(["check", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    named = set(line.partition(" must be one of ")[2].split(", "))
    models: list[type[BaseModel]] = [CodeListsModel, ConnectorModel, OggModel, PullModel, SourceModel]
    others = {str(get_args(model.model_fields["version"].annotation)[0]) for model in models} | {"relay/v1"}
    assert named == {*KINDS, *others}


def test_an_empty_file_is_a_fault_with_its_place(tmp_path: Path, capsys: Said) -> None:
    files = [tmp_path / "sources" / "x.yaml", tmp_path / "y.yaml"]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("# nothing yet\n")
    assert run(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [f"{file}:1:1: the file is empty" for file in files]


def test_pull_and_relay_definitions_are_checked_as_what_they_are(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "pull.yaml").write_text("version: pull/v1\nname: x\nnonsense: 1\n")
    (tmp_path / "relay.yaml").write_text(
        "version: relay/v1\nname: dmz\ntopics: [cdc.mkt.mkt_app]\nkey: env:KEY\nfolder: {forward: a, back: b}\n"
    )
    assert run(["check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"{tmp_path / 'pull.yaml'}:3:1: unknown field 'nonsense'" in lines
    assert not [line for line in lines if "relay.yaml" in line or "must be one of" in line]
    relay = tmp_path / "relay.yaml"
    relay.write_text(relay.read_text().replace("cdc.mkt.mkt_app", "cdc.mkt.mkt_ap"))
    assert run(["check", str(relay)]) == 1
    assert f"{relay}:3:10: no source declares 'cdc.mkt.mkt_ap'" in capsys.readouterr().out


def test_the_setting_precedence_is_checked(monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setenv("STAGEWATCH_PRECEDENCE", "{visit: [leen], vist: [mkt], negative_item.publishd_at: [mkt]}")
    assert run(["check"]) == 1
    said = capsys.readouterr().out
    for fault in ("no source 'leen'", "no entity 'vist'", "no field 'publishd_at'"):
        assert fault in said


@pytest.mark.parametrize("command", ["check", "replay"])
def test_a_pattern_of_dialects_that_matches_nothing_is_a_warning_with_what_is_near(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("")
    monkeypatch.setenv("STAGEWATCH_DIALECTS", "{'cdc.mtk.*': {dialect: ogg-json}, 'CDC.lean.*': {dialect: ogg-json}}")
    assert run([command] if command == "check" else [command, str(events), "-o", str(tmp_path / "out")]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "setting `dialects`: no declared topic matches 'cdc.mtk.*', so it changes nothing; near are cdc.mkt.*" in said
    )
    assert "lean" not in said.partition("near are")[0]
