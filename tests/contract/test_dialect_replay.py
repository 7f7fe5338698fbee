"""The real capture, written again in each dialect: the same states and alerts, whichever road the rows came by."""

import gzip
import json
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from connectors import SHIPPED_SOURCES, load_sources
from schemas import Recorded, parse_recorded
from stagewatch.__main__ import ROOT
from stagewatch.replay import Replay
from tests.helpers.avro_wire import SchemaShelf, envelope_schema
from tests.helpers.builders import shipped
from tests.helpers.hostile_wire import dump

CAPTURE = Path(__file__).parents[1] / "data" / "connection-2026-postgres.jsonl.gz"
DAY_MS = 86_400_000
RECORDS = 1_500
"""Of the capture: enough for every table and some hundred alerts, seven times over in seconds."""
SHELF = SchemaShelf()
Row = dict[str, Any]


@cache
def lines() -> tuple[dict[str, Any], ...]:
    """Give the records of the capture."""
    return tuple(json.loads(line) for line in gzip.decompress(CAPTURE.read_bytes()).splitlines()[:RECORDS])


def local(value: Any) -> Any:
    """Give a time as databases print it in Shanghai; anything else as text."""
    if isinstance(value, str) and value.endswith("Z") and value[10:11] == "T":
        moment = datetime.fromisoformat(value).astimezone(UTC) + timedelta(hours=8)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value if value is None or isinstance(value, str) else json.dumps(value)


def days(row: Row | None) -> Row | None:
    """Give a row with its days as dates."""
    is_day = ("plan_finish_at", "req_energise_at")
    return row and {
        name: str(date(1970, 1, 1) + timedelta(days=value)) if name in is_day and value is not None else local(value)
        for name, value in row.items()
    }


