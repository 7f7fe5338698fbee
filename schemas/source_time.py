"""When a record's change happened at its source, as the record itself tells it. Pure.

Debezium's `source.ts_ms`, of flattened rows `__source_ts_ms`; GoldenGate's `op_ts`; Canal's `es`; Maxwell's `ts`; of
rows that no capture wrote `src_ts`. Avro's is inside a body that only its schema opens: not read here.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from schemas.dialects.limits import MAX_BYTES, MAX_DEPTH, PARSER_ERRORS, Limits, decode_objects
from schemas.dialects.ogg import Meta
from schemas.errors import BadInput
from schemas.mapping import Dialect, TableMapping

_SECOND_MS = 1000


class _Told(msgspec.Struct, gc=False):
    """What may tell a record's time. Types vary, hence `Any`."""

    source: Any = None
    payload: Any = None
    flat: Any = msgspec.field(default=None, name="__source_ts_ms")
    es: Any = None
    ts: Any = None


_decode = msgspec.json.Decoder(_Told).decode


class SourceClock:
    """Tells when the records of one captured table were written at their source."""

    def __init__(self, mapping: TableMapping) -> None:
        self._limits, self._format = Limits(MAX_BYTES, MAX_DEPTH), mapping.format
        self._meta = Meta(mapping) if mapping.dialect.startswith("ogg-") else None
        own: dict[Dialect, Callable[[bytes], int | None]] = {
            "canal-json": lambda value: _epoch_ms(_decode(value).es),
            "maxwell-json": _by_maxwell,
            "ogg-json": self._by_meta,
            "ogg-json-row": self._by_meta,
            "ogg-delimited": self._by_head,
        }
        self._own = own.get(mapping.dialect)

    def time_of(self, value: bytes) -> int | None:
        """Give a record's own time, epoch ms; None where it tells none, or cannot be read. Never raises."""
        try:
            if value.startswith(b"{"):
                self._limits.check_json(value)
                found = _by_envelope(value)
                if found is not None:
                    return found
            return self._own(value) if self._own is not None else None
        except (BadInput, *PARSER_ERRORS):
            return None

    def _by_meta(self, value: bytes) -> int | None:
        first = next(iter(decode_objects(value)), None)
        return self._meta.time_of(self._meta.of(first)) if self._meta is not None and first is not None else None

    def _by_head(self, value: bytes) -> int | None:
        parts = value.decode().split("\n", 1)[0].split(self._format.delimiter)
        head = dict(zip(self._format.head, parts, strict=False))
        return self._meta.time_of(self._meta.of(head)) if self._meta is not None else None


def _by_envelope(value: bytes) -> int | None:
    """Give the time of a change event in Debezium's form, with or without its schema, or of a flattened row."""
    try:
        told = _decode(value)
    except msgspec.DecodeError:  # several documents: GoldenGate's
        return None
    if isinstance(told.payload, dict):
        told = msgspec.convert(told.payload, _Told)
    if isinstance(told.source, dict):
        for name in ("src_ts", "ts_ms"):
            if (found := _epoch_ms(told.source.get(name))) is not None:
                return found
    return _epoch_ms(told.flat)


def _by_maxwell(value: bytes) -> int | None:
    seconds = _epoch_ms(_decode(value).ts)
    return None if seconds is None else seconds * _SECOND_MS


def _epoch_ms(value: object) -> int | None:
    """Give a positive count; Debezium writes 0 where its database tells no time."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    return number if type(number) is int and number > 0 else None
