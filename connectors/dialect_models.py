"""What can be said about how a source's records are written: in its file, for one table, and in `dialects`.

Each says only what differs; the table's word wins over the source's, the setting's over both.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas import Dialect, TimestampUnit
from schemas.log_resets import MOST_RESETS
from schemas.mapping import DecimalForm, Format, Growth, OperationKind


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone '{name}'") from None
    return name


TimeZone = Annotated[str, AfterValidator(_zone)]


class FormatModel(BaseModel):
    """What the source's own set-up changes about its dialect; left out: the producer's default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decimal: DecimalForm | None = Field(
        default=None,
        description="plain: numbers or digits. base64: Connect's bytes (decimal.handling.mode=precise without schema); "
        "each decimal column then needs its `scale`",
    )
    unavailable: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Debezium's placeholder of a large value that the change did not touch"
    )
    lob_columns: list[str] | None = Field(
        default=None, description="columns whose null says nothing (Oracle with lob.enabled=false)"
    )
    meta: dict[str, str] | None = Field(
        default=None, description="GoldenGate: our name of a meta column (op_type, op_ts, pos, csn) to its own"
    )
    operations: dict[str, OperationKind] | None = Field(
        default=None, description="GoldenGate: further words of op_type: insert, update, delete or truncate"
    )
    trail_epoch: Annotated[int, Field(ge=0, le=31)] | None = Field(
        default=None, description="GoldenGate without CSN: one more each time the trail is made anew"
    )
    log_resets: Annotated[list[AwareDatetime], Field(max_length=MOST_RESETS)] | None = Field(
        default=None,
        description="moments, with their zone, from which on the records came of a log that began anew: after a "
        "fail-over to another server, a restore, Oracle's resetlogs. In order; a later one lifts what follows over all "
        "that was before",
    )
    partitions: Growth | None = Field(
        default=None,
        description="multiplied: the topic grows only to a multiple of its partitions (4, 8, 24), and who writes it "
        "takes a hash of the key modulo their number, as Kafka, Canal and Maxwell do. Then changes of a source that "
        "tells no place in its log need no right clock when rows go on in other partitions",
    )
    delimiter: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="delimited text: between fields; GoldenGate's default is the character 1"
    )
    null_marker: str | None = Field(default=None, description="delimited text: what stands for null")
    missing_marker: str | None = Field(
        default=None, description="delimited text: what stands for a column not captured"
    )
    head: list[str] | None = Field(default=None, description="delimited text: the meta columns in front, in order")
    columns: list[str] | None = Field(
        default=None, min_length=1, description="delimited text: every column of the table, in order"
    )

    @field_validator("log_resets")
    @classmethod
    def _ascends(cls, moments: list[datetime] | None) -> list[datetime] | None:
        if moments is not None and any(later <= earlier for earlier, later in pairwise(moments)):
            raise ValueError("each moment must be later than the one before")
        return moments


class DialectModel(BaseModel):
    """What the `dialects` setting says about the topics of one pattern (contract, section 8)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dialect: Dialect | None = Field(default=None, description="How the records are written.")
    op_ts_timezone: TimeZone | None = Field(
        default=None, description="Zone of the record's own time stamp, where it has none."
    )
    column_timezone: TimeZone | None = Field(default=None, description="Zone of columns that carry none.")
    timestamp_unit: TimestampUnit | None = Field(
        default=None, description="Unit of numeric timestamps without a schema."
    )
    format: FormatModel | None = Field(default=None, description="What else differs from the producer's defaults.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("says nothing; give at least `dialect`")
        return self


def format_of(said: Iterable[FormatModel | None], base: Format | None = None) -> Format:
    """Give the form that all of them describe together; a later word wins."""
    form = base if base is not None else Format()
    for model in said:
        for name, value in model.model_dump(exclude_none=True).items() if model is not None else ():
            form = msgspec.structs.replace(form, **{name: _frozen(name, value)})
    return form


def _frozen(name: str, value: object) -> object:
    if not isinstance(value, list):
        return value
    if name == "head":
        return tuple(value)
    if name == "log_resets":
        return tuple(int(moment.timestamp() * 1000) for moment in value)
    lowered = [str(each).lower() for each in value]
    return frozenset(lowered) if name == "lob_columns" else tuple(lowered)