def ogg(event: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(event["source"]["ts_ms"] / 1000, UTC)
    kind = {"c": "I", "u": "U", "d": "D"}[event["op"]]
    pos = f"{1:010}{event['source']['lsn']:010}"
    return {"table": "X.T", "op_type": kind, "op_ts": moment.strftime("%Y-%m-%d %H:%M:%S.%f"), "pos": pos}


def ogg_json(event: dict[str, Any], _: list[str]) -> bytes:
    images = {name: {k.upper(): v for k, v in (days(event[name]) or {}).items()} for name in ("before", "after")}
    return dump({**ogg(event), **images})


def ogg_row(event: dict[str, Any], _: list[str]) -> bytes:
    return dump({**ogg(event), **{name.upper(): value for name, value in (days(event["after"]) or {}).items()}})


def ogg_delimited(event: dict[str, Any], columns: list[str]) -> bytes:
    row, meta = days(event["after"]) or {}, ogg(event)
    cells = ["NULL" if row[name] is None else str(row[name]) for name in columns]
    return "\x01".join([meta["op_type"], "X.T", meta["op_ts"], meta["op_ts"], meta["pos"], *cells]).encode()


def changed(event: dict[str, Any]) -> Row:
    now = days(event["after"]) or {}
    return {name: value for name, value in (days(event["before"]) or {}).items() if now[name] != value}


def canal(event: dict[str, Any], _: list[str]) -> bytes:
    kind = {"c": "INSERT", "u": "UPDATE", "d": "DELETE"}[event["op"]]
    old = [changed(event)] if event["op"] == "u" else None
    return dump(
        {"type": kind, "isDdl": False, "es": event["source"]["ts_ms"], "data": [days(event["after"])], "old": old}
    )


def maxwell(event: dict[str, Any], _: list[str]) -> bytes:
    kind = {"c": "insert", "u": "update", "d": "delete"}[event["op"]]
    head = {"database": "x", "table": "t", "type": kind, "position": f"bin.000001:{event['source']['lsn']}"}
    return dump(head | {"data": days(event["after"]), "old": changed(event)})


def avro(event: dict[str, Any], columns: list[str]) -> bytes:
    rows = [
        image and {name: None if v is None else v if isinstance(v, str) else json.dumps(v) for name, v in image.items()}
        for image in (event["before"], event["after"])
    ]
    kinds = {name: "date" if name in ("plan_finish_at", "req_energise_at") else "text" for name in columns}
    rows = [row and {n: int(v) if kinds[n] == "date" and v is not None else v for n, v in row.items()} for row in rows]
    source = {"version": "3.2", "lsn": event["source"]["lsn"]}
    return SHELF.write(
        envelope_schema(kinds), {"before": rows[0], "after": rows[1], "source": source, "op": event["op"]}
    )


WRITERS: dict[str, Any] = {
    "debezium-avro": avro, "ogg-json": ogg_json, "ogg-json-row": ogg_row, "ogg-delimited": ogg_delimited,
    "canal-json": canal, "maxwell-json": maxwell,
}  # fmt: skip


def columns_of(topic: str) -> list[str]:
    return next(list(line["value"]["after"]) for line in lines() if line["topic"] == topic)


def dialects(dialect: str) -> dict[str, Any]:
    """Give the setting that declares the capture's topics as `dialect`."""
    topics = sorted({line["topic"] for line in lines()})
    return {topic: {"dialect": dialect, "format": {"columns": columns_of(topic)}} for topic in topics}


def rewritten(dialect: str) -> list[dict[str, Any]]:
    """Give the capture as recorded lines whose values are in a dialect."""
    columns = {topic: columns_of(topic) for topic in dialects(dialect)}
    return [
        {
            **line,
            "value": None,
            "value_b64": b64encode(WRITERS[dialect](line["value"], columns[line["topic"]])).decode(),
        }
        for line in lines()
    ]


def outcome(records: list[Recorded], said: dict[str, Any]) -> Any:
    sources = load_sources([SHIPPED_SOURCES], said)
    sources.schema_of = SHELF.schema_of
    sources = sources.captured({record.topic for record in records})
    replay = Replay(shipped(), sources, mail_domain="stagewatch.local")
    replay.feed(records)
    replay.advance(records[-1].timestamp + 60 * DAY_MS)
    assert replay.outcome.dead_letters == []
    assert replay.outcome.changes == len(records)
    return replay.outcome.alerts, [without_positions(each) for each in replay.instances()], list(replay.indicators())


def without_positions(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: without_positions(part) for name, part in document.items() if name not in ("position", "older")}
    return [without_positions(part) for part in document] if isinstance(document, list | tuple) else document


@cache
def captured() -> Any:
    return outcome([parse_recorded(msgspec.json.encode(line)) for line in lines()], {})


@pytest.mark.parametrize("dialect", WRITERS)
def test_the_capture_raises_the_same_in_every_dialect(dialect: str) -> None:
    records = [parse_recorded(msgspec.json.encode(line)) for line in rewritten(dialect)]
    alerts, instances, indicators = outcome(records, dialects(dialect))
    assert alerts == captured()[0]
    assert instances == captured()[1]
    assert indicators == captured()[2]
    assert len(alerts) > 100


def test_the_replay_command_takes_the_dialects_setting(tmp_path: Path) -> None:
    events, config = tmp_path / "events.jsonl", tmp_path / "settings.yaml"
    events.write_bytes(b"\n".join(map(msgspec.json.encode, rewritten("ogg-delimited"))))
    config.write_text(json.dumps({"dialects": dialects("ogg-delimited")}), encoding="utf-8")
    done = CliRunner().invoke(ROOT, ["replay", str(events), "-c", str(config), "-o", str(tmp_path / "out"), "--json"])
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["dead_letters"], summary["changes"], summary["records"]) == (0, RECORDS, RECORDS)


def test_avro_without_a_registry_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    events, config = tmp_path / "events.jsonl", tmp_path / "settings.yaml"
    events.write_bytes(b"")
    config.write_text('dialects: {"cdc.mkt.*": {dialect: debezium-avro}}', encoding="utf-8")
    done = CliRunner().invoke(ROOT, ["replay", str(events), "-c", str(config), "-o", str(tmp_path / "out")])
    assert done.exit_code != 0
    assert "schema_registry_url" in str(done.exception)
