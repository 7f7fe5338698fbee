"""Canonical changes: what every source's records become before any rule sees them.

Written to `stagewatch.changes` by the re-keying agent, read by the tracking agent, made directly by
`replay`. Encoded as MessagePack arrays: the order of the attributes is the format.
"""

from decimal import Decimal
from typing import Literal

import msgspec

Op = Literal["c", "u", "d", "r"]
"""created, updated, deleted, read by a snapshot (Debezium's letters, for every dialect)."""

Value = str | int | bool | Decimal | None
"""A field's value. Times are epoch milliseconds UTC (int); a date is the end of that local day."""


class Change(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One row changed.

    `fields` holds the row after the change (before it, for a delete) under canonical field names and
    only the columns that the record carried: a key that is absent is *missing*, None is *null*.
    """

    entity: str
    """What the row is about: `application`, `visit`, `negative_item`, `tg_manager`, ..."""
    instance: str
    """The process instance that the row belongs to; "" for pure reference data, and for a delete
    whose image does not name it (it then goes to every partition)."""
    row: str
    """The row's primary key within its table, values joined with `|`."""
    op: Op
    position: int
    """Order among changes of the same row: the source's own (LSN, SCN, ...), never the offset if it has one."""
    at: int
    """When the record arrived: the Kafka timestamp, epoch ms."""
    topic: str
    partition: int
    offset: int
    fields: dict[str, Value]
    left: str = ""
    """The instance that the row belonged to before, where the record tells that it moved to another."""
    part: int = 0
    """Place among the changes of its record, which may tell several: with `offset`, the order in the partition."""
    order: int = 0
    """Order among changes of the same position (of one commit), where the source tells it; else the log's holds."""

    def leaving(self) -> "Change":
        """Give the same change as the instance that the row left sees it: the row is gone."""
        return msgspec.structs.replace(self, instance=self.left, op="d", fields={}, left="")


class Mark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How far a re-keying agent has read one source partition.

    Written into every partition of `stagewatch.changes` in the transaction that holds what was read.
    """

    topic: str
    partition: int
    next_offset: int
    at: int
    """No later record of this source partition counts as earlier than this: running maximum of
    the timestamps read, epoch ms."""
    is_end: bool
    """Nothing was unread when this was written."""
