"""Times of records that lie beyond any calendar, and where the clock ends."""

import gzip
import json
from pathlib import Path
from secrets import token_hex
from typing import Any, get_args

import pytest

from rules import state_council_calendar
from rules.threshold_models import Execution, Frequency
from rules.threshold_periods import Timetable
from schemas import LATEST_ARRIVAL
from stagewatch.__main__ import run

AT = 1_772_413_200_000


def line(offset: int, timestamp: int, app_no: str) -> str:
    after = {"app_no": app_no, "volt_class": "HV", "org_no": "3340101", "accepted_at": None}
    value: dict[str, Any] = {"before": None, "after": after, "op": "c", "source": {"lsn": offset + 1}, "ts_ms": AT}
    record = {"topic": "cdc.mkt.mkt_app", "partition": 0, "offset": offset, "timestamp": timestamp}
    return json.dumps({**record, "key": None, "value": value, "headers": {}})


def replayed(tmp_path: Path, *lines: str, until: str | None = None) -> int:
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(lines) + "\n")
    chosen = [] if until is None else ["--until", until]
    return run(["replay", str(events), "-o", str(tmp_path / "out"), *chosen])


def documents(tmp_path: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (tmp_path / "out" / f"{name}.jsonl").read_text().splitlines()]


def test_records_of_no_possible_arrival_are_dead_letters_and_the_next_ones_count(tmp_path: Path) -> None:
    lines = [line(0, AT, "A"), line(1, AT * 1000, "B"), line(2, 253_402_300_800_000, "C"), line(3, AT + 1, "D")]
    assert replayed(tmp_path, *lines) == 0
    assert [document["instance"] for document in documents(tmp_path, "instances")] == ["A", "D"]
    letters = documents(tmp_path, "deadletters")
    assert [(letter["offset"], letter["reason"]) for letter in letters] == [
        (1, "unreadable-date"), (2, "unreadable-date"),
    ]  # fmt: skip
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["clock"] == "2026-03-02T01:00:00.001Z"


def test_a_recording_of_nothing_else_is_still_one(tmp_path: Path) -> None:
    assert replayed(tmp_path, line(0, AT * 1000, "A")) == 0
    assert [letter["reason"] for letter in documents(tmp_path, "deadletters")] == ["unreadable-date"]


def test_every_timetable_has_a_next_time_where_the_clock_ends() -> None:
    for frequency in get_args(Frequency):
        table = Timetable(Execution(frequency=frequency), state_council_calendar())
        following = table.next_after(LATEST_ARRIVAL - 1)
        assert following is None or following >= LATEST_ARRIVAL


@pytest.mark.parametrize(("kept", "behind"), [(None, 0), (0.7, 5)])
def test_a_file_that_cannot_be_unpacked_is_named_with_the_last_line(
    kept: float | None, behind: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl.gz"
    lines = [line(number, AT + number, f"{number:08}" + token_hex(2_000)) for number in range(10)]
    whole = gzip.compress("\n".join(lines).encode()) if kept else b"no gzip file"
    events.write_bytes(whole[: int(len(whole) * (kept or 1))])
    assert run(["replay", str(events), "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert f"{events}: cannot be unpacked behind line " in said
    assert int(said.partition("behind line ")[2].partition(":")[0]) >= behind
