"""The shape of source files (`version: source/v1`): which captured table and column feeds which field.

And of the standard code lists beside them (`version: codes/v1`).
Pydantic with `extra="forbid"`: these are our own files, and a misspelt name must be a fault, not a silence.
Read by `connectors.sources` only.
"""

import re
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from connectors.dialect_models import FormatModel, TimeZone
from schemas import ColumnType, Dialect, MessageKey, TimestampUnit


def _field_of_type(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


def _column_of(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def _list_of(value: object) -> object:
    return {"list": value} if isinstance(value, str) else value


def _span(text: str) -> str:
    if re.fullmatch(r"[1-9][0-9]{0,5}[smhd]", text) is None:
        raise ValueError(f"'{text}' is no span of time; write 90s, 15m, 16h or 4d")
    return text


def _lateness(text: str) -> str:
    return text if text == "off" else _span(text)


Span = Annotated[str, AfterValidator(_span)]
"""`90s`, `15m`, `16h`, `4d`: by the clock."""
Lateness = Annotated[str, AfterValidator(_lateness)]
"""A span, or `off`: any lateness is allowed."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$#]*$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CodesOf(_Model):
    """Which code list a column is written in; a plain name stands for `{list: name}`."""

    list: Name = Field(description="name of the code list")
    by: Name | None = Field(
        default=None,
        description="time column of the row that says which meaning of a code holds; none: the present one",
    )


class FieldsBy(_Model):
    """As which further field a value is told, by what another column of the row says."""

    column: Name = Field(description="column that says it")
    fields: dict[str, Name] = Field(min_length=1, description="its value to the field; the other fields are null then")


class ColumnModel(_Model):
    """One column; a plain type name stands for `{type: name}`."""

    type: ColumnType
    field: Name | None = Field(default=None, description="canonical field; by default the column's name")
    scale: Annotated[int, Field(ge=-400, le=400)] | None = Field(
        default=None, description="decimal places, where decimals are written as bytes (`format: {decimal: base64}`)"
    )
    title: str = Field(default="", description="the item's name in the business, if the column has one")
    codes: Annotated[CodesOf, BeforeValidator(_list_of)] | None = Field(
        default=None, description="code list that its values are converted by, to the standard codes"
    )
    also: FieldsBy | None = Field(
        default=None, description="further field under which its value is told: a number whose kind another column says"
    )
    is_kept: bool = Field(
        default=True, description="false: accepted and checked by imports, not kept by workers (long texts, persons)"
    )

    @model_validator(mode="after")
    def _codes_are_text(self) -> Self:
        if self.codes is not None and self.type != "text":
            raise ValueError(f"codes: a column of codes is text, not {self.type}")
        return self


class InstanceModel(_Model):
    """The column that carries the process instance key; a plain name stands for `{column: name}`."""

    column: Name
    optional: bool = Field(default=False, description="a row where it is null belongs to no instance; else refused")


def _columns_of(value: object) -> object:
    return dict.fromkeys(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value


def _values_of(value: object) -> object:
    return value if isinstance(value, list) else [value]


InstanceForm = Annotated[
    str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_$#]*|[a-z][a-z_]*(:\{[A-Za-z_][A-Za-z0-9_$#]*\})+)$")
]
"""A column, or a word and columns: `billing:{cons_no}`, `cashier:{office_no}:{cashier_no}`."""
Values = Annotated[list[str | int | bool | None], BeforeValidator(_values_of), Field(min_length=1)]
"""What a column may be: one value or a list; null too."""


class ViewModel(_Model):
    """A further view of a table's rows: each row is told again, as a row of another instance."""

    entity: Name = Field(description="what the row is there: settlement, visit, ...")
    instance: InstanceForm = Field(
        description="a column, or a word and columns: `billing:{cons_no}`. A row where one is null is not told"
    )
    of: Annotated[list[Name], BeforeValidator(_values_of)] = Field(
        default=[],
        description="entity, or entities, whose rows are these instances; by default this view's own. The view is told "
        "only where a loaded process follows one of them",
    )
    when: dict[Name, Values] = Field(
        default={},
        description="column to the value, or the values, that it may have. A row that no longer fits leaves, where the "
        "source tells the row before",
    )
    row: list[Name] = Field(
        default=[],
        description="columns that tell one row from another, if not the table's key: rows of a log about one thing",
    )
    columns: Annotated[dict[Name, Name | None], BeforeValidator(_columns_of)] = Field(
        default={}, description="columns to keep, as a list or with the field that each feeds here; none: all kept ones"
    )
    constants: dict[Name, str | int | bool | None] = Field(default={}, description="fields that every row has here")
    beside: list[Name] = Field(
        default=[],
        description="tables (of any source): the view is told only where one of them is captured, too. For processes "
        "that live on other tables than this one",
    )
    is_lasting: bool = Field(
        default=False,
        description="true: a row that is deleted, or leaves, takes nothing with it: what is told is of many rows, or "
        "of a log",
    )

    @property
    def instance_columns(self) -> tuple[str, ...]:
        """The columns that make the instance's key."""
        return tuple(re.findall(r"\{([^}]*)\}", self.instance)) or (self.instance,)

    @property
    def prefix(self) -> str:
        """What stands before them."""
        return self.instance.partition("{")[0] if "{" in self.instance else ""


class TableModel(_Model):
    """One captured table."""

    title: str = Field(default="", description="what it is, in the business's words")
    group: str = Field(default="", description="the data group of the source system that it is part of")
    seed: list[str] = Field(default=[], description="the data items of the source system that it holds")
    entity: Name = Field(description="what a row is about: application, visit, tg_manager, ...")
    key: list[Name] = Field(min_length=1, description="primary key columns, in order")
    instance: Annotated[InstanceModel, BeforeValidator(_column_of)] | None = Field(
        default=None, description="column that carries the process instance key"
    )
    is_tracked: bool = Field(
        default=True, description="false: its rows belong to an instance, whose state does not hold them"
    )
    is_reference: bool | None = Field(
        default=None,
        description="held by every worker, for look-ups; by default true where there is no instance column. Neither "
        "this nor an instance: read, checked and counted, and held by nobody",
    )
    topic: str | None = Field(default=None, description="Kafka topic, if not the source's pattern")
    message_key: MessageKey = Field(
        default="row",
        description="what the topic's messages are keyed by: row, or the instance as json "
        '({"app_no": "…"}, Debezium\'s message.key.columns) or as bare text; then nothing need be re-keyed',
    )
    timestamp_unit: TimestampUnit | None = Field(default=None, description="unit of numeric times, if not the source's")
    format: FormatModel | None = Field(default=None, description="what differs for this table")
    quiet_after: Span | None = Field(default=None, description="longest normal silence, if not the source's")
    late_after: Lateness | None = Field(default=None, description="allowed lateness, if not the source's")
    constants: dict[Name, str | int | bool] = Field(default={}, description="fields that every row has")
    columns: dict[Name, Annotated[ColumnModel, BeforeValidator(_field_of_type)]] = Field(
        min_length=1, description="column to type, or to {field, type, ...}; columns not named are ignored"
    )
    joins: dict[Name, Name] = Field(default={}, description="column to the table whose key it holds, of any source")
    also: list[ViewModel] = Field(default=[], description="further views of every row, for other instances")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        lowered = [name.lower() for name in self.columns]
        fields = [(column.field or name.lower()) for name, column in self.columns.items()] + list(self.constants)
        for names, what in ((lowered, "column"), (fields, "field")):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} '{twice[0]}' is declared twice")
        if self.instance is None and self.message_key != "row":
            raise ValueError("message_key: a table without an instance column is keyed by its row")
        if self.instance is None and not self.is_tracked:
            raise ValueError("is_tracked: only a table with an instance column can be tracked")
        return self


class ExpectModel(_Model):
    """What decoding must give. Times are ISO 8601; fields not named are not compared."""

    instance: str | None = None
    row: str | None = None
    op: Literal["c", "u", "d", "r"] | None = None
    fields: dict[str, str | int | float | bool | None] = Field(default={}, description="field to value")
    missing: list[str] = Field(default=[], description="fields that must not be there (missing, not null)")
    refused: str | None = Field(default=None, description="the reason of the dead letter instead of a change")
    silent: bool = Field(default=False, description="the record says nothing (a tombstone)")


class TestModel(_Model):
    """One sample record and what must become of it."""

    __test__ = False  # not a test class of pytest's

    name: str
    table: Name
    view: Name | None = Field(default=None, description="entity of the further view that is expected, see `also`")
    key: dict[str, Any] | None = Field(default=None, description="the record's key")
    record: dict[str, Any] | None = Field(default=None, description="the record's value: op, after, before, source")
    expect: ExpectModel


class CodeModel(_Model):
    """One code as a source writes it, and the standard code that it means."""

    code: str
    to: str
    valid_from: date | None = Field(default=None, description="first day of this meaning")
    valid_to: date | None = Field(default=None, description="last day of this meaning")


class CodeListModel(_Model):
    """One standard code list."""

    title: str = ""
    codes: dict[str, str] = Field(min_length=1, description="standard code to its name")


class CodeListsModel(_Model):
    """The standard code lists (`version: codes/v1`)."""

    version: Literal["codes/v1"]
    lists: dict[Name, CodeListModel] = Field(min_length=1)


class SourceModel(_Model):
    """One source system and its captured tables."""

    version: Literal["source/v1"]
    source: Name = Field(description="prefix of the source system: mkt, lean, ...")
    title: str = Field(default="", description="the system's name")
    topic: str = Field(
        default="cdc.{source}.{table}", description="topic pattern; {source} and {table} are filled in, lower case"
    )
    dialect: Dialect = Field(default="debezium-json", description="how records are written")
    timestamp_unit: TimestampUnit = Field(
        default="us", description="unit of numeric times where no embedded schema says it"
    )
    column_timezone: TimeZone = Field(default="Asia/Shanghai", description="zone of columns that carry none")
    op_ts_timezone: TimeZone = Field(default="UTC", description="zone of the records' own time stamps (OGG)")
    format: FormatModel | None = Field(default=None, description="what differs from the dialect's defaults")
    quiet_after: Span | None = Field(
        default=None,
        description="longest normal silence of the source; a longer one is a finding (R-D01). None: no limit",
    )
    late_after: Lateness = Field(
        default="1d",
        description="how long after its own time a record may arrive; a later one is a finding (R-D06), unless a "
        "snapshot or a load of history brings it. off: no limit. A day: a nightly load is never late by it",
    )
    tables: dict[Name, TableModel] = Field(min_length=1)
    codes: dict[Name, list[CodeModel]] = Field(
        default={}, description="code list to how this source writes it; a list not here is written in standard codes"
    )
    tests: list[TestModel] = Field(default=[], description="sample records, run by `stagewatch rules test`")

    @model_validator(mode="after")
    def _topic_is_a_pattern(self) -> Self:
        try:
            self.topic.format(source="s", table="t")
        except (KeyError, IndexError, ValueError):
            raise ValueError("topic: only {source} and {table} may stand in braces") from None
        return self
