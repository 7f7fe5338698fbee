"""Lengths of working time: how one is measured, and how many are summed up."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from rules.durations import Span, merge_spans
from rules.workdays import DAY_MS, WorkCalendar

HOUR_MS = 3_600_000


class WorkTime:
    """How much of a span lies on workdays of a calendar; a workday has 24 hours, for the calendar knows no others."""

    def __init__(self, calendar: WorkCalendar) -> None:
        self.calendar = calendar

    def between(self, start: int, end: int, spans: Iterable[Span] = ()) -> int:
        """Give the ms from `start` to `end` on workdays outside of all `spans`; 0 if `end` is before `start`."""
        sharp = self.calendar.by_clock
        start, end, spans = sharp(start), sharp(end), [(sharp(begin), sharp(to)) for begin, to in spans]
        if end <= start:
            return 0
        suspended = ((max(begin, start), min(to, end)) for begin, to in merge_spans(spans))
        return self._worked(start, end) - sum(self._worked(begin, to) for begin, to in suspended if begin < to)

    def _worked(self, start: int, end: int) -> int:
        return self.calendar.workdays_between(start, end) * DAY_MS + self._rest_of_day(start) - self._rest_of_day(end)

    def _rest_of_day(self, ms: int) -> int:
        is_workday = self.calendar.is_workday(date.fromisoformat(self.calendar.local_date(ms)))
        return self.calendar.end_of_day(ms) - ms if is_workday else 0


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number of lengths are spread, in the unit that its owner's field names; all 0 without any."""

    count: int
    median: float
    p90: float
    p95: float
    total: float


class Lengths:
    """Lengths of one kind, eight bytes each: exact percentiles need them all."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values = array("q")

    def __len__(self) -> int:
        return len(self._values)

    def add(self, value: int) -> None:
        """Take in one length."""
        self._values.append(value)

    @property
    def total(self) -> int:
        """The sum."""
        return sum(self._values)

    def spread(self, unit: int = 1) -> Spread:
        """Sum them up in units of so much, to two decimals."""
        ordered = sorted(self._values)
        median, p90, p95 = (round(percentile(ordered, percent) / unit, 2) for percent in (50, 90, 95))
        return Spread(len(ordered), median, p90, p95, round(sum(ordered) / unit, 2))


def percentile(ordered: Sequence[int], percent: int) -> float:
    """Give the value below which so many percent lie, between neighbours in proportion (Hyndman and Fan's type 7).

    The way of numpy and of spreadsheets. 0 without values.
    """
    if not ordered:
        return 0.0
    whole, part = divmod((len(ordered) - 1) * percent, 100)
    value = ordered[whole]
    return value + (ordered[whole + 1] - value) * part / 100 if part else float(value)
