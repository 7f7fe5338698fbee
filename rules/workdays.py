"""Workdays: which days count, and when a limit in workdays ends (contract, section 7).

Asked for every deadline of every instance, so all is worked out when a calendar is built: the first
moment of each local day, how many workdays there were up to it, and the day of the n-th workday. Every
question is then a look-up, for any moment whatever: outside the table (2000 to 2099) days are 24 hours
and weeks are all alike, so sentinel dates of 1900 and 9999 get an answer like any other.

Times are epoch milliseconds UTC. Reads no clock and no environment.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Self
from zoneinfo import ZoneInfo

from chinese_calendar import constants as state_council

from rules.calendar_overlay import Overlay
from rules.durations import Span, merge_spans

DAY_MS = 86_400_000
FIRST_YEAR, LAST_YEAR = 2000, 2099
"""Years of the table: before the first published calendar (2004), beyond any deadline that is meant."""

FIRST_DAY = date(FIRST_YEAR, 1, 1).toordinal()
SIZE = date(LAST_YEAR + 1, 1, 1).toordinal() - FIRST_DAY
MONDAY_SHIFT = date(FIRST_YEAR, 1, 1).weekday()
"""Day 0 of the table is this many days after a Monday."""

MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class YearDays:
    """What a notice says about one year: days off (also those at weekends) and make-up days."""

    holidays: frozenset[date]
    workdays: frozenset[date]


class _Week:
    """The weekly rhythm where no notice says otherwise, as arithmetic without bounds. Days count from day 0."""

    def __init__(self, weekdays: Sequence[int]) -> None:
        self.weekdays = tuple(weekdays)
        self._upto = tuple(sum(1 for day in weekdays if day <= last) for last in range(7))

    def count(self, day: int) -> int:
        """Count the workdays up to and with `day`, from an arbitrary zero; differences are what it is for."""
        weeks, weekday = divmod(day + MONDAY_SHIFT, 7)
        return weeks * len(self.weekdays) + self._upto[weekday]

    def table(self) -> list[bool]:
        """Say of each day of the table whether it is a workday."""
        first = [(MONDAY_SHIFT + day) % 7 in self.weekdays for day in range(7)]
        return (first * (SIZE // 7 + 1))[:SIZE]

    def nth(self, count: int) -> int:
        """Give the workday with that count: the inverse of `count`."""
        weeks, nth = divmod(count - 1, len(self.weekdays))
        return weeks * 7 + self.weekdays[nth] - MONDAY_SHIFT


class WorkCalendar:
    """Workdays and local days of one calendar. Immutable; share one among all partitions.

    Inside, a day is its distance from 2000-01-01; `_ranks[day]` counts the workdays up to and with it.
    """

    __slots__ = ("_days_of", "_first_ms", "_is_even", "_last_ms", "_midnights", "_published", "_ranks", "_week", "zone")

    def __init__(self, zone: str, week: _Week, published: frozenset[int] | None, is_workday: Sequence[bool]) -> None:
        """Take the workdays of the whole table; `published` None means that no year is ever provisional."""
        self.zone = zone
        self._midnights, self._is_even = _midnights(zone)
        self._first_ms, self._last_ms = self._midnights[0], self._midnights[-1]
        self._week = week
        self._published = published
        self._days_of = [day for day in range(SIZE) if is_workday[day]]
        self._ranks = _running_count(is_workday)

    @classmethod
    def build(cls, timezone: str, years: Mapping[int, YearDays], overlay: Overlay | None = None) -> Self:
        """Make a calendar of published years; all others are Monday to Friday and provisional.

        The overlay's own days win over the years'; its base `every_day` ignores the years.
        """
        is_daily = overlay is not None and overlay.base == "every_day"
        week = _Week(EVERY_DAY if is_daily else MONDAY_TO_FRIDAY)
        table = week.table()
        if not is_daily:
            for year in years.values():
                _set_days(table, year.holidays, is_workday=False)
                _set_days(table, year.workdays, is_workday=True)
        published = frozenset(years)
        if overlay is not None:
            _set_days(table, overlay.days_off(), is_workday=False)
            _set_days(table, overlay.days_on(), is_workday=True)
            published |= overlay.published_years
        return cls(timezone, week, None if is_daily else published, table)

    # -- deadlines -------------------------------------------------------------------------------------------

    def workday_deadline(self, start_ms: int, n: int, spans: Sequence[Span] = ()) -> int:
        """Give the end (24:00 local) of the n-th workday after the local date of `start_ms`.

        The day of entry is not counted; nor is a workday at least partly inside a suspended span.
        n <= 0: the end of the day of entry, whatever day that is. Spans may overlap and come in any order.
        """
        day = self._day(start_ms)
        if n <= 0:
            return self._midnight(day + 1)
        rank = self._rank(day) + n
        if spans:
            rank = self._push(rank, day + 1, spans)
        return self._midnight(self._nth(rank) + 1)

    def workdays_between(self, a_ms: int, b_ms: int, spans: Sequence[Span] = ()) -> int:
        """Count the workdays d with date(a) < d <= date(b) that no suspended span touches; 0 if b is before a."""
        first, last = self._day(a_ms) + 1, self._day(b_ms)
        if last < first:
            return 0
        count = self._rank(last) - self._rank(first - 1)
        for start, end in self._suspended_days(spans):
            start, end = max(start, first), min(end, last)  # noqa: PLW2901 - the part that lies between
            if start <= end:
                count -= self._rank(end) - self._rank(start - 1)
        return count

    def is_provisional_between(self, start_ms: int, due_ms: int) -> bool:
        """Say whether a deadline from `start_ms` to `due_ms` (an end of day) used a year that is not published yet."""
        first, last = self._day(start_ms) + 1, self._day(due_ms - 1)
        if self._published is None or last < first:
            return False
        first_year, last_year = (min(_date(day).year, LAST_YEAR + 1) for day in (first, last))
        return not self._published.issuperset(range(first_year, last_year + 1))

    def is_provisional_due(self, due_ms: int) -> bool:
        """Say whether a deadline in workdays ends in a year that is not published yet.

        The same as `is_provisional_between` for starts in published years, without the need to know the start.
        """
        return self.is_provisional(_date(self._day(due_ms - 1)))

    # -- days ------------------------------------------------------------------------------------------------

    def is_workday(self, day: date) -> bool:
        """Say whether a local date is a workday."""
        number = day.toordinal() - FIRST_DAY
        return self._rank(number) > self._rank(number - 1)

    def is_provisional(self, day: date) -> bool:
        """Say whether the date's year is not published, so that it is a guess whether it is a workday."""
        return self._published is not None and day.year not in self._published

    def horizon(self) -> date:
        """Give the last published day; the far end of time where nothing is provisional, `date.min` if no year is."""
        if self._published is None:
            return date.max
        return date(max(self._published), 12, 31) if self._published else date.min

    def start_of_day(self, day: date) -> int:
        """Give the first moment of a local date."""
        return self._midnight(day.toordinal() - FIRST_DAY)

    def end_of_day(self, ms: int) -> int:
        """Give the end (24:00 local) of the day that holds `ms`; always after `ms`."""
        return self._midnight(self._day(ms) + 1)

    def ceil_day(self, ms: int) -> int:
        """Give the first local midnight at or after `ms`: an end of day stays what it is."""
        return self._midnight(self._day(ms - 1) + 1)

    def by_clock(self, ms: int) -> int:
        """Give the moment from which clocks count: the last millisecond of a local day is its 24:00.

        A date without a time is kept as that millisecond, so that its local date is right (`schemas.columns`).
        """
        if self._is_even:
            return ms if (ms + 1 - self._first_ms) % DAY_MS else ms + 1
        return ms + (self._midnight(self._day(ms + 1)) == ms + 1)

    def local_date(self, ms: int) -> str:
        """Give the local date as YYYY-MM-DD; beyond the years 1 to 9999 the nearest that can be written."""
        return _date(self._day(ms)).isoformat()

    def local_text(self, ms: int) -> str:
        """Say a moment as people do: 3月10日15:30; a midnight is the end of the day before: 3月9日24时."""
        ms = self.by_clock(ms)
        day = self._day(ms)
        since = ms - self._midnight(day)
        if since == 0:
            end = _date(day - 1)
            return f"{end.month}月{end.day}日24时"
        local = _date(day)
        hour, minute = self._time_of_day(ms, since)
        return f"{local.month}月{local.day}日{hour:02d}:{minute:02d}"

    # -- inside ----------------------------------------------------------------------------------------------

    def _day(self, ms: int) -> int:
        if ms < self._first_ms:
            return (ms - self._first_ms) // DAY_MS
        if ms >= self._last_ms:
            return SIZE + (ms - self._last_ms) // DAY_MS
        if self._is_even:
            return (ms - self._first_ms) // DAY_MS
        return bisect_right(self._midnights, ms) - 1

    def _midnight(self, day: int) -> int:
        if 0 <= day <= SIZE:
            return self._midnights[day]
        return self._first_ms + day * DAY_MS if day < 0 else self._last_ms + (day - SIZE) * DAY_MS

    def _rank(self, day: int) -> int:
        if 0 <= day < SIZE:
            return self._ranks[day]
        if day < 0:
            return self._week.count(day) - self._week.count(-1)
        return self._ranks[-1] + self._week.count(day) - self._week.count(SIZE - 1)

    def _nth(self, rank: int) -> int:
        if 0 < rank <= len(self._days_of):
            return self._days_of[rank - 1]
        if rank <= 0:
            return self._week.nth(rank + self._week.count(-1))
        return self._week.nth(rank - self._ranks[-1] + self._week.count(SIZE - 1))

    def _push(self, rank: int, first: int, spans: Sequence[Span]) -> int:
        """Give the rank once the workdays of suspended days from `first` on, met on the way there, are left out."""
        for start, end in self._suspended_days(spans):
            if end < first:
                continue
            if start > self._nth(rank):
                break
            rank += self._rank(end) - self._rank(max(start, first) - 1)
        return rank

    def _suspended_days(self, spans: Iterable[Span]) -> list[tuple[int, int]]:
        """Give the days that spans touch as ascending pairs (first, last) without overlap, both included."""
        ended = ((start, self.by_clock(end)) for start, end in spans)
        touched = [(self._day(start), self._day(end - 1) + 1) for start, end in ended if start < end]
        return [(start, end - 1) for start, end in merge_spans(touched)]

    def _time_of_day(self, ms: int, since: int) -> tuple[int, int]:
        """Give hour and minute on the wall; outside the table a day has 24 even hours."""
        if self._is_even or not self._first_ms <= ms < self._last_ms:
            return since // 3_600_000, since // 60_000 % 60
        wall = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).astimezone(ZoneInfo(self.zone))
        return wall.hour, wall.minute


