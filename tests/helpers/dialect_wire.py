"""The same changes of one table, written as each dialect writes them, after the producers' documentation.

A row is given as `WireRow` says; a writer gives the records, in order, that its producer would send for one change.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from schemas import Change, Decoder, TableMapping
from schemas.mapping import Format
from tests.helpers import debezium_schema as connect
from tests.helpers.avro_wire import SchemaShelf, envelope_schema
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump, envelope

MAPPING = table(
    {"id": "int", "app": "text", "stage": "text", "amt": "decimal", "at": "timestamp", "plan": "date", "ok": "bool"},
    instance="app",
)
WireRow = dict[str, Any]
"""Columns as PostgreSQL's connector writes them: `at` ISO 8601 in UTC, `plan` days, `amt` text; `new` is not mapped."""
ROW: WireRow = {
    "id": 1, "app": "A1", "stage": "SURVEY", "amt": "12.50", "at": "2026-03-02T01:00:00.000000Z", "plan": 20510,
    "ok": True,
}  # fmt: skip

Record = tuple[bytes | None, bytes | None]
"""Key and value."""
COLUMNS = ("id", "app", "stage", "amt", "at", "plan", "ok", "new")
OPS = {"c": "I", "u": "U", "d": "D", "r": "I"}


@dataclass(frozen=True)
class Writer:
    """How one dialect writes a change: operation, row before, row after, place in the source."""

    name: str
    write: Callable[[str, WireRow | None, WireRow | None, int], bytes]
    mapping: TableMapping = MAPPING
    key: Callable[[WireRow], bytes] = field(default=lambda row: dump({"id": row["id"]}))
    tells_before: bool = True
    """An update tells the row before it; so a changed key is one record, and a row that went elsewhere is known."""
    splits_moves: bool = False
    """A changed key is written as delete, tombstone and create."""
    has_snapshots: bool = True

    def __str__(self) -> str:
        return self.name

    def decoder(self) -> Decoder:
        return Decoder(self.mapping, schema_of=SHELF.schema_of)

    def records(self, op: str, row: WireRow | None, before: WireRow | None = None, at: int = 5) -> list[Record]:
        """Give what the producer sends for one change of one row."""
        known = row or before or {}
        is_moved = op == "u" and row is not None and before is not None and before["id"] != row["id"]
        if row is not None and before is not None and is_moved and (self.splits_moves or not self.tells_before):
            gone, come = (
                (self.key(before), self.write("d", before, None, at)),
                (self.key(row), self.write("c", None, row, at + 1)),
            )
            return [gone, (gone[0], None), come] if self.splits_moves else [gone, come]
        return [(self.key(known), self.write(op, before, row, at))]

    def changes(
        self, op: str, row: WireRow | None, before: WireRow | None = None, at: int = 5, offset: int = 9
    ) -> list[Change]:
        decoder = self.decoder()
        return [
            change
            for number, (key, value) in enumerate(self.records(op, row, before, at))
            for change in decoder.decode_all(
                key=key, value=value, timestamp=AT, topic="t", partition=0, offset=offset + number
            )
        ]


def _plain(op: str, before: Any, after: Any, at: int) -> bytes:
    return dump(envelope(after, op=op, before=before, lsn=at))


SCHEMA = {
    "id": connect.LONG, "app": connect.TEXT, "stage": connect.TEXT, "amt": connect.TEXT, "at": connect.ZONED,
    "plan": connect.DATE, "ok": connect.BOOL,
}  # fmt: skip


def _wrapped(op: str, before: Any, after: Any, at: int) -> bytes:
    return connect.wrap(envelope(after, op=op, before=before, lsn=at), SCHEMA)


def _upper(image: Any) -> Any:
    return None if image is None else {name.upper(): value for name, value in image.items()}


def _shouting(op: str, before: Any, after: Any, at: int) -> bytes:
    return _plain(op, _upper(before), _upper(after), at)


def _flattened(op: str, before: Any, after: Any, at: int) -> bytes:
    row = after if after is not None else before
    return dump({**row, "__op": op, "__lsn": at, "__source_ts_ms": AT, "__deleted": "true" if op == "d" else "false"})


SHELF = SchemaShelf()
_AVRO = {"id": "int", "app": "text", "stage": "text", "amt": "decimal", "at": "zoned", "plan": "date", "ok": "bool"}


def _unscaled(amount: str) -> bytes:
    number = int(amount.replace(".", ""))
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def _avro(op: str, before: Any, after: Any, at: int) -> bytes:
    names = dict.fromkeys([*(before or {}), *(after or {})])
    images = [
        None if image is None else {
            name: _unscaled(value) if name == "amt" and value is not None else str(value) if name == "new" else value
            for name, value in image.items()
        }
        for image in (before, after)
    ]  # fmt: skip
    schema = envelope_schema({name: _AVRO.get(name, "text") for name in names})
    source = {"version": "3.2.0.Final", "lsn": at}
    return SHELF.write(schema, {"before": images[0], "after": images[1], "source": source, "op": op, "ts_ms": 1})


