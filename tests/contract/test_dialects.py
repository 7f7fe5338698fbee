"""Every dialect says the same: one set of sentences, each dialect with a writer of its own; and real captures."""

import gzip
import json
from base64 import b64decode
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from schemas import BY_LOG, Change, Decoder, encode_change, parse_recorded
from schemas.codec import decode_change
from schemas.mapping import Dialect, Format
from tests.helpers.avro_wire import THING
from tests.helpers.decoding import AT, catalog, table
from tests.helpers.dialect_wire import ROW, WRITERS, WireRow, Writer, as_line

GOLDEN = Path(__file__).parent / "golden"
SOURCE_PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
CAPTURE = Path(__file__).parents[1] / "data" / "connection-2026-postgres.jsonl.gz"
"""A real capture, by Debezium on PostgreSQL."""

FIELDS = {
    "id": 1, "app": "A1", "stage": "SURVEY", "amt": Decimal("12.50"), "at": AT, "plan": 1_772_121_599_999, "ok": True,
}  # fmt: skip
every_dialect = pytest.mark.parametrize("dialect", WRITERS, ids=str)
telling_before = pytest.mark.parametrize("dialect", [w for w in WRITERS if w.tells_before], ids=str)
with_snapshots = pytest.mark.parametrize("dialect", [w for w in WRITERS if w.has_snapshots], ids=str)


def only(changes: list[Change]) -> Change:
    assert len(changes) == 1
    return changes[0]


def canonical(changes: list[Change]) -> list[Any]:
    """Give changes without what belongs to the record and the source: the same application change is the same."""
    return [(c.entity, c.instance, c.row, c.op, c.at, c.fields, c.left) for c in changes]


@every_dialect
def test_a_created_row(dialect: Writer) -> None:
    change = only(dialect.changes("c", ROW))
    assert (change.entity, change.instance, change.row, change.op, change.at) == ("thing", "A1", "1", "c", AT)
    assert change.fields == FIELDS
    assert str(change.fields["amt"]) == "12.50"
    assert (change.topic, change.partition, change.offset, change.part) == ("t", 0, 9, 0)


@every_dialect
def test_an_updated_row_tells_what_is_now(dialect: Writer) -> None:
    change = only(dialect.changes("u", {**ROW, "stage": "SCHEME"}, before=ROW))
    assert (change.op, change.fields, change.left) == ("u", {**FIELDS, "stage": "SCHEME"}, "")


@every_dialect
def test_every_type_of_column_can_become_null(dialect: Writer) -> None:
    nulls = dict.fromkeys(("stage", "amt", "at", "plan", "ok"))
    assert only(dialect.changes("u", {**ROW, **nulls}, before=ROW)).fields == {**FIELDS, **nulls}


@every_dialect
def test_an_update_of_some_columns_says_nothing_about_the_others(dialect: Writer) -> None:
    change = only(dialect.changes("u", {"id": 1, "app": "A1", "stage": "SCHEME"}, before={"id": 1, "app": "A1"}))
    assert change.fields == {"id": 1, "app": "A1", "stage": "SCHEME"}


@with_snapshots
def test_a_snapshot_row(dialect: Writer) -> None:
    change = only(dialect.changes("r", ROW))
    assert (change.op, change.fields) == ("r", FIELDS)


@every_dialect
def test_a_deleted_row_tells_what_was(dialect: Writer) -> None:
    change = only(dialect.changes("d", None, before=ROW))
    assert (change.op, change.row, change.instance, change.fields) == ("d", "1", "A1", FIELDS)


@every_dialect
def test_null_and_missing_are_two_things(dialect: Writer) -> None:
    change = only(dialect.changes("u", {"id": 1, "app": "A1", "stage": None}))
    assert change.fields == {"id": 1, "app": "A1", "stage": None}


@every_dialect
def test_columns_that_nobody_asked_for_are_ignored(dialect: Writer) -> None:
    more = {**ROW, "new": {"any": ["thing"]}}
    assert canonical(dialect.changes("c", more)) == canonical(dialect.changes("c", ROW))


