"""Numbers told by rows: beyond a bound, or far from what the rows before lead one to expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from rules.durations import parse_duration
from rules.engine.conditions import COMPARISONS
from rules.engine.periods import year_before
from rules.engine.row_ground import Ground, Matching
from rules.engine.rows import Finding, Rows, SubjectRow, number
from rules.row_models import Amount, Base, JumpRule, ThresholdRule
from rules.state import Place
from rules.workdays import WorkCalendar
from schemas import SEVERITIES, Value

Test = Callable[[Decimal], bool]
HUNDRED = 100


class Number:
    """One number of a rule (`rules.row_models.Amount`)."""

    def __init__(self, amount: Amount) -> None:
        """Compile it."""
        self._amount = amount
        self._rows = Matching(amount.of, amount.when, amount.match) if amount.of else None

    def of(self, rows: Rows, row: SubjectRow) -> Decimal | None:
        """Give the number; None if nothing tells it. The sum and the count of no rows are 0."""
        amount = self._amount
        if self._rows is None:
            return number(row.fields.get(amount.field or ""))
        found = self.rests_on(rows, row)
        if amount.count:
            return Decimal(len(found))
        if amount.last is not None:
            return number(found[0].fields.get(amount.last)) if found else None
        numbers = [n for each in found if (n := number(each.fields.get(amount.sum or amount.mean or ""))) is not None]
        if amount.sum is not None:
            return sum(numbers, Decimal(0))
        return sum(numbers, Decimal(0)) / len(numbers) if numbers else None

    def rests_on(self, rows: Rows, row: SubjectRow) -> list[SubjectRow]:
        """Give the other rows that the number is of."""
        amount = self._amount
        found = list(self._rows.of(rows, row)) if self._rows else []
        if amount.last is None:
            return found
        ordered = [each for each in found if each.fields.get(amount.by or "") is not None]
        newest = max(ordered, key=lambda each: _order(each.fields[amount.by or ""]), default=None)
        return [newest] if newest else []


def _order(value: Value) -> tuple[int, Any]:
    """Order values of one field, should the types differ."""
    return (0, value) if isinstance(value, int | Decimal) else (1, str(value))


class Threshold:
    """A number, or its share of another, beyond a bound."""

    is_timed = False

    def __init__(self, rule: ThresholdRule) -> None:
        """Compile the rule."""
        self.severities = frozenset(rule.rungs)
        self.ground = Ground(rule, is_timed=False)
        self._value = Number(rule.value)
        self._against = Number(rule.against) if rule.against else None
        self._bounds = tuple((s, _bound(rule.rungs[s])) for s in SEVERITIES if s in rule.rungs)

    def find(self, rows: Rows) -> list[Finding]:
        """Give the rows whose number is beyond a bound."""
        findings = []
        for row in self.ground.subjects(rows):
            value = self._value.of(rows, row)
            base = self._against.of(rows, row) if self._against else None
            if value is None or (self._against is not None and not base):
                continue
            share = value / base if base else value
            rungs = tuple((severity, None) for severity, test in self._bounds if test(share))
            if rungs:
                detail = f"{value:f}为{base:f}的{share * HUNDRED:.1f}%" if base else f"{value:f}"
                finding = self.ground.finding(rows, row, rungs, detail=detail)
                findings.append(finding._replace(further=(partial(self._rests_on, rows, row), *finding.further)))
        return findings

    def _rests_on(self, rows: Rows, row: SubjectRow) -> Iterator[Place | None]:
        for each in (self._value, self._against):
            yield from (other.place for other in (each.rests_on(rows, row) if each else ()))


def _bound(bound: Mapping[str, Any]) -> Test:
    pairs = [(COMPARISONS[name], Decimal(str(value))) for name, value in bound.items()]
    return lambda value: all(compare(value, wanted) for compare, wanted in pairs)


class Jump:
    """A row's number far from its base."""

    is_timed = False

    def __init__(self, rule: JumpRule, calendar: WorkCalendar) -> None:
        """Compile the rule."""
        self.severities = frozenset({rule.severity})
        self.ground = Ground(rule, is_timed=False)
        self._rule, self._calendar = rule, calendar
        self._share = Decimal(parse_duration(rule.over).amount) / HUNDRED
        self._least = Decimal(str(rule.and_at_least))

    def find(self, rows: Rows) -> list[Finding]:
        """Give the rows that jump, each against those before it in its series."""
        rule, findings = self._rule, []
        series: dict[tuple[Value, ...], list[SubjectRow]] = {}
        for row in rows.of(rule.each):
            if row.fields.get(rule.by) is not None and number(row.fields.get(rule.value)) is not None:
                series.setdefault(tuple(row.fields.get(name) for name in rule.alike), []).append(row)
        for row in self.ground.subjects(rows):
            alike = series.get(tuple(row.fields.get(name) for name in rule.alike), [])
            before = self._before(rule.base, row, alike)
            value, base = number(row.fields.get(rule.value)), self._mean(before)
            if value is not None and base is not None and self._jumps(value, base):
                rungs = ((rule.severity, None),)
                finding = self.ground.finding(rows, row, rungs, detail=f"{value:f}，基准{base:.2f}")
                places = (each.place for each in before if each.place is not None)
                findings.append(finding._replace(places=(*finding.places, *places)))
        return findings

    def _jumps(self, value: Decimal, base: Decimal) -> bool:
        if self._rule.zero and (value == 0) != (base == 0):
            return True
        off = abs(value - base)
        return base != 0 and off > abs(base) * self._share and off >= self._least

    def _before(self, base: Base, row: SubjectRow, alike: list[SubjectRow]) -> list[SubjectRow]:
        """Give the rows that one is measured by."""
        period = row.fields.get(self._rule.by)
        if period is None:
            return []
        if base.same_period_last_year:
            wanted = year_before(period, self._calendar)
            return [each for each in alike if each.fields.get(self._rule.by) == wanted]
        before = [each for each in alike if _order(each.fields[self._rule.by]) < _order(period)]
        before.sort(key=lambda each: _order(each.fields[self._rule.by]))
        return before[-(base.mean_of_last or 1) :]

    def _mean(self, before: list[SubjectRow]) -> Decimal | None:
        known = [n for each in before if (n := number(each.fields.get(self._rule.value))) is not None]
        return sum(known, Decimal(0)) / len(known) if known else None
