"""Working hours: what people answer in, and when what waited overnight may leave. Pure."""

from datetime import date, timedelta

from pydantic import Field, model_validator

from rules.durations import Duration
from rules.rule_base import Model
from rules.workdays import WorkCalendar

_MINUTE_MS = 60_000
_MOST_DAYS = 800
"""Two years without a workday is a calendar gone wrong; then the deadline is what was reached."""


class OfficeHours(Model):
    """From when to when people work on a workday, local time."""

    opens: str = Field(default="08:30", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    closes: str = Field(default="17:30", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")

    @model_validator(mode="after")
    def _opens_first(self) -> "OfficeHours":
        if self.opens >= self.closes:
            msg = f"`opens` ({self.opens}) must be before `closes` ({self.closes})"
            raise ValueError(msg)
        return self

    def deadline(self, calendar: WorkCalendar, start_ms: int, length_ms: int) -> int:
        """Give when so much working time has passed since `start_ms`; 0: the next moment at which people work."""
        day = date.fromisoformat(calendar.local_date(start_ms))
        moment, left = start_ms, length_ms
        for _ in range(_MOST_DAYS):
            midnight = calendar.start_of_day(day)
            begin, end = max(start_ms, midnight + _ms(self.opens)), midnight + _ms(self.closes)
            if calendar.is_workday(day) and begin < end:
                moment = begin + left
                if moment <= end:
                    return moment
                left -= end - begin
            day += timedelta(days=1)
        return moment


def _ms(clock: str) -> int:
    hours, minutes = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * _MINUTE_MS


def due_after(calendar: WorkCalendar, start_ms: int, span: Duration) -> int:
    """Give the end of a span: workdays to the end of the last; hours and minutes by the clock."""
    if span.unit == "wd":
        return calendar.workday_deadline(start_ms, span.amount)
    return start_ms + span.clock_ms