@every_dialect
def test_positions_grow_with_the_source(dialect: Writer) -> None:
    told = [only(dialect.changes("u", ROW, at=at, offset=at)) for at in (5, 6, 7_000)]
    places = [(change.position, change.order) for change in told]
    assert places == sorted(set(places))
    assert BY_LOG < told[0].position <= told[-1].position < 2**63


@every_dialect
def test_a_changed_primary_key_takes_the_old_row_away_once_and_brings_a_whole_new_one(dialect: Writer) -> None:
    moved = {**ROW, "id": 2, "stage": "SCHEME"}
    gone, come = dialect.changes("u", moved, before=ROW)
    assert (gone.op, gone.row, gone.instance, gone.fields) == ("d", "1", "A1", FIELDS)
    assert (come.op, come.row, come.instance, come.left) == ("c", "2", "A1", "")
    assert come.fields == {**FIELDS, "id": 2, "stage": "SCHEME"}
    assert (gone.offset, gone.part) < (come.offset, come.part)
    assert gone.position <= come.position


@telling_before
def test_a_row_that_goes_to_another_instance_names_the_one_it_left(dialect: Writer) -> None:
    change = dialect.changes("u", {**ROW, "app": "A2"}, before=ROW)[-1]
    assert (change.op, change.row, change.instance, change.left) == ("u", "1", "A2", "A1")


@pytest.mark.parametrize(
    ("op", "row", "before"),
    [("c", ROW, None), ("u", {**ROW, "stage": None}, ROW), ("d", None, ROW), ("u", {**ROW, "id": 2}, ROW)],
)
@every_dialect
def test_the_same_change_is_the_same_in_every_dialect(
    dialect: Writer, op: str, row: WireRow | None, before: WireRow | None
) -> None:
    assert canonical(dialect.changes(op, row, before)) == canonical(WRITERS[0].changes(op, row, before))


@every_dialect
def test_a_change_survives_our_own_encoding(dialect: Writer) -> None:
    for change in dialect.changes("u", {**ROW, "id": 2}, before=ROW):
        assert decode_change(encode_change(change)) == change


@every_dialect
def test_a_tombstone_says_nothing_and_is_counted(dialect: Writer) -> None:
    decoder = dialect.decoder()
    assert decoder.decode_all(key=b"1", value=None, timestamp=AT, topic="t", partition=0, offset=1) == []
    assert decoder.skipped == {"tombstone": 1}


@every_dialect
def test_a_recorded_line_says_what_the_record_said(dialect: Writer) -> None:
    for _, value in dialect.records("u", {**ROW, "stage": "SCHEME"}, ROW):
        record = parse_recorded(as_line(dialect, value or b"", 9))
        found = dialect.decoder().decode_all(
            key=None, value=record.value, headers=record.headers, timestamp=record.timestamp, topic="t",
            partition=record.partition, offset=record.offset,
        )  # fmt: skip
        assert found == dialect.changes("u", {**ROW, "stage": "SCHEME"}, ROW)


# -- golden records


def golden(name: str) -> list[Any]:
    lines = (GOLDEN / name).read_bytes().splitlines()
    return [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines]


@pytest.mark.parametrize(
    "sample", golden("debezium_postgres.jsonl"), ids=lambda sample: str(json.loads(bytes(sample["change"]))["position"])
)
def test_golden_record_of_the_postgresql_connector(sample: dict[str, msgspec.Raw]) -> None:
    expected = json.loads(bytes(sample["change"]))
    change = decode_line(bytes(sample["record"]), {})
    expected["fields"] = {
        name: Decimal(value["decimal"]) if isinstance(value, dict) else value
        for name, value in expected["fields"].items()
    }
    assert {name: getattr(change, name) for name in expected} == expected


