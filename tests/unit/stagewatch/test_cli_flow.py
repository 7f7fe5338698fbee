"""`stagewatch flow` over the capture, without a broker."""

import json
import re
from collections import Counter
from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from rules.flow import History
from stagewatch.__main__ import run
from stagewatch.flow import Choice, document_of, flow_of
from stagewatch.flow_html import page
from stagewatch.flow_tables import tables_of
from tests.helpers.builders import shipped
from tests.helpers.capture import CAPTURE, SAMPLES
from tests.helpers.flow_lives import Life, Went, changes_of

Said = pytest.CaptureFixture[str]
ORACLE = json.loads((SAMPLES / "flow-oracle.json").read_text(encoding="utf-8"))["capture"]


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    return tmp_path


def told(*arguments: str) -> Any:
    said = StringIO()
    with redirect_stdout(said):
        assert run(["flow", str(CAPTURE), "-o", "json", *arguments]) == 0
    (line,) = said.getvalue().splitlines()
    return json.loads(line)


@lru_cache
def whole() -> Any:
    return told("--rows", "1000")


def test_the_capture_flows_as_pm4py_says() -> None:
    report = whole()
    assert sorted([v["stages"], v["instances"]] for v in report["variants"]["variants"]) == ORACLE["variants"]
    assert sorted([r["source"], r["target"], r["count"]] for r in report["waiting"]["between"]) == ORACLE["follows"]
    of = report["of"]
    assert (of["records"], of["instances"], of["over"], of["events"]) == (3937, 158, 103, 1345)
    assert report["conformance"]["fitness"]["fitness"] == 1.0
    assert report["conformance"]["deviations"] == []


def test_who_waits_now_are_those_who_have_not_ended() -> None:
    report = whole()
    waiting = report["waiting"]
    names = {row["instance"] for row in waiting["longest"]}
    assert len(names) == report["of"]["instances"] - report["of"]["over"]
    counted = Counter((row["stage"], row["state"]) for row in waiting["longest"])
    assert counted == {(row["stage"], row["state"]): row["instances"] for row in waiting["now"]}
    waited = [row["waited_h"] for row in waiting["longest"]]
    assert waited == sorted(waited, reverse=True)


def test_one_unit_is_its_part_of_the_whole() -> None:
    report = told("--view", "durations", "--org", "3340101")
    assert set(report) == {"of", "durations"}
    counts = ("stage", "open", "workdays", "worked_h")
    part = [row for row in whole()["durations"]["by_unit"] if row["who"] == "3340101"]
    assert [[row[n] for n in counts] for row in report["durations"]["by_stage"]] == [
        [r[n] for n in counts] for r in part
    ]


def test_it_is_told_as_known_at_a_time_of_those_heard_of_since_another() -> None:
    of = told("--view", "variants", "--from", "2026-05-20", "--to", "2026-06-01")["of"]
    assert (of["from"], of["at"]) == ("2026-05-20T16:00:00.000Z", "2026-06-01T16:00:00.000Z")
    assert 0 < of["instances"] < 158
    assert 0 < of["over"] < 103


def test_the_page_needs_nothing_else(capsys: Said) -> None:
    assert run(["flow", str(CAPTURE), "-o", "html"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("<h2>") == 11
    assert "http" not in shown.replace("http://www.w3.org/2000/svg", "")
    assert "$" not in shown
    (picture,) = re.findall("<svg.*</svg>", shown, re.DOTALL)
    ET.fromstring(picture)


def test_the_picture_comes_alone(capsys: Said) -> None:
    assert run(["flow", str(CAPTURE), "-o", "svg"]) == 0
    assert ET.fromstring(capsys.readouterr().out).tag.endswith("svg")


def test_deviations_are_shown_with_their_evidence_and_as_text_never_as_markup() -> None:
    process = shipped().processes["hv_connection"]
    history = History(shipped(), process)
    for change in changes_of(
        [Life("<A&1>", "3340101", [Went("ACCEPT", 1_000, 90_000_000), Went("SCHEME", 2_000, 3_000)])]
    ):
        history.take(change)
    flow = flow_of(history, Choice("hv_connection"), 100_000_000, lambda _done: None)
    of = {"process": "hv_connection", "title": "<t>", "source": "s", "records": 6, "at": "", "from": None, "org": None}
    document = document_of(flow, of, ["conformance"])
    first = document["conformance"]["deviations"][0]
    assert (first["instance"], first["kind"], first["rule"], first["other"]) == (
        "<A&1>",
        "order_broken",
        "R-T18",
        "ACCEPT",
    )
    assert first["at"] == "1970-01-01T00:00:02.000Z"
    assert [set(place) for place in first["evidence"]] == [{"topic", "partition", "offset"}] * 2
    (_, table) = tables_of(document, 1)
    assert (len(table.rows), table.of) == (1, 9)
    assert "cdc.visit 0:" in table.rows[0][-1]
    shown = page(document, "", 20)
    assert "<A&1>" not in shown
    assert "&lt;A&amp;1&gt;" in shown


def test_tables_say_how_much_they_leave_out(capsys: Said) -> None:
    assert run(["flow", str(CAPTURE), "--view", "variants", "--rows", "2"]) == 0
    out = capsys.readouterr().out
    assert "Variants (the first 2 of 10)" in out
    assert "67.7%" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "--from-topics"),
        ([str(CAPTURE), "--from-topics"], 2, "--from-topics"),
        ([str(CAPTURE), "--process", "hv"], 2, "no process 'hv'"),
        ([str(CAPTURE), "--org", "999"], 1, "--org"),
        (["--from-topics"], 1, "STAGEWATCH_BROKER"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], code: int, words: str, capsys: Said) -> None:
    assert run(["flow", *arguments]) == code
    assert words in capsys.readouterr().err


def test_what_is_refused_is_counted(tmp_path: Path, capsys: Said) -> None:
    file = tmp_path / "some.jsonl"
    bad = {"topic": "cdc.mkt.mkt_app", "partition": 0, "offset": 0, "timestamp": 1, "key": None, "value": "{"}
    file.write_text("not json\n" + json.dumps(bad) + "\n", encoding="utf-8")
    assert run(["flow", str(file)]) == 1
    err = capsys.readouterr().err
    assert "2 records were refused" in err
    assert "no instance of hv_connection" in err
