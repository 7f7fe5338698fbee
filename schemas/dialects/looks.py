"""Which dialect a record looks like: a guard that complains, never a choice.

The choice is the source's declaration. Called when a record was refused, and by who looks at a topic's first records.
"""

from typing import Any

from schemas.dialects.limits import MAX_DEPTH, PARSER_ERRORS, check_depth, decode_object, documents
from schemas.dialects.ogg import META
from schemas.errors import BadInput
from schemas.mapping import Dialect

_MAXWELL = frozenset({"insert", "update", "delete"})
_AVRO_HEAD = 5  # Confluent's framing: a zero byte and four bytes of schema id
_GUARDED = frozenset(
    {"not-json", "not-utf8", "not-avro", "wrong-type", "wrong-columns", "unknown-operation", "no-row-image",
     "missing-key", "unknown-schema"}
)  # fmt: skip
"""Refusals that another dialect explains."""


def looks_like(value: bytes | None) -> Dialect | None:
    """Give the dialect that a record's value looks like; None if like none, or like several.

    Raises nothing. Of a value with several documents the first decides.
    """
    if not value:
        return None
    if value[0] == 0:
        return "debezium-avro" if len(value) > _AVRO_HEAD and any(value[1:_AVRO_HEAD]) else None
    record = _first_object(value)
    if record is None:
        return None
    payload = record.get("payload")
    if isinstance(payload, dict) and record.keys() <= {"schema", "payload"}:
        record = payload
    for is_it, dialect in _SIGNS:
        if is_it(record):
            return dialect
    return None


def right_dialect(declared: Dialect, error: BadInput, value: bytes) -> BadInput:
    """Give the error to raise for a refused record: `wrong-dialect` if it looks like another one."""
    if error.reason in _GUARDED:
        seen = looks_like(value)
        if seen is not None and seen != declared:
            return BadInput("wrong-dialect", f"declared {declared}, looks like {seen}")
        if seen is None and is_confluent_oracle(_first_object(value) or {}):
            return BadInput("wrong-dialect", f"declared {declared}, looks like Confluent's Oracle connector")
    return error


def is_confluent_oracle(record: dict[str, Any]) -> bool:
    """Tell a row of Confluent's Oracle CDC connector, which has GoldenGate's names and times as epoch ms."""
    op_ts = record.get("op_ts")
    return "op_type" in record and "scn" in record and isinstance(op_ts, str) and op_ts.isdigit()


def _first_object(value: bytes) -> dict[str, Any] | None:
    try:
        check_depth(value, MAX_DEPTH)
        first: dict[str, Any] | None = decode_object(next(documents(value), b"null"))
    except (BadInput, *PARSER_ERRORS):
        return None
    return first


def _is_debezium(record: dict[str, Any]) -> bool:
    return ("op" in record and ("source" in record or "after" in record)) or "__op" in record or "__deleted" in record


def _is_canal(record: dict[str, Any]) -> bool:
    is_flat = "isDdl" in record or "mysqlType" in record or "pkNames" in record
    return "type" in record and "data" in record and (is_flat or isinstance(record["data"], list))


def _is_maxwell(record: dict[str, Any]) -> bool:
    kind = record.get("type")
    is_row = isinstance(kind, str) and (kind in _MAXWELL or kind.startswith("bootstrap-"))
    return is_row and "database" in record and "table" in record and isinstance(record.get("data"), dict)


def _is_ogg(record: dict[str, Any]) -> bool:
    return "op_type" in record and ("before" in record or "after" in record)


def _is_ogg_row(record: dict[str, Any]) -> bool:
    is_row = "op_type" in record and "op_ts" in record and not _is_ogg(record) and not is_confluent_oracle(record)
    return is_row and not record.keys() <= set(META)


_SIGNS: tuple[tuple[Any, Dialect], ...] = (
    (_is_debezium, "debezium-json"),
    (_is_canal, "canal-json"),
    (_is_maxwell, "maxwell-json"),
    (_is_ogg, "ogg-json"),
    (_is_ogg_row, "ogg-json-row"),
)
