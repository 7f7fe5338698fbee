"""The nouns that every room speaks, and the only code that turns bytes into them and back.

The door of the room: other rooms import from here and not from the modules behind it.
"""

from schemas.alert import SEVERITIES, AlertEvent, AlertEventKind, AlertObject, Evidence, Severity, alert_id
from schemas.change import Change, Mark, Op, Value
from schemas.codec import (
    MARK_KEY,
    WireValue,
    decode_alert,
    decode_change,
    decode_dead_letter,
    decode_delta,
    decode_indicator,
    decode_mark,
    decode_notice,
    encode_alert,
    encode_change,
    encode_dead_letter,
    encode_delta,
    encode_indicator,
    encode_mark,
    encode_notice,
    epoch_ms,
    from_wire,
    iso,
    to_wire,
)
from schemas.columns import MAX_MS, MIN_MS, LocalZone, is_extreme_year
from schemas.deadletter import DeadLetter
from schemas.decode import MAX_BYTES, MAX_DEPTH, REASONS, SUPPORTED_DIALECTS, Decoder, Headers, Refused
from schemas.errors import BadInput, Broken, DefinitionError, Fault, StagewatchError, TryLater
from schemas.indicator import IndicatorDelta, IndicatorValue
from schemas.mapping import VISIT_TYPES, Column, ColumnType, Dialect, MessageKey, TableMapping, TimestampUnit
from schemas.notice import Channel, Notice, Recipient, message_text
from schemas.record import Raw
from schemas.recorded import Recorded, parse_recorded
from schemas.yaml_places import Places, YamlPath, load_model, load_yaml, pydantic_faults

__all__ = [
    "MARK_KEY",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_MS",
    "MIN_MS",
    "REASONS",
    "SEVERITIES",
    "SUPPORTED_DIALECTS",
    "VISIT_TYPES",
    "AlertEvent",
    "AlertEventKind",
    "AlertObject",
    "BadInput",
    "Broken",
    "Change",
    "Channel",
    "Column",
    "ColumnType",
    "DeadLetter",
    "Decoder",
    "DefinitionError",
    "Dialect",
    "Evidence",
    "Fault",
    "Headers",
    "IndicatorDelta",
    "IndicatorValue",
    "LocalZone",
    "Mark",
    "MessageKey",
    "Notice",
    "Op",
    "Places",
    "Raw",
    "Recipient",
    "Recorded",
    "Refused",
    "Severity",
    "StagewatchError",
    "TableMapping",
    "TimestampUnit",
    "TryLater",
    "Value",
    "WireValue",
    "YamlPath",
    "alert_id",
    "decode_alert",
    "decode_change",
    "decode_dead_letter",
    "decode_delta",
    "decode_indicator",
    "decode_mark",
    "decode_notice",
    "encode_alert",
    "encode_change",
    "encode_dead_letter",
    "encode_delta",
    "encode_indicator",
    "encode_mark",
    "encode_notice",
    "epoch_ms",
    "from_wire",
    "is_extreme_year",
    "iso",
    "load_model",
    "load_yaml",
    "message_text",
    "parse_recorded",
    "pydantic_faults",
    "to_wire",
]
