"""Debezium's envelope as JSON: its parts, the embedded schema, and the position of a change in its source.

Sources: Debezium documentation, "Data change events" of each connector; `Envelope.java`,
`*SourceInfoStructMaker.java`; the temporal and decimal types are those of "Data type mappings".
Only `schemas.decode` calls this. It is lenient about parts it does not need: they are other people's.
"""

import base64
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from schemas.change import Op, Value
from schemas.ingested import BY_LOG, CLOSED, ingested_position

UNAVAILABLE = "__debezium_unavailable_value"
"""Stands for a large value that the change did not touch (TOAST, LOB): the column is missing, not null."""

_VARIABLE_SCALE = "io.debezium.data.VariableScaleDecimal"
_DECIMAL = "org.apache.kafka.connect.data.Decimal"
MOST_POSITION = (1 << 63) - 1
MOST_ORDER = (1 << 63) - 3
"""Below what a row from outside closes a position with (`schemas.ingested`)."""
_ROW_BITS, _POS_BITS = 10, 33  # MySQL: rows of one event; binlog files are 1 GB, 8 GB leaves room
_SERIAL_BITS = 3  # SQL Server: events of one log record; an update has two
_BLOCK_BITS, _SLOT_BITS = 27, 12  # SQL Server: blocks of 512 bytes, 64 GB of one log file; 60 KB of records in a block
_SQL_SERVER = [8, 8, 4]
_HEX = re.compile("[0-9A-Fa-f]{1,16}(?::[0-9A-Fa-f]{1,16}){0,7}", re.ASCII)


class Source(msgspec.Struct, gc=False):
    """The parts of `source` that order changes. Types vary between connectors and versions, hence `Any`."""

    lsn: Any = None
    snapshot: Any = None
    scn: Any = None
    commit_scn: Any = None
    txSeq: Any = None  # noqa: N815 - Debezium's name
    file: Any = None
    pos: Any = None
    row: Any = None
    commit_lsn: Any = None
    change_lsn: Any = None
    event_serial_no: Any = None
    src_ts: Any = None
    """Only of rows that no capture wrote (`schemas.ingested`), as the next."""
    by_arrival: Any = None


class Envelope(msgspec.Struct, gc=False):
    """One change event; `schema` and `payload` are set instead if the converter embeds the schema.

    The row images stay raw until it is known which of them is needed.
    """

    op: Any = msgspec.UNSET
    after: dict[str, Any] | None = None
    before: msgspec.Raw = msgspec.Raw()
    source: Source | None = None
    schema: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def position_of(source: Source | None, op: Op) -> tuple[int | None, int]:
    """Give where in its source a change stands, as a number that grows with time for the same row, and its order.

    PostgreSQL's LSN; MySQL's file, position and row; of Oracle, SQL Server and Db2 that of the commit, for their logs
    hold a change long before it counts. The order is that within one commit: 0 where the source does not tell it.
    If the source says nothing: None, and its arrival counts.
    `BY_LOG` for a row of an incremental snapshot, which is as new as its place in the topic and carries no place in
    the log (PostgreSQL), or the connector's own; and for a row of any snapshot of PostgreSQL: what a transaction wrote
    before the snapshot's LSN and committed after it is not in the snapshot, and comes behind it with its lower LSN. The
    order of such a row is that LSN: what is above it in the log is newer wherever it stands.
    Far below zero for a row that no capture wrote, by the time that it says; `BY_LOG` if it says none.
    """
    if source is None:
        return None, 0
    if op == "r" and source.snapshot == "incremental":
        return BY_LOG, 0
    if op == "r" and (lsn := _number(source.lsn)) is not None and lsn <= MOST_POSITION:
        return BY_LOG, lsn
    number, order = _number(source.lsn) if source.lsn is not None else None, 0
    if number is None and (source.commit_scn is not None or source.scn is not None):
        number, order = _oracle(source)
    if number is None and source.file is not None:
        number = mysql_position(source.file, source.pos, source.row)
    if number is None and (source.change_lsn is not None or source.commit_lsn is not None):
        number, order = _hex_lsns(source)
    if number is not None and number <= MOST_POSITION:
        return number, order
    return _from_outside(source) or (None, 0)


def _from_outside(source: Source) -> tuple[int, int] | None:
    """Give position and order of a row that no capture wrote; None of any other."""
    if source.by_arrival is True:
        return BY_LOG, CLOSED
    return (ingested_position(source.src_ts), 0) if type(source.src_ts) is int else None


def _oracle(source: Source) -> tuple[int | None, int]:
    """Give the SCN of the commit, and the place in the transaction (Debezium tells it since 3.3; before, the log's)."""
    scn = _number(source.commit_scn)
    if scn is None:
        return _number(source.scn), 0
    return scn, min(_number(source.txSeq) or 0, MOST_ORDER)


