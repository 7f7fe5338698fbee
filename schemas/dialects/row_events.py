"""From what a dialect's reader tells of rows to canonical changes. Shared by all dialects but Debezium's JSON.

A reader takes the bytes of one record apart and says what happened to which rows, in order; it knows no mapping of
columns. Everything that is the same for all is here: keys, moved rows, three states of a column, errors.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from schemas.arrival_order import arrival_place
from schemas.change import Change, Op, Value
from schemas.dialects.flattened import is_half_of_move
from schemas.dialects.identity import Columns, identify
from schemas.dialects.keys import key_columns
from schemas.dialects.limits import PARSER_ERRORS, Headers, Limits, Refused, refusal_of
from schemas.dialects.looks import right_dialect
from schemas.errors import BadInput
from schemas.mapping import TableMapping
from schemas.record import Raw
from schemas.table import Table, Tally

Image = dict[str, Any]
"""Columns as the source wrote them, names in its own spelling. What is absent is missing, None is null."""


class RowEvent(NamedTuple):
    """One row changed, as a dialect tells it."""

    op: Op
    row: Image
    """The row after the change; of a delete, what is known of the row before it."""
    position: int | None
    """Order among changes of the same row, where the source tells it; else their arrival counts."""
    before: Image | None = None
    """What an update says about the row before it, also if that is only the columns that changed."""
    table: Table | None = None
    """How the record's own schema types the columns, where it has one."""
    order: int = 0
    """As `Change.order`."""


class Reader(Protocol):
    """One dialect's way of writing."""

    def read(self, value: bytes, offset: int, at: int) -> Iterable[RowEvent | str]:
        """Give the events of a record in order; text names something that is no row and is counted.

        Raises `BadInput`, whatever a parser raises, or `TryLater`.
        """


class Part(NamedTuple):
    """What one change says, in the order of `Change`'s own attributes."""

    op: Op
    row: str
    instance: str
    fields: dict[str, Value]
    left: str = ""


class RowEvents:
    """Decodes the records of one captured table by one dialect's reader."""

    def __init__(
        self,
        mapping: TableMapping,
        reader: Reader,
        limits: Limits,
        table: Table,
        *,
        read_key: Callable[[bytes], Columns] | None = None,
    ) -> None:
        """Compile; `table` types columns without a schema, `read_key` is asked where an image lacks its key."""
        self.mapping = mapping
        self.skipped: Tally = {}
        self.moved = 0
        self._reader, self._limits, self._table = reader, limits, table
        self._read_key = read_key or self._read_text_key
        self._has_gaps = mapping.dialect == "debezium-avro"  # the others write no placeholders

    def decode_run(
        self, records: Iterable[Raw], *, topic: str, partition: int, high: int
    ) -> tuple[list[Change], list[Refused], int]:
        """Decode records of one partition: see `schemas.decode.Decoder.decode_run`."""
        changes: list[Change] = []
        refused: list[Refused] = []
        for record in records:
            high = max(high, record.timestamp)
            try:
                changes += self.decode_all(
                    key=record.key, value=record.value, headers=record.headers, timestamp=high, topic=topic,
                    partition=partition, offset=record.offset,
                )  # fmt: skip
            except BadInput as why:
                refused.append(Refused(record, why))
        return changes, refused, high

    def decode_all(  # noqa: PLR0913 - a record's parts
        self, *, key: bytes | None, value: bytes | None, headers: Headers = None, timestamp: int, topic: str,
        partition: int, offset: int,
    ) -> list[Change]:  # fmt: skip
        """Give the changes that a record tells, in order. Raises `BadInput`: of a record all is taken, or nothing."""
        if value is None:
            self._skip("tombstone")
            return []
        try:
            self._limits.check_size(value)
            changes: list[Change] = []
            skipped: list[str] = []
            for event in self._reader.read(value, offset, timestamp):
                if isinstance(event, str):
                    skipped.append(event)
                    continue
                for op, row, instance, fields, left in self._parts(event, key):
                    position, order, part = event.position, event.order, len(changes)
                    if position is None:
                        position, order = arrival_place(timestamp, partition, offset, part)
                    changes.append(
                        Change(
                            self.mapping.entity, instance, row, op, position, timestamp, topic, partition, offset,
                            fields, left, part, order,
                        )
                    )  # fmt: skip
        except BadInput as error:
            raise right_dialect(self.mapping.dialect, error, value) from None
        except PARSER_ERRORS as error:
            raise right_dialect(self.mapping.dialect, refusal_of(error, value), value) from None
        for reason in skipped:
            self._skip(reason)
        if headers and changes and changes[0].op == "d":
            self.moved += is_half_of_move(headers)
        return changes

    def _read_text_key(self, key: bytes) -> Columns:
        return self._table.read(key_columns(key, self.mapping.key, self._limits), has_gaps=False)

    def _parts(self, event: RowEvent, key: bytes | None) -> Iterable[Part]:
        """Give what an event says: one change, or two where the primary key changed."""
        table, row = event.table or self._table, event.row
        read = known = table.read(row, has_gaps=self._has_gaps)
        if event.op == "u" and event.before:  # of a compressed update: what did not change stands there
            known = table.read({**table.identifying(event.before), **row}, has_gaps=self._has_gaps)
        row_key, instance = identify(
            self.mapping, self._table, known, event.op, lambda: self._read_key(key) if key else ({}, {})
        )
        now = Part(event.op, row_key, instance, read[0])
        if event.op != "u" or not event.before:
            return (now,)
        is_now = table.identifying(row)
        was = is_now | table.identifying(event.before)
        if was == is_now:
            return (now,)
        before = table.read(was, has_gaps=self._has_gaps)
        old_row, old_instance = table.row_key(*before), table.instance(*before) or ""
        if old_row is None or old_row == row_key:
            left = old_instance if old_instance != instance else ""
            return (now._replace(left=left),)
        return self._moved(event, now, Part("d", old_row, old_instance, {}))

    def _moved(self, event: RowEvent, now: Part, gone: Part) -> Iterable[Part]:
        """Give a changed primary key as Debezium gives it: the old row goes, a new one comes."""
        self.moved += 1
        table, before = event.table or self._table, event.before or {}
        fields = table.read(before, has_gaps=self._has_gaps)[0]
        whole = table.read({**before, **event.row}, has_gaps=self._has_gaps)[0]
        return (gone._replace(fields=fields), now._replace(op="c", fields=whole))

    def _skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
