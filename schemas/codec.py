"""Our own records to bytes and back: what the `stagewatch.*` topics hold.

Called by `streams`, `sinks` and `replay`. Internal records are MessagePack arrays (the order of a struct's
attributes is the format); what others read is JSON. Every `decode_*` raises only `BadInput`, because anyone can
write into a topic; every `encode_*` followed by its `decode_*` gives an equal object.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import NoReturn, TypeVar, cast

import msgspec
from msgspec.msgpack import Ext

from schemas.alert import AlertEvent, AlertEventKind, AlertObject, Evidence, Severity
from schemas.change import Change, Mark, Op, Value
from schemas.deadletter import DeadLetter
from schemas.errors import BadInput
from schemas.inbound import InboundRecord
from schemas.indicator import ClockMark, IndicatorDelta, IndicatorValue
from schemas.loop import Command, CommandKind, LoopRecord, TaskView
from schemas.mapping import TableMapping
from schemas.notice import Instruction, Notice

MARK_KEY = b"\x00mark"
"""Kafka key of a `Mark` in `stagewatch.changes`; no instance key begins with a zero byte."""

CLOCK_KEY = b"\x00clock"
"""Kafka key of a `ClockMark` in `stagewatch.deltas`."""

WireValue = str | int | bool | Ext | None
"""A `Value` inside MessagePack; for every struct that holds fields and is decoded by msgspec (which cannot tell
a decimal from text by itself)."""

_DECIMAL = 1  # MessagePack extension type: a decimal as ASCII digits, so that 1.50 stays 1.50
_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: all of it is UTC, and naive is faster
_MIN_MS, _MAX_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999, all that ISO 8601 can write
_T = TypeVar("_T")

_MIDNIGHT_MS = 16 * 3_600_000
"""When a day begins in Asia/Shanghai, of the day in UTC."""
_pack = msgspec.msgpack.Encoder().encode
_to_json = msgspec.json.Encoder(decimal_format="number").encode


def iso(ms: int) -> str:
    """Give epoch milliseconds as `2026-03-09T16:00:00.000Z`; beyond the years 1 to 9999, the nearest of these."""
    moment = _EPOCH + timedelta(milliseconds=min(max(ms, _MIN_MS), _MAX_MS))
    return moment.isoformat(timespec="milliseconds") + "Z"


def as_told(ms: int) -> int:
    """Give a time as others read it: a date, kept as the last millisecond of its local day, is told as its 24:00."""
    return ms + 1 if (ms + 1) % _DAY_MS == _MIDNIGHT_MS else ms


def epoch_ms(text: str) -> int:
    """Give ISO 8601 with a zone (`Z` or an offset) as epoch milliseconds, rounded down.

    Raises `ValueError` for anything else, also for a time without a zone.
    """
    moment = datetime.fromisoformat(text)
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError(f"no time zone: {text!r}")
    span = moment.replace(tzinfo=None) - _EPOCH - offset
    return span.days * _DAY_MS + span.seconds * 1000 + span.microseconds // 1000


class _WireChange(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A Change on the wire: decimals as extensions, for MessagePack has no decimals of its own."""

    entity: str
    instance: str
    row: str
    op: Op
    position: int
    at: int
    topic: str
    partition: int
    offset: int
    fields: dict[str, WireValue]
    left: str = ""
    part: int = 0
    order: int = 0


def _guarded(decode: Callable[[bytes], _T]) -> Callable[[bytes], _T]:
    """Wrap a msgspec decoder so that it raises only `BadInput`."""

    def guarded(data: bytes) -> _T:
        try:
            return decode(data)
        except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
            _refuse(error)

    return guarded


def _refuse(error: Exception) -> NoReturn:
    if isinstance(error, UnicodeDecodeError):
        raise BadInput("not-utf8", str(error)) from None
    raise BadInput("wrong-type", str(error)) from None


_decode_wire_change = _guarded(msgspec.msgpack.Decoder(_WireChange).decode)


def to_wire(fields: dict[str, Value]) -> dict[str, WireValue]:
    """Give fields as MessagePack can hold them: decimals as extensions. The same dict if there are none."""
    if Decimal not in map(type, fields.values()):
        return fields  # type: ignore[return-value]  # no decimals in it (hot path: no cast)
    return {
        name: Ext(_DECIMAL, str(value).encode()) if isinstance(value, Decimal) else value
        for name, value in fields.items()
    }


def from_wire(fields: dict[str, WireValue]) -> dict[str, Value]:
    """Undo `to_wire`. Raises `BadInput` for an extension that is no decimal."""
    if Ext not in map(type, fields.values()):
        return cast("dict[str, Value]", fields)
    return {name: _decimal(value) if isinstance(value, Ext) else value for name, value in fields.items()}