def state_council_calendar(overlay: Overlay | None = None) -> WorkCalendar:
    """Give the calendar of the State Council's notices, with a company's overlay on top.

    The notices come from the package chinesecalendar (2004 to 2026 in release 1.11); reading its tables
    needs neither clock nor network. Its own functions are not used: they raise beyond its last year.
    """
    years = {
        year: YearDays(
            frozenset(day for day in state_council.holidays if day.year == year),
            frozenset(day for day in state_council.workdays if day.year == year),
        )
        for year in sorted({day.year for day in state_council.holidays})
    }
    return WorkCalendar.build(overlay.timezone if overlay else "Asia/Shanghai", years, overlay)


def failed_tests(overlay: Overlay) -> list[tuple[int, str]]:
    """Run the examples of a calendar file; give number and message of each that comes out otherwise."""
    calendar = state_council_calendar(overlay)
    failures = []
    for number, test in enumerate(overlay.tests):
        spans = [(_ms(span.start), _ms(span.end)) for span in test.suspended]
        due = calendar.workday_deadline(_ms(test.entered), test.limit.amount, spans)
        if due != _ms(test.due):
            got, expected = (_with_year(calendar, moment) for moment in (due, _ms(test.due)))
            failures.append((number, f"{test.name}: due {got}, expected {expected}"))
    return failures


