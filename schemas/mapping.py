"""Which captured table and column feeds which entity and field: the compiled form that decoders use.

`connectors` makes these from `connectors/sources/*.yaml`; a `schemas.Decoder` is made from each.
"""

from typing import Literal

import msgspec

from schemas.change import Value
from schemas.codes import CodeList

ColumnType = Literal["text", "int", "decimal", "bool", "timestamp", "date"]
"""`timestamp` and `date` become epoch milliseconds; a date is the end of that local day."""

TimestampUnit = Literal["s", "ms", "us", "ns"]

MessageKey = Literal["row", "json", "text"]
"""What the messages of a topic are keyed by: the source's row, or the process instance, written as a JSON object of
its column (what Debezium's `message.key.columns` makes) or as its bare text."""

Dialect = Literal[
    "debezium-json", "debezium-avro", "ogg-json", "ogg-json-row", "ogg-delimited", "canal-json", "maxwell-json"
]
"""How the records of a topic are written: contract, section 8."""

TEXT_DIALECTS: frozenset[Dialect] = frozenset(
    {"ogg-json", "ogg-json-row", "ogg-delimited", "canal-json", "maxwell-json"}
)
"""Dialects that write times as text of the source's own manner, and often numbers as text."""

DecimalForm = Literal["plain", "base64"]
"""How numbers with a fraction stand in JSON without a schema: as numbers or their digits, or as Connect's bytes
(Debezium's `decimal.handling.mode=precise`), whose places only the column's `scale` tells."""

Growth = Literal["any", "multiplied"]
OperationKind = Literal["insert", "update", "delete", "truncate"]

DELIMITED_HEAD = ("op_type", "table", "op_ts", "current_ts", "pos")
"""What stands before the columns of GoldenGate's delimited text, by default."""


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
    scale: int = 0
    """Decimal places of bytes; read only where `Format.decimal` is `base64`."""
    codes: CodeList | None = None
    """The list by which its values become standard codes."""
    codes_by: str = ""
    """Time column (lower case) that says which meaning of a code holds; "": the present one."""
    is_kept: bool = True
    """False: declared for imports, and not decoded."""
    also_by: str = ""
    """Column (lower case) whose value says as which further field the value is told; "": as none."""
    also: dict[str, str] = {}
    """Values of that column to the further field; of these, the fields that it does not name are null."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's set-up changes about the way its dialect is written. The defaults are the producers' own."""

    decimal: DecimalForm = "plain"
    unavailable: str = "__debezium_unavailable_value"
    """Text that stands for a large value which the change did not touch: the column is missing, not null."""
    lob_columns: frozenset[str] = frozenset()
    """Columns (lower case) whose null says nothing: Oracle with `lob.enabled=false` writes null for every LOB."""
    meta: dict[str, str] = {}
    """GoldenGate's meta columns: our name (`op_type`, `op_ts`, `pos`, ...) to the name in its template."""
    operations: dict[str, OperationKind] = {}
    """GoldenGate: further words in `op_type`, and what they mean."""
    trail_epoch: int = 0
    """GoldenGate without CSN: raise by one when the trail is made anew, for its positions then begin anew."""
    log_resets: tuple[int, ...] = ()
    """Arrivals (epoch ms, ascending) from which on the source's log began anew, whatever the dialect."""
    partitions: Growth = "any"
    """How the number of its topic's partitions grows: that orders the changes of a source that tells no places."""
    delimiter: str = "\x01"
    null_marker: str = "NULL"
    missing_marker: str = ""
    head: tuple[str, ...] = DELIMITED_HEAD
    """Delimited text: the meta columns before the row, in order."""
    columns: tuple[str, ...] = ()
    """Delimited text: all columns of the row, in order, lower case; one that is not read has a place too."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How a view of a table's rows finds its instance. Column names are the source's, lower case, and declared."""

    instance: tuple[str, ...]
    """The columns that make the instance's key; a row where one of them is null belongs to none."""
    prefix: str = ""
    """What stands before them in the key, with its colon (`billing:`); the columns are joined by colons."""
    row: tuple[str, ...] = ()
    """The columns that make the row's key; (): the table's own key."""
    when: dict[str, frozenset[Value]] = {}
    """Column to the values it may have; a row that has another belongs to no instance."""
    is_lasting: bool = False
    """A row that is deleted, or leaves, takes nothing with it: what is told is of many rows, or of a log."""
    beside: frozenset[str] = frozenset()
    """Tables, one of which must be captured, too, for the view to be told; none: it always is."""
    of: tuple[str, ...]
    """Entities whose rows are these instances: the view is told only where some process follows one of them."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column that says where a row belongs."""
        return frozenset((*self.instance, *self.row, *self.when))


class TableMapping(msgspec.Struct, frozen=True, kw_only=True):
    """One captured table. Table and column names of the source are lower case here, matched without case.

    Or one further view of its rows: a mapping with `view`, which shares all that says how records are read.
    """

    source: str
    table: str
    topic: str
    """`cdc.mkt.mkt_app`."""
    entity: str
    """What a row is about: `application`, `visit`, `tg_manager`, ..."""
    key: tuple[str, ...]
    """Primary key: source column names, in order."""
    instance: str | None = None
    """Source column that carries the process instance key; None: its rows belong to no instance that is tracked."""
    is_instance_optional: bool = False
    """A row whose instance is null belongs to none; else it is refused."""
    is_reference: bool = False
    """Every worker reads it, besides or instead of the partition that owns the instance. Neither this nor an
    instance: its rows are decoded and counted, and held by nobody."""
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
    format: Format = Format()
    view: View | None = None
    """Set where this is a further view of a table; `instance` is then the first of the view's columns."""
    also: tuple["TableMapping", ...] = ()
    """Further views of every row, each a change of its own: read by `decoder_of`, not by `Decoder`."""

    @property
    def instance_kind(self) -> str:
        """Name the kind of its instances: what stands before the key, and the field that feeds it. "": of none."""
        if self.instance is None:
            return ""
        prefix = self.view.prefix if self.view is not None else ""
        column = self.columns.get(self.instance)
        return prefix + (column.name if column is not None else self.instance)

    @property
    def is_keyed(self) -> bool:
        """Some of what its records tell belongs to instances."""
        return self.instance is not None or bool(self.also)
