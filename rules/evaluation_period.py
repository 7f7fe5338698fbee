"""A period of evaluation: a week, month, quarter or year of local dates."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from typing import NamedTuple, Self

_FORM = re.compile(r"(?P<year>\d{4})(-W(?P<week>\d{2})|-Q(?P<quarter>[1-4])|-(?P<month>\d{2}))?")
_MONTHS_OF_A_QUARTER = 3


class Period(NamedTuple):
    """A name and its dates, both inclusive; dates are compared as text, as indicators carry them."""

    name: str
    begin: str
    end: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2026`, `2026-Q1`, `2026-03` or `2026-W10` (ISO week, Monday first). Raises ValueError."""
        found = _FORM.fullmatch(text)
        msg = f"{text!r} is no period; write 2026-W10, 2026-03, 2026-Q1 or 2026"
        if found is None:
            raise ValueError(msg)
        try:
            begin, end = _dates(int(found["year"]), found["week"], found["quarter"], found["month"])
        except ValueError:  # a thirteenth month, a week that the year does not have
            raise ValueError(msg) from None
        return cls(text, begin.isoformat(), end.isoformat())

    def covers(self, day: str) -> bool:
        """Tell whether a local date (`YYYY-MM-DD`) lies in it; the empty date of a stock does not."""
        return self.begin <= day <= self.end


def _dates(year: int, week: str | None, quarter: str | None, month: str | None) -> tuple[date, date]:
    if week:
        monday = date.fromisocalendar(year, int(week), 1)
        return monday, monday + timedelta(days=6)
    first = int(month) if month else _MONTHS_OF_A_QUARTER * (int(quarter) - 1) + 1 if quarter else 1
    last = int(month) if month else first + _MONTHS_OF_A_QUARTER - 1 if quarter else 12
    return date(year, first, 1), date(year, last, monthrange(year, last)[1])
