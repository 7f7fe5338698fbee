"""Workdays for the demo's source systems and for the recount. Shares no code with `rules`, on purpose.

Times are epoch ms; days are local to China, which has had no summer time since 1991. A year without a
published calendar counts Monday to Friday (contract, section 7).
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache

import chinese_calendar

CHINA = timezone(timedelta(hours=8))
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
_FRIDAY = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Span = tuple[int, int]


@cache
def is_workday(day: date) -> bool:
    """Tell whether people are at work."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() <= _FRIDAY


def local_day(ms: int) -> date:
    """Give the local date of a moment."""
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(CHINA).date()


def midnight(day: date) -> int:
    """Give the beginning of a local day."""
    return (datetime(day.year, day.month, day.day, tzinfo=CHINA) - _EPOCH) // timedelta(milliseconds=1)


def end_of(day: date) -> int:
    """Give 24:00 of a local day."""
    return midnight(day) + DAY_MS


def workday_deadline(start: int, limit: int, spans: Iterable[Span] = ()) -> int:
    """Give 24:00 of the `limit`-th workday after the local day of `start`; a workday touched by a span is skipped."""
    return _deadline(local_day(start), limit, tuple(span for span in spans if span[0] < span[1]))


@cache
def _deadline(day: date, limit: int, spans: tuple[Span, ...]) -> int:
    while limit > 0:
        day += timedelta(days=1)
        is_free = all(end <= midnight(day) or begin >= end_of(day) for begin, end in spans)
        limit -= is_workday(day) and is_free
    return end_of(day)


def idle_deadline(start: int, length_ms: int, spans: Iterable[Span] = ()) -> int:
    """Give when `length_ms` have passed since `start`, not counting time inside the spans (which do not overlap)."""
    due = start + length_ms
    for begin, end in sorted(spans):
        if begin < due and end > start:
            due += end - max(begin, start)
    return due


def at_work(ms: int) -> int:
    """Give the moment itself if it lies in office hours (8:30 to 17:30 of a workday), else the next opening."""
    day = local_day(ms)
    opening, closing = midnight(day) + 17 * HOUR_MS // 2, midnight(day) + 35 * HOUR_MS // 2
    if is_workday(day) and ms < closing:
        return max(ms, opening)
    day += timedelta(days=1)
    while not is_workday(day):
        day += timedelta(days=1)
    return midnight(day) + 17 * HOUR_MS // 2 + ms % (90 * MINUTE_MS)  # not everybody is there at the stroke of the bell
