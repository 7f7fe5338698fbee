"""Bytes of a captured record to a canonical `Change`: the only way in for other people's data.

Called by the re-keying agent for every record, by the reader of reference tables and by `replay`. One
`Decoder` per table, compiled once. Whatever the bytes are, `decode` returns or raises `BadInput`; it must
never raise anything else, recurse with the input, or depend on the depth of the caller's stack.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

import msgspec

from schemas.change import Change, Op, Value
from schemas.columns import LocalZone
from schemas.debezium import UNAVAILABLE, Envelope, column_types, position_of
from schemas.errors import BadInput, Broken
from schemas.mapping import TableMapping
from schemas.record import Raw
from schemas.table import Table
from schemas.whole_rows import WholeRow

Headers = Mapping[str, Any] | Sequence[tuple[str, Any]] | None

MAX_BYTES = 5_000_000
"""Largest value taken. A row of a thousand columns is a tenth of that; brokers refuse 1 MB by default."""
MAX_DEPTH = 64
"""Deepest nesting of objects and arrays. Debezium's own needs eight, with its embedded schema."""

SUPPORTED_DIALECTS = frozenset({"debezium-json"})

REASONS = (
    "empty", "too-big", "too-deep", "not-utf8", "not-json", "lone-surrogate", "wrong-type", "unknown-operation",
    "no-row-image", "missing-key", "unreadable-date",
)  # fmt: skip
"""Every reason that a `BadInput` from here can have."""

_SILENT_OPS = {"t": "truncate", "m": "message"}
_MOST_SCHEMAS = 16  # a table has one schema at a time; after as many changes the oldest may be compiled again
_LEARN_AFTER = 1_000  # records in a row that went the long way: the source's rows look otherwise now
_UNAVAILABLE = UNAVAILABLE.encode()
_NEW_KEY = "__debezium.newkey"

_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

_decode_envelope = msgspec.json.Decoder(Envelope, float_hook=Decimal).decode
_decode_row = msgspec.json.Decoder(dict[str, Any] | None, float_hook=Decimal).decode


class Refused(NamedTuple):
    """A record that could not be read, and why."""

    record: Raw
    why: BadInput


