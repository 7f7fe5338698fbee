"""A first declaration from records: whatever they are, it passes the check or says why there is none."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors import SourceCatalog, check_source, load_sources
from schemas import Decoder, Recorded
from stagewatch.__main__ import run
from stagewatch.cli import Failed
from stagewatch.source_draft import Known, draft_source
from tests.helpers import debezium_schema as connect
from tests.helpers.decoding import AT
from tests.helpers.dialect_wire import ROW, SHELF, WRITERS, Writer
from tests.helpers.hostile_wire import HOSTILE, Hostile, dump, envelope

Said = pytest.CaptureFixture[str]
NOTHING = Known({}, frozenset())
DETECTED = [writer for writer in WRITERS if writer.name != "ogg-delimited"]


def recorded(key: Any, value: Any, topic: str = "cdc.x.t") -> Recorded:
    parts = [part if part is None or isinstance(part, bytes) else dump(part) for part in (key, value)]
    return Recorded(topic, 0, 1, AT, parts[0], parts[1], {})


def drafted(*rows: dict[str, Any], key: tuple[str, ...] = ("id",), topic: str = "cdc.x.t", **how: Any) -> Any:
    """Give the one table of the draft, and the whole of it."""
    records = [recorded({name: row.get(name) for name in key} or None, envelope(row, lsn=5), topic) for row in rows]
    text = draft_source(topic, records, how.pop("known", NOTHING), **how)
    assert check_source(text, "draft") == []
    source = yaml.safe_load(text)
    return next(iter(source["tables"].values())), source, text


@pytest.mark.parametrize("writer", DETECTED, ids=str)
def test_every_dialect_s_draft_is_checked_and_decodes_the_records(writer: Writer, tmp_path: Path) -> None:
    rows = [ROW, ROW | {"id": 2, "at": "2026-03-02T02:00:00.000000Z"}]
    records = [recorded(key, value) for row in rows for key, value in writer.records("c", row)]
    text = draft_source("cdc.x.t", records, NOTHING, schema_of=SHELF.schema_of)
    assert check_source(text, "draft") == []
    file = tmp_path / "x.yaml"
    file.write_text(text, "utf-8")
    catalog: SourceCatalog = load_sources([file])
    decoder = Decoder(catalog.mappings[0], schema_of=SHELF.schema_of)
    found = [
        change.row
        for record in records
        for change in decoder.decode_all(
            key=record.key, value=record.value, timestamp=AT, topic=record.topic, partition=0, offset=1
        )
    ]
    assert (found, catalog.mappings[0].key) == (["1", "2"], ("id",))


def test_types_come_from_the_values() -> None:
    row = {
        "id": 1, "no": "0571", "amt": "12.50", "rate": 0.5, "ok": True, "paid_at": 1_772_413_200_000, "count": 7,
        "on_date": 20_510, "day": "2026-03-02", "at": "2026-03-02 09:00:00", "none": None,
    }  # fmt: skip
    table, source, _ = drafted(row)
    assert table["columns"] == {
        "id": "int", "no": "text", "amt": "decimal", "rate": "decimal", "ok": "bool", "paid_at": "timestamp",
        "count": "int", "on_date": "date", "day": "date", "at": "timestamp", "none": "text",
    }  # fmt: skip
    assert source["timestamp_unit"] == "ms"


def test_an_embedded_schema_says_more_than_values() -> None:
    columns = {"id": connect.LONG, "d": connect.DATE, "t": connect.MICROS, "a": connect.decimal(2), "s": connect.TEXT}
    value = connect.wrap(envelope({"id": 1, "d": 20_510, "t": 5, "a": "BOI=", "s": None}, lsn=5), columns)
    text = draft_source("cdc.x.t", [recorded({"id": 1}, value)], NOTHING)
    wanted = {"id": "int", "d": "date", "t": "timestamp", "a": "decimal", "s": "text"}
    assert yaml.safe_load(text)["tables"]["t"]["columns"] == wanted


@pytest.mark.parametrize("name", ["debezium-json with schema", "debezium-avro"])
def test_a_schema_s_date_is_a_date_whatever_its_column_is_called(name: str) -> None:
    writer = next(writer for writer in WRITERS if writer.name == name)
    records = [recorded(key, value) for key, value in writer.records("c", ROW)]
    text = draft_source("cdc.x.t", records, NOTHING, schema_of=SHELF.schema_of)
    assert yaml.safe_load(text)["tables"]["t"]["columns"]["plan"] == "date"


def test_the_key_is_the_message_s_unless_two_rows_share_it() -> None:
    rows: list[dict[str, Any]] = [{"app": "A1", "seq": 1}, {"app": "A1", "seq": 2}]
    assert drafted(*rows, key=("app", "seq"))[0]["key"] == ["app", "seq"]
    table, _, text = drafted(*rows, key=("app",))
    assert table["key"] == ["seq"]
    assert "guessed: no record names the primary key" in text


def test_what_no_declaration_can_hold_is_left_out_and_said() -> None:
    table, _, text = drafted({"id": 1, "a b": 1, "shape": {"wkb": "x"}, "tags": [1], "no": "n", "TRUE": "t"})
    assert table["columns"] == {"id": "int", "no": "text", "true": "text"}
    assert '# "a b"' in text
    assert "# shape" in text


def test_another_topic_than_the_pattern_s_is_named() -> None:
    table, source, _ = drafted({"id": 1}, topic="pg1.public.2bills", source="Cash")
    assert (source["source"], table["topic"], next(iter(source["tables"]))) == ("cash", "pg1.public.2bills", "t_2bills")
    assert "topic" not in drafted({"id": 1})[0]


def test_known_keys_become_joins_and_known_instances_are_suggested() -> None:
    known = Known({"app_no": "mkt_app", "org_no": "ymd_org"}, frozenset({"app_no"}))
    table, _, text = drafted({"id": 1, "app_no": "A1"}, known=known)
    assert table["joins"] == {"app_no": "mkt_app"}
    assert "# instance: app_no" in text


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"I|X.T|B1", "look like no dialect"),
        (None, "look like no dialect"),
        ({"op": "t", "source": {}}, "tell no rows"),
    ],
)
def test_records_without_rows_give_no_draft(value: Any, why: str) -> None:
    with pytest.raises(Failed, match=why):
        draft_source("cdc.x.t", [recorded(None, value)], NOTHING)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_hostile_record_is_drafted_from_or_said_to_be_none(hostile: Hostile) -> None:
    try:
        text = draft_source("cdc.x.t", [recorded(hostile.key, hostile.value)], NOTHING)
    except Failed:
        return
    assert check_source(text, "draft") == []


def test_a_draft_never_replaces_a_file_and_refuses_a_declared_topic(tmp_path: Path, capsys: Said) -> None:
    captured, out = tmp_path / "captured.jsonl", tmp_path / "cash.yaml"
    place = {"topic": "cdc.cash.cash_bill", "partition": 0, "offset": 1, "timestamp": AT}
    captured.write_text(json.dumps({**place, "key": {"id": 1}, "value": {"op": "c", "after": {"id": 1}}}), "utf-8")
    arguments = ["sources", "draft", "cdc.cash.cash_bill", "--file", str(captured), "--out", str(out)]
    assert run(arguments) == 0
    made = out.read_text("utf-8")
    assert "cash_bill:" in made
    capsys.readouterr()
    assert run(arguments) == 1
    assert (out.read_text("utf-8"), "File exists; nothing was written" in capsys.readouterr().err) == (made, True)
    assert run(["sources", "draft", "cdc.mkt.mkt_app", "--file", str(captured)]) == 1
    assert "is declared: `stagewatch sources try mkt.mkt_app`" in capsys.readouterr().err
