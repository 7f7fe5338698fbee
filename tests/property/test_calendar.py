"""Workday deadlines equal a count day by day, for any start, length and suspension."""

from datetime import UTC, date, datetime, timedelta, timezone

import chinese_calendar
from hypothesis import given
from hypothesis import strategies as st

from rules.workdays import DAY_MS, WorkCalendar, state_council_calendar

SHANGHAI = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CALENDAR = state_council_calendar()
ABROAD = [WorkCalendar.build(z, {}) for z in ("Europe/Berlin", "America/New_York", "Asia/Tehran", "UTC")]
FIRST, LAST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (1998, 2102))

moments = st.integers(FIRST, LAST)
near = st.integers(int(datetime(2025, 6, 1, tzinfo=UTC).timestamp() * 1000), 1_800_000_000_000)
starts = near | moments
lengths = st.integers(0, 60)
offsets = st.integers(-20 * DAY_MS, 60 * DAY_MS) | st.integers(-20, 60).map(lambda day: day * DAY_MS)


@st.composite
def spans_around(draw: st.DrawFn, start: int) -> list[tuple[int, int]]:
    """Some spans near `start`: empty, reversed, touching and overlapping ones too; also ones cut at midnight."""
    base = draw(st.sampled_from([start, midnight_before(start)]))
    return [(base + a, base + b) for a, b in draw(st.lists(st.tuples(offsets, offsets), max_size=4))]


def midnight_before(ms: int) -> int:
    return ms - (ms + 8 * 3_600_000) % DAY_MS


def local_day(ms: int) -> date:
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(SHANGHAI).date()


def counts(day: date) -> bool:
    """Whether a day is a workday, by the package's own function where it has an answer."""
    return chinese_calendar.is_workday(day) if 2004 <= day.year <= 2026 else day.weekday() < 5


def touched(day: date, spans: list[tuple[int, int]]) -> bool:
    start = (datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) - EPOCH) // timedelta(milliseconds=1)
    return any(a < b and a < start + DAY_MS and b > start for a, b in spans)


def oracle(start: int, n: int, spans: list[tuple[int, int]]) -> int:
    """Walk day by day."""
    day = local_day(start)
    while n > 0:
        day += timedelta(days=1)
        n -= counts(day) and not touched(day, spans)
    end = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + timedelta(days=1)
    return (end - EPOCH) // timedelta(milliseconds=1)


@given(st.data(), starts, lengths)
def test_deadline_equals_a_count_day_by_day(data: st.DataObject, start: int, n: int) -> None:
    spans = data.draw(spans_around(start))
    assert CALENDAR.workday_deadline(start, n, spans) == oracle(start, n, spans)
    assert CALENDAR.workday_deadline(start, n) == oracle(start, n, [])


@given(st.data(), starts, st.integers(0, 90 * DAY_MS))
def test_workdays_between_equals_a_count_day_by_day(data: st.DataObject, start: int, length: int) -> None:
    spans = data.draw(spans_around(start))
    first, last = local_day(start), local_day(start + length)
    days = (first + timedelta(days=n) for n in range(1, (last - first).days + 1))
    expected = sum(counts(day) and not touched(day, spans) for day in days)
    assert CALENDAR.workdays_between(start, start + length, spans) == expected


@given(st.data(), starts, st.integers(1, 60))
def test_as_many_workdays_lie_before_the_deadline_as_the_limit_says(data: st.DataObject, start: int, n: int) -> None:
    spans = data.draw(spans_around(start))
    due = CALENDAR.workday_deadline(start, n, spans)
    assert CALENDAR.workdays_between(start, due - 1, spans) == n
    assert CALENDAR.ceil_day(due) == due


@given(st.data(), moments, st.integers(0, 10**10), lengths, lengths)
def test_deadline_never_falls_as_start_and_limit_grow(
    data: st.DataObject, start: int, later: int, n: int, more: int
) -> None:
    spans = data.draw(spans_around(start))
    due = CALENDAR.workday_deadline(start, n, spans)
    assert due > start
    assert CALENDAR.workday_deadline(start, n + more, spans) >= due
    assert CALENDAR.workday_deadline(start + later, n, spans) >= due


@given(st.integers(-(10**19), 10**19), lengths)
def test_any_moment_has_an_answer(moment: int, n: int) -> None:
    due = CALENDAR.workday_deadline(moment, n, [(moment, moment + DAY_MS)])
    assert due > moment
    assert len(CALENDAR.local_date(due)) == 10
    assert CALENDAR.local_text(due)
    assert moment <= CALENDAR.ceil_day(moment) < moment + DAY_MS


@given(st.sampled_from(ABROAD), moments)
def test_days_of_zones_with_summer_time_hold_their_moments(calendar: WorkCalendar, moment: int) -> None:
    end = calendar.end_of_day(moment)
    assert calendar.start_of_day(date.fromisoformat(calendar.local_date(moment))) <= moment < end
    assert calendar.ceil_day(end) == end