class Decoder:
    """Decodes the records of one captured table.

    `skipped` counts the records that said nothing, by reason (`tombstone`, `truncate`, `message`, `heartbeat`,
    `transaction`, `schema-change`); `moved` counts deletes that were one half of a primary-key change.
    """

    def __init__(self, mapping: TableMapping, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> None:
        """Compile `mapping`. Raises `Broken` for a dialect that cannot be decoded."""
        if mapping.dialect not in SUPPORTED_DIALECTS:
            raise Broken(f"{mapping.topic}: dialect {mapping.dialect} cannot be decoded yet")
        self.mapping = mapping
        self.skipped: dict[str, int] = {}
        self.moved = 0
        self._max_bytes, self._max_depth = max_bytes, max_depth
        self._zone = LocalZone(mapping.column_timezone)
        self._plain = Table(mapping, self._zone, {})
        self._wrapped: dict[tuple[bytes, bool], Table] = {}
        self._prefix = b"\x00"  # how the last value with an embedded schema began; no JSON begins like this
        self._prefix_table = self._plain
        self._whole: WholeRow | None = None  # how the usual record looks
        self._misses = _LEARN_AFTER

    def decode_run(
        self, records: Iterable[Raw], *, topic: str, partition: int, high: int
    ) -> tuple[list[Change], list[Refused], int]:
        """Decode records of one partition, in order: the changes, the refused records, and the new running maximum.

        `high` is the largest timestamp of the partition before these records; a record whose own is smaller
        arrived at `high`. What a record tells does not depend on the records around it.
        """
        refused: list[Refused] = []

        def odd(record: Raw, at: int) -> Change | None:
            try:
                change = self.decode(
                    key=record.key, value=record.value, headers=record.headers, timestamp=at, topic=topic,
                    partition=partition, offset=record.offset,
                )  # fmt: skip
            except BadInput as why:
                refused.append(Refused(record, why))
                return None
            if change is not None:
                self._misses += 1
                if self._misses >= _LEARN_AFTER and record.value is not None:
                    self._learn(record.value)
            return change

        changes: list[Change] = []
        rest = iter(records)
        while self._whole is None:
            record = next(rest, None)
            if record is None:
                return changes, refused, high
            high = max(high, record.timestamp)
            change = odd(record, high)
            if change is not None:
                changes.append(change)
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
                self.mapping, table.converts(), envelope.after, max_bytes=self._max_bytes, max_depth=self._max_depth,
                prefix=b"" if table is self._plain else self._prefix,
            )  # fmt: skip
        except ValueError:
            self._whole = None

    def decode(  # noqa: PLR0913 - a record's parts
        self, *, key: bytes | None, value: bytes | None, headers: Headers = None, timestamp: int, topic: str,
        partition: int, offset: int,
    ) -> Change | None:  # fmt: skip
        """Give the change that a record tells; None if it tells nothing (a tombstone, a heartbeat: see `skipped`).

        `timestamp` is the record's arrival, epoch ms. Raises `BadInput` with one of `REASONS`.
        """
        if value is None:
            self._skip("tombstone")
            return None
        try:
            table, envelope = self._open(value)
            op = envelope.op
            if op == "c" or op == "u" or op == "r":  # noqa: PLR1714 - the hot path: no tuple, no hashing
                row = envelope.after
            elif op == "d":
                self.moved += 1 if headers and _has_header(headers, _NEW_KEY) else 0
                row = _decode_row(envelope.before) if envelope.before else None
            else:
                self._skip(_beside(op, value))
                return None
            if row is None:
                if op != "d" or key is None:
                    raise BadInput("no-row-image", f"operation {op}")
                row = {}
            fields, extra = table.read(row, has_gaps=_UNAVAILABLE in value)
            row_key, instance = table.row_key(fields, extra), table.instance(fields, extra)
            if row_key is None or instance is None:
                row_key, instance = self._from_key(key, op, fields, extra)
            left = self._left(table, envelope.before, instance) if op == "u" and envelope.before else ""
            return Change(
                self.mapping.entity, instance, row_key, op, position_of(envelope.source, offset, op), timestamp,
                topic, partition, offset, fields, left,
            )  # fmt: skip
        except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
            _refuse(error, value)

    def decode_json(  # noqa: PLR0913 - a record's parts
        self, *, key: object, value: object, headers: Headers = None, timestamp: int, topic: str, partition: int,
        offset: int,
    ) -> Change | None:  # fmt: skip
        """Do as `decode` for a record whose key and value are parsed JSON (or raw bytes, or None).

        Fractions should have been parsed as `Decimal`; `schemas.recorded` gives the raw bytes instead, which is faster.
        """
        return self.decode(
            key=_json_bytes(key), value=_json_bytes(value), headers=headers, timestamp=timestamp, topic=topic,
            partition=partition, offset=offset,
        )  # fmt: skip

    def _check(self, data: bytes) -> None:
        """Refuse what should not reach the parser; cheap for what is right."""
        if len(data) > self._max_bytes:
            raise BadInput("too-big", f"{len(data)} bytes, at most {self._max_bytes}")
        if not data:
            raise BadInput("empty", "zero bytes")
        if not data.isascii():
            data.decode()  # the parser skips what it does not need without looking at its encoding

    @staticmethod
    def _check_depth(data: bytes, limit: int) -> None:
        if data.count(b"{") + data.count(b"[") > limit and _is_deeper(data, limit):
            raise BadInput("too-deep", f"more than {limit} levels")

    def _open(self, value: bytes) -> "tuple[Table, Envelope]":
        """Give the envelope, and the table as the record's embedded schema types it."""
        self._check(value)
        if value.startswith(self._prefix) and value.endswith(b"}"):
            body = value[len(self._prefix) : -1]
            self._check_depth(body, self._max_depth - 1)
            try:
                return self._prefix_table, _decode_envelope(body)
            except msgspec.DecodeError:
                pass  # not `{schema, payload}` and nothing else: the long way
        self._check_depth(value, self._max_depth)
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

    def _typed(self, schema: bytes, *, is_key: bool) -> "Table":
        known = self._wrapped.get((schema, is_key))
        if known is not None:
            return known
        if len(self._wrapped) >= _MOST_SCHEMAS:
            self._wrapped.clear()
        table = Table(self.mapping, self._zone, column_types(schema, is_key=is_key))
        self._wrapped[schema, is_key] = table
        return table

    def _left(self, table: "Table", before: msgspec.Raw, instance: str) -> str:
        """Give the instance that the row belonged to before, if the image before tells that it was another."""
        image = bytes(before)
        if not instance or image == b"null" or b'"%b"' % instance.encode() in image:  # the usual case, not parsed
            return ""
        row = _decode_row(image) or {}
        known = table.instance(*table.read(row, has_gaps=True))
        return known if known is not None and known != instance else ""

    def _from_key(
        self, key: bytes | None, op: Op, fields: dict[str, Value], extra: dict[str, Value]
    ) -> tuple[str, str]:
        """Give row key and instance where the row image lacks one of them: the record's key has the rest."""
        key_fields, key_extra = self._read_key(key)
        fields, extra = {**key_fields, **_present(fields)}, {**key_extra, **extra}
        row, instance = self._plain.row_key(fields, extra), self._plain.instance(fields, extra)
        if row is None:
            raise BadInput("missing-key", ", ".join(self.mapping.key))
        if instance is None and op != "d":
            raise BadInput("missing-key", f"{self.mapping.instance}, the instance")
        return row, instance or ""

    def _read_key(self, key: bytes | None) -> "tuple[dict[str, Value], dict[str, Value]]":
        """Give the fields that the record's key carries: mapped ones, and key columns that are not mapped."""
        if not key:
            return {}, {}
        self._check(key)
        self._check_depth(key, self._max_depth)
        columns = _decode_row(key) or {}
        table, payload = self._plain, columns.get("payload")
        if columns.keys() <= {"schema", "payload"} and isinstance(payload, dict):
            if columns.get("schema"):
                table = self._typed(msgspec.json.encode(columns["schema"]), is_key=True)
            columns = payload
        fields, extra = table.read(columns, has_gaps=True)
        for name in self.mapping.constants:
            fields.pop(name, None)
        return fields, extra

    def _skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


