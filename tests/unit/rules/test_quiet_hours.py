from datetime import datetime

import pytest
from pydantic import ValidationError

from rules import Mornings, QuietHours, state_council_calendar

CALENDAR = state_council_calendar()


def at(text: str) -> int:
    return round(datetime.fromisoformat(f"{text}+08:00").timestamp() * 1000)


def mornings(**changes: object) -> Mornings:
    return Mornings(QuietHours.model_validate(changes), lambda: CALENDAR)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-03T12:00", "2026-03-03T12:00"),
        ("2026-03-03T08:00", "2026-03-03T08:00"),
        ("2026-03-03T07:59:59.999", "2026-03-03T08:00"),
        ("2026-03-03T22:00", "2026-03-04T08:00"),
        ("2026-03-06T23:00", "2026-03-09T08:00"),  # a Friday night
        ("2026-03-07T14:00", "2026-03-09T08:00"),
        ("2026-02-14T14:00", "2026-02-14T14:00"),  # a Saturday that is worked, for the Spring Festival
        ("2026-02-14T23:00", "2026-02-24T08:00"),  # the nine days of it
    ],
)
def test_what_comes_in_quiet_hours_waits_for_the_next_working_morning(when: str, expected: str) -> None:
    assert mornings().open_at(at(when)) == at(expected)


def test_rest_days_need_not_be_quiet_but_are_no_working_mornings() -> None:
    hours = mornings(rest_days=False)
    assert hours.open_at(at("2026-03-07T14:00")) == at("2026-03-07T14:00")
    assert hours.open_at(at("2026-03-07T23:00")) == at("2026-03-09T08:00")


def test_tomorrow_is_the_working_morning_after_this_day_also_before_dawn() -> None:
    assert mornings().tomorrow(at("2026-03-03T03:00")) == at("2026-03-04T08:00")
    assert mornings().tomorrow(at("2026-03-06T12:00")) == at("2026-03-09T08:00")


def test_hours_that_do_not_go_over_midnight_are_refused() -> None:
    with pytest.raises(ValidationError, match="go over midnight"):
        QuietHours(starts="12:00", ends="14:00")
