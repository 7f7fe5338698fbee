"""Records with an embedded schema, as Connect's JsonConverter writes them with `schemas.enable=true`."""

from typing import Any

from tests.helpers.hostile_wire import dump

Column = tuple[str, str | None, dict[str, str] | None]
"""Connect type, semantic type, its parameters."""

TEXT: Column = ("string", None, None)
INT: Column = ("int32", None, None)
LONG: Column = ("int64", None, None)
BOOL: Column = ("boolean", None, None)
DATE: Column = ("int32", "io.debezium.time.Date", None)
CONNECT_DATE: Column = ("int32", "org.apache.kafka.connect.data.Date", None)
MILLIS: Column = ("int64", "io.debezium.time.Timestamp", None)
MICROS: Column = ("int64", "io.debezium.time.MicroTimestamp", None)
NANOS: Column = ("int64", "io.debezium.time.NanoTimestamp", None)
CONNECT_MILLIS: Column = ("int64", "org.apache.kafka.connect.data.Timestamp", None)
ZONED: Column = ("string", "io.debezium.time.ZonedTimestamp", None)
VARIABLE_DECIMAL: Column = ("struct", "io.debezium.data.VariableScaleDecimal", None)


def decimal(scale: int) -> Column:
    """Give Connect's binary decimal."""
    parameters = {"scale": str(scale), "connect.decimal.precision": "12"}
    return ("bytes", "org.apache.kafka.connect.data.Decimal", parameters)


def _field(name: str, column: Column) -> dict[str, Any]:
    kind, semantic, parameters = column
    field: dict[str, Any] = {"type": kind, "optional": True, "field": name}
    if semantic:
        field |= {"name": semantic, "version": 1}
    if parameters:
        field["parameters"] = parameters
    return field


def wrap(value: Any, columns: dict[str, Column], table: str = "mkt.mkt_app") -> bytes:
    """Give the envelope `value` with the schema of a table of these columns around it."""
    rows = [_field(name, column) for name, column in columns.items()]
    images = [
        {"type": "struct", "fields": rows, "optional": True, "name": f"src.{table}.Value", "field": image}
        for image in ("before", "after")
    ]
    source_fields = [_field("version", TEXT), _field("lsn", LONG)]
    source = {"type": "struct", "fields": source_fields, "optional": False, "field": "source"}
    fields = [*images, source, _field("op", TEXT), _field("ts_ms", LONG)]
    name = f"src.{table}.Envelope"
    schema = {"type": "struct", "fields": fields, "optional": False, "name": name, "version": 2}
    return dump({"schema": schema, "payload": value})


def wrap_key(value: Any, columns: dict[str, Column], table: str = "mkt.mkt_app") -> bytes:
    """Give a record key with its schema around it."""
    fields = [_field(name, column) for name, column in columns.items()]
    schema = {"type": "struct", "fields": fields, "optional": False, "name": f"src.{table}.Key"}
    return dump({"schema": schema, "payload": value})
