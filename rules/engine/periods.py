"""Periods as rows name them: a month as text, or a date."""

from __future__ import annotations

import re
from datetime import date

from rules.workdays import WorkCalendar
from schemas import Value

MONTHS = 12
MONTH = re.compile(r"(\d{4})(-?)(\d{2})")


def month_number(period: object) -> int | None:
    """Give a month as a count of months from what begins with `202603` or `2026-03`; None for anything else."""
    found = MONTH.match(str(period))
    if found is None or not 1 <= int(found[3]) <= MONTHS:
        return None
    return int(found[1]) * MONTHS + int(found[3]) - 1


def year_before(period: Value, calendar: WorkCalendar) -> Value:
    """Give the same period a year earlier: of `202603`, `2026-03` or a date (the end of its local day); else None."""
    month = MONTH.fullmatch(period) if isinstance(period, str) else None
    if month is not None:
        return f"{int(month[1]) - 1:04d}{month[2]}{month[3]}"
    if isinstance(period, int) and not isinstance(period, bool):
        day = date.fromisoformat(calendar.local_date(period - 1))
        last = 28 if (day.month, day.day) == (2, 29) else day.day
        return calendar.end_of_day(calendar.start_of_day(date(day.year - 1, day.month, last))) - 1  # as dates are kept
    return None
