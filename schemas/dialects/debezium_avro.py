"""Debezium's change events as Avro, in Confluent's framing: a zero byte, the schema's id, the body.

Sources: Debezium documentation, "Avro Serialization"; the wire format of Confluent's and Apicurio's registries (there
with `apicurio.registry.as-confluent=true` and `use-id=contentId`). Nothing here asks a registry: `SchemaOf` does,
and its errors pass through. Connect's types travel as `connect.name` and `connect.parameters` inside the schema.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
import msgspec

from schemas.columns import LocalZone
from schemas.debezium import FieldType, Source, position_of, scale_of
from schemas.dialects.flattened import IMAGES, SILENT_OPS, beside, beside_rows, operation_of, row_op, source_of
from schemas.dialects.identity import Columns
from schemas.dialects.limits import Limits
from schemas.dialects.row_events import RowEvent
from schemas.errors import BadInput
from schemas.mapping import TableMapping
from schemas.table import Table, Tally

SchemaOf = Callable[[int], str]
"""Gives the JSON of a registered Avro schema by its id. Raises `BadInput` (`unknown-schema`) where the registry has
no such id, and `TryLater` where it does not answer: that is never the record's fault."""

_HEAD = 5
_MOST_SCHEMAS = 256  # versions of one table's schemas; a hostile producer could name more ids
_MOST_DEPTH = 64  # of a schema; Debezium's own needs ten

_decode_schema = msgspec.json.Decoder().decode


class _Known(NamedTuple):
    """A schema, compiled."""

    parsed: Any
    rows: Table
    """Types of the columns inside `before` and `after`."""
    top: Table
    """Types of the columns of the record itself: a key, or a flattened row."""


class DebeziumAvro:
    """Reads the records of one table."""

    def __init__(self, mapping: TableMapping, limits: Limits, unknown: Tally, schema_of: SchemaOf) -> None:
        self._mapping, self._limits, self._unknown, self._schema_of = mapping, limits, unknown, schema_of
        self._zone = LocalZone(mapping.column_timezone)
        self._known: dict[int, _Known] = {}

    def read(self, value: bytes, offset: int, at: int) -> Iterator[RowEvent | str]:
        """Give the record's one event."""
        del offset, at
        record, known = self._open(value)
        op = record.get("op")
        if op is None:
            yield self._flat(record, known)
            return
        if not isinstance(op, str) or op in SILENT_OPS:
            yield beside_rows(op, has_image=any(record.get(name) is not None for name in IMAGES))
            return
        kind = row_op(op)
        row = _image(record, "before" if kind == "d" else "after")
        if row is None and kind != "d":
            raise BadInput("no-row-image", f"operation {op}")
        position, order = position_of(_source(record.get("source")), kind)
        before = _image(record, "before") if kind == "u" else None
        yield RowEvent(kind, row or {}, position, before, known.rows, order)

    def _flat(self, record: dict[str, Any], known: _Known) -> RowEvent | str:
        op = operation_of(record)
        if op is None or op in SILENT_OPS:
            return beside(record.keys(), op, self._mapping.columns)
        kind = row_op(op)
        position, order = position_of(source_of(record), kind)
        return RowEvent(kind, record, position, table=known.top, order=order)

    def read_key(self, key: bytes) -> Columns:
        """Give what the record's key tells of the row."""
        self._limits.check_size(key)
        columns, known = self._open(key)
        return known.top.read(columns, has_gaps=True)

    def _open(self, data: bytes) -> tuple[dict[str, Any], _Known]:
        if data[0] != 0 or len(data) < _HEAD:
            raise BadInput("not-avro", "no schema id in front")
        known = self._schema(int.from_bytes(data[1:_HEAD], "big"))
        body = BytesIO(data)
        body.seek(_HEAD)
        try:
            record = fastavro.schemaless_reader(body, known.parsed, None)
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parts raise
            raise BadInput("not-avro", type(error).__name__) from None
        if body.tell() != len(data):
            raise BadInput("not-avro", f"{len(data) - body.tell()} bytes behind the record")
        if not isinstance(record, dict):
            raise BadInput("wrong-type", "not a record")
        return record, known

    def _schema(self, number: int) -> _Known:
        known = self._known.get(number)
        if known is None:
            if len(self._known) >= _MOST_SCHEMAS:
                self._known.clear()
            known = self._known[number] = self._compile(number, self._schema_of(number))
        return known

    def _compile(self, number: int, text: str) -> _Known:
        try:
            schema = _without_logical_types(_decode_schema(text), _MOST_DEPTH)
            named: dict[str, Any] = {}
            _collect(schema, named)
            top = _column_types(schema, named)
            rows = {
                name: kind for image in IMAGES for name, kind in _column_types(_field(schema, image), named).items()
            }
            parsed = fastavro.parse_schema(schema)
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parts raise
            raise BadInput("unknown-schema", f"schema {number} is no Avro schema: {type(error).__name__}") from None
        return _Known(parsed, self._table(rows), self._table(top))

    def _table(self, types: dict[str, FieldType]) -> Table:
        return Table(self._mapping, self._zone, types, self._unknown)