_BESIDE: dict[str, set[str]] = {
    "transaction": {"status", "id"},
    "schema-change": {"tableChanges", "databaseName"},
    "heartbeat": {"ts_ms"},
}
"""What Debezium writes besides rows (usually into topics of its own), by the fields that tell it."""


def _beside(op: object, value: bytes) -> str:
    """Name the kind of a record that is no row. Raises `BadInput` if it is none of those that Debezium writes."""
    if isinstance(op, str) and op in _SILENT_OPS:
        return _SILENT_OPS[op]
    if op is msgspec.UNSET:
        record = _decode_row(value) or {}
        payload = record.get("payload")
        names = payload.keys() if isinstance(payload, dict) else record.keys()
        for kind, needed in _BESIDE.items():
            if needed <= names:
                return kind
    raise BadInput("unknown-operation", f"'{op[:20]}'" if isinstance(op, str) else "none")


def _is_deeper(data: bytes, limit: int) -> bool:
    """Tell whether brackets outside strings nest deeper, in time linear in the input, also where it is no JSON."""
    depth = 0
    for match in _BRACKETS.finditer(data):
        token = match[0]
        if token in (b"{", b"["):
            depth += 1
            if depth > limit:
                return True
        elif token in (b"}", b"]"):
            depth -= 1
    return False


def _present(fields: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in fields.items() if value is not None}


def _has_header(headers: Mapping[str, Any] | Sequence[tuple[str, Any]], name: str) -> bool:
    names: Callable[[], Any] | None = getattr(headers, "keys", None)
    return name in (names() if names else [header[0] for header in headers])


def _json_bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise BadInput("lone-surrogate", str(error)) from None


def _refuse(error: Exception, data: bytes) -> NoReturn:
    """Turn the parser's error into ours, with its reason as a bounded word."""
    if isinstance(error, UnicodeDecodeError):
        raise BadInput("not-utf8", f"byte {error.start}") from None
    if isinstance(error, RecursionError):
        raise BadInput("too-deep", "the parser gave up") from None
    if not isinstance(error, msgspec.DecodeError) or isinstance(error, msgspec.ValidationError):
        raise BadInput("wrong-type", str(error)) from None
    if _SURROGATE.search(data):
        raise BadInput("lone-surrogate", str(error)) from None
    raise BadInput("not-json", str(error)) from None
