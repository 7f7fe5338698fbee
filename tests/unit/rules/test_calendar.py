"""Workdays and deadlines: the contract's examples, the State Council's notices, and dates that mean nothing."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import holidays
import pytest

import rules
from rules.calendar_overlay import Overlay, parse_overlay
from rules.workdays import WorkCalendar, YearDays, failed_tests, state_council_calendar
from schemas.errors import DefinitionError

CALENDAR = state_council_calendar()
SHIPPED = sorted((Path(rules.__file__).parent / "definitions" / "calendars").glob("*.yaml"))


def ms(text: str) -> int:
    """Epoch ms of an ISO time; without zone: Asia/Shanghai."""
    moment = datetime.fromisoformat(text if text[19:] else f"{text}+08:00")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_contract_example_of_five_workdays() -> None:
    assert CALENDAR.workday_deadline(ms("2026-03-02T09:00:00"), 5) == ms("2026-03-10T00:00:00")


@pytest.mark.parametrize(
    ("start", "n", "due"),
    [
        ("2026-03-02T00:00:00", 1, "2026-03-04T00:00:00"),
        ("2026-03-02T23:59:59", 1, "2026-03-04T00:00:00"),
        ("2026-03-06T09:00:00", 1, "2026-03-10T00:00:00"),
        ("2026-03-07T09:00:00", 1, "2026-03-10T00:00:00"),
        ("2026-03-02T09:00:00", 0, "2026-03-03T00:00:00"),
        ("2026-03-01T09:00:00", 0, "2026-03-02T00:00:00"),
        ("2026-03-02T09:00:00", -3, "2026-03-03T00:00:00"),
        ("2026-02-13T09:00:00", 1, "2026-02-15T00:00:00"),
        ("2026-02-14T09:00:00", 1, "2026-02-25T00:00:00"),
        ("2026-09-30T09:00:00", 2, "2026-10-10T00:00:00"),
        ("2026-10-09T09:00:00", 1, "2026-10-11T00:00:00"),
    ],
)
def test_deadline(start: str, n: int, due: str) -> None:
    assert CALENDAR.workday_deadline(ms(start), n) == ms(due)


def test_a_day_begins_at_local_midnight_not_at_utc_midnight() -> None:
    assert CALENDAR.workday_deadline(ms("2026-03-02T15:59:59+00:00"), 1) == ms("2026-03-04T00:00:00")
    assert CALENDAR.workday_deadline(ms("2026-03-02T16:00:00+00:00"), 1) == ms("2026-03-05T00:00:00")


@pytest.mark.parametrize(
    ("spans", "due"),
    [
        ([("2026-03-04T09:00:00", "2026-03-04T09:00:01")], "2026-03-11T00:00:00"),
        ([("2026-03-03T00:00:00", "2026-03-04T00:00:00")], "2026-03-11T00:00:00"),
        ([("2026-03-03T23:59:59", "2026-03-04T00:00:01")], "2026-03-12T00:00:00"),
        ([("2026-03-04T09:00:00", "2026-03-04T09:00:00")], "2026-03-10T00:00:00"),
        ([("2026-03-05T09:00:00", "2026-03-04T09:00:00")], "2026-03-10T00:00:00"),
        ([("2026-03-02T10:00:00", "2026-03-02T12:00:00")], "2026-03-10T00:00:00"),
        ([("2026-01-01T10:00:00", "2026-02-01T12:00:00")], "2026-03-10T00:00:00"),
        ([("2026-03-07T10:00:00", "2026-03-08T12:00:00")], "2026-03-10T00:00:00"),
        ([("2026-03-10T00:00:00", "2026-03-20T00:00:00")], "2026-03-10T00:00:00"),
        ([("2026-03-09T23:00:00", "2026-03-20T00:00:00")], "2026-03-21T00:00:00"),
        (
            [("2026-03-05T01:00:00", "2026-03-06T01:00:00"), ("2026-03-03T01:00:00", "2026-03-05T02:00:00")],
            "2026-03-14T00:00:00",
        ),
    ],
    ids=[
        "a second of a day is enough",
        "a whole day, the next one is not touched",
        "two days touched",
        "an empty span",
        "a span that ends before it begins",
        "on the day of entry",
        "over before the entry",
        "at a weekend",
        "begins at the deadline",
        "begins an hour before the deadline",
        "two that overlap, the later one first",
    ],
)
def test_suspended_workdays_are_not_counted(spans: list[tuple[str, str]], due: str) -> None:
    at = [(ms(start), ms(end)) for start, end in spans]
    assert CALENDAR.workday_deadline(ms("2026-03-02T09:00:00"), 5, at) == ms(due)


def test_workdays_between_leaves_out_the_first_day_and_suspended_ones() -> None:
    a, b = ms("2026-03-02T09:00:00"), ms("2026-03-09T17:00:00")
    assert CALENDAR.workdays_between(a, b) == 5
    assert CALENDAR.workdays_between(a, b, [(ms("2026-03-04T23:00:00"), ms("2026-03-05T01:00:00"))]) == 3
    assert CALENDAR.workdays_between(a, b, [(ms("2026-01-01T00:00:00"), ms("2027-01-01T00:00:00"))]) == 0
    assert CALENDAR.workdays_between(a, a) == 0
    assert CALENDAR.workdays_between(b, a) == 0


def test_make_up_days_and_holidays_of_2026() -> None:
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    weekend_work = [day for day in year if day.weekday() >= 5 and CALENDAR.is_workday(day)]
    weekdays_off = [day for day in year if day.weekday() < 5 and not CALENDAR.is_workday(day)]
    assert [f"{day:%m-%d}" for day in weekend_work] == ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
    assert [f"{day:%m-%d}" for day in weekdays_off] == [
        "01-01", "01-02", "02-16", "02-17", "02-18", "02-19", "02-20", "02-23", "04-06", "05-01", "05-04", "05-05",
        "06-19", "09-25", "10-01", "10-02", "10-05", "10-06", "10-07",
    ]  # fmt: skip


@pytest.mark.parametrize("year", range(2020, 2027))
def test_two_independent_packages_agree_on_every_day(year: int) -> None:
    other = holidays.country_holidays("CN", years=year)
    first = date(year, 1, 1)
    days = [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]
    assert [day for day in days if other.is_working_day(day) != CALENDAR.is_workday(day)] == []


def test_years_without_a_notice_are_monday_to_friday_and_flagged() -> None:
    assert CALENDAR.horizon().month == 12
    assert CALENDAR.horizon() >= date(2026, 12, 31)
    calendar = WorkCalendar.build("Asia/Shanghai", {2026: YearDays(frozenset(), frozenset())})
    assert calendar.horizon() == date(2026, 12, 31)
    start = ms("2026-12-31T09:00:00")
    due = calendar.workday_deadline(start, 1)
    assert due == ms("2027-01-02T00:00:00")
    assert calendar.is_provisional_between(start, due)
    assert calendar.is_provisional(date(2027, 1, 1))
    assert calendar.is_provisional_due(due)
    assert not calendar.is_provisional_due(ms("2027-01-01T00:00:00"))
    assert not calendar.is_provisional_between(start, calendar.workday_deadline(start, 0))
    unpublished = ms("2027-05-05T09:00:00")
    assert not calendar.is_provisional_between(unpublished, calendar.workday_deadline(unpublished, 0))
    last = ms("2026-12-30T09:00:00")
    assert not calendar.is_provisional_between(last, calendar.workday_deadline(last, 1))


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("1900-01-01T00:00:00", "1900-01-09T00:00:00"),
        ("1999-12-31T12:00:00", "2000-01-08T00:00:00"),
        ("2099-12-31T12:00:00", "2100-01-08T00:00:00"),
        ("9999-01-01T12:00:00", "9999-01-09T00:00:00"),
    ],
)
def test_sentinel_years_have_deadlines_like_any_other(start: str, due: str) -> None:
    got = CALENDAR.workday_deadline(ms(start), 5, [(ms(start) - 10**15, ms(start))])
    # Before 1901 local time was 5 min 43 s off; days outside the table are 24 hours at +08:00.
    assert CALENDAR.local_date(got) == due[:10]
    assert CALENDAR.is_provisional_between(ms(start), got)


def test_moments_that_no_date_can_hold_do_not_raise() -> None:
    for moment in (-(10**17), 10**17, 9_223_372_036_825_200_000):
        due = CALENDAR.workday_deadline(moment, 15, [(moment, moment + 10**12)])
        assert due > moment
        assert CALENDAR.is_provisional_between(moment, due)
        assert CALENDAR.local_date(due) in {"0001-01-01", "9999-12-31"}
        assert CALENDAR.local_text(due)
        assert CALENDAR.workdays_between(moment, due) > 15


def test_ends_of_days() -> None:
    midnight = ms("2026-03-10T00:00:00")
    assert CALENDAR.end_of_day(midnight - 1) == midnight
    assert CALENDAR.end_of_day(midnight) == ms("2026-03-11T00:00:00")
    assert CALENDAR.ceil_day(midnight) == midnight
    assert CALENDAR.ceil_day(midnight - 1) == midnight
    assert CALENDAR.ceil_day(midnight + 1) == ms("2026-03-11T00:00:00")
    assert CALENDAR.start_of_day(date(2026, 3, 10)) == midnight
    assert CALENDAR.local_date(midnight) == "2026-03-10"
    assert CALENDAR.local_date(midnight - 1) == "2026-03-09"


def test_moments_are_said_as_people_say_them() -> None:
    assert CALENDAR.local_text(ms("2026-03-10T00:00:00")) == "3月9日24时"
    assert CALENDAR.local_text(ms("2026-03-10T15:30:59")) == "3月10日15:30"
    assert CALENDAR.local_text(ms("2026-01-01T00:00:00")) == "12月31日24时"
    assert CALENDAR.local_text(ms("2026-03-10T00:05:00")) == "3月10日00:05"


def test_a_zone_with_summer_time() -> None:
    calendar = WorkCalendar.build("Europe/Berlin", {})
    # 2026-03-29 has 23 hours, 2026-10-25 has 25.
    assert calendar.workday_deadline(ms("2026-03-27T22:30:00+00:00"), 1) == ms("2026-03-30T22:00:00+00:00")
    assert calendar.end_of_day(ms("2026-10-25T12:00:00+00:00")) == ms("2026-10-25T23:00:00+00:00")
    assert calendar.local_text(ms("2026-07-01T12:00:00+00:00")) == "7月1日14:00"
    assert calendar.local_text(ms("2026-03-29T12:00:00+00:00")) == "3月29日14:00"


def test_an_overlay_wins_over_the_notices() -> None:
    overlay, _ = parse_overlay(
        """
        version: calendar/v1
        id: quzhou
        title: 衢州公司
        holidays:
          - {from: 2026-03-03, to: 2026-03-04, name: 公司周年庆}
        workdays:
          - {from: 2026-03-07, name: 迎峰度夏保供值班}
        published_years: [2027]
        """,
        "quzhou.yaml",
    )
    calendar = state_council_calendar(overlay)
    assert calendar.workday_deadline(ms("2026-03-02T09:00:00"), 3) == ms("2026-03-08T00:00:00")
    assert not calendar.is_provisional(date(2027, 1, 1))
    assert calendar.horizon() == date(2027, 12, 31)


def test_the_calendar_of_every_day_counts_all_and_is_never_provisional() -> None:
    calendar = state_council_calendar(Overlay(id="duty", title="值班", base="every_day"))
    start = ms("2026-09-30T09:00:00")
    assert calendar.workday_deadline(start, 7) == ms("2026-10-08T00:00:00")
    far = ms("2150-01-01T00:00:00")
    assert calendar.workday_deadline(far, 7) == ms("2150-01-09T00:00:00")
    assert not calendar.is_provisional_between(start, far)
    assert not calendar.is_provisional(date(9999, 1, 1))
    assert calendar.horizon() == date.max


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_calendars_pass_their_own_tests(path: Path) -> None:
    overlay, _ = parse_overlay(path.read_text(encoding="utf-8"), path.name)
    assert overlay.tests
    assert failed_tests(overlay) == []


def test_a_test_that_fails_says_what_came_out() -> None:
    overlay, _ = parse_overlay(
        """
        version: calendar/v1
        id: wrong
        title: 错
        tests:
          - {name: off by one, entered: 2026-03-02T09:00:00+08:00, limit: 5wd, due: 2026-03-11T00:00:00+08:00}
        """,
        "wrong.yaml",
    )
    assert failed_tests(overlay) == [(0, "off by one: due 2026年3月9日24时, expected 2026年3月10日24时")]


def test_every_fault_of_a_calendar_file_has_its_place() -> None:
    text = """\
version: calendar/v1
id: Bad Name
title: 坏
timezone: Asia/Shangri-La
holidays:
  - {from: 2026-02-30, name: x}
  - {from: 2026-02-03, to: 2026-02-01, name: x}
  - {from: 1999-02-03, name: x}
published_years: [1949]
holiday: []
tests:
  - {name: a, entered: 2026-03-02T09:00:00, limit: 5h, due: 2026-03-10T00:00:00+08:00}
"""
    with pytest.raises(DefinitionError) as caught:
        parse_overlay(text, "bad.yaml")
    lines = [fault.line for fault in caught.value.faults]
    assert lines == [2, 4, 6, 7, 8, 9, 10, 12, 12]


def test_a_day_cannot_be_both_holiday_and_workday() -> None:
    with pytest.raises(ValueError, match="both a holiday and a workday: 2026-03-03"):
        Overlay.model_validate(
            {
                "id": "x",
                "title": "x",
                "holidays": [{"from": "2026-03-03", "name": "a"}],
                "workdays": [{"from": "2026-03-01", "to": "2026-03-04", "name": "b"}],
            }
        )
