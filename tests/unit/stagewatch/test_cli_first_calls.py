"""Every command as somebody meets it: its help, and a first call with no broker, store or Connect beside it."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from stagewatch.__main__ import ROOT, run

Said = pytest.CaptureFixture[str]
NO_BROKER, NO_STORE = "no broker is set: name it with STAGEWATCH_BROKER", "no store at"
NO_CONNECT = "STAGEWATCH_CONNECT_URL"
FILES = {"a.csv": "app_no,cust_name\nA1,x\n", "watched/mkt.mkt_app-20260302.csv": "app_no,cust_name\nA1,x\n"}
CALLS = {
    "worker --agents nope": (2, "known: inbound"),
    "demo --events x": (2, "--events"),
    "replay a.jsonl -o out": (2, "a.jsonl"),
    "check nowhere.yaml": (2, "nowhere.yaml"),
    "rules test -c nowhere.yaml": (2, "nowhere.yaml"),
    "rules draw hv_connection": (0, ""),
    "rules diff a.csv": (1, "a.csv"),
    "rules apply": (1, NO_BROKER),
    "rules rollback --to 1": (1, NO_BROKER),
    "rules versions": (1, NO_BROKER),
    "rules explain R-XX --org 33401": (2, "no rule"),
    "rules backtest nowhere.yaml": (2, "nowhere.yaml"),
    "templates list": (0, ""),
    "templates show nope": (2, "known:"),
    "templates preview nowhere.yaml": (2, "nowhere.yaml"),
    "flow": (2, "--from-topics"),
    "evaluate --period 2026-03": (1, NO_STORE),
    "reports list": (0, ""),
    "reports preview nope --org 33401": (2, "known:"),
    "reports send nope --org 33401": (2, "known:"),
    "instances get A1": (1, NO_STORE),
    "instances history A1": (1, "--events FILE, or a broker"),
    "alerts list": (1, NO_STORE),
    "alerts explain A1": (1, "alerts list"),
    "notifications list": (1, NO_STORE),
    "notifications retry K1 --by Li": (1, NO_STORE),
    "notifications cancel K1 --by Li --reason wrong": (1, NO_STORE),
    "notifications bounce a.csv": (1, "a.csv"),
    "notifications costs": (1, NO_STORE),
    "notifications audit": (1, NO_STORE),
    "silences list": (1, NO_BROKER),
    "silences add --by Li --reason work": (2, "--until"),
    "silences end S1 --by Li": (1, NO_BROKER),
    "tasks list": (1, NO_STORE),
    "tasks show T1": (1, NO_STORE),
    "tasks totals --period 2026-03": (1, NO_STORE),
    "tasks close T1 --by Li": (2, "tasks list"),
    "tasks reply 13800000000 1": (1, NO_BROKER),
    "commands send acknowledge T1 --by Li": (2, "tasks list"),
    "inbound list": (1, NO_BROKER),
    "inbound try YE --from 13800000000": (0, ""),
    "inbound take 13800000000 YE": (1, NO_BROKER),
    "connectors plan": (1, "connectors template"),
    "connectors apply": (1, "connectors template"),
    "connectors validate": (1, NO_CONNECT),
    "connectors get": (1, NO_CONNECT),
    "connectors describe x": (1, NO_CONNECT),
    "connectors pause x": (1, NO_CONNECT),
    "connectors resume x": (1, NO_CONNECT),
    "connectors stop x": (1, NO_CONNECT),
    "connectors restart x": (1, NO_CONNECT),
    "connectors delete x": (1, NO_CONNECT),
    "connectors offsets get x": (1, NO_CONNECT),
    "connectors offsets set x --partition {} --offset {}": (1, NO_CONNECT),
    "connectors offsets reset x": (1, NO_CONNECT),
    "connectors offsets export x": (1, NO_CONNECT),
    "connectors offsets import x a.csv": (1, NO_CONNECT),
    "connectors snapshot mkt.mkt_app": (1, "connectors template"),
    "connectors template": (0, ""),
    "connectors ogg a.csv": (1, "a.csv:1:1"),
    "ingest file a.csv --table mkt.mkt_app": (1, NO_BROKER),
    "ingest undo B1": (1, "no batch 'B1'"),
    "ingest list": (0, ""),
    "ingest watch watched --once --settle 0": (1, NO_BROKER),
    "ingest pull": (1, "the setting pulls"),
    "ingest serve": (1, "push_tokens"),
    "relay send nowhere.yaml": (2, "nowhere.yaml"),
    "relay receive nowhere.yaml": (2, "nowhere.yaml"),
    "relay status": (0, ""),
    "sources list": (0, ""),
    "sources describe mkt": (0, ""),
    "sources health": (1, NO_BROKER),
    "sources findings": (1, NO_BROKER),
    "sources relations": (0, ""),
    "sources join mkt.mkt_app A1": (1, NO_BROKER),
    "sources codes mkt": (0, ""),
    "sources draft cdc.x.y": (1, NO_BROKER),
    "sources try mkt.mkt_app": (1, NO_BROKER),
    "sources docs --dry-run": (0, ""),
    "deadletters list": (1, NO_BROKER),
    "deadletters show 0-0": (1, NO_BROKER),
    "deadletters replay 0-0": (1, NO_BROKER),
    "settings": (0, ""),
    "bench nope": (2, "known: track"),
}  # fmt: skip
"""A call: its exit code, and what it says besides."""
DOCUMENTS = {"rules draw", "sources docs"}
"""What these give is for people: a drawing, a page."""


def commands(group: click.Group = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif command is not None:
            yield " ".join((*path, name)), command


ALL = dict(commands())


def command_of(call: str) -> str:
    return max((name for name in ALL if f"{call} ".startswith(f"{name} ")), key=len)


DATA = [call for call, (code, _) in CALLS.items() if code == 0 and command_of(call) not in DOCUMENTS]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in ("BROKER", "STORE", "CONNECT_URL", "CONNECTORS"):
        monkeypatch.delenv(f"STAGEWATCH_{name}", raising=False)
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def test_every_command_is_called_here() -> None:
    assert sorted({command_of(call) for call in CALLS}) == sorted(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_command_helps(name: str, capsys: Said) -> None:
    assert run([*name.split(), "--help"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"Usage: stagewatch {name} ")
    assert said.err == ""


@pytest.mark.parametrize("call", CALLS)
def test_a_first_call_gives_data_or_says_what_to_do(call: str, empty_folder: Path, capsys: Said) -> None:
    code, wanted = CALLS[call]
    assert run(shlex.split(call)) == code
    said = capsys.readouterr()
    assert wanted in said.err
    assert "Traceback" not in said.err
    assert "(-v shows where)" not in said.err  # what nobody foresaw
    assert code == 0 or said.out == ""
    assert (empty_folder / "watched" / "mkt.mkt_app-20260302.csv").exists()  # nothing is put aside for want of a broker


@pytest.mark.parametrize("call", DATA)
def test_what_gives_data_gives_it_to_machines_too(call: str, capsys: Said) -> None:
    assert run([*shlex.split(call), "-o", "json"]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert isinstance(json.loads(line), dict)