def test_golden_records_of_the_postgresql_connector_as_avro() -> None:
    """Written by Debezium 3.2 through Apicurio's Avro converter 2.5.11, as `tests/e2e/test_avro_registry.py` does."""
    samples = [json.loads(line) for line in (GOLDEN / "debezium_avro_postgres.jsonl").read_bytes().splitlines()]
    schemas = {number: text for sample in samples for number, text in sample["schemas"].items()}
    decoder = Decoder(THING, schema_of=lambda number: str(schemas[str(number)]))
    changes = [
        change
        for offset, sample in enumerate(samples)
        for change in decoder.decode_all(
            key=b64decode(sample["key_b64"]), value=b64decode(sample["value_b64"]) if sample["value_b64"] else None,
            headers=sample["headers"], timestamp=AT, topic=THING.topic, partition=0, offset=offset,
        )
    ]  # fmt: skip
    row = {
        "id": 1, "app": "A1", "amt": Decimal("12.50"), "free": Decimal("0.125"), "at": AT, "zoned": AT,
        "plan": FIELDS["plan"], "ok": True,
    }  # fmt: skip
    changed = {**row, "amt": Decimal("-3.10"), "ok": None}
    late = {**changed, "app": "A2", "late": "甲"}
    found = [
        (c.op, c.row, c.instance, c.left, {n: v for n, v in c.fields.items() if n != "late" or v}) for c in changes
    ]
    assert found == [
        ("c", "1", "A1", "", row), ("u", "1", "A1", "", changed), ("u", "1", "A2", "A1", late),
        ("d", "1", "A2", "", late), ("c", "2", "A2", "", {**late, "id": 2}), ("d", "2", "A2", "", {**late, "id": 2}),
    ]  # fmt: skip
    assert (decoder.moved, decoder.skipped) == (1, {"tombstone": 2})
    assert [c.position for c in changes] == sorted(c.position for c in changes)


def test_the_reference_page_says_whose_the_golden_records_of_each_dialect_are() -> None:
    table_rows = [line.strip("| ").split(" | ") for line in SOURCE_PAGE.splitlines() if line.startswith("| `")]
    rows = {row[0].strip("`"): row[1:] for row in table_rows if row[0].strip("`") in get_args(Dialect)}
    recorded = {"debezium-avro" if "avro" in path.name else "debezium-json" for path in GOLDEN.glob("debezium_*.jsonl")}
    documented = {json.loads(bytes(sample["dialect"])) for sample in golden("documented.jsonl")}
    assert rows.keys() == set(get_args(Dialect))
    assert {dialect for dialect, (real, _) in rows.items() if real != "-"} == recorded
    assert {dialect for dialect, (_, written) in rows.items() if written != "-"} == documented


@pytest.mark.parametrize("sample", golden("documented.jsonl"), ids=lambda sample: json.loads(bytes(sample["name"])))
def test_golden_record_of_the_documented_form(sample: dict[str, msgspec.Raw]) -> None:
    dialect, form = json.loads(bytes(sample["dialect"])), json.loads(bytes(sample.get("format", msgspec.Raw(b"{}"))))
    form |= {"columns": tuple(form["columns"])} if "columns" in form else {}
    mapping = table(
        {"task_id": "int", "stage": "text", "status": "text", "amt": "decimal", "upd_at": "timestamp"},
        key=("task_id",), dialect=dialect, format=Format(**form),
    )  # fmt: skip
    key = sample.get("key")
    changes = Decoder(mapping).decode_all(
        key=bytes(key) if key is not None else None, value=parse_recorded(_line(sample)).value, timestamp=AT,
        topic=mapping.topic, partition=0, offset=0,
    )  # fmt: skip
    expected = json.loads(bytes(sample["changes"]))
    assert [[c.op, c.row, c.position, msgspec.to_builtins(c.fields)] for c in changes] == expected
    assert bytes(sample["from"]) != b'""'


def _line(sample: dict[str, msgspec.Raw]) -> bytes:
    head = b'{"topic":"cdc.x.t","partition":0,"offset":0,"timestamp":0,'
    name = b"value" if "value" in sample else b"value_b64"
    return head + b'"%b":%b}' % (name, bytes(sample[name.decode()]))


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
        return int(datetime.fromisoformat(f"{day}T00:00:00+08:00").timestamp()) * 1000 - 1
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
