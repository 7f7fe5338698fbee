"""Spans and clock deadlines at their edges, exactly."""

import pytest

from rules.durations import Duration, clock_deadline, merge_spans, parse_duration, share


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ([(1, 1)], []),
        ([(2, 1)], []),
        ([(1, 2), (2, 3)], [(1, 3)]),
        ([(1, 2), (3, 4)], [(1, 2), (3, 4)]),
        ([(1, 9), (2, 3)], [(1, 9)]),
        ([(3, 4), (1, 2)], [(1, 2), (3, 4)]),
    ],
)
def test_spans_that_touch_are_one(spans: list[tuple[int, int]], merged: list[tuple[int, int]]) -> None:
    assert merge_spans(spans) == merged


@pytest.mark.parametrize(
    ("spans", "due"),
    [
        ([(-5, 0)], 10),
        ([(-5, 1)], 11),
        ([(10, 20)], 10),
        ([(9, 20)], 21),
        ([(0, 1), (11, 12)], 11),
        ([(0, 1), (10, 12)], 13),
    ],
)
def test_a_suspension_moves_a_deadline_that_it_begins_before(spans: list[tuple[int, int]], due: int) -> None:
    assert clock_deadline(0, 10, spans) == due


def test_a_share_is_rounded_down() -> None:
    assert share(0, 3, Duration("%", 50)) == 1
    assert share(10, 10, Duration("%", 50)) == 10


def test_a_number_alone_is_told_that_it_lacks_a_unit() -> None:
    with pytest.raises(ValueError, match=r"5 is not a duration \(a number alone has no unit\); allowed is"):
        parse_duration(5)
    with pytest.raises(ValueError, match="'5' is not a duration; allowed is"):
        parse_duration("5")
