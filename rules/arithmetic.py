"""A deadline taken apart for people: which days counted, which did not, and why (contract, section 7).

Called by `stagewatch alerts explain`. Nothing is judged by it: the engine reckons with look-ups
(`rules.workdays`, `rules.durations`), this counts one by one, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import count

from chinese_calendar import constants as state_council

from rules.calendar_overlay import Overlay
from rules.compiler import CompiledProcess
from rules.durations import Duration, Span, merge_spans
from rules.engine.deadlines import Applying, Deadline, Facts, Times
from rules.engine.row_deadlines import RowDeadline
from rules.engine.rows import Rows, Surroundings
from rules.loader import DefinitionSet
from rules.models import LimitRow
from rules.state import Instance, Visit
from rules.workdays import WorkCalendar
from schemas import AlertEvent, alert_id

SATURDAY = 5


class DayKind(StrEnum):
    """Why a local day counts or does not."""

    ENTRY = "entry"
    """The day on which the time began: never counted."""
    WORKDAY = "workday"
    MAKE_UP = "make_up"
    """A weekend day that is worked (调休); counts."""
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    """A day off that has a name."""
    DAY_OFF = "day_off"
    """Off by the calendar, nobody says why."""
    SUSPENDED = "suspended"
    """A workday that a suspension touches."""


@dataclass(frozen=True, slots=True)
class DayRow:
    """One local day on the way to a deadline."""

    day: date
    kind: DayKind
    number: int | None
    """The number of the workday; None: it was not counted."""
    ends_at: int
    """24:00 local, epoch ms."""
    name: str | None = None
    """Of the holiday, or for what a day makes up."""
    span: Span | None = None
    """The suspension that touches it, epoch ms."""
    is_provisional: bool = False
    """Its year's calendar is not published: Monday to Friday is a guess."""


@dataclass(frozen=True, slots=True)
class ClockRow:
    """One stretch of time on the way to a deadline that runs by the clock; epoch ms, the end excluded."""

    begin: int
    end: int
    is_counted: bool


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a rule reckoned with for one instance or visit."""

    times: Times
    limit: Duration | None
    """None: a column states the deadline, or the rungs have lengths of their own."""
    spans: tuple[Span, ...]
    row: LimitRow | None = None
    """Where the limit was set; None: the rule has it itself."""


def grounds_of(rule: Deadline, instance: Instance, visit: Visit | None, facts: Facts) -> Grounds | None:
    """Give what the rule reckons with now; None while nothing can fall due."""
    times = rule.times(instance, visit, facts)
    if times is None:
        return None
    spans = rule._spans(instance, visit) or ()  # noqa: SLF001 - one room; the engine needs no door for it
    sharp = rule._calendar.by_clock  # noqa: SLF001
    return _grounds(times, rule.applying(instance, facts), tuple(merge_spans((a, sharp(b)) for a, b in spans)))


def _grounds(times: Times, applying: Applying | None, spans: tuple[Span, ...]) -> Grounds:
    return Grounds(times, applying.limit, spans, applying.row) if applying else Grounds(times, None, spans)


def grounds_of_row(
    process: CompiledProcess, instance: Instance, around: Surroundings, alert: AlertEvent
) -> Grounds | None:
    """Give what a rule about rows reckons with now for the row of an alert; None if it has no deadline, or no more."""
    for rule in process.rows.rules if process.rows else ():
        if rule.code != alert.rule or not isinstance(rule.kind, RowDeadline):
            continue
        rows = Rows(instance, process.entity, around, process.calendar)
        for row in rule.kind.ground.subjects(rows):
            item = alert.object.item if alert.object else row.key
            known = alert_id(alert.rule, process.id, instance.key, alert.stage, alert.visit, item, alert.severity)
            times = rule.kind.times(rows, row) if known == alert.alert_id else None
            if times is not None:
                return _grounds(times, rule.kind.applying(rows), ())
    return None


def workday_rows(
    calendar: WorkCalendar, start_ms: int, n: int, spans: Sequence[Span] = (), names: Mapping[date, str] | None = None
) -> list[DayRow]:
    """Give the local days from the entry to the end of the n-th workday, that one included.

    The last row's `ends_at` is `WorkCalendar.workday_deadline` of the same arguments, and `n` rows are counted. n <= 0:
    the day of entry alone.
    """
    first = date.fromisoformat(calendar.local_date(start_ms))
    rows = [DayRow(first, DayKind.ENTRY, None, calendar.end_of_day(start_ms))]
    counted = 0
    for day in _days_after(first) if n > 0 else ():
        row = _day_row(calendar, day, spans, names or {})
        if row.kind in (DayKind.WORKDAY, DayKind.MAKE_UP):
            counted += 1
            row = _numbered(row, counted)
        rows.append(row)
        if counted == n:
            break
    return rows


def _days_after(first: date) -> Iterator[date]:
    return (first + timedelta(days=days) for days in count(1))


def _day_row(calendar: WorkCalendar, day: date, spans: Sequence[Span], names: Mapping[date, str]) -> DayRow:
    begin, end = calendar.start_of_day(day), calendar.start_of_day(day + timedelta(days=1))
    name, is_provisional = names.get(day), calendar.is_provisional(day)
    if not calendar.is_workday(day):
        kind = DayKind.HOLIDAY if name else DayKind.WEEKEND if day.weekday() >= SATURDAY else DayKind.DAY_OFF
        return DayRow(day, kind, None, end, name, is_provisional=is_provisional)
    span = next(((a, b) for a, b in spans if a < b and a < end and b > begin), None)
    if span is not None:
        return DayRow(day, DayKind.SUSPENDED, None, end, None, span, is_provisional)
    is_extra = day.weekday() >= SATURDAY and name is not None
    kind = DayKind.MAKE_UP if is_extra else DayKind.WORKDAY
    return DayRow(day, kind, None, end, name if is_extra else None, is_provisional=is_provisional)


def _numbered(row: DayRow, number: int) -> DayRow:
    return DayRow(row.day, row.kind, number, row.ends_at, row.name, row.span, row.is_provisional)


def clock_rows(start_ms: int, due_ms: int, spans: Sequence[Span] = ()) -> list[ClockRow]:
    """Give the stretches from start to deadline; those that are counted add up to the limit. Empty if none is."""
    rows: list[ClockRow] = []
    at = start_ms
    for begin, end in merge_spans(spans):
        if end <= at or begin >= due_ms:
            continue
        if begin > at:
            rows.append(ClockRow(at, begin, is_counted=True))
        rows.append(ClockRow(max(begin, at), end, is_counted=False))
        at = end
    if at < due_ms:
        rows.append(ClockRow(at, due_ms, is_counted=True))
    return rows


def day_names(loaded: DefinitionSet, calendar: str) -> dict[date, str]:
    """Give the names of the days that differ from the week by a calendar of the definitions: holidays, make-up days.

    The State Council's from the package `chinesecalendar`, the company's from its own file.
    """
    overlay = next((each for each in loaded.of(Overlay) if each.id == calendar), None)
    names: dict[date, str] = {}
    if overlay is None or overlay.base == "state_council":
        chinese = {holiday.value: str(holiday.chinese) for holiday in state_council.Holiday}
        for day, value in {**state_council.holidays, **state_council.workdays}.items():
            names[day] = chinese.get(value, str(value))
    for entry in (*overlay.holidays, *overlay.workdays) if overlay else ():
        names.update(dict.fromkeys(entry.days(), entry.name))
    return names
