"""The tables of a report, reckoned from what the store has: by unit, by day, and the anomalies one by one. Pure.

`report_html`, `report_chart` and `report_book` show them; `report_mail` makes a mail of them.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from schemas.alert import AlertEvent
from schemas.indicator import IndicatorValue
from schemas.report import ReportIndicator, ReportOrder
from sinks.store.rows import Findings

MOST_ANOMALIES = 5_000
"""In the workbook; a longer list is asked for with `stagewatch alerts list`."""
_REST = "本级及其他"


class Line(msgspec.Struct, frozen=True):
    """One line of a table of figures."""

    label: str
    level: int
    """0: the unit that the report is about; 1, 2, ...: below it. Days: 1."""
    values: tuple[float | None, ...]
    """In the order of the report's indicators; None: there is none."""
    anomalies: int


class Tables(msgspec.Struct, frozen=True):
    """A report with its figures."""

    order: ReportOrder
    units: tuple[Line, ...]
    """The unit itself, then those below it; their counts add up to its own."""
    days: tuple[Line, ...]
    """Of its period; empty if nothing in it has a date."""
    anomalies: tuple[AlertEvent, ...]
    total: int
    """Anomalies in all: of the last `MOST_ANOMALIES` there are rows."""


def tables_of(order: ReportOrder, found: Findings, zone: ZoneInfo) -> Tables:
    """Reckon the tables; times are local to `zone`."""
    units, days = tuple(_units(order, found)), tuple(_days(order, found, zone))
    return Tables(order, units, days, found.anomalies, len(found.places))


def shown(value: float | None, indicator: ReportIndicator) -> str:
    """Give a value as people read it; `–`: there is none."""
    if value is None:
        return "–"
    if indicator.unit == "%":
        return f"{value:.1%}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _units(order: ReportOrder, found: Findings) -> Iterator[Line]:
    by_unit: dict[str, _Part] = {}
    for each in found.figures:
        by_unit.setdefault(each.org_no, _Part()).figures.append(each)
    for org_no, _ in found.places:
        by_unit.setdefault(org_no, _Part()).anomalies += 1
    yield _line(order, by_unit.values(), order.name or order.org_no, 0)
    for unit in order.units:
        below = [part for org_no, part in by_unit.items() if org_no.startswith(unit.org_no)]
        yield _line(order, below, unit.name or unit.org_no, unit.level)
    listed = tuple(unit.org_no for unit in order.units)
    rest = [part for org_no, part in by_unit.items() if not org_no.startswith(listed)]
    if listed and rest:
        yield _line(order, rest, _REST, 1)


class _Part:
    """What is of one unit alone."""

    def __init__(self) -> None:
        self.figures: list[IndicatorValue] = []
        self.anomalies = 0


def _line(order: ReportOrder, parts: Collection[_Part], label: str, level: int) -> Line:
    figures = [each for part in parts for each in part.figures]
    return Line(label, level, _values(order, figures), sum(part.anomalies for part in parts))


def _values(order: ReportOrder, figures: Sequence[IndicatorValue]) -> tuple[float | None, ...]:
    of_code: dict[str, list[IndicatorValue]] = {}
    for each in figures:
        of_code.setdefault(each.indicator, []).append(each)
    return tuple(_value(each, of_code.get(each.code, ())) for each in order.indicators)


def _value(indicator: ReportIndicator, figures: Sequence[IndicatorValue]) -> float | None:
    """Sum parts first and divide then: the mean of shares is not the share."""
    numerator = sum((each.numerator for each in figures), Decimal(0))
    denominator = sum((each.denominator for each in figures), Decimal(0))
    if not indicator.is_ratio:
        return float(numerator) if figures else None
    return float(numerator / denominator) if denominator else None


def _days(order: ReportOrder, found: Findings, zone: ZoneInfo) -> Iterator[Line]:
    raised = Counter(_local_date(at, zone) for _, at in found.places if order.anomalies == "raised")
    figures: dict[str, list[IndicatorValue]] = {}
    for each in found.figures:
        figures.setdefault(each.date, []).append(each)
    if not figures.keys() - {""} and not raised:
        return
    day, last = date.fromisoformat(order.first), date.fromisoformat(order.last)
    while day <= last:
        name = day.isoformat()
        yield Line(name, 1, _values(order, figures.get(name, [])), raised[name])
        day += timedelta(days=1)


def _local_date(at: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date().isoformat()
