"""Debezium's change events as JSON, with or without an embedded schema, whole or flattened.

Sources: Debezium documentation, "Data change events" of each connector, "New record state extraction".
The usual record goes through `schemas.whole_rows`; what is here is the long way, which decides what is right.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from schemas.arrival_order import arrival_place
from schemas.change import Change, Op
from schemas.columns import LocalZone
from schemas.debezium import Envelope, column_types, position_of
from schemas.dialects.flattened import SILENT_OPS, beside, beside_rows, is_half_of_move, operation_of, row_op, source_of
from schemas.dialects.identity import Columns, identify
from schemas.dialects.limits import (
    PARSER_ERRORS,
    Headers,
    Limits,
    Refused,
    check_depth,
    decode_object,
    refusal_of,
)
from schemas.dialects.looks import right_dialect
from schemas.errors import BadInput
from schemas.mapping import TableMapping
from schemas.record import Raw
from schemas.table import Table, Tally
from schemas.whole_rows import WholeRow

_MOST_SCHEMAS = 16  # a table has one schema at a time; after as many changes the oldest may be compiled again
_LEARN_AFTER = 1_000  # records in a row that went the long way: the source's rows look otherwise now

_decode_envelope = msgspec.json.Decoder(Envelope, float_hook=Decimal).decode


class Place(NamedTuple):
    """Where and when a record was read, in the order of `Change`."""

    at: int
    topic: str
    partition: int
    offset: int


class DebeziumJson:
    """Decodes the records of one captured table."""

    def __init__(self, mapping: TableMapping, limits: Limits, unknown: Tally) -> None:
        """Compile `mapping`; `unknown` counts codes without a meaning, by column."""
        self.mapping = mapping
        self.skipped: Tally = {}
        self.moved = 0
        self._limits, self._unknown = limits, unknown
        self._zone = LocalZone(mapping.column_timezone)
        self._plain = Table(mapping, self._zone, {}, unknown)
        self._placeholder = mapping.format.unavailable.encode()
        self._wrapped: dict[tuple[bytes, bool], Table] = {}
        self._prefix = b"\x00"  # how the last value with an embedded schema began; no JSON begins like this
        self._prefix_table = self._plain
        self._whole: WholeRow | None = None  # how the usual record looks
        self._misses = _LEARN_AFTER

    def decode_run(
        self, records: Iterable[Raw], *, topic: str, partition: int, high: int
    ) -> tuple[list[Change], list[Refused], int]:
        """Decode records of one partition: see `schemas.decode.Decoder.decode_run`."""
        refused: list[Refused] = []

        def odd(record: Raw, at: int) -> Sequence[Change]:
            try:
                changes = self.decode_all(
                    key=record.key, value=record.value, headers=record.headers, timestamp=at, topic=topic,
                    partition=partition, offset=record.offset,
                )  # fmt: skip
            except BadInput as why:
                refused.append(Refused(record, why))
                return ()
            if changes:
                self._misses += 1
                if self._misses >= _LEARN_AFTER and record.value is not None:
                    self._learn(record.value)
            return changes

        changes: list[Change] = []
        rest = iter(records)
        while self._whole is None:
            record = next(rest, None)
            if record is None:
                return changes, refused, high
            high = max(high, record.timestamp)
            changes += odd(record, high)
        found, high = self._whole.read_run(rest, topic=topic, partition=partition, high=high, odd=odd)
        return changes + found, refused, high

    def _learn(self, value: bytes) -> None:
        """Take a record that was read as an example of the usual one."""
        table, envelope = self._open(value)
        if envelope.after is None or (table is not self._plain and table is not self._prefix_table):
            return
        self._misses = 0
        try:
            self._whole = WholeRow(
                self.mapping, table.converts(), envelope.after, max_bytes=self._limits.max_bytes,
                max_depth=self._limits.max_depth, prefix=b"" if table is self._plain else self._prefix,
            )  # fmt: skip
        except ValueError:
            self._whole = None

    def decode_all(  # noqa: PLR0913 - a record's parts
        self, *, key: bytes | None, value: bytes | None, headers: Headers = None, timestamp: int, topic: str,
        partition: int, offset: int,
    ) -> list[Change]:  # fmt: skip
        """Give the changes that a record tells: none, one, or two where the primary key changed. Raises `BadInput`."""
        if value is None:
            self._skip("tombstone")
            return []
        try:
            table, envelope = self._open(value)
            op = envelope.op
            if op is msgspec.UNSET:
                return self._decode_flat(value, key, Place(timestamp, topic, partition, offset))
            if op == "c" or op == "u" or op == "r":  # noqa: PLR1714 - the hot path: no tuple, no hashing
                row = envelope.after
            elif op == "d":
                self.moved += 1 if headers and is_half_of_move(headers) else 0
                row = decode_object(envelope.before) if envelope.before else None
            else:
                self._skip(beside_rows(op, has_image=_has_image(envelope)))
                return []
            fields, extra = table.read(_no_image(op, key) if row is None else row, has_gaps=self._placeholder in value)
            row_key, instance = table.row_key(fields, extra), table.instance(fields, extra)
            if row_key is None or instance is None:
                row_key, instance = self._identify((fields, extra), op, key)
            position, order = position_of(envelope.source, op)
            if position is None:
                position, order = arrival_place(timestamp, partition, offset)
            change = Change(
                self.mapping.entity, instance, row_key, op, position, timestamp, topic, partition, offset, fields,
                order=order,
            )  # fmt: skip
            return self._since(change, table, envelope.before) if op == "u" and envelope.before else [change]
        except BadInput as error:
            raise right_dialect(self.mapping.dialect, error, value) from None
        except PARSER_ERRORS as error:
            raise right_dialect(self.mapping.dialect, refusal_of(error, value), value) from None

    def _decode_flat(self, value: bytes, key: bytes | None, place: Place) -> list[Change]:
        """Do as `decode_all` for a record without an envelope: a flattened row, or what stands beside rows."""
        row, table = decode_object(value) or {}, self._plain
        payload, schema = row.get("payload"), row.get("schema")
        if isinstance(payload, dict) and row.keys() <= {"schema", "payload"}:
            row = payload
            if schema is not None:
                table = self._typed(msgspec.json.encode(schema), is_key=True)
        op = operation_of(row)
        if op is None or op in SILENT_OPS:
            self._skip(beside(row.keys(), op, self.mapping.columns))
            return []
        kind = row_op(op)
        fields, extra = table.read(row, has_gaps=True)
        row_key, instance = self._identify((fields, extra), kind, key)
        position, order = position_of(source_of(row), kind)
        if position is None:
            position, order = arrival_place(place.at, place.partition, place.offset)
        return [Change(self.mapping.entity, instance, row_key, kind, position, *place, fields, order=order)]

    def _identify(self, read: Columns, op: Op, key: bytes | None) -> tuple[str, str]:
        return identify(self.mapping, self._plain, read, op, lambda: self._read_key(key))

    def _open(self, value: bytes) -> tuple[Table, Envelope]:
        """Give the envelope, and the table as the record's embedded schema types it."""
        limits = self._limits
        limits.check_text(value)
        if value.startswith(self._prefix) and value.endswith(b"}"):
            body = value[len(self._prefix) : -1]
            check_depth(body, limits.max_depth - 1)
            try:
                return self._prefix_table, _decode_envelope(body)
            except msgspec.DecodeError:
                pass  # not `{schema, payload}` and nothing else: the long way
        check_depth(value, limits.max_depth)
        envelope = _decode_envelope(value)
        if envelope.op is not msgspec.UNSET or not isinstance(envelope.payload, msgspec.Raw):
            return self._plain, envelope
        payload, schema = bytes(envelope.payload), b"null"
        if isinstance(envelope.schema, msgspec.Raw):
            schema = bytes(envelope.schema)
        if schema == b"null":
            return self._plain, _decode_envelope(payload)
        table = self._typed(schema, is_key=False)
        if value == b'{"schema":' + schema + b',"payload":' + payload + b"}":
            self._prefix, self._prefix_table = value[: len(value) - len(payload) - 1], table
        return table, _decode_envelope(payload)

    def _typed(self, schema: bytes, *, is_key: bool) -> Table:
        known = self._wrapped.get((schema, is_key))
        if known is not None:
            return known
        if len(self._wrapped) >= _MOST_SCHEMAS:
            self._wrapped.clear()
        table = Table(self.mapping, self._zone, column_types(schema, is_key=is_key), self._unknown)
        self._wrapped[schema, is_key] = table
        return table

    def _since(self, change: Change, table: Table, before: msgspec.Raw) -> list[Change]:
        """Give an update with what the image before adds: the row belonged to another instance, or had another key.

        Where the messages are keyed by the row, Debezium itself writes a changed primary key as a delete and a create;
        under any other key it is a plain update, and the old row would stay for ever.
        """
        image = decode_object(before)
        if image is None:
            return [change]
        was = table.identifying(image)
        known = table.read(was, has_gaps=True)
        old_row, old_instance = table.row_key(*known), table.instance(*known)
        if old_row is not None and old_row != change.row:
            self.moved += 1
            gone = msgspec.structs.replace(
                change, row=old_row, op="d", instance=old_instance or "", fields=table.read(image, has_gaps=True)[0]
            )
            return [gone, msgspec.structs.replace(change, op="c", part=1)]
        if not change.instance and not self.mapping.is_instance_optional:
            return [change]
        left = old_instance if old_instance is not None and old_instance != change.instance else ""
        return [msgspec.structs.replace(change, left=left)] if left else [change]

    def _read_key(self, key: bytes | None) -> Columns:
        """Give the fields that the record's key carries: mapped ones, and key columns that are not mapped."""
        if not key:
            return {}, {}
        self._limits.check_json(key)
        columns = decode_object(key) or {}
        table, payload = self._plain, columns.get("payload")
        if columns.keys() <= {"schema", "payload"} and isinstance(payload, dict):
            if columns.get("schema"):
                table = self._typed(msgspec.json.encode(columns["schema"]), is_key=True)
            columns = payload
        return table.read(columns, has_gaps=True)

    def _skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


def _has_image(envelope: Envelope) -> bool:
    return envelope.after is not None or bytes(envelope.before) not in (b"", b"null")


def _no_image(op: Op, key: bytes | None) -> dict[str, Any]:
    """Give the image of a record without one: nothing but its key, which is enough for a delete alone."""
    if op != "d" or key is None:
        raise BadInput("no-row-image", f"operation {op}")
    return {}