def _image(record: dict[str, Any], name: str) -> dict[str, Any] | None:
    image = record.get(name)
    if image is not None and not isinstance(image, dict):
        raise BadInput("wrong-type", f"{name} is no record")
    return image


def _source(parts: object) -> Source | None:
    if not isinstance(parts, dict):
        return None
    return Source(**{name: parts[name] for name in Source.__struct_fields__ if name in parts})


def _without_logical_types(schema: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
    """Give the schema without Avro's own semantic types: Connect's names beside them say the same and more."""
    if depth == 0:
        raise RecursionError
    if isinstance(schema, list):
        return [_without_logical_types(part, depth - 1) for part in schema]
    if isinstance(schema, dict):
        return {name: _without_logical_types(part, depth - 1) for name, part in schema.items() if name != "logicalType"}
    return schema


def _collect(schema: Any, named: dict[str, Any]) -> None:  # noqa: ANN401 - JSON
    """Note every record by its name, for a schema spells a record out once and then calls it by name.

    Raises `TypeError` for fields whose name is no text, which the library lets pass.
    """
    if isinstance(schema, list):
        for part in schema:
            _collect(part, named)
    elif isinstance(schema, dict):
        if schema.get("type") == "record" and isinstance(schema.get("name"), str):
            named[schema["name"].rpartition(".")[2]] = schema
            if not all(isinstance(field["name"], str) for field in schema["fields"]):
                raise TypeError("the name of a field")
        for part in schema.values():
            _collect(part, named)


def _field(schema: Any, name: str) -> Any:  # noqa: ANN401 - JSON
    fields = schema.get("fields", []) if isinstance(schema, dict) else []
    return next((field.get("type") for field in fields if isinstance(field, dict) and field.get("name") == name), None)


def _column_types(schema: Any, named: dict[str, Any]) -> dict[str, FieldType]:  # noqa: ANN401 - JSON
    """Give the semantic type of each column of a record (or of the record in a union), names in lower case."""
    record = _solid(schema, named)
    fields = record.get("fields", []) if isinstance(record, dict) else []
    return {
        field["name"].lower(): _type_of(_solid(field["type"], named))
        for field in fields
        if isinstance(field, dict) and isinstance(field.get("name"), str) and "type" in field
    }


def _solid(schema: Any, named: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Give what a union holds besides null, and what a name stands for."""
    if isinstance(schema, list):
        schema = next((part for part in schema if part != "null"), None)
    return named.get(schema.rpartition(".")[2], schema) if isinstance(schema, str) else schema


def _type_of(schema: Any) -> FieldType:  # noqa: ANN401 - JSON
    if not isinstance(schema, dict):
        return FieldType(None, None)
    parameters = schema.get("connect.parameters")
    scale = scale_of(parameters if isinstance(parameters, dict) else {"scale": schema.get("scale", "")})
    name = schema.get("connect.name")
    return FieldType(name if isinstance(name, str) else None, scale)
