"""Calendar files: what a company adds to the State Council's calendar, as YAML `version: calendar/v1`.

Read by whoever loads the definitions, used by `rules.workdays`. Only text comes in here: which
folders and files there are is the loader's business.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from rules.durations import Duration, DurationField
from schemas import Places, load_model

FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)
"""Days that a calendar can hold one by one; outside, weeks are all alike (`rules.workdays`)."""

LONGEST_RANGE = timedelta(days=366)
"""More than a year of holidays in one entry is a slip of the year's digits, not a holiday."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; not a name; a folder of the zone database
        raise ValueError(f"unknown time zone '{name}'; write an IANA name such as Asia/Shanghai") from error
    return name


Zone = Annotated[str, AfterValidator(_zone)]
"""An IANA time zone that this machine knows, in a pydantic model."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DayRange(_Model):
    """One day, or all days from one to another, both included."""

    first: date = Field(alias="from", description="First day (local date).")
    last: date | None = Field(None, alias="to", description="Last day, included. Left out: one day only.")
    name: str = Field(description="Why the day differs, e.g. 公司周年庆.", min_length=1)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not FIRST <= self.first <= LAST:
            raise ValueError(f"`from` ({self.first}) must lie between {FIRST} and {LAST}")
        if self.last is not None and not self.first <= self.last <= self.first + LONGEST_RANGE:
            raise ValueError(f"`to` ({self.last}) must lie between `from` ({self.first}) and a year after it")
        return self

    def days(self) -> Iterator[date]:
        """Give every day of the range in order."""
        last = self.last or self.first
        return (date.fromordinal(n) for n in range(self.first.toordinal(), last.toordinal() + 1))


class SpanText(_Model):
    """A suspended span of a test: from (included) to (excluded)."""

    start: AwareDatetime = Field(alias="from", description="Suspended from this moment on.")
    end: AwareDatetime = Field(alias="to", description="Goes on at this moment.")


class CalendarTest(_Model):
    """One example that the calendar must reproduce; run by `stagewatch rules test`."""

    name: str = Field(description="The fact that the example shows.")
    entered: AwareDatetime = Field(description="When the stage was entered, with zone.")
    limit: DurationField = Field(description="The limit in workdays, e.g. `5wd`.")
    suspended: tuple[SpanText, ...] = Field((), description="Suspended spans.")
    due: AwareDatetime = Field(description="The deadline that must come out, with zone.")

    @field_validator("limit")
    @classmethod
    def _check_unit(cls, limit: Duration) -> Duration:
        if limit.unit != "wd":
            raise ValueError(f"the limit of a calendar's test is in workdays, e.g. `5wd`, not `{limit}`")
        return limit


class Overlay(_Model):
    """A calendar of its own: a base, and the days on which the company differs from it."""

    version: Literal["calendar/v1"] = Field("calendar/v1", description="Format of the file.")
    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name that processes refer to.")
    title: str = Field(description="Name for people, in Chinese.")
    timezone: Zone = Field("Asia/Shanghai", description="IANA zone in which a day begins and ends.")
    base: Literal["state_council", "every_day"] = Field(
        "state_council",
        description="`state_council`: workdays as published, with make-up days (调休). `every_day`: 24x7 duty, "
        "each day is a workday and nothing is ever provisional.",
    )
    holidays: tuple[DayRange, ...] = Field((), description="Days off on top of the base.")
    workdays: tuple[DayRange, ...] = Field((), description="Days worked although the base says off.")
    published_years: frozenset[Annotated[int, Field(ge=FIRST.year, le=LAST.year)]] = Field(
        frozenset(),
        description="Years that this file gives in full (all holidays and make-up days of the State Council's notice): "
        "no longer provisional, before the package that carries the notices has been updated.",
    )
    tests: tuple[CalendarTest, ...] = Field((), description="Examples, run by `stagewatch rules test`.")

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        both = self.days_off() & self.days_on()
        if both:
            raise ValueError(f"both a holiday and a workday: {', '.join(str(day) for day in sorted(both))}")
        return self

    def days_off(self) -> frozenset[date]:
        """Give the extra holidays."""
        return frozenset(day for entry in self.holidays for day in entry.days())

    def days_on(self) -> frozenset[date]:
        """Give the extra workdays."""
        return frozenset(day for entry in self.workdays for day in entry.days())


def parse_overlay(text: str | bytes, file: str) -> tuple[Overlay, Places]:
    """Give the calendar that a file's text declares, and where each part of it stands.

    Raises DefinitionError with every fault at its line and column; `file` only names the place.
    """
    return load_model(Overlay, text, file)
