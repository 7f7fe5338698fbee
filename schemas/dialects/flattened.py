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

IMAGES = ("before", "after")

_BESIDE: dict[str, tuple[set[str], set[str]]] = {
    "transaction": ({"status", "id"}, {"event_count", "data_collections", "ts_ms"}),
    "schema-change": ({"tableChanges", "databaseName"}, {"schemaName", "ddl", "source", "position", "ts_ms"}),
    "notification": ({"aggregate_type", "type"}, {"id", "additional_data", "timestamp"}),
    "heartbeat": ({"ts_ms"}, set()),
}
"""What Debezium writes besides rows (usually into topics of its own): the fields that tell it, and all others that it
has. What has one more is none of these: an envelope has `ts_ms`, too, and must not pass for a heartbeat."""

_POSITIONS = (
    "lsn", "snapshot", "scn", "commit_scn", "txSeq", "file", "pos", "row", "commit_lsn", "change_lsn",
    "event_serial_no",
)  # fmt: skip


def beside_rows(op: object, *, has_image: bool) -> str:
    """Name the kind of an envelope that is no row's, by its operation. Raises `BadInput` if Debezium writes none such.

    What empties a table, or is a message, has no image: a row under such an operation is not dropped unread.
    """
    if not isinstance(op, str):
        raise BadInput("unknown-operation", "none")
    if op not in SILENT_OPS:
        raise BadInput("unknown-operation", f"'{op[:20]}'")
    if has_image:
        raise BadInput("unknown-operation", f"'{op}' ({SILENT_OPS[op]}) with a row image")
    return SILENT_OPS[op]


def beside(names: Collection[str], op: str | None, columns: Collection[str]) -> str:
    """Name the kind of a record without an envelope that is no row. Raises `BadInput` if Debezium writes none such.

    `names`: those in it, which tell it; `columns`: the table's, lower case: what has those is a row without operation.
    """
    if op is None:
        for kind, (needed, others) in _BESIDE.items():
            if needed <= set(names) <= needed | others and not needed <= set(columns):
                return kind
        if any(image in names for image in IMAGES):
            raise BadInput("unknown-operation", "an envelope without `op`")
        if any(name.lower() in columns for name in names):
            raise BadInput("unknown-operation", "a flattened row needs `add.fields=op,source.ts_ms` at its connector")
    return beside_rows(op, has_image=False)


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
