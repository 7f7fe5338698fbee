"""The rows of a record as its source wrote them, with every column: for onboarding, never for decoding.

A decoder gives only what is declared. Who looks at a new source wants to see what is not.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from schemas.dialects.canal_json import CanalJson
from schemas.dialects.debezium_avro import DebeziumAvro, SchemaOf
from schemas.dialects.flattened import operation_of
from schemas.dialects.limits import PARSER_ERRORS, Limits, decode_object
from schemas.dialects.maxwell_json import MaxwellJson
from schemas.dialects.ogg_delimited import OggDelimited
from schemas.dialects.ogg_json import OggJson
from schemas.dialects.ogg_json_row import OggJsonRow
from schemas.dialects.row_events import Reader, RowEvent
from schemas.errors import BadInput, Broken
from schemas.mapping import TableMapping

_AVRO_HEAD = 5  # Confluent's framing: a zero byte and four bytes of schema id


class RowImage(NamedTuple):
    """One row of a record."""

    op: str
    row: dict[str, Any]
    """Columns in the source's own spelling; of a delete, what is known of the row before."""
    before: dict[str, Any] | None
    types: dict[str, str] = {}  # noqa: RUF012 - read only
    """Column (lower case) to what the record itself calls its type: Connect's or Debezium's name, MySQL's type."""


def row_images(mapping: TableMapping, value: bytes | None, schema_of: SchemaOf | None = None) -> list[RowImage]:
    """Give the rows that a record's value tells; none if it tells none or is not written in the table's dialect.

    Raises `TryLater` if an Avro schema cannot be had now, and `Broken` where the dialect lacks something.
    """
    if not value:
        return []
    try:
        Limits().check_size(value)
        if mapping.dialect == "debezium-json":
            return list(_of_debezium(value))
        events = list(_reader(mapping, schema_of).read(value, 0, 0))
        types = _types(mapping, value, schema_of)
        return [RowImage(each.op, each.row, each.before, types) for each in events if isinstance(each, RowEvent)]
    except (BadInput, *PARSER_ERRORS):
        return []


def _types(mapping: TableMapping, value: bytes, schema_of: SchemaOf | None) -> dict[str, str]:
    """Give what the record says about its columns' types, where its dialect says something."""
    if mapping.dialect == "canal-json":
        return _mysql_types(value)
    if mapping.dialect == "debezium-avro" and schema_of is not None:
        schema = msgspec.json.decode(schema_of(int.from_bytes(value[1:_AVRO_HEAD], "big")))
        return {name.lower(): kind for name, kind in _avro_types(schema)}
    return {}


def _reader(mapping: TableMapping, schema_of: SchemaOf | None) -> Reader:
    limits = Limits()
    match mapping.dialect:
        case "canal-json":
            return CanalJson(limits)
        case "maxwell-json":
            return MaxwellJson(limits)
        case "ogg-json":
            return OggJson(mapping, limits)
        case "ogg-json-row":
            return OggJsonRow(mapping, limits)
        case "ogg-delimited":
            return OggDelimited(mapping)
        case "debezium-json" | "debezium-avro":
            if schema_of is None:
                raise Broken(f"{mapping.topic}: debezium-avro needs the setting `schema_registry_url`")
            return DebeziumAvro(mapping, limits, {}, schema_of)


def _of_debezium(value: bytes) -> Iterator[RowImage]:
    record = decode_object(value) or {}
    payload, schema = record.get("payload"), record.get("schema")
    row = payload if isinstance(payload, dict) else record
    types = _connect_types(schema if isinstance(schema, dict) else {})
    if "op" not in row:
        op = operation_of(row)
        if op:
            yield RowImage(op, {name: each for name, each in row.items() if not name.startswith("__")}, None, types)
        return
    before = row.get("before")
    image = before if row["op"] == "d" else row.get("after")
    if isinstance(image, dict):
        yield RowImage(str(row["op"]), image, before if isinstance(before, dict) else None, types)


def _connect_types(schema: dict[str, Any]) -> dict[str, str]:
    """Give the columns' types by an embedded schema: the semantic name where there is one, else Connect's type."""
    parts = _fields(schema)
    images = [part for part in parts if part.get("field") in {"before", "after"}]
    rows = [field for image in images for field in _fields(image)] or parts
    return {str(field.get("field")).lower(): str(field.get("name") or field.get("type")) for field in rows}


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    fields = schema.get("fields")
    return [field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else []


def _avro_types(schema: object) -> Iterator[tuple[str, str]]:
    """Give every field, at any depth, whose type has a name of Connect's; the reader has bounded the depth."""
    if isinstance(schema, list):
        for part in schema:
            yield from _avro_types(part)
    elif isinstance(schema, dict):
        for field in _fields(schema):
            kinds = field["type"] if isinstance(field.get("type"), list) else [field.get("type")]
            yield from (
                (str(field.get("name")), str(kind["connect.name"]))
                for kind in kinds
                if isinstance(kind, dict) and "connect.name" in kind
            )
        for part in schema.values():
            yield from _avro_types(part)


def _mysql_types(value: bytes) -> dict[str, str]:
    types = (decode_object(value) or {}).get("mysqlType")
    return {name.lower(): str(kind) for name, kind in types.items()} if isinstance(types, dict) else {}
