"""Which dates a threshold looks at, and when: the periods of its frequency, on the local calendar.

Pure arithmetic on dates. A value of a day belongs to a day, a week (Monday to Sunday), a month or a quarter; it is
judged at the first execution after the end of it. Used by `rules.threshold_judge`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from rules.threshold_models import Execution, Frequency
from rules.workdays import WorkCalendar

DAY = timedelta(days=1)
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
_LONGEST = 62
"""Days after the end of a period within which each frequency runs: of a quarter, day 31 of its first month."""


class Period(NamedTuple):
    """A span of dates; both included."""

    label: str
    """As it stands in the name of a value: `2026-03-02`, `2026-W10`, `2026-03`, `2026-Q1`."""
    first: date
    last: date

    def dates(self) -> Iterator[str]:
        """Give its dates as values carry them."""
        for number in range((self.last - self.first).days + 1):
            yield (self.first + number * DAY).isoformat()


@lru_cache(maxsize=4096)
def period_of(frequency: Frequency, day: str) -> Period:
    """Give the period that a date belongs to; what is judged at once or by the hour looks at the day so far."""
    given = date.fromisoformat(day)
    match frequency:
        case "weekly":
            monday = given - given.weekday() * DAY
            year, week, _ = given.isocalendar()
            return Period(f"{year}-W{week:02d}", monday, monday + 6 * DAY)
        case "monthly":
            first = given.replace(day=1)
            return Period(f"{given:%Y-%m}", first, _month_after(first) - DAY)
        case "quarterly":
            first = given.replace(month=(given.month - 1) // 3 * 3 + 1, day=1)
            last = _month_after(_month_after(_month_after(first))) - DAY
            return Period(f"{given.year}-Q{(given.month - 1) // 3 + 1}", first, last)
        case _:
            return Period(day, given, given)


def before(frequency: Frequency, period: Period) -> Period:
    """Give the period before."""
    return period_of(frequency, (period.first - DAY).isoformat())


def after(frequency: Frequency, period: Period) -> Period:
    """Give the period after."""
    return period_of(frequency, (period.last + DAY).isoformat())


def years_on(frequency: Frequency, period: Period, years: int) -> Period:
    """Give the same period of another year: a week by its number, 29 February is the 28th elsewhere."""
    if frequency == "weekly":
        year, week, _ = period.first.isocalendar()
        last_week = date(year + years, 12, 28).isocalendar().week
        return period_of(frequency, date.fromisocalendar(year + years, min(week, last_week), 1).isoformat())
    first = period.first
    is_leap_day = (first.month, first.day) == (2, 29)
    return period_of(
        frequency, first.replace(year=first.year + years, day=28 if is_leap_day else first.day).isoformat()
    )


def _month_after(first: date) -> date:
    return (first + 31 * DAY).replace(day=1)


class Timetable:
    """When an execution runs, on one calendar's clock."""

    def __init__(self, execution: Execution, calendar: WorkCalendar) -> None:
        self.execution = execution
        self._calendar = calendar
        hour, minute = (int(part) for part in execution.at.split(":"))
        self._since_midnight = (hour * 60 + minute) * MINUTE_MS
        self._since_hour = minute * MINUTE_MS

    def next_after(self, ms: int) -> int | None:
        """Give the first time after `ms` at which it runs; None: at once, whenever a value changes."""
        match self.execution.frequency:
            case "realtime":
                return None
            case "hourly":
                return (ms - self._since_hour) // HOUR_MS * HOUR_MS + HOUR_MS + self._since_hour
            case _:
                day = date.fromisoformat(self._calendar.local_date(ms))
                while not (self.execution.runs_on(day) and self._on(day) > ms):
                    day += DAY
                return self._on(day)

    def period_at(self, ms: int) -> Period:
        """Give the period that is judged when it runs at `ms`: the last that is over; by the hour, the day so far."""
        today = date.fromisoformat(self._calendar.local_date(ms))
        frequency = self.execution.frequency
        if frequency in {"hourly", "realtime"}:
            return period_of(frequency, today.isoformat())
        return before(frequency, period_of(frequency, today.isoformat()))

    def judged_at(self, period: Period) -> int | None:
        """Give when a period is judged; None: from its first moment on."""
        if self.execution.frequency in {"hourly", "realtime"}:
            return None
        days = (period.last + number * DAY for number in range(1, _LONGEST))
        return self._on(next(day for day in days if self.execution.runs_on(day)))

    def _on(self, day: date) -> int:
        return self._calendar.start_of_day(day) + self._since_midnight
