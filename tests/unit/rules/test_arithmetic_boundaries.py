"""The days of a deadline as people are shown them, at their edges: why a day counts, and where suspensions touch."""

from datetime import date, timedelta

import pytest

from rules import SHIPPED, read_definitions
from rules.arithmetic import ClockRow, DayKind, clock_rows, day_names, grounds_of, workday_rows
from rules.calendar_overlay import DayRange, Overlay
from rules.durations import Duration
from rules.loader import DefinitionSet, LoadedFile
from rules.workdays import state_council_calendar
from schemas import Places
from tests.helpers.builders import World, ms

CALENDAR = state_council_calendar()
MONDAY = ms("2026-03-02T09:00")


def kinds(start: str, n: int, *spans: tuple[str, str]) -> list[DayKind]:
    names = {date(2026, 2, 28): "春节", date(2026, 5, 1): "劳动节"}
    return [row.kind for row in workday_rows(CALENDAR, ms(start), n, [(ms(a), ms(b)) for a, b in spans], names)]


def test_saturday_and_sunday_are_a_weekend() -> None:
    assert kinds("2026-03-06T09:00", 1) == [DayKind.ENTRY, DayKind.WEEKEND, DayKind.WEEKEND, DayKind.WORKDAY]


def test_a_named_day_off_is_a_holiday_and_an_unnamed_one_is_not() -> None:
    assert kinds("2026-04-30T09:00", 1)[:2] == [DayKind.ENTRY, DayKind.HOLIDAY]
    assert kinds("2026-02-18T09:00", 1)[1] is DayKind.DAY_OFF


def test_a_named_saturday_that_is_worked_is_made_up() -> None:
    [_, row] = workday_rows(CALENDAR, ms("2026-02-27T09:00"), 1, (), {date(2026, 2, 28): "春节"})
    assert (row.kind, row.number, row.name) == (DayKind.MAKE_UP, 1, "春节")
    [_, unnamed] = workday_rows(CALENDAR, ms("2026-02-27T09:00"), 1)
    assert (unnamed.kind, unnamed.name) == (DayKind.WORKDAY, None)


@pytest.mark.parametrize(
    ("begin", "end", "touches"),
    [
        ("2026-03-03T10:00", "2026-03-03T10:01", True),
        ("2026-03-03T10:00", "2026-03-03T10:00", False),
        ("2026-03-02T10:00", "2026-03-03T00:00", False),
        ("2026-03-02T10:00", "2026-03-03T00:01", True),
        ("2026-03-03T23:59", "2026-03-04T00:00", True),
        ("2026-03-04T00:00", "2026-03-04T00:01", False),
    ],
)
def test_a_suspension_takes_the_workdays_that_it_touches(begin: str, end: str, touches: bool) -> None:  # noqa: FBT001
    second = DayKind.SUSPENDED if touches else DayKind.WORKDAY
    assert kinds("2026-03-02T09:00", 1, (begin, end))[:2] == [DayKind.ENTRY, second]


def test_no_workdays_are_the_day_of_entry_alone() -> None:
    assert kinds("2026-03-02T09:00", 0) == [DayKind.ENTRY]


@pytest.mark.parametrize(
    ("spans", "rows"),
    [
        ([], [ClockRow(0, 10, is_counted=True)]),
        ([(10, 20)], [ClockRow(0, 10, is_counted=True)]),
        ([(-5, 0)], [ClockRow(0, 10, is_counted=True)]),
        ([(-5, 3)], [ClockRow(0, 3, is_counted=False), ClockRow(3, 10, is_counted=True)]),
        ([(0, 3)], [ClockRow(0, 3, is_counted=False), ClockRow(3, 10, is_counted=True)]),
        ([(4, 10)], [ClockRow(0, 4, is_counted=True), ClockRow(4, 10, is_counted=False)]),
    ],
)
def test_stretches_by_the_clock(spans: list[tuple[int, int]], rows: list[ClockRow]) -> None:
    assert clock_rows(0, 10, spans) == rows


def test_nothing_is_shown_of_no_time() -> None:
    assert clock_rows(10, 10) == []


def test_days_have_the_names_of_the_notices_unless_every_day_counts() -> None:
    loaded = read_definitions([SHIPPED])
    names = day_names(loaded, "state_council")
    assert (names[date(2026, 5, 1)], names[date(2026, 2, 28)]) == ("劳动节", "春节")
    assert day_names(loaded, "every_day") == {}
    assert day_names(loaded, "nobody's") == names


def test_a_companys_days_have_their_own_names() -> None:
    feast = DayRange.model_validate({"from": "2026-06-01", "to": "2026-06-02", "name": "周年庆"})
    overlay = Overlay(id="ours", title="本公司", base="every_day", holidays=(feast,))
    loaded = DefinitionSet([LoadedFile("ours.yaml", overlay, Places(""))])
    assert day_names(loaded, "ours") == {date(2026, 6, 1) + timedelta(days=n): "周年庆" for n in range(2)}


def test_the_grounds_of_a_deadline_are_its_limit_and_its_suspensions() -> None:
    w = World()
    w.app()
    w.visit(suspend_from="2026-03-03T09:00", suspend_to="2026-03-03T10:00")
    rule = w.definitions.processes["hv_connection"].by_code["R-T03"]
    instance = w.partition.instances["A1"]
    grounds = grounds_of(rule, instance, instance.visits[0], w.partition)
    assert grounds is not None
    assert grounds.limit == Duration("wd", 5)
    assert grounds.spans == ((ms("2026-03-03T09:00"), ms("2026-03-03T10:00")),)
    assert grounds.times.deadline == ms("2026-03-11T00:00")


def test_there_are_no_grounds_while_nothing_can_fall_due() -> None:
    w = World()
    w.app()
    w.visit(suspend_from="2026-03-03T09:00")
    rule = w.definitions.processes["hv_connection"].by_code["R-T03"]
    instance = w.partition.instances["A1"]
    assert grounds_of(rule, instance, instance.visits[0], w.partition) is None
