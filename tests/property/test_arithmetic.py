"""A deadline counted day by day is the deadline that the engine looks up."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from rules import WorkCalendar, state_council_calendar
from rules.arithmetic import ClockRow, DayKind, DayRow, clock_rows, workday_rows
from rules.calendar_overlay import Overlay
from rules.durations import clock_deadline

FIRST, LAST = 946_684_800_000, 4_102_444_800_000
"""2000 to 2100: with and without published calendars, and beyond the table."""
DAY = 86_400_000
CALENDARS = {
    "state_council": state_council_calendar(),
    "every_day": state_council_calendar(Overlay(id="every_day", title="24x7", base="every_day")),
    "nothing_published": WorkCalendar.build("Asia/Shanghai", {}),
    "summer_time": WorkCalendar.build("Europe/Berlin", {}),
}

moments = st.integers(FIRST, LAST)


@st.composite
def suspended(draw: st.DrawFn, start: int) -> list[tuple[int, int]]:
    """Spans around the start; they may be empty, overlap, and come in any order."""
    spans = st.tuples(st.integers(-20 * DAY, 90 * DAY), st.integers(0, 15 * DAY))
    return [(start + begin, start + begin + length) for begin, length in draw(st.lists(spans, max_size=4))]


@given(st.data(), st.sampled_from(sorted(CALENDARS)), moments, st.integers(-1, 70))
def test_the_days_end_where_the_calendar_says(data: st.DataObject, name: str, start: int, n: int) -> None:
    calendar, spans = CALENDARS[name], data.draw(suspended(start))
    rows = workday_rows(calendar, start, n, spans)
    assert rows[-1].ends_at == calendar.workday_deadline(start, n, spans)
    numbers = [row.number for row in rows if row.number is not None]
    assert numbers == list(range(1, max(n, 0) + 1))
    assert _are_all_days_between(rows)
    assert all((row.span is not None) == (row.kind is DayKind.SUSPENDED) for row in rows)
    assert all(calendar.is_workday(row.day) for row in rows if row.number is not None)


def _are_all_days_between(rows: list[DayRow]) -> bool:
    return [row.day for row in rows] == [rows[0].day + timedelta(days=n) for n in range(len(rows))]


@given(st.data(), moments, st.integers(0, 90 * DAY))
def test_the_stretches_add_up_to_the_limit(data: st.DataObject, start: int, length: int) -> None:
    spans = data.draw(suspended(start))
    due = clock_deadline(start, length, spans)
    rows = clock_rows(start, due, spans)
    assert sum(row.end - row.begin for row in rows if row.is_counted) == length
    assert _follow_one_another(rows, start)


def _follow_one_another(rows: list[ClockRow], start: int) -> bool:
    ends = [start, *(row.end for row in rows)]
    return all(row.begin == end and row.begin < row.end for row, end in zip(rows, ends, strict=False))
