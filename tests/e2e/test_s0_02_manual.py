"""S0-02: a file by hand is a road like any other: its rows reach the state, and undo takes exactly them back."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from bench.kafka_server import KafkaServer
from schemas import read_origin
from stagewatch.__main__ import run
from stagewatch.topic_reader import read_topic
from tests.helpers.ingesting import TABLE, TOPIC, capture_rows, captured, write_csv
from tests.helpers.worker import running_worker

PATIENCE_S = 90.0
HV = {"org_no": "1", "volt_class": "HV", "app_type": "new", "accepted_at": "2026-03-02T01:00:00Z"}


def state(key: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any] | None:
    capsys.readouterr()
    if run(["instances", "get", key, "-o", "json"]) != 0:
        return None
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def until(key: str, wanted: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Wait until a field of the instance is so."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := state(key, capsys)) is None or not wanted(found):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def test_s0_02_a_file_reaches_the_state_and_undo_removes_exactly_that_batch(
    own_kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capture_rows(own_kafka.bootstrap, [captured(f"A{n}", 9_000_000 + n, **HV) for n in (1, 2, 3)])
    path = write_csv(
        tmp_path / "apps.csv",
        [{"app_no": key, **HV, "org_no": "7"} for key in ("A1", "A2", "A9")],
        encoding="gb18030",
    )
    with running_worker(own_kafka.url, tmp_path) as worker:
        monkeypatch.setenv("STAGEWATCH_BROKER", own_kafka.url)
        monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(worker.data_dir))
        for key in ("A1", "A2", "A3"):
            until(key, lambda found: found["fields"]["org_no"] == "1", capsys)
        assert run(["ingest", "file", str(path), "--table", TABLE, "--operator", "li", "--batch", "b1"]) == 0
        for key in ("A1", "A2", "A9"):
            until(key, lambda found: found["fields"]["org_no"] == "7", capsys)
        origins = [read_origin(r.value or b"") for r in read_topic(own_kafka.bootstrap, TOPIC)]
        assert [o.src for o in origins if o is not None] == ["manual"] * 3
        # The source changes A2 meanwhile: that stays.
        capture_rows(own_kafka.bootstrap, [captured("A2", 9_000_100, **{**HV, "org_no": "5"})])
        until("A2", lambda found: found["fields"]["org_no"] == "5", capsys)
        assert run(["ingest", "undo", "b1"]) == 0
        until("A1", lambda found: found["fields"]["org_no"] == "1", capsys)
        until("A9", lambda found: found["status"] == "over", capsys)  # deleted
        until("A2", lambda found: found["fields"]["org_no"] == "5", capsys)
        until("A3", lambda found: found["fields"]["org_no"] == "1", capsys)
