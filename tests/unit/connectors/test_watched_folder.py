"""A watched folder: what is complete is loaded once, what is wrong is put aside with its reasons."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.files import Arrivals
from stagewatch.__main__ import run
from stagewatch.embedded import EmbeddedBroker
from stagewatch.topic_reader import read_topic
from tests.helpers.ingesting import TOPIC, capture_rows, captured, rows_in, write_csv

TABLES = frozenset({"mkt.mkt_app", "mkt.mkt_app_progress"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def look(folder: Path, *more: str) -> int:
    return run(["ingest", "watch", str(folder), "--once", "--settle", "0", *more])


def report(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.report.json").read_text("utf-8"))
    return found


def orgs(broker: EmbeddedBroker) -> dict[str, Any]:
    return {key: row and row["org_no"] for key, row in rows_in(broker.bootstrap).items()}


@pytest.mark.parametrize(
    ("name", "table", "is_full"),
    [
        ("mkt.mkt_app.csv", "mkt.mkt_app", False), ("MKT.MKT_APP-20260302.csv", "mkt.mkt_app", False),
        ("mkt.mkt_app_20260302.csv", "mkt.mkt_app", False),
        ("mkt.mkt_app_progress-1.xlsx", "mkt.mkt_app_progress", False),
        ("mkt.mkt_app.full.csv", "mkt.mkt_app", True), ("mkt.mkt_app.full-1.csv", "mkt.mkt_app", True),
        ("mkt.mkt_application.csv", "", False), ("apps.csv", "", False),
    ],
)  # fmt: skip
def test_a_files_name_says_its_table(folder: Path, name: str, table: str, *, is_full: bool) -> None:
    (folder / name).touch()
    (folder / f"{name}.done").touch()
    (found,) = Arrivals(folder, TABLES, needs_marker=False, settle_s=30).look(0)
    assert (found.table, found.is_full) == (table, is_full)


def test_a_file_that_goes_away_meanwhile_and_what_is_none_are_passed_over(folder: Path) -> None:
    (folder / "mkt.mkt_app.csv").touch()
    (folder / "mkt.mkt_app-1.csv").symlink_to(folder / "gone.csv")  # looks like one that went between two looks
    (folder / "mkt.mkt_app-2.csv").mkdir()
    found = Arrivals(folder, TABLES, needs_marker=False, settle_s=0).look(0)
    assert names(found) == ["mkt.mkt_app.csv"]


def names(found: list[Any]) -> list[str]:
    return [arrival.path.name for arrival in found]


def test_a_file_is_complete_when_it_has_settled_or_has_its_marker(folder: Path) -> None:
    for name in ("mkt.mkt_app.csv.part", ".mkt.mkt_app.csv", "mkt.mkt_app-1.csv", "mkt.mkt_app-2.csv", "notes.pdf"):
        (folder / name).touch()
    (folder / "mkt.mkt_app-2.csv.done").write_text("17\n")
    settles = Arrivals(folder, TABLES, needs_marker=False, settle_s=30)
    assert names(settles.look(0)) == ["mkt.mkt_app-2.csv"]
    with (folder / "mkt.mkt_app-1.csv").open("a") as file:
        file.write("app_no\n")
    assert names(settles.look(29)) == ["mkt.mkt_app-2.csv"], "it has grown"
    assert names(settles.look(58)) == ["mkt.mkt_app-2.csv"]
    assert [path.name for path in settles.settling] == ["mkt.mkt_app-1.csv"]
    assert sorted(names(settles.look(59))) == ["mkt.mkt_app-1.csv", "mkt.mkt_app-2.csv"]
    marked = Arrivals(folder, TABLES, needs_marker=True, settle_s=30)
    assert [(a.path.name, a.expected_rows) for a in (marked.look(0), marked.look(99))[1]] == [("mkt.mkt_app-2.csv", 17)]


def test_a_whole_table_waits_for_its_marker_and_what_waits_is_named(
    broker: EmbeddedBroker, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_csv(folder / "mkt.mkt_app.full-1.csv", [{"app_no": "A1", "org_no": "1"}])
    assert look(folder) == 0
    assert "mkt.mkt_app.full-1.csv: waits for mkt.mkt_app.full-1.csv.done" in capsys.readouterr().err
    assert whole.exists()
    (folder / "mkt.mkt_app.full-1.csv.done").touch()
    assert look(folder) == 1
    assert "say how many it must have" in " ".join(report(folder / "failed", "mkt.mkt_app.full-1.csv")["said"])
    assert list(read_topic(broker.bootstrap, TOPIC)) == []


def test_what_was_captured_since_the_file_was_exported_stays(broker: EmbeddedBroker, folder: Path) -> None:
    capture_rows(broker.bootstrap, [captured("A1", 100, org_no="new"), captured("A2", 110, org_no="new")])
    nightly = write_csv(folder / "mkt.mkt_app.full-1.csv", [{"app_no": "A1", "org_no": "old"}])
    last_night = time.time() - 36_000
    os.utime(nightly, (last_night, last_night))
    (folder / "mkt.mkt_app.full-1.csv.done").write_text("1")
    assert look(folder) == 0
    assert orgs(broker) == {"A1": "new", "A2": "new"}
    said = report(folder / "done", "mkt.mkt_app.full-1.csv")
    assert (said["older"], said["kept"], said["deleted"]) == (1, 1, 0)


def test_a_marker_can_say_when_the_rows_were_read(folder: Path) -> None:
    path = write_csv(folder / "mkt.mkt_app-1.csv", [{"app_no": "A1"}])
    (folder / "mkt.mkt_app-1.csv.done").write_text("1 2026-03-02T01:00:00+08:00")
    (found,) = Arrivals(folder, TABLES, needs_marker=True, settle_s=0).look(0)
    assert (found.expected_rows, found.as_of) == (1, 1_772_384_400_000)
    (folder / "mkt.mkt_app-1.csv.done").write_text("1 gestern")
    os.utime(path, (1, 1))
    (found,) = Arrivals(folder, TABLES, needs_marker=True, settle_s=0).look(0)
    assert (found.expected_rows, found.as_of) == (1, 1_000)


def test_a_good_file_is_loaded_and_a_bad_one_put_aside_with_its_reasons(broker: EmbeddedBroker, folder: Path) -> None:
    write_csv(folder / "mkt.mkt_app-1.csv", [{"app_no": "A1", "org_no": "1"}])
    write_csv(folder / "mkt.mkt_app-2.csv", [{"app_no": "A2", "source_count": "zwei"}])
    write_csv(folder / "mkt.mkt_ap.csv", [{"app_no": "A3"}])
    assert look(folder) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["done", "failed"]
    assert orgs(broker) == {"A1": "1"}
    good = report(folder / "done", "mkt.mkt_app-1.csv")
    assert (good["done"], good["rows"]) == (True, 1)
    assert "mkt.mkt_app-2.csv:2:source_count: text" in " ".join(report(folder / "failed", "mkt.mkt_app-2.csv")["said"])
    assert "did you mean mkt.mkt_app?" in " ".join(report(folder / "failed", "mkt.mkt_ap.csv")["said"])


def test_a_file_that_was_loaded_before_a_crash_is_not_loaded_again(broker: EmbeddedBroker, folder: Path) -> None:
    path = write_csv(folder / "mkt.mkt_app-1.csv", [{"app_no": "A1", "org_no": "1"}])
    content = path.read_bytes()
    assert look(folder) == 0
    path.write_bytes(content)  # as if the process had died before it moved the file
    assert look(folder) == 0
    assert len(list(read_topic(broker.bootstrap, TOPIC))) == 1
    assert "was loaded already" in report(folder / "done", "mkt.mkt_app-1~2.csv")["already"]


def test_a_full_load_that_comes_again_after_another_holds_again(broker: EmbeddedBroker, folder: Path) -> None:
    first, second = [{"app_no": "A1", "org_no": "1"}], [{"app_no": "A2", "org_no": "2"}]
    for night, rows in enumerate((first, second, first)):
        path = write_csv(folder / f"mkt.mkt_app.full-{night}.csv", rows)
        os.utime(path, (night, night))
        path.with_name(f"{path.name}.done").write_text("1")
        assert look(folder) == 0
    assert orgs(broker) == {"A1": "1", "A2": None}


def test_a_file_shorter_than_its_marker_says_deletes_nothing(broker: EmbeddedBroker, folder: Path) -> None:
    write_csv(folder / "mkt.mkt_app.full-1.csv", [{"app_no": f"A{n}", "org_no": "1"} for n in range(3)])
    (folder / "mkt.mkt_app.full-1.csv.done").write_text("3")
    assert look(folder, "--marker") == 0
    write_csv(folder / "mkt.mkt_app.full-2.csv", [{"app_no": "A0", "org_no": "2"}])
    assert look(folder, "--marker") == 0, "without a marker it is not complete"
    (folder / "mkt.mkt_app.full-2.csv.done").write_text("3")
    assert look(folder, "--marker") == 1
    assert orgs(broker) == {"A0": "1", "A1": "1", "A2": "1"}


def test_without_kafka_the_file_stays(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STAGEWATCH_BROKER", "kafka://127.0.0.1:1")
    path = write_csv(folder / "mkt.mkt_app.csv", [{"app_no": "A1"}])
    monkeypatch.setattr("connectors.landing.WAIT_S", 1.0)
    assert look(folder) == 1
    assert path.exists()
