"""One row by several roads on the embedded broker: what came last holds, and what is sent again changes nothing."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from connectors.files import Journal
from connectors.landing import Landing
from connectors.web.rows import Shape
from schemas import BEFORE_ALL, DATED, ingested_position, read_origin
from stagewatch.__main__ import run
from stagewatch.embedded import EmbeddedBroker
from stagewatch.topic_reader import read_topic
from tests.helpers.brokers import make_topics
from tests.helpers.decoding import mapping
from tests.helpers.ingesting import TABLE, TOPIC, capture_rows, captured, rows_in, write_csv

AHEAD_MS = 60_000


def ingest(path: Path, *more: str) -> int:
    return run(["ingest", "file", str(path), "--table", TABLE, "--operator", "li", *more])


def tell(broker: EmbeddedBroker, road: Any, org_no: str, *, ahead_ms: int = 0, src_ts: int | None = None) -> None:
    """Write A1 as a web service's node does whose clock is ahead."""
    row = {"app_no": "A1", "org_no": org_no} | ({} if src_ts is None else {"_src_ts": src_ts})
    with Landing(broker.bootstrap) as landing:
        landing.make_topic(TOPIC, 1)
        now_ms = int(time.time() * 1000) + ahead_ms
        landing.write(TOPIC, [Shape(mapping(TOPIC), road).landed(row, now_ms=now_ms, batch=road)])


def held(broker: EmbeddedBroker) -> object:
    return (rows_in(broker.bootstrap)["A1"] or {})["org_no"]


def test_a_pulled_row_dated_ahead_that_comes_again_is_a_repeat(broker: EmbeddedBroker) -> None:
    at = int(time.time() * 1000) + AHEAD_MS
    tell(broker, "pull", "PULL", src_ts=at)
    tell(broker, "push", "PUSH")
    tell(broker, "pull", "PULL", src_ts=at)
    assert held(broker) == "PUSH"
    tell(broker, "pull", "CHANGED", src_ts=at + 1)
    assert held(broker) == "CHANGED"


def test_a_file_without_times_counts_over_what_a_clock_ahead_took(broker: EmbeddedBroker, tmp_path: Path) -> None:
    tell(broker, "push", "PUSH", ahead_ms=AHEAD_MS)
    assert ingest(write_csv(tmp_path / "a.csv", [{"app_no": "A1", "org_no": "FILE"}]), "--batch", "b1") == 0
    assert held(broker) == "FILE"
    assert run(["ingest", "undo", "b1"]) == 0
    assert held(broker) == "PUSH"


def test_only_a_file_that_says_its_time_is_ordered_by_it(broker: EmbeddedBroker, tmp_path: Path) -> None:
    for name, more in (("a", []), ("b", ["--as-of", "2026-03-02T09:00:00+08:00"])):
        path = write_csv(tmp_path / f"{name}.csv", [{"app_no": name, "org_no": "1"}])
        assert ingest(path, "--batch", name, *more) == 0
    origins = [read_origin(record.value or b"") for record in read_topic(broker.bootstrap, TOPIC)]
    assert {origin.batch: origin.by_arrival for origin in origins if origin} == {"a": True, "b": False}


def test_what_a_run_without_undo_wrote_before_it_was_cut_short_is_not_written_again(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", [{"app_no": "A1", "org_no": "FILE"}])
    assert ingest(path, "--batch", "b1", "--no-undo") == 0
    with Journal(tmp_path / "data" / "ingest" / "b1.sqlite") as journal:
        journal.note(state="writing")
    tell(broker, "push", "PUSH")
    assert ingest(path, "--batch", "b1", "--no-undo") == 0
    assert held(broker) == "PUSH"


def test_a_journal_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "old.sqlite")
    db.executescript(
        "CREATE TABLE batch (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
        "CREATE TABLE rows (key TEXT PRIMARY KEY, row_no INTEGER, own TEXT, is_ours INTEGER NOT NULL, rec_key BLOB,"
        " position INTEGER, at INTEGER, image TEXT, written_ts INTEGER, passed_by TEXT,"
        " is_undone INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "INSERT INTO rows VALUES ('new', 2, '{}', 1, NULL, NULL, NULL, NULL, 70, NULL, 0);"
        "INSERT INTO rows VALUES ('over', 3, '{}', 1, NULL, 500, 60, '{}', 70, NULL, 0);"
        "INSERT INTO rows VALUES ('left', 4, '{}', 1, NULL, NULL, NULL, NULL, NULL, NULL, 0);"
    )
    db.close()
    for _ in range(2):
        with Journal(tmp_path / "old.sqlite") as journal:
            rows = {known.key: (known.position, known.order, known.said, known.at) for known in journal.rows()}
        said = ingested_position(70)
        assert rows == {
            "new": (said, DATED, said, None),
            "over": (500, DATED, said, 60),
            "left": (BEFORE_ALL, 0, 0, None),
        }


@pytest.mark.parametrize("ahead_ms", [0, 30 * AHEAD_MS])
def test_what_a_source_without_positions_says_after_a_batch_is_not_undone_with_it(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead_ms: int
) -> None:
    monkeypatch.setenv("STAGEWATCH_DIALECTS", '{"cdc.mkt.*": {"dialect": "canal-json"}}')
    make_topics(broker.bootstrap, [TOPIC], partitions=1)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")

    def capture(org_no: str, at_ms: int) -> None:
        told = {"type": "UPDATE", "isDdl": False, "es": 1, "data": [{"app_no": "A1", "org_no": org_no}], "old": None}
        producer.send(TOPIC, json.dumps(told).encode(), key=b"A1", timestamp_ms=at_ms)
        producer.flush()

    now_ms = int(time.time() * 1000)
    capture("1", now_ms + ahead_ms)
    path = write_csv(tmp_path / "a.csv", [{"app_no": "A1", "org_no": "2"}])
    assert ingest(path, "--batch", "b1") == 0
    capture("3", now_ms + 1)
    producer.close()
    assert run(["ingest", "undo", "b1"]) == 0
    assert len(list(read_topic(broker.bootstrap, TOPIC))) == 3, (
        "the source's own change is the newest: nothing was undone"
    )


def test_a_captured_row_said_again_does_not_pass_a_batch(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture_rows(broker.bootstrap, [captured("A1", 100, org_no="1")])
    path = write_csv(tmp_path / "a.csv", [{"app_no": "A1", "org_no": "2"}])
    assert ingest(path, "--batch", "b1") == 0
    capture_rows(broker.bootstrap, [captured("A1", 100, org_no="1")])
    assert run(["ingest", "undo", "b1", "-o", "json"]) == 0
    assert '"restored": 1' in capsys.readouterr().out.replace('":1', '": 1')
    assert held(broker) == "1"
