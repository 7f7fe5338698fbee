"""Records as Debezium writes them through Confluent's Avro converter, and the schemas that a registry would hold.

Written with fastavro after the converter's documented form (`connect.name`, `connect.parameters`, nullable columns as
unions); made here, not captured.
"""

import json
from io import BytesIO
from typing import Any

import fastavro

from schemas import BadInput, Column, ColumnType, TableMapping

_TYPES: dict[str, Any] = {
    "int": "long",
    "text": "string",
    "bool": "boolean",
    "zoned": {"type": "string", "connect.version": 1, "connect.name": "io.debezium.time.ZonedTimestamp"},
    "date": {"type": "int", "connect.version": 1, "connect.name": "io.debezium.time.Date"},
    "micros": {"type": "long", "connect.version": 1, "connect.name": "io.debezium.time.MicroTimestamp"},
    "millis": {
        "type": "long", "connect.version": 1, "connect.name": "org.apache.kafka.connect.data.Timestamp",
        "logicalType": "timestamp-millis",
    },
    "decimal": {
        "type": "bytes", "scale": 2, "precision": 12, "connect.version": 1, "connect.parameters": {"scale": "2"},
        "connect.name": "org.apache.kafka.connect.data.Decimal", "logicalType": "decimal",
    },
    "variable": {
        "type": "record", "name": "VariableScaleDecimal", "namespace": "io.debezium.data",
        "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
        "connect.version": 1, "connect.name": "io.debezium.data.VariableScaleDecimal",
    },
}  # fmt: skip


_KINDS: dict[str, ColumnType] = {
    "id": "int", "app": "text", "amt": "decimal", "free": "decimal", "at": "timestamp", "zoned": "timestamp",
    "plan": "date", "ok": "bool", "late": "text",
}  # fmt: skip
THING = TableMapping(
    source="x", table="thing", topic="avrosource.public.thing", entity="thing", key=("id",), instance="app",
    dialect="debezium-avro", columns={name: Column(name, kind) for name, kind in _KINDS.items()},
)  # fmt: skip
"""The table that `tests/e2e/test_avro_registry.py` captures, and the golden records came from."""


def row_schema(columns: dict[str, str], name: str = "Value") -> dict[str, Any]:
    """Give the schema of a row (or key) of these columns: name to one of the types above."""
    fields = [{"name": column, "type": ["null", _TYPES[kind]], "default": None} for column, kind in columns.items()]
    return {"type": "record", "name": name, "namespace": "src.x.t", "fields": fields}


def envelope_schema(columns: dict[str, str]) -> dict[str, Any]:
    """Give the schema of a change event; the row's is spelt out under `before` and named under `after`."""
    source = {
        "type": "record", "name": "Source", "namespace": "io.debezium.connector.postgresql",
        "fields": [{"name": "version", "type": "string"}, {"name": "lsn", "type": ["null", "long"], "default": None}],
    }  # fmt: skip
    return {
        "type": "record", "name": "Envelope", "namespace": "src.x.t", "connect.version": 2,
        "connect.name": "src.x.t.Envelope",
        "fields": [
            {"name": "before", "type": ["null", row_schema(columns)], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "source", "type": source},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
        ],
    }  # fmt: skip


class SchemaShelf:
    """Schemas by id, as a registry gives them out."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def schema_of(self, number: int) -> str:
        """Give a schema's JSON."""
        if not 1 <= number <= len(self.texts):
            raise BadInput("unknown-schema", str(number))
        return self.texts[number - 1]

    def register(self, schema: dict[str, Any]) -> int:
        """Give the id of a schema, the same for the same one."""
        text = json.dumps(schema)
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1

    def write(self, schema: dict[str, Any], record: dict[str, Any]) -> bytes:
        """Give a record in Confluent's framing."""
        body = BytesIO()
        fastavro.schemaless_writer(body, fastavro.parse_schema(_plain(schema)), record)
        return b"\0" + self.register(schema).to_bytes(4, "big") + body.getvalue()


def _plain(schema: Any) -> Any:
    """Take the logical types out: values are handed in as they stand on the wire."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if isinstance(schema, dict):
        return {name: _plain(part) for name, part in schema.items() if name != "logicalType"}
    return schema
