"""Canal's flat messages: rows of MySQL as text, several in one message.

Source: `FlatMessage.java` and `MQMessageUtils.java` of alibaba/canal. `old[i]` belongs to `data[i]`, holds only what
the statement changed, and may hold columns that this row did not change. Flink's `canal-json` has no `es`.

Canal writes no place in the binary log (a GTID orders only within one server), and `es` is when the statement began:
one that waited for a lock is written after a later one. So the arrival decides, at the price that a message which
Canal repeats shows an older state until the rest of it has come again.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from schemas.change import Op
from schemas.dialects.limits import Limits
from schemas.dialects.row_events import RowEvent
from schemas.errors import BadInput

_ROW_OPS: dict[str, Op] = {"INSERT": "c", "UPDATE": "u", "DELETE": "d"}
_DDL = frozenset({"CREATE", "ALTER", "ERASE", "RENAME", "QUERY", "CINDEX", "DINDEX"})


class _Message(msgspec.Struct, gc=False):
    type: str | None = None
    data: list[dict[str, Any] | None] | None = None
    old: list[dict[str, Any] | None] | None = None
    es: int | None = None
    is_ddl: bool | None = msgspec.field(default=None, name="isDdl")


_decode = msgspec.json.Decoder(_Message, float_hook=Decimal).decode


class CanalJson:
    """Reads the records of one table."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def read(self, value: bytes, offset: int, at: int) -> Iterator[RowEvent | str]:
        """Give an event a row of `data`."""
        del offset, at
        self._limits.check_json(value)
        message = _decode(value)
        kind = message.type or ""
        op = _ROW_OPS.get(kind)
        if op is None or message.is_ddl:
            if message.data:
                raise BadInput("unknown-operation", f"'{kind[:20]}'{' as DDL' * bool(message.is_ddl)} with rows")
            yield _beside(kind, is_ddl=bool(message.is_ddl))
            return
        if not message.data:
            raise BadInput("no-row-image", f"operation {kind}")
        old = message.old if op == "u" else None
        for index, row in enumerate(message.data):
            if row is None:
                raise BadInput("no-row-image", f"row {index} is null")
            before = old[index] if old and index < len(old) else None
            yield RowEvent(op, row, None, {**row, **before} if before else None)


def _beside(kind: str, *, is_ddl: bool) -> str:
    if kind == "TRUNCATE":
        return "truncate"
    if is_ddl or kind in _DDL:
        return "ddl"
    raise BadInput("unknown-operation", f"'{kind[:20]}'")