def _decimal(ext: Ext) -> Decimal:
    try:
        if ext.code == _DECIMAL:
            return Decimal(bytes(ext.data).decode("ascii"))
    except (ValueError, InvalidOperation):
        pass
    raise BadInput("wrong-type", f"extension {ext.code} is not a decimal")


def encode_change(change: Change) -> bytes:
    """Give the value of a change's record in `stagewatch.changes`."""
    wire = to_wire(change.fields)
    if wire is change.fields:
        return _pack(change)
    return _pack(msgspec.structs.replace(change, fields=cast("dict[str, Value]", wire)))


def change_encoder(mapping: TableMapping) -> Callable[[Change], bytes]:
    """Give `encode_change` for the changes of one table; faster where it has no decimals."""
    has_decimals = any(column.type == "decimal" for column in mapping.columns.values())
    return encode_change if has_decimals else _pack


def decode_change(data: bytes) -> Change:
    """Give the change that `encode_change` wrote."""
    wire = _decode_wire_change(data)
    return Change(
        wire.entity, wire.instance, wire.row, wire.op, wire.position, wire.at, wire.topic, wire.partition,
        wire.offset, from_wire(wire.fields), wire.left, wire.part, wire.order,
    )  # fmt: skip


def encode_mark(mark: Mark) -> bytes:
    """Give the value of a mark's record in `stagewatch.changes`; its key is `MARK_KEY`."""
    return _pack(mark)


decode_mark: Callable[[bytes], Mark] = _guarded(msgspec.msgpack.Decoder(Mark).decode)


class _WireAlert(msgspec.Struct, kw_only=True, gc=False):
    """An alert event as contract section 5 writes it, fields in the order of its table."""

    version: int = 1
    alert_id: str
    event: AlertEventKind
    rule: str
    rule_version: int
    severity: Severity
    process: str
    instance: str
    stage: str | None
    visit: int | None
    raised_at: str
    due_at: str | None
    org_no: str | None
    dept: str | None
    person: str | None
    object: AlertObject | None
    text: str
    evidence: tuple[Evidence, ...]
    provisional: bool | msgspec.UnsetType = msgspec.UNSET


def encode_alert(alert: AlertEvent) -> bytes:
    """Give the JSON of contract section 5: `version` first, times as ISO 8601 UTC with milliseconds."""
    return _to_json(
        _WireAlert(
            alert_id=alert.alert_id, event=alert.event, rule=alert.rule, rule_version=alert.rule_version,
            severity=alert.severity, process=alert.process, instance=alert.instance, stage=alert.stage,
            visit=alert.visit, raised_at=iso(alert.raised_at),
            due_at=None if alert.due_at is None else iso(alert.due_at),
            org_no=alert.org_no, dept=alert.dept, person=alert.person, object=alert.object, text=alert.text,
            evidence=alert.evidence, provisional=alert.provisional or msgspec.UNSET,
        )
    )  # fmt: skip


def _decode_alert(data: bytes) -> AlertEvent:
    wire = _decode_wire_alert(data)
    return AlertEvent(
        alert_id=wire.alert_id, event=wire.event, rule=wire.rule, rule_version=wire.rule_version,
        severity=wire.severity, process=wire.process, instance=wire.instance, stage=wire.stage, visit=wire.visit,
        raised_at=epoch_ms(wire.raised_at), due_at=None if wire.due_at is None else epoch_ms(wire.due_at),
        org_no=wire.org_no, dept=wire.dept, person=wire.person, object=wire.object, text=wire.text,
        evidence=wire.evidence, provisional=wire.provisional is True,
    )  # fmt: skip


_decode_wire_alert = msgspec.json.Decoder(_WireAlert).decode
decode_alert: Callable[[bytes], AlertEvent] = _guarded(_decode_alert)


def encode_notice(notice: Notice) -> bytes:
    """Give the value of a notice's record in `stagewatch.notices`: JSON, times as epoch ms (it never leaves us)."""
    return _to_json(notice)


decode_notice: Callable[[bytes], Notice] = _guarded(msgspec.json.Decoder(Notice).decode)


def encode_instruction(instruction: Instruction) -> bytes:
    """Give the JSON of an instruction's record in `stagewatch.notices`; its key is the recipient's number."""
    return _to_json(instruction)


decode_instruction: Callable[[bytes], Instruction] = _guarded(msgspec.json.Decoder(Instruction).decode)


