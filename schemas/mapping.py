"""Which captured table and column feeds which entity and field: the compiled form that decoders use.

`connectors` makes these from `connectors/sources/*.yaml`; a `schemas.Decoder` is made from each.
"""

from typing import Literal

import msgspec

from schemas.change import Value

ColumnType = Literal["text", "int", "decimal", "bool", "timestamp", "date"]
"""`timestamp` and `date` become epoch milliseconds; a date is the end of that local day."""

TimestampUnit = Literal["s", "ms", "us", "ns"]

MessageKey = Literal["row", "json", "text"]
"""What the messages of a topic are keyed by: the source's row, or the process instance, written as a JSON object of
its column (what Debezium's `message.key.columns` makes) or as its bare text."""

Dialect = Literal[
    "debezium-json", "debezium-avro", "ogg-json", "ogg-json-row", "ogg-delimited", "canal-json", "maxwell-json"
]
"""Contract, section 8. Decoded so far: `debezium-json`; `schemas.decode.SUPPORTED_DIALECTS` says which."""


TIME_TYPES: frozenset[ColumnType] = frozenset({"timestamp", "date"})
VISIT_TYPES: dict[str, frozenset[ColumnType]] = {
    **dict.fromkeys(("stage", "result", "dept", "handler"), frozenset[ColumnType]({"text"})),
    **dict.fromkeys(("entered_at", "finished_at", "suspend_from", "suspend_to"), TIME_TYPES),
    "visit": frozenset({"int"}),
}
"""Fields of the entity `visit` that state holds by name, and the column types that may feed them."""


class Column(msgspec.Struct, frozen=True):
    """One captured column that rules may read."""

    name: str
    """The canonical field name."""
    type: ColumnType


class TableMapping(msgspec.Struct, frozen=True, kw_only=True):
    """One captured table. Table and column names of the source are lower case here, matched without case."""

    source: str
    table: str
    topic: str
    """`cdc.mkt.mkt_app`."""
    entity: str
    """What a row is about: `application`, `visit`, `tg_manager`, ..."""
    key: tuple[str, ...]
    """Primary key: source column names, in order."""
    instance: str | None = None
    """Source column that carries the process instance key; None: pure reference data."""
    is_reference: bool = False
    """Every worker reads it, besides or instead of the partition that owns the instance."""
    message_key: MessageKey = "row"
    """Topics keyed by the instance are joined as they stand, without re-keying."""
    key_form: bytes = b"%b"
    """The message key of an instance, with `%b` for its number (`{"app_no":"%b"}`); where `message_key` is not row."""
    columns: dict[str, Column] = {}
    """Source column name (lower case) to what becomes of it. Columns that are not here are ignored."""
    constants: dict[str, Value] = {}
    """Fields that every row of the table has (the kind of list item that a table stands for)."""
    dialect: Dialect = "debezium-json"
    timestamp_unit: TimestampUnit = "us"
    """Unit of numeric timestamps where the record has no embedded schema to say it.
    Microseconds, because that is what Debezium makes of `timestamp(6)`, PostgreSQL's default."""
    column_timezone: str = "Asia/Shanghai"
    """IANA zone of columns that carry none."""
    op_ts_timezone: str = "UTC"
    """Zone of the record's own time stamp in dialects that write it without one (OGG)."""
