"""Durations as definitions write them, and what suspension does to those that run by the clock."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from rules.durations import (
    UNITS,
    Duration,
    DurationField,
    Unit,
    clock_deadline,
    merge_spans,
    parse_duration,
    share,
)

units: st.SearchStrategy[Unit] = st.sampled_from(UNITS)
durations = st.builds(Duration, units, st.integers(0, 999_999))
small = st.integers(-30, 60)
spans_lists = st.lists(st.tuples(small, small), max_size=5)


class Model(BaseModel):
    limit: DurationField


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("30s", "s", 30),
        ("15m", "m", 15),
        ("24h", "h", 24),
        ("60d", "d", 60),
        ("5wd", "wd", 5),
        ("0wd", "wd", 0),
        ("50%", "%", 50),
        (" 5 wd ", "wd", 5),
        ("05m", "m", 5),
    ],
)
def test_what_definitions_write(text: str, unit: Unit, amount: int) -> None:
    assert parse_duration(text) == Duration(unit, amount)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "wd",
        "-5wd",
        "+5m",
        "1.5h",
        "5 workdays",
        "5M",
        "5w",
        "1234567d",
        "5wd5",
        "5\n\nwd",
        "５wd",
        "٥d",
        "1h30m",
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration; allowed is .*15m.*24h.*60d.*5wd.*50%"):
        parse_duration(text)


@pytest.mark.parametrize("value", [None, 5, 5.0, [], b"5wd", {"wd": 5}])
def test_what_is_not_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(value)


def test_a_number_alone_is_told_that_it_lacks_a_unit() -> None:
    with pytest.raises(ValueError, match="a number alone has no unit"):
        parse_duration(15)


@given(durations)
def test_writing_then_parsing_is_identity(duration: Duration) -> None:
    assert parse_duration(str(duration)) == duration
    model = Model(limit=duration)
    assert Model.model_validate_json(model.model_dump_json()) == model


@given(st.text(max_size=12))
def test_parsing_gives_a_duration_or_a_value_error(text: str) -> None:
    try:
        parsed = parse_duration(text)
    except ValueError:
        return
    assert parse_duration(str(parsed)) == parsed


def test_the_json_schema_says_what_is_allowed() -> None:
    field = Model.model_json_schema()["properties"]["limit"]
    assert field["type"] == "string"
    assert "5wd" in field["description"]


def test_words_are_those_of_the_business() -> None:
    said = [parse_duration(text).words for text in ("30s", "15m", "24h", "60d", "5wd", "0wd", "50%")]
    assert said == ["30秒", "15分钟", "24小时", "60天", "5个工作日", "当日", "50%"]


def test_only_clock_durations_have_a_length() -> None:
    assert parse_duration("60d").clock_ms == 60 * 24 * 3_600_000
    assert parse_duration("15m").clock_ms == 900_000
    assert parse_duration("24h").is_clock
    for text in ("5wd", "50%"):
        assert not parse_duration(text).is_clock
        with pytest.raises(ValueError, match="no fixed length"):
            _ = parse_duration(text).clock_ms


@given(spans_lists)
def test_merged_spans_hold_the_same_moments(spans: list[tuple[int, int]]) -> None:
    merged = merge_spans(spans)
    held = {t for a, b in spans for t in range(a, b)}
    assert [t for a, b in merged for t in range(a, b)] == sorted(held)
    assert all(end < start for (_, end), (start, _) in pairwise(merged))


@given(small, st.integers(0, 80), spans_lists)
@example(start=0, length=0, spans=[(-1, 1)])
def test_clock_deadline_equals_a_count_moment_by_moment(start: int, length: int, spans: list[tuple[int, int]]) -> None:
    now, left = start, length
    while left > 0:
        left -= not any(a <= now < b for a, b in spans)
        now += 1
    assert clock_deadline(start, length, spans) == now


def test_a_share_lies_between_start_and_deadline() -> None:
    assert share(1000, 2000, parse_duration("50%")) == 1500
    assert share(1000, 2000, parse_duration("0%")) == 1000
    assert share(1000, 2000, parse_duration("100%")) == 2000
    with pytest.raises(ValueError, match="not a percentage"):
        share(0, 1, parse_duration("5wd"))