def mysql_position(file: object, pos: object, row: object = None) -> int | None:
    """Give a place in MySQL's binary log as one number; None if it is none."""
    if not isinstance(file, str) or (position := _number(pos)) is None:
        return None
    serial = re.search(r"\.([0-9]{1,9})$", file)
    if serial is None:
        return None
    index = min(_number(row) or 0, (1 << _ROW_BITS) - 1)
    return (int(serial[1]) << _POS_BITS | min(position, (1 << _POS_BITS) - 1)) << _ROW_BITS | index


def _hex_lsns(source: Source) -> tuple[int | None, int]:
    """Give the commit's LSN, and within it the change's and the event's number there.

    The commit's first: what was written before a snapshot's LSN and committed after it is not in the snapshot.
    """
    commit, change = _hex_lsn(source.commit_lsn), _hex_lsn(source.change_lsn)
    if commit is None:
        return change, 0
    order = (change or 0) << _SERIAL_BITS | min(_number(source.event_serial_no) or 0, (1 << _SERIAL_BITS) - 1)
    return commit, order if order <= MOST_ORDER else 0


def _hex_lsn(value: object) -> int | None:
    """Give an LSN of SQL Server (`00000027:00000ac0:0002`: log file, block, slot) or of Db2 (hex) as one number."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        return None
    parts = value.split(":")
    if [len(part) for part in parts] != _SQL_SERVER:
        return int(value.replace(":", ""), 16)
    file, block, slot = (int(part, 16) for part in parts)
    return (
        file << _BLOCK_BITS + _SLOT_BITS
        | min(block, (1 << _BLOCK_BITS) - 1) << _SLOT_BITS
        | min(slot, (1 << _SLOT_BITS) - 1)
    )


def _number(value: object) -> int | None:
    """Give a count that is not negative, written as a number or as text; None for anything else."""
    if type(value) is int:
        return value if value >= 0 else None
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():  # noqa: PLR2004 - 64 bits
        return int(value)
    return None


class FieldType(msgspec.Struct, frozen=True):
    """What an embedded schema says about one column."""

    name: str | None
    """The semantic type, `io.debezium.time.Timestamp` and so on."""
    scale: int | None


class _Field(msgspec.Struct, gc=False):
    field: str | None = None
    name: str | None = None
    parameters: dict[str, Any] | None = None
    fields: "list[_Field] | None" = None


_decode_schema = msgspec.json.Decoder(_Field).decode


def column_types(schema: bytes, *, is_key: bool) -> dict[str, FieldType]:
    """Give what an embedded schema says about each column, by the column's name in lower case.

    `schema` is the JSON of the part beside `payload`; a key's schema is the row itself, a value's has it
    under `after` (or `before`). Raises `msgspec.DecodeError` if it is no schema.
    """
    top = _decode_schema(schema)
    rows = [top] if is_key else [part for part in top.fields or () if part.field in ("before", "after")]
    return {
        part.field.lower(): FieldType(part.name, scale_of(part.parameters))
        for row in rows
        for part in row.fields or ()
        if part.field is not None
    }


def scale_of(parameters: dict[str, Any] | None) -> int | None:
    """Give the decimal places that a schema's parameters tell."""
    text = str((parameters or {}).get("scale", ""))
    return int(text) if re.fullmatch(r"-?[0-9]{1,3}", text, re.ASCII) else None


def unwrapped(kind: FieldType, convert: Callable[[object], Value]) -> Callable[[object], Value]:
    """Put the decoding of Connect's binary decimals before a column's own conversion, if it is one.

    The converter raises `ValueError` for bytes that are no decimal.
    """
    if kind.name == _DECIMAL and kind.scale is not None:
        return from_bytes(kind.scale, convert)
    if kind.name == _VARIABLE_SCALE:
        return lambda value: convert(variable_decimal(value) if isinstance(value, dict) else value)
    return convert


def from_bytes(scale: int, convert: Callable[[object], Value]) -> Callable[[object], Value]:
    """Put the decoding of a binary decimal (base64 in JSON) with `scale` places before a conversion."""
    return lambda value: convert(_unscaled(value, scale) if isinstance(value, str | bytes) else value)


def _unscaled(text: str | bytes, scale: int) -> Decimal:
    """Give a big-endian two's complement number (text: base64 of it), with `scale` decimal places."""
    data = base64.b64decode(text, validate=True) if isinstance(text, str) else text
    if not 0 < len(data) <= 160:  # noqa: PLR2004 - 10**385; Oracle and PostgreSQL columns hold less
        raise ValueError("not the bytes of a decimal")
    number = int.from_bytes(data, "big", signed=True)
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale))


def variable_decimal(value: dict[str, Any]) -> Decimal:
    """Give a decimal that carries its scale. Raises `ValueError` for any other object."""
    text, scale = value.get("value"), value.get("scale")
    if not isinstance(text, str | bytes) or type(scale) is not int or not -400 <= scale <= 400:  # noqa: PLR2004
        raise ValueError("not a decimal with its scale")
    return _unscaled(text, scale)
