"""Maxwell's JSON: one row of MySQL a record.

Source: Maxwell's documentation, "Data Format" and "Reference" (producer and output options). `old` holds what
changed; `position` is there with `output_binlog_position`; `ts` counts seconds. MySQL's TIMESTAMP is written as UTC,
its DATETIME as it stands: declare `column_timezone` for what the table's columns are.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from schemas.change import Op
from schemas.debezium import MOST_POSITION, mysql_position
from schemas.dialects.limits import Limits
from schemas.dialects.row_events import RowEvent
from schemas.errors import BadInput

_ROW_OPS: dict[str, Op] = {"insert": "c", "update": "u", "delete": "d", "bootstrap-insert": "r"}
_BESIDE = {"bootstrap-start": "bootstrap", "bootstrap-complete": "bootstrap"}
_DDL = tuple(f"{what}-{done}" for what in ("table", "database") for done in ("create", "alter", "drop"))


class _Row(msgspec.Struct, gc=False):
    type: str | None = None
    data: dict[str, Any] | None = None
    old: dict[str, Any] | None = None
    ts: int | None = None
    position: str | None = None


_decode = msgspec.json.Decoder(_Row, float_hook=Decimal).decode


class MaxwellJson:
    """Reads the records of one table."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def read(self, value: bytes, offset: int, at: int) -> Iterator[RowEvent | str]:
        """Give the record's one event."""
        del offset, at
        self._limits.check_json(value)
        record = _decode(value)
        kind = record.type or ""
        op = _ROW_OPS.get(kind)
        if op is None:
            if record.data:
                raise BadInput("unknown-operation", f"'{kind[:20]}' with a row")
            yield _beside(kind)
        elif not record.data and op != "d":
            raise BadInput("no-row-image", f"operation {kind}")
        else:
            row = record.data or {}
            before = {**row, **record.old} if op == "u" and record.old else None
            yield RowEvent(op, row, _position(record), before)


def _beside(kind: str) -> str:
    if kind in _DDL:
        return "ddl"
    if kind in _BESIDE:
        return _BESIDE[kind]
    raise BadInput("unknown-operation", f"'{kind[:20]}'")


def _position(record: _Row) -> int | None:
    """Give the place in the binary log, if it is told: `ts` is when the statement began, and may go back."""
    file, _, pos = (record.position or "").rpartition(":")
    place = mysql_position(file, pos)
    return place if place is not None and place <= MOST_POSITION else None
