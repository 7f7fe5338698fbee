"""Every dialect says the same: one set of sentences, each dialect with a writer of its own; and real captures."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import Change, Decoder, parse_recorded
from tests.helpers import debezium_schema as connect
from tests.helpers.decoding import AT, catalog, table
from tests.helpers.hostile_wire import dump, envelope

GOLDEN = Path(__file__).parent / "golden"
CAPTURE = Path(__file__).parents[1] / "data" / "connection-2026-postgres.jsonl.gz"
"""The real capture lies beside the checkout, not in it."""

MAPPING = table(
    {"id": "int", "app": "text", "stage": "text", "amt": "decimal", "at": "timestamp", "plan": "date", "ok": "bool"},
    instance="app",
)
ROW = {
    "id": 1,
    "app": "A1",
    "stage": "SURVEY",
    "amt": "12.50",
    "at": "2026-03-02T01:00:00.000000Z",
    "plan": 20510,
    "ok": True,
}
SCHEMA = {
    "id": connect.LONG, "app": connect.TEXT, "stage": connect.TEXT, "amt": connect.TEXT, "at": connect.ZONED,
    "plan": connect.DATE, "ok": connect.BOOL,
}  # fmt: skip


@dataclass(frozen=True)
class Writer:
    """How one dialect writes a change: operation, row before, row after, place in the source."""

    name: str
    write: Callable[..., bytes]

    def __str__(self) -> str:
        return self.name

    def change(self, op: str, row: dict[str, Any] | None, before: dict[str, Any] | None = None, at: int = 5) -> Change:
        value = self.write(op, before, row, at)
        change = Decoder(MAPPING).decode(key=b'{"id":1}', value=value, timestamp=AT, topic="t", partition=0, offset=9)
        assert change is not None
        return change


def plain(op: str, before: Any, after: Any, lsn: int) -> bytes:
    return dump(envelope(after, op=op, before=before, lsn=lsn))


def wrapped(op: str, before: Any, after: Any, lsn: int) -> bytes:
    return connect.wrap(envelope(after, op=op, before=before, lsn=lsn), SCHEMA)


def shouting(op: str, before: Any, after: Any, lsn: int) -> bytes:
    images = [
        None if image is None else {name.upper(): value for name, value in image.items()} for image in (before, after)
    ]
    return plain(op, images[0], images[1], lsn)


WRITERS = [
    Writer("debezium-json", plain),
    Writer("debezium-json with schema", wrapped),
    Writer("debezium-json in upper case", shouting),
]
every_dialect = pytest.mark.parametrize("dialect", WRITERS, ids=str)


@every_dialect
def test_a_created_row(dialect: Writer) -> None:
    change = dialect.change("c", ROW)
    assert (change.entity, change.instance, change.row, change.op, change.at) == ("thing", "A1", "1", "c", AT)
    assert change.fields == {
        "id": 1, "app": "A1", "stage": "SURVEY", "amt": Decimal("12.50"), "at": AT,
        "plan": 1_772_121_600_000, "ok": True,
    }  # fmt: skip
    assert str(change.fields["amt"]) == "12.50"


@every_dialect
def test_an_updated_row_tells_what_is_now(dialect: Writer) -> None:
    change = dialect.change("u", {**ROW, "stage": "SCHEME"}, before=ROW)
    assert (change.op, change.fields["stage"]) == ("u", "SCHEME")


@every_dialect
def test_a_snapshot_row(dialect: Writer) -> None:
    assert dialect.change("r", ROW).op == "r"


@every_dialect
def test_a_deleted_row_tells_what_was(dialect: Writer) -> None:
    change = dialect.change("d", None, before=ROW)
    assert (change.op, change.row, change.instance, change.fields["stage"]) == ("d", "1", "A1", "SURVEY")


@every_dialect
def test_null_and_missing_are_two_things(dialect: Writer) -> None:
    change = dialect.change("u", {"id": 1, "app": "A1", "stage": None})
    assert change.fields == {"id": 1, "app": "A1", "stage": None}


@every_dialect
def test_columns_that_nobody_asked_for_are_ignored(dialect: Writer) -> None:
    assert dialect.change("c", {**ROW, "new_column": {"any": ["thing"]}}) == dialect.change("c", ROW)


@every_dialect
def test_positions_grow_with_the_source(dialect: Writer) -> None:
    assert dialect.change("u", ROW, at=6).position > dialect.change("u", ROW, at=5).position


# -- real captures


def golden() -> list[Any]:
    lines = (GOLDEN / "debezium_postgres.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines]


@pytest.mark.parametrize("sample", golden(), ids=lambda sample: str(json.loads(bytes(sample["change"]))["position"]))
def test_golden_record_of_the_postgresql_connector(sample: dict[str, msgspec.Raw]) -> None:
    expected = json.loads(bytes(sample["change"]))
    change = decode_line(bytes(sample["record"]), {})
    expected["fields"] = {
        name: Decimal(value["decimal"]) if isinstance(value, dict) else value
        for name, value in expected["fields"].items()
    }
    assert {name: getattr(change, name) for name in expected} == expected


def decode_line(line: bytes, decoders: dict[str, Decoder]) -> Change:
    record = parse_recorded(line)
    if record.topic not in decoders:
        mapping = catalog().mapping_for(record.topic)
        assert mapping is not None
        decoders[record.topic] = Decoder(mapping)
    change = decoders[record.topic].decode(
        key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp,
        topic=record.topic, partition=record.partition, offset=record.offset,
    )  # fmt: skip
    assert change is not None
    return change


def expected_value(kind: str, value: Any) -> Any:
    """Convert as the capture needs it, by the standard library alone."""
    if value is None:
        return None
    if kind == "timestamp":
        return (datetime.fromisoformat(value) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if kind == "date":
        day = date(1970, 1, 1) + timedelta(days=value + 1)
        return int(datetime.fromisoformat(f"{day}T00:00:00+08:00").timestamp()) * 1000
    return Decimal(value) if kind == "decimal" else value


def test_every_record_of_the_real_capture() -> None:
    decoders: dict[str, Decoder] = {}
    lines = gzip.decompress(CAPTURE.read_bytes()).splitlines()
    for line in lines:
        change = decode_line(line, decoders)
        record = json.loads(line)
        mapping, after = decoders[record["topic"]].mapping, record["value"]["after"]
        fields = {
            column.name: expected_value(column.type, after[name])
            for name, column in mapping.columns.items()
            if name in after
        }
        assert change.fields == fields | mapping.constants
        assert change.row == str(next(iter(record["key"].values())))
        assert change.instance == (after[mapping.instance] if mapping.instance else "")
        assert (change.position, change.at) == (record["value"]["source"]["lsn"], record["timestamp"])
    assert len(lines) == 3_937
