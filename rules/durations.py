"""Lengths of time as definitions write them: `30s`, `15m`, `24h`, `60d`, `5wd`, `50%`.

Used by every definition model. Pure arithmetic: what a workday is, `rules.workdays` knows; of what a
percentage is taken, the rule that holds it knows.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

Unit = Literal["s", "m", "h", "d", "wd", "%"]
UNITS: tuple[Unit, ...] = get_args(Unit)
CLOCK_MS: dict[Unit, int] = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Units that run by the clock; a day is 24 h (contract, section 7)."""

WORDS: dict[Unit, str] = {"s": "秒", "m": "分钟", "h": "小时", "d": "天", "wd": "个工作日", "%": "%"}

ALLOWED = "a whole number and a unit: 30s, 15m, 24h, 60d (24 h each), 5wd (workdays) or 50%"
MOST_DIGITS = 6
"""999,999 days are more than 2,700 years; a longer number is a slip and would overflow dates."""

_FORM = re.compile(rf"([0-9]{{1,{MOST_DIGITS}}}) ?(s|m|h|d|wd|%)")
Span = tuple[int, int]
"""A suspended span in epoch ms, half-open: from (included) to (excluded). Empty if from >= to."""


@dataclass(frozen=True, slots=True)
class Duration:
    """An amount of one unit; `5wd` is `Duration("wd", 5)`."""

    unit: Unit
    amount: int

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"

    @property
    def words(self) -> str:
        """Say it in Chinese: 5个工作日; 0 workdays are the day itself: 当日."""
        if self == Duration("wd", 0):
            return "当日"
        return f"{self.amount}{WORDS[self.unit]}"

    @property
    def is_clock(self) -> bool:
        """Say whether it runs by the clock (not in workdays, not a share)."""
        return self.unit in CLOCK_MS

    @property
    def clock_ms(self) -> int:
        """Give the milliseconds of a clock duration. Raises ValueError for `wd` and `%`."""
        if self.unit not in CLOCK_MS:
            raise ValueError(f"{self} has no fixed length")
        return self.amount * CLOCK_MS[self.unit]


def parse_duration(text: object) -> Duration:
    """Give the duration that `text` writes; a Duration is given back as it is.

    Raises ValueError that says what is allowed, so that pydantic reports it at its field.
    """
    if isinstance(text, Duration):
        return text
    match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        hint = " (a number alone has no unit)" if isinstance(text, int) else ""
        raise ValueError(f"{text!r} is not a duration{hint}; allowed is {ALLOWED}")
    unit = next(u for u in UNITS if u == match[2])
    return Duration(unit, int(match[1]))


DurationField = Annotated[
    Duration,
    PlainValidator(parse_duration),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_FORM.pattern}$", "description": ALLOWED}),
]
"""A Duration in a pydantic model: read from and written as text."""


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Give the same time as ascending spans that neither overlap nor touch; empty ones are dropped."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def clock_deadline(start_ms: int, length_ms: int, spans: Sequence[Span] = ()) -> int:
    """Give the moment at which `length_ms` have passed since `start_ms`, not counting suspended time."""
    due = start_ms + length_ms
    if not spans:
        return due
    for start, end in merge_spans(spans):
        if end <= start_ms:
            continue
        if max(start, start_ms) >= due:
            break
        due += end - max(start, start_ms)
    return due


def share(start_ms: int, due_ms: int, percent: Duration) -> int:
    """Give the moment at `percent` of the way from start to deadline, rounded down to the millisecond."""
    if percent.unit != "%":
        raise ValueError(f"{percent} is not a percentage")
    return start_ms + (due_ms - start_ms) * percent.amount // 100
