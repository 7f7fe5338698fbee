"""Another capture of the same kind: simulated lives in a real PostgreSQL, captured by real Debezium, then replayed."""

import base64
import json
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer

from bench.kafka_server import KafkaServer
from schemas import Recorded
from stagewatch.replay import read_recorded
from tests.helpers.connect import Connect, deployed_connector
from tests.helpers.postgres import Postgres
from tests.helpers.recount import DAY, recount
from tests.helpers.replaying import differences, raised, replayed
from tests.helpers.simulate import END, KEYS, Event, World, statement

SEED, APPLICATIONS = 77, 40
PREFIX = "othercapture"
PATIENCE_S = 90.0
UNTIL = int(END.timestamp() * 1000) + 30 * DAY
Times = dict[tuple[str, str], deque[datetime]]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(World(SEED, APPLICATIONS).events())


@pytest.fixture(scope="module")
def capture(
    connect: Connect, kafka: KafkaServer, postgres: Postgres, events: list[Event],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """The world played as SQL and captured, as recorded input whose clock is the business time."""
    path = tmp_path_factory.mktemp("capture") / "capture.jsonl"
    with postgres.database() as source:
        source.make_sample_tables()
        config = deployed_connector("sample-postgres") | source.connector_settings() | {"topic.prefix": PREFIX}
        with connect.running(PREFIX, config), psycopg.connect(source.dsn, autocommit=True) as sql:
            for event in events:
                text, values = statement(event)
                sql.execute(text.encode(), values)
            lines = captured(kafka.bootstrap, events)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def captured(bootstrap: str, events: list[Event]) -> list[dict[str, Any]]:
    """Read as many row changes as the statements make, each stamped with the time of its statement."""
    removed: Times = defaultdict(deque)
    for event in events:
        if event.before and (event.after is None or event.key_changes):
            removed[event.table, str(event.before[KEYS[event.table]])].append(event.at)
    expected = len(events) + sum(event.key_changes for event in events)
    lines = []
    for record in _records(bootstrap):
        line = _line(record, removed)
        lines.append(line)
        expected -= line["value"] is not None
        if expected == 0:
            return sorted(lines, key=lambda line: line["timestamp"])
    raise AssertionError(f"{expected} changes did not come within {PATIENCE_S} s")


def _records(bootstrap: str) -> Iterator[Any]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", metadata_max_age_ms=500)
    consumer.subscribe(pattern=rf"^{PREFIX}\.(mkt|ymd|lean|ech)\..*")
    deadline = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=500).values():
                yield from batch
    finally:
        consumer.close()


def _line(record: Any, removed: Times) -> dict[str, Any]:
    table = record.topic.removeprefix(f"{PREFIX}.")
    key = json.loads(record.key)
    value = None if record.value is None else json.loads(record.value)
    if value is None:
        moment = datetime.fromtimestamp(0, UTC)  # a tombstone: the clock stays where its partition is
    elif value["op"] == "d":
        moment = removed[table, str(key[KEYS[table]])].popleft()
    else:
        moment = datetime.fromisoformat(value["after"]["upd_at"])
    place = {"topic": f"cdc.{table}", "partition": record.partition, "offset": record.offset}
    at = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    headers = {name: base64.b64encode(data or b"").decode() for name, data in record.headers}
    return {**place, "timestamp": at, "key": key, "value": value, "headers": headers}


def read(path: Path) -> list[Recorded]:
    def refuse(error: Exception, record: Recorded) -> None:
        raise AssertionError(f"{error}: {record}")

    return list(read_recorded(path, refuse, lambda _bytes: None))


def test_the_capture_holds_what_was_played(capture: Path, events: list[Event]) -> None:
    values = [json.loads(record.value) for record in read(capture) if record.value is not None]
    operations = [value["op"] for value in values]
    assert operations.count("c") == sum(e.before is None or e.key_changes for e in events)
    assert operations.count("u") == sum(
        e.before is not None and e.after is not None and not e.key_changes for e in events
    )
    assert operations.count("d") == sum(e.after is None or e.key_changes for e in events) > 0
    assert "r" not in operations


def test_the_replay_of_the_capture_raises_exactly_what_was_counted_by_hand(capture: Path) -> None:
    records = read(capture)
    expected = recount(records, UNTIL)
    replay = replayed(records, UNTIL)
    assert replay.outcome.dead_letters == []
    assert len(expected) > 150
    assert differences(raised(replay), expected) == []


def test_debezium_and_the_simulators_own_records_give_the_same_alerts(capture: Path) -> None:
    real = raised(replayed(read(capture), UNTIL))
    simulated = raised(replayed(World(SEED, APPLICATIONS).records(), UNTIL))
    assert differences(real, simulated) == []
