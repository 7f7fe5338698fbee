"""The shape of source files (`version: source/v1`): which captured table and column feeds which field.

Pydantic with `extra="forbid"`: these are our own files, and a misspelt name must be a fault, not a silence.
Read by `connectors.sources` only.
"""

from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas import ColumnType, Dialect, MessageKey, TimestampUnit


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone '{name}'") from None
    return name


def _field_of_type(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


TimeZone = Annotated[str, AfterValidator(_zone)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$#]*$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnModel(_Model):
    """One column; a plain type name stands for `{type: name}`."""

    type: ColumnType
    field: Name | None = Field(default=None, description="canonical field; by default the column's name")


class TableModel(_Model):
    """One captured table."""

    title: str = Field(default="", description="what it is, in the business's words")
    entity: Name = Field(description="what a row is about: application, visit, tg_manager, ...")
    key: list[Name] = Field(min_length=1, description="primary key columns, in order")
    instance: Name | None = Field(default=None, description="column that carries the process instance key")
    is_reference: bool | None = Field(
        default=None, description="read by every worker; by default true where there is no instance column"
    )
    topic: str | None = Field(default=None, description="Kafka topic, if not the source's pattern")
    message_key: MessageKey = Field(
        default="row",
        description="what the topic's messages are keyed by: row, or the instance as json "
        '({"app_no": "…"}, Debezium\'s message.key.columns) or as bare text; then nothing need be re-keyed',
    )
    timestamp_unit: TimestampUnit | None = Field(default=None, description="unit of numeric times, if not the source's")
    constants: dict[Name, str | int | bool] = Field(default={}, description="fields that every row has")
    columns: dict[Name, Annotated[ColumnModel, BeforeValidator(_field_of_type)]] = Field(
        min_length=1, description="column to type, or to {field, type}; columns not named are ignored"
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        lowered = [name.lower() for name in self.columns]
        fields = [(column.field or name.lower()) for name, column in self.columns.items()] + list(self.constants)
        for names, what in ((lowered, "column"), (fields, "field")):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} '{twice[0]}' is declared twice")
        if self.instance is None and self.is_reference is False:
            raise ValueError("a table without an instance column can only be reference data")
        if self.instance is None and self.message_key != "row":
            raise ValueError("message_key: a table without an instance column is keyed by its row")
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
    key: dict[str, Any] | None = Field(default=None, description="the record's key")
    record: dict[str, Any] | None = Field(default=None, description="the record's value: op, after, before, source")
    expect: ExpectModel


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
    tables: dict[Name, TableModel] = Field(min_length=1)
    tests: list[TestModel] = Field(default=[], description="sample records, run by `stagewatch rules test`")

    @model_validator(mode="after")
    def _topic_is_a_pattern(self) -> Self:
        try:
            self.topic.format(source="s", table="t")
        except (KeyError, IndexError, ValueError):
            raise ValueError("topic: only {source} and {table} may stand in braces") from None
        return self


class DialectModel(_Model):
    """What the `dialects` setting says about the topics of one pattern (contract, section 8)."""

    dialect: Dialect | None = None
    op_ts_timezone: TimeZone | None = None
    column_timezone: TimeZone | None = None
    timestamp_unit: TimestampUnit | None = None
