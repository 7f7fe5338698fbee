"""`sources codes` and `sources join`: old codes still answer, and what is not there is said with what is."""

import json
from pathlib import Path

import pytest

from stagewatch.__main__ import run

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("STAGEWATCH_BROKER", raising=False)


def answers(capsys: Said, *arguments: str) -> list[tuple[str, str, str]]:
    assert run(["sources", "codes", *arguments, "-o", "json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(row["list"], row["code"], row["standard"]) for row in rows]


def test_standard_codes_are_shown_as_the_source_writes_them(capsys: Said) -> None:
    assert answers(capsys, "lean", "--standard", "AC00101") == [("volt_level", "02", "AC00101")]
    assert answers(capsys, "mkt", "--standard", "AC00101") == [("volt_level", "AC00101", "AC00101")]
    assert len(answers(capsys, "lean", "--list", "volt_level")) == 7


def test_a_code_of_the_source_is_explained(capsys: Said) -> None:
    assert answers(capsys, "LEAN", "--code", "06") == [("volt_level", "06", "AC02201")]
    assert answers(capsys, "lean", "--code", "06", "--at", "2020-01-01") == [("volt_level", "06", "AC02201")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["codes", "leen"], "no source 'leen' (did you mean lean?)"),
        (["codes", "lean", "--list", "volt"], "no code list 'volt'; known: volt_level"),
        (["codes", "lean", "--code", "99"], "lean has no such code"),
        (["codes", "lean", "--code", "02", "--standard", "AC02201"], "lean has no such code"),
        (["join", "mkt_apps", "A1"], "no table 'mkt_apps' (did you mean mkt_app?)"),
        (["join", "lean.mkt_app", "A1"], "no table 'lean.mkt_app'"),
        (["join", "mkt.mkt_app", "A1"], "no broker is set"),
    ],
)
def test_what_is_not_there_is_said(capsys: Said, arguments: list[str], message: str) -> None:
    assert run(["sources", *arguments]) == 1
    assert message in capsys.readouterr().err