class _WireCommand(msgspec.Struct, omit_defaults=True):
    kind: CommandKind
    key: str
    by: str
    at: str | None = None
    text: str = ""
    version: int | None = None
    to: str = ""
    dept: str = ""
    energy_kwh: Decimal = Decimal(0)
    money: Decimal = Decimal(0)
    errors: int = 0
    points: Decimal = Decimal(0)


_COMMAND_FIELDS = tuple(name for name in _WireCommand.__struct_fields__ if name != "at")
_MOST_OF_A_COMMAND = Decimal(10**12)
"""Of energy, money or points in one command: a city uses less in a year; more is a slip."""


def encode_command(command: Command) -> bytes:
    """Give the JSON of one record in `stagewatch.commands`."""
    fields = {name: getattr(command, name) for name in _COMMAND_FIELDS}
    return _to_json(_WireCommand(at=iso(command.at), **fields))


def decode_command(data: bytes, arrived_at: int) -> Command:
    """Read a record of `stagewatch.commands`; one that claims a later time than its arrival counts from then.

    Raises BadInput.
    """
    if not data:
        raise BadInput("empty", "a command has no value")
    wire = _decode_wire_command(data)
    at = arrived_at if wire.at is None else min(_command_time(wire.at.encode()), arrived_at)
    fields = {name: getattr(wire, name) for name in _COMMAND_FIELDS}
    return Command(at=at, **fields)


def _checked_command(data: bytes) -> _WireCommand:
    wire = _read_wire_command(data)
    for amount in (wire.energy_kwh, wire.money, wire.points, Decimal(wire.errors)):
        if not (amount.is_finite() and 0 <= amount <= _MOST_OF_A_COMMAND):
            raise ValueError(f"{amount} is no amount from 0 to {_MOST_OF_A_COMMAND}")
    return wire


def _read_wire_command(data: bytes) -> _WireCommand:
    """People write these by hand: what is no JSON at all is told apart from JSON that says the wrong thing."""
    data.decode()
    try:
        return _parse_wire_command(data)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput("not-json", str(error)) from None


_parse_wire_command = msgspec.json.Decoder(_WireCommand).decode
_decode_wire_command: Callable[[bytes], _WireCommand] = _guarded(_checked_command)
_command_time: Callable[[bytes], int] = _guarded(lambda data: epoch_ms(data.decode()))


def encode_loop(record: LoopRecord) -> bytes:
    """Give the value of a record in `stagewatch.loop`."""
    return _pack(record)


decode_loop: Callable[[bytes], LoopRecord] = _guarded(msgspec.msgpack.Decoder(LoopRecord).decode)


def encode_task(view: TaskView) -> bytes:
    """Give the JSON of one record in `stagewatch.tasks`; times as epoch ms."""
    return _to_json(view)


decode_task: Callable[[bytes], TaskView] = _guarded(msgspec.json.Decoder(TaskView).decode)


def encode_inbound(record: InboundRecord) -> bytes:
    """Give the JSON of one record in `stagewatch.inbound`; times as epoch ms (it never leaves us)."""
    return _to_json(record)


decode_inbound: Callable[[bytes], InboundRecord] = _guarded(msgspec.json.Decoder(InboundRecord).decode)


def encode_delta(delta: IndicatorDelta) -> bytes:
    """Give the value of a difference's record in `stagewatch.deltas`."""
    return _pack(delta)


def _decode_delta(data: bytes) -> IndicatorDelta:
    delta = _decode_wire_delta(data)
    for number in (delta.numerator, delta.denominator):
        if not isinstance(number, int) and not number.is_finite():
            raise ValueError(f"{number} is no amount")
    return delta


_decode_wire_delta = msgspec.msgpack.Decoder(IndicatorDelta).decode
decode_delta: Callable[[bytes], IndicatorDelta] = _guarded(_decode_delta)


def encode_clock(mark: ClockMark) -> bytes:
    """Give the value of a clock's record in `stagewatch.deltas`; its key is `CLOCK_KEY`."""
    return _pack(mark)


decode_clock: Callable[[bytes], ClockMark] = _guarded(msgspec.msgpack.Decoder(ClockMark).decode)


def encode_indicator(value: IndicatorValue) -> bytes:
    """Give the JSON of one value in `stagewatch.indicators`."""
    return _to_json(value)


decode_indicator: Callable[[bytes], IndicatorValue] = _guarded(msgspec.json.Decoder(IndicatorValue).decode)


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """Give the JSON of one record in `stagewatch.deadletters`."""
    return _to_json(letter)


decode_dead_letter: Callable[[bytes], DeadLetter] = _guarded(msgspec.json.Decoder(DeadLetter).decode)