def _local(text: str) -> str:
    return (datetime.fromisoformat(text).astimezone(UTC) + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S.%f")


def _day(days: int) -> str:
    return str(date(1970, 1, 1) + timedelta(days=days))


def _texts(row: WireRow) -> dict[str, str | None]:
    """Give a row as text, the way databases print it; times on the wall clock of Shanghai."""
    how: dict[str, Callable[[Any], str]] = {"at": _local, "plan": _day, "ok": lambda value: str(int(value))}
    return {
        name: None
        if value is None
        else how[name](value)
        if name in how
        else value
        if isinstance(value, str)
        else dump(value).decode()
        for name, value in row.items()
    }


def _ogg_meta(op: str, at: int) -> dict[str, Any]:
    pos = f"00000000-1{at:010}" if op == "r" else f"{3:010}{at * 100:010}"
    return {
        "table": "YXPDB.X.T", "op_type": OPS[op], "op_ts": "2026-03-02 01:00:00.000123",
        "current_ts": "2026-03-02T09:00:03.615000", "pos": pos,
    }  # fmt: skip


def _typed(row: WireRow) -> dict[str, Any]:
    """Give a row as GoldenGate's JSON has it: numbers as numbers, DATE with a time and a colon before it."""
    texts: dict[str, Any] = _texts(row)
    if texts.get("at"):
        texts["at"] = texts["at"].replace(" ", ":", 1)
    if texts.get("plan"):
        texts["plan"] += " 00:00:00"
    return {name.upper(): row[name] if name == "id" else value for name, value in texts.items()}


def _ogg_json(op: str, before: Any, after: Any, at: int) -> bytes:
    images = {name: _typed(image) for name, image in (("before", before), ("after", after)) if image is not None}
    return dump({**_ogg_meta(op, at), "primary_keys": ["ID"], **images})


def _ogg_row(op: str, before: Any, after: Any, at: int) -> bytes:
    return dump({**_ogg_meta(op, at), **_typed(after if after is not None else before)})


def _ogg_delimited(op: str, before: Any, after: Any, at: int) -> bytes:
    texts = _texts(after if after is not None else before)
    cells = ["NULL" if texts.get(name, "") is None else str(texts.get(name, "")) for name in COLUMNS]
    return "|".join(
        [*(_ogg_meta(op, at)[n] for n in ("op_type", "table", "op_ts", "current_ts", "pos")), *cells]
    ).encode()


def _changed(before: WireRow | None, after: WireRow) -> WireRow:
    return {name: value for name, value in (before or {}).items() if after.get(name, ...) != value}


def _canal(op: str, before: Any, after: Any, at: int) -> bytes:
    row = after if after is not None else before
    old = [_texts(_changed(before, after))] if op == "u" else None
    return dump({
        "id": 6, "database": "x", "table": "t", "pkNames": ["id"], "isDdl": False,
        "type": {"c": "INSERT", "u": "UPDATE", "d": "DELETE"}[op], "es": at * 1000, "ts": at * 1000 + 823, "gtid": "",
        "sql": "", "sqlType": {"id": -5}, "mysqlType": {"id": "bigint"}, "data": [_texts(row)], "old": old,
    })  # fmt: skip


def _maxwell(op: str, before: Any, after: Any, at: int) -> bytes:
    def typed(image: WireRow) -> dict[str, Any]:
        texts: dict[str, Any] = _texts(image)
        return {name: image[name] if name == "id" else value for name, value in texts.items()}

    kind = {"c": "insert", "u": "update", "d": "delete", "r": "bootstrap-insert"}[op]
    record = {
        "database": "x", "table": "t", "type": kind, "ts": 1_772_413_200, "xid": 23396, "commit": True,
        "position": f"mysql-bin.000006:{at}", "data": typed(after if after is not None else before),
    }  # fmt: skip
    return dump(record | ({"old": typed(_changed(before, after))} if op == "u" else {}))


def _as(dialect: Any, **form: Any) -> TableMapping:
    return replace(MAPPING, dialect=dialect, format=Format(**form))


def _bare(row: WireRow) -> bytes:
    return str(row["id"]).encode()


def _maxwell_key(row: WireRow) -> bytes:
    return dump({"database": "x", "table": "t", "pk.id": row["id"]})


_DELIMITED = _as("ogg-delimited", delimiter="|", columns=COLUMNS)

WRITERS = [
    Writer("debezium-json", _plain, splits_moves=True),
    Writer("debezium-json with schema", _wrapped, splits_moves=True),
    Writer("debezium-json in upper case", _shouting, splits_moves=True),
    Writer("debezium-json flattened", _flattened, tells_before=False),
    Writer("debezium-avro", _avro, _as("debezium-avro"), lambda _row: b"", splits_moves=True),
    Writer("ogg-json", _ogg_json, _as("ogg-json"), _bare),
    Writer("ogg-json-row", _ogg_row, _as("ogg-json-row"), _bare, tells_before=False),
    Writer("ogg-delimited", _ogg_delimited, _DELIMITED, _bare, tells_before=False),
    Writer("canal-json", _canal, _as("canal-json"), lambda _row: b"", has_snapshots=False),
    Writer("maxwell-json", _maxwell, _as("maxwell-json"), _maxwell_key),
]  # fmt: skip


def as_line(writer: Writer, value: bytes, offset: int) -> bytes:
    """Give a record as one line of the replay format: text as JSON where it is JSON, else as bytes."""
    head = {"topic": writer.mapping.topic, "partition": 0, "offset": offset, "timestamp": AT, "key": None}
    try:
        return json.dumps({**head, "value": json.loads(value)}).encode()
    except ValueError:
        return json.dumps({**head, "value_b64": b64encode(value).decode()}).encode()
