"""Quiet hours: when people are not told of what can wait, and until when it waits. Pure.

What comes in quiet hours waits for the next working morning (domain.md 4.4); whom and what they do not hold is said
beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Self

from pydantic import Field, model_validator

from rules.loop.office_hours import OfficeHours
from rules.rule_base import Model
from rules.workdays import WorkCalendar
from schemas import Channel, Severity

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class QuietHours(Model):
    """From an evening to the next working morning, local time."""

    starts: str = Field(default="22:00", pattern=_CLOCK, description="in the evening")
    ends: str = Field(default="08:00", pattern=_CLOCK, description="in the morning, on a workday")
    rest_days: bool = Field(default=True, description="days that are no workdays are quiet from morning to evening")
    always: list[Severity] = Field(default=["CRITICAL"], description="severities that are told at any hour")
    duty: list[str] = Field(default=[], description="numbers of people on duty, who are told at any hour")
    channels: list[Channel] = Field(default=["sms", "mail"], description="what is held")

    @model_validator(mode="after")
    def _over_night(self) -> Self:
        if self.ends >= self.starts:
            msg = f"quiet hours go over midnight: `ends` ({self.ends}) must be before `starts` ({self.starts})"
            raise ValueError(msg)
        return self


@dataclass(frozen=True, slots=True)
class Mornings:
    """Quiet hours by a calendar, which may be exchanged while they are asked. Times are epoch ms."""

    quiet: QuietHours
    calendar: Callable[[], WorkCalendar]

    def open_at(self, at: int) -> int:
        """Give the moment from which people may be told: `at` itself outside quiet hours."""
        calendar = self.calendar()
        day = date.fromisoformat(calendar.local_date(at))
        if not self.quiet.rest_days and not calendar.is_workday(day):
            midnight = calendar.start_of_day(day)
            if midnight + _ms(self.quiet.ends) <= at < midnight + _ms(self.quiet.starts):
                return at
        return self._morning(at)

    def tomorrow(self, at: int) -> int:
        """Give the next working morning after the day of `at`."""
        return self._morning(self.calendar().end_of_day(at))

    def day(self, at: int) -> str:
        """Give the local date."""
        return self.calendar().local_date(at)

    def _morning(self, at: int) -> int:
        hours = OfficeHours(opens=self.quiet.ends, closes=self.quiet.starts)
        return hours.deadline(self.calendar(), at, 0)


def _ms(clock: str) -> int:
    hours, minutes = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000
