"""A date without a time falls due as any time of that day does; by the clock it is 24:00 of that day."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import state_council_calendar
from rules.durations import Duration, clock_deadline
from rules.engine.deadlines import Deadline
from rules.models import DeadlineRule
from rules.workdays import DAY_MS, WorkCalendar
from schemas import LocalZone
from schemas.columns import converter

SHANGHAI = LocalZone("Asia/Shanghai")
CALENDAR = state_council_calendar()
LATE_HOURS = WorkCalendar.build("America/New_York", {})
"""A zone whose days have 23 and 25 hours as well."""
read = converter("timestamp", SHANGHAI, "us")

dates = st.dates(date(2025, 12, 1), date(2027, 2, 28))
times = st.integers(0, DAY_MS - 1)
limits = st.integers(0, 60)


def midnight(day: date) -> int:
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Asia/Shanghai"))
    return (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def kept(day: date) -> int:
    """Give a date as a source's column is read."""
    value = read(day.isoformat())
    assert isinstance(value, int)
    return value


@given(dates, times, limits)
def test_for_every_limit_a_date_falls_due_as_every_time_of_that_day(day: date, time: int, limit: int) -> None:
    assert CALENDAR.workday_deadline(kept(day), limit) == CALENDAR.workday_deadline(midnight(day) + time, limit)


@given(dates, limits)
def test_midnight_sharp_is_of_the_day_that_begins(day: date, limit: int) -> None:
    noon = midnight(day) + DAY_MS // 2
    assert CALENDAR.workday_deadline(midnight(day), limit) == CALENDAR.workday_deadline(noon, limit)


@given(dates, dates, times, times, st.integers(0, 20))
def test_a_suspension_between_dates_holds_up_as_one_between_any_times_of_them(
    entered: date, first: date, one: int, other: int, days: int
) -> None:
    last = first + timedelta(days=days)
    begin, end = midnight(first) + one, midnight(last) + other
    if days == 0:
        begin, end = min(begin, end), max(begin, end) + 1
    if end == midnight(last):
        end += 1  # a span that ends with the day before does not touch the day
    spans = [(kept(first), kept(last))]
    start = kept(entered)
    assert CALENDAR.workday_deadline(start, 5, spans) == CALENDAR.workday_deadline(start, 5, [(begin, end)])


@given(dates, st.integers(0, 90), dates, st.integers(0, 20))
def test_by_the_clock_a_date_is_24_00_and_suspended_days_count_whole(
    entered: date, limit: int, first: date, days: int
) -> None:
    rule = DeadlineRule.model_validate({
        "code": "X-1", "title": "t", "processes": ["hv_connection"], "stage": "SURVEY", "start": "entered_at",
        "limit": "1d", "rungs": {"ALARM": {"at": "deadline"}}, "tell": ["manager"], "text": "t", "version": 1,
        "kind": "deadline",
    })  # fmt: skip
    end = timedelta(days=1)
    deadline = Deadline(rule, [], CALENDAR)
    spans = [(kept(first), kept(first + timedelta(days=days)))]
    sharp = [(midnight(first + end), midnight(first + timedelta(days=days) + end))]
    due = deadline.deadline(kept(entered), Duration("d", limit), spans)
    assert due == clock_deadline(midnight(entered + end), limit * DAY_MS, sharp)
    assert due == CALENDAR.ceil_day(due)


@given(st.integers(-(10**15), 10**15))
def test_only_the_last_millisecond_of_a_local_day_is_taken_for_24_00(moment: int) -> None:
    for calendar in (CALENDAR, LATE_HOURS):
        midnight_before = calendar.end_of_day(moment) - 1
        assert calendar.by_clock(midnight_before) == midnight_before + 1
        assert calendar.by_clock(moment) in (moment, calendar.end_of_day(moment))
        assert (calendar.by_clock(moment) == moment) == (moment + 1 != calendar.end_of_day(moment))


@pytest.mark.parametrize("day", ["2026-03-09", "2026-12-31"])
def test_people_read_a_date_as_the_end_of_its_day(day: str) -> None:
    local = date.fromisoformat(day)
    assert CALENDAR.local_date(kept(local)) == day
    assert CALENDAR.local_text(kept(local)) == f"{local.month}月{local.day}日24时"
