"""The calendar at the edges of its table: the first and the last day that it holds one by one, and beyond."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from rules.workdays import WorkCalendar, YearDays, state_council_calendar

CALENDAR = state_council_calendar()
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("day", "is_worked"),
    [
        (date(1999, 12, 31), True),
        (date(2000, 1, 1), False),
        (date(2000, 1, 2), False),
        (date(2000, 1, 3), True),
        (date(2099, 12, 31), True),
        (date(2100, 1, 1), True),
        (date(2100, 1, 2), False),
    ],
)
def test_the_week_goes_on_over_the_edges_of_the_table(day: date, is_worked: bool) -> None:  # noqa: FBT001
    assert CALENDAR.is_workday(day) is is_worked


@pytest.mark.parametrize("first", [date(1999, 12, 27), date(2099, 12, 28)])
def test_days_follow_one_another_over_the_edges_of_the_table(first: date) -> None:
    days = [first + timedelta(days=n) for n in range(10)]
    starts = [CALENDAR.start_of_day(day) for day in days]
    assert [after - before for before, after in pairwise(starts)] == [DAY_MS] * 9
    assert [CALENDAR.local_date(start) for start in starts] == [str(day) for day in days]
    assert [CALENDAR.local_date(start - 1) for start in starts[1:]] == [str(day) for day in days[:-1]]
    assert [CALENDAR.end_of_day(start) for start in starts[:-1]] == starts[1:]
    assert [CALENDAR.ceil_day(start) for start in starts] == starts


@pytest.mark.parametrize("first", [date(1999, 12, 27), date(2099, 12, 28)])
def test_a_deadline_over_the_edge_is_the_end_of_the_nth_day_that_is_worked(first: date) -> None:
    start = CALENDAR.start_of_day(first)
    worked = [day for n in range(1, 15) if CALENDAR.is_workday(day := first + timedelta(days=n))]
    for n, day in enumerate(worked, 1):
        due = CALENDAR.start_of_day(day + timedelta(days=1))
        assert CALENDAR.workday_deadline(start, n) == due
        assert CALENDAR.workdays_between(start, due - 1) == n


def test_a_holiday_on_the_edges_of_the_table_counts() -> None:
    days = {
        year: YearDays(frozenset({day}), frozenset())
        for year, day in ((2000, date(2000, 1, 3)), (2099, date(2099, 12, 31)))
    }
    calendar = WorkCalendar.build("Asia/Shanghai", days)
    assert not calendar.is_workday(date(2000, 1, 3))
    assert not calendar.is_workday(date(2099, 12, 31))
    assert calendar.is_workday(date(2100, 1, 1))


def test_years_that_are_not_published_are_a_guess_from_their_first_day_to_their_last() -> None:
    calendar = WorkCalendar.build("Asia/Shanghai", {2026: YearDays(frozenset(), frozenset())})
    at = calendar.start_of_day
    assert calendar.is_provisional(date(2025, 12, 31))
    assert not calendar.is_provisional(date(2026, 1, 1))
    assert not calendar.is_provisional(date(2026, 12, 31))
    assert calendar.is_provisional(date(2027, 1, 1))
    assert calendar.horizon() == date(2026, 12, 31)
    new_year = at(date(2027, 1, 1))
    assert not calendar.is_provisional_due(new_year)
    assert calendar.is_provisional_due(new_year + 1)
    assert not calendar.is_provisional_between(at(date(2025, 12, 31)), at(date(2026, 1, 2)))
    assert calendar.is_provisional_between(at(date(2025, 12, 30)), at(date(2026, 1, 2)))
    assert not calendar.is_provisional_between(at(date(2026, 12, 30)), new_year)
    assert calendar.is_provisional_between(at(date(2026, 12, 30)), new_year + 1)
    assert not calendar.is_provisional_between(at(date(2027, 5, 2)), at(date(2027, 5, 2)))


def test_a_midnight_is_said_as_the_end_of_the_day_before() -> None:
    midnight = CALENDAR.start_of_day(date(2026, 3, 10))
    assert CALENDAR.local_text(midnight) == "3月9日24时"
    assert CALENDAR.local_text(midnight + 60_000) == "3月10日00:01"
    assert CALENDAR.local_text(midnight - 1) == "3月9日24时"  # as a date is kept
    assert CALENDAR.local_text(midnight - 2) == "3月9日23:59"
    assert CALENDAR.local_text(midnight + 3_600_000) == "3月10日01:00"
    assert CALENDAR.local_text(midnight + 3_599_999) == "3月10日00:59"


def test_a_suspension_touches_a_day_from_its_first_millisecond() -> None:
    start = CALENDAR.start_of_day(date(2026, 3, 2))
    wednesday = CALENDAR.start_of_day(date(2026, 3, 4))
    for end, due in ((wednesday, date(2026, 3, 5)), (wednesday + 1, date(2026, 3, 6))):
        deadline = CALENDAR.workday_deadline(start, 1, [(wednesday - 1, end)])
        assert deadline == CALENDAR.start_of_day(due)


def test_a_summer_days_hour_is_that_on_the_wall() -> None:
    berlin = WorkCalendar.build("Europe/Berlin", {})
    start = berlin.start_of_day(date(2026, 3, 29))
    assert berlin.local_text(start + 3_600_000) == "3月29日01:00"
    assert berlin.local_text(start + 2 * 3_600_000) == "3月29日03:00"
    assert berlin.end_of_day(start) - start == 23 * 3_600_000