def _with_year(calendar: WorkCalendar, ms: int) -> str:
    return f"{calendar.local_date(ms - 1)[:4]}年{calendar.local_text(ms)}"


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@lru_cache
def _midnights(zone: str) -> tuple[list[int], bool]:
    """Give the first moment of each day of the table and of the day after, and whether all days have 24 hours."""
    tz = ZoneInfo(zone)
    days = (date.fromordinal(FIRST_DAY + day) for day in range(SIZE + 1))
    moments = [_ms(datetime(day.year, day.month, day.day, tzinfo=tz)) for day in days]
    return moments, all(after - before == DAY_MS for before, after in pairwise(moments))


@lru_cache(maxsize=4096)
def _date(day: int) -> date:
    """Give the date of a day, the nearest one that exists; cached because indicators ask for the same few days."""
    return date.fromordinal(min(max(day + FIRST_DAY, 1), date.max.toordinal()))


def _set_days(table: list[bool], days: Iterable[date], *, is_workday: bool) -> None:
    for day in days:
        number = day.toordinal() - FIRST_DAY
        if 0 <= number < SIZE:
            table[number] = is_workday


def _running_count(flags: Sequence[bool]) -> list[int]:
    counts, count = [], 0
    for flag in flags:
        count += flag
        counts.append(count)
    return counts
