"""Debezium's records that are no change event: rows flattened by a transformation, and what stands beside rows.

Sources: Debezium documentation, "New record state extraction" (ExtractNewRecordState), "Transaction metadata",
"Heartbeats", "Schema change topic", "Notifications". The same for JSON and Avro.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from schemas.change import Op
from schemas.debezium import Source
from schemas.errors import BadInput

SILENT_OPS = {"t": "truncate", "m": "message"}
_NEW_KEY = "__debezium.newkey"
_ROW_OPS = frozenset({"c", "u", "d", "r"})

_BESIDE: dict[str, set[str]] = {
    "transaction": {"status", "id"},
    "schema-change": {"tableChanges", "databaseName"},
    "notification": {"aggregate_type", "type"},
    "heartbeat": {"ts_ms"},
}
"""What Debezium writes besides rows (usually into topics of its own), by the fields that tell it."""

_POSITIONS = (
    "lsn", "snapshot", "scn", "commit_scn", "txSeq", "file", "pos", "row", "commit_lsn", "change_lsn",
    "event_serial_no",
)  # fmt: skip


def beside(names: Collection[str], op: object, columns: Collection[str]) -> str:
    """Name the kind of a record that is no row, by the names in it. Raises `BadInput` if Debezium writes none such.

    `columns`: the table's, lower case; a record that has one is a row that lost its operation.
    """
    if isinstance(op, str) and op in SILENT_OPS:
        return SILENT_OPS[op]
    if op is None:
        for kind, needed in _BESIDE.items():
            if needed <= set(names):
                return kind
        if any(name.lower() in columns for name in names):
            raise BadInput("unknown-operation", "a flattened row needs `add.fields=op,source.ts_ms` at its connector")
    raise BadInput("unknown-operation", f"'{op[:20]}'" if isinstance(op, str) else "none")


def operation_of(row: Mapping[str, Any]) -> str | None:
    """Give what happened to a flattened row (an operation's letter); None if it does not say so.

    `__deleted` is text, for the transformation writes text.
    """
    if row.get("__deleted") in ("true", True):
        return "d"
    op = row.get("__op")
    if op is None:
        return "u" if "__deleted" in row else None
    return op if isinstance(op, str) else ""


def row_op(op: str) -> Op:
    """Give the operation of a row. Raises `BadInput` for another letter."""
    if op not in _ROW_OPS:
        raise BadInput("unknown-operation", f"'{op[:20]}'")
    return cast("Op", op)


def source_of(row: Mapping[str, Any]) -> Source:
    """Give what a flattened row tells of its place in the source: `__lsn` or `__source_lsn`, and so on."""
    return Source(**{name: row.get(f"__source_{name}", row.get(f"__{name}")) for name in _POSITIONS})


def is_half_of_move(headers: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> bool:
    """Tell whether a delete is the first half of a changed primary key; the other half is a create of its own."""
    names: Callable[[], Any] | None = getattr(headers, "keys", None)
    return _NEW_KEY in (names() if names else [header[0] for header in headers])
