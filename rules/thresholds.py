"""Thresholds made ready for the judge: which count for a unit, when they are judged, and what a breach is.

`rules.loader` hands in the rules of kind `indicator` and the templates of units; the nearest template up the tree
counts, as with limits (`rules.cascade`). Pure; the judge is `rules.threshold_judge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from rules.durations import parse_duration
from rules.engine.deadlines import RuleFace
from rules.indicator_models import Indicator
from rules.threshold_models import Execution, IndicatorRule, Operator, Threshold
from rules.threshold_periods import DAY, Period, Timetable
from rules.totals import EXACT
from rules.unit_parameters import UnitParameters
from rules.workdays import WorkCalendar
from schemas import Number

REALTIME_MS, TIMED_MS = 1_000, 60_000
"""What happens within it is judged as one: at once means within the second, and days begin and end with a minute."""
HUNDREDTHS = frozenset({"%", "点"})
OWN_TEXT = "indicator_breach"
"""Sentence of a template's threshold that no rule has."""


class Ratio(NamedTuple):
    """A number as a quotient, exactly; the denominator is above 0."""

    numerator: Number
    denominator: Number

    @classmethod
    def of(cls, numerator: Number, denominator: Number) -> Ratio:
        """Give a quotient; `denominator` is not 0."""
        return cls(numerator, denominator) if denominator > 0 else cls(-numerator, -denominator)

    def less(self, base: Ratio, *, relative: bool) -> Ratio | None:
        """Give the difference from a base, as a share of it if `relative`; None: there is no share of nothing."""
        mine = EXACT.multiply(self.numerator, base.denominator)
        theirs = EXACT.multiply(base.numerator, self.denominator)
        if not relative:
            return Ratio(EXACT.subtract(mine, theirs), EXACT.multiply(self.denominator, base.denominator))
        return Ratio.of(EXACT.subtract(mine, theirs), theirs.copy_abs()) if theirs else None

    def __float__(self) -> float:
        """Give it as people read it."""
        return float(self.numerator / self.denominator)

    def exceeds(self, operator: Operator, low: Decimal, high: Decimal) -> bool:
        """Tell whether it is beyond: `high` counts for gt and ge, `low` for lt and le, both for outside."""
        value, denominator = self
        match operator:
            case "gt":
                return bool(value > EXACT.multiply(high, denominator))
            case "ge":
                return bool(value >= EXACT.multiply(high, denominator))
            case "lt":
                return bool(value < EXACT.multiply(low, denominator))
            case "le":
                return bool(value <= EXACT.multiply(low, denominator))
            case "outside":
                is_between = EXACT.multiply(low, denominator) <= value <= EXACT.multiply(high, denominator)
                return not is_between


class Judged(NamedTuple):
    """One threshold as it counts for a unit."""

    threshold: Threshold
    rule: RuleFace
    processes: frozenset[str]
    """Whose values it is about; none: all."""
    timetable: Timetable
    low: Decimal
    high: Decimal
    window_ms: int

    @property
    def item(self) -> str:
        """Tell it apart from the other thresholds of its rule, whatever its value."""
        return _item(self.threshold)

    @property
    def needs_events(self) -> bool:
        """Tell whether it is judged whenever a value changes."""
        return self.threshold.window is not None or self.timetable.execution.frequency == "realtime"

    def is_breached(self, value: Ratio) -> bool:
        """Tell whether a value (less its base) is an anomaly."""
        return value.exceeds(self.threshold.operator, self.low, self.high)

    def is_cleared(self, value: Ratio) -> bool:
        """Tell whether a value ends an anomaly."""
        threshold = self.threshold
        if threshold.clear is None:
            return not self.is_breached(value)
        edge = Decimal(str(threshold.clear)) * _scale(threshold)
        low, high = (-edge, edge) if threshold.operator == "outside" else (edge, edge)
        operator = {"ge": "gt", "le": "lt"}.get(threshold.operator, threshold.operator)
        return not value.exceeds(operator, low, high)  # type: ignore[arg-type]  # one of the operators


class Template(Protocol):
    """What a unit's file sets for itself and the units below it (`rules.cascade.CascadeFile`)."""

    @property
    def id(self) -> str:
        """Of the file."""

    @property
    def title(self) -> str:
        """Of the file."""

    @property
    def org(self) -> str:
        """Code of the unit."""

    @property
    def parameters(self) -> Sequence[UnitParameters]:
        """Of computed rules."""

    @property
    def execution(self) -> Execution:
        """When its thresholds are judged."""

    @property
    def thresholds(self) -> list[Threshold]:
        """What it sets."""

    @property
    def model_fields_set(self) -> set[str]:
        """Names of what the file says itself."""


class Thresholds:
    """All thresholds of a set of definitions."""

    def __init__(  # noqa: PLR0913 - what a set of definitions says of thresholds
        self,
        rules: Sequence[IndicatorRule],
        templates: Iterable[Template],
        indicators: Iterable[Indicator],
        *,
        processes: Mapping[str, frozenset[str]],
        calendar: WorkCalendar,
        versions: Mapping[str, int] | None = None,
    ) -> None:
        """Take enabled rules, and by name of a process those that it stands for (`is_a`).

        `versions` are those of the rules that templates bring themselves, by code, where they are not 1.
        """
        self._versions = versions or {}
        every = tuple(indicators)
        self.indicators = {each.code: each for each in reversed(every)}
        """By code; several that count into one are known by the first."""
        self.ratios = frozenset(each.code for each in every if each.is_ratio or each.part == "denominator")
        """Indicators whose values are quotients."""
        self._rules = tuple(rules)
        self._templates = sorted(templates, key=lambda file: len(file.org))
        self._processes = processes
        self._calendar = calendar
        self._of: dict[tuple[str, str], tuple[Judged, ...]] = {}
        self._timetables: dict[Execution, Timetable] = {}
        self.orgs = tuple(file.org for file in self._templates if file.thresholds or _says_when(file))
        """Units that have a template, the highest first."""
        judged = [*_thresholds_of(self._rules), *(t for file in self._templates for t in file.thresholds)]
        self.judged = frozenset(threshold.indicator for threshold in judged)
        """Indicators that are judged for some unit."""
        executions = {rule.execution for rule in self._rules} | {file.execution for file in self._templates}
        self.timetables = tuple(self._timetable(each) for each in sorted(executions, key=repr))
        """All that there are."""
        self.codes_at = {
            table: tuple(sorted(code for code in self.judged if table.execution in self._executions_of(code)))
            for table in self.timetables
        }
        """By timetable, the indicators that are judged by it for some unit."""
        self.windowed = frozenset(threshold.indicator for threshold in judged if threshold.window)
        self.grids = {code: self._grid(code) for code in self.judged}
        """By indicator, ms: changes within it are judged together, so they may be told together."""

    def of(self, indicator: str, org: str) -> tuple[Judged, ...]:
        """Give what counts for the values of an indicator of a unit."""
        found = self._of.get((indicator, org))
        if found is None:
            found = self._of[indicator, org] = tuple(self._effective(indicator, org))
        return found

    def next_after(self, ms: int) -> int | None:
        """Give when anything is judged next, by the clock alone; None: never."""
        times = [time for table in self.timetables if (time := table.next_after(ms)) is not None]
        return min(times, default=None)

    def date_of(self, ms: int) -> str:
        """Give the local date."""
        return self._calendar.local_date(ms)

    def end_of(self, period: Period) -> int:
        """Give when a period is over."""
        return self._calendar.start_of_day(period.last + DAY)

    def units_above(self, org: str) -> list[str]:
        """Give the units above one that have a template of their own."""
        return [each for each in self.orgs if each != org and org.startswith(each)]

    def is_rung(self, rule: str, item: str, severity: str) -> bool:
        """Tell whether a rule still has this threshold, for whatever unit."""
        every = [(r.code, t) for r in self._rules for t in r.thresholds]
        every += [(self._face(t).code, t) for file in self._templates for t in file.thresholds]
        return any(code == rule and t.severity == severity and _item(t) == item for code, t in every)

    # -- what counts for a unit

    def _effective(self, indicator: str, org: str) -> list[Judged]:
        found: dict[tuple[str, ...], tuple[Threshold, IndicatorRule | None, Execution]] = {}
        for rule in self._rules:
            for threshold in rule.thresholds:
                if threshold.indicator == indicator:
                    found[threshold.about] = (threshold, rule, rule.execution)
        of_templates: set[tuple[str, ...]] = set()
        for file in self._templates:
            if not org.startswith(file.org):
                continue
            for threshold in file.thresholds:
                if threshold.indicator == indicator:
                    known = found.get(threshold.about)
                    execution = known[2] if known and not _says_when(file) else file.execution
                    found[threshold.about] = (threshold, known[1] if known else None, execution)
                    of_templates.add(threshold.about)
            if _says_when(file):
                found |= {about: (*found[about][:2], file.execution) for about in of_templates}
        return [self._judged(*each) for each in found.values()]

    def _judged(self, threshold: Threshold, rule: IndicatorRule | None, execution: Execution) -> Judged:
        low, high = bounds(threshold)
        named = [self._processes.get(name, frozenset()) for name in rule.processes] if rule else []
        window = threshold.window
        return Judged(
            threshold, _face_of(rule) if rule else self._face(threshold), frozenset().union(*named),
            self._timetable(execution), low, high,
            parse_duration(window.time).clock_ms if window else 0,
        )  # fmt: skip

    def _face(self, threshold: Threshold) -> RuleFace:
        """Give the rule that judges an indicator, if one does; else one of the template's own."""
        for rule in self._rules:
            if any(other.indicator == threshold.indicator for other in rule.thresholds):
                return _face_of(rule)
        title = self.indicators[threshold.indicator].title if threshold.indicator in self.indicators else ""
        code = own_code(threshold)
        return RuleFace(code, self._versions.get(code, 1), title, ("unit_supervisor",), OWN_TEXT)

    def _timetable(self, execution: Execution) -> Timetable:
        if execution not in self._timetables:
            self._timetables[execution] = Timetable(execution, self._calendar)
        return self._timetables[execution]

    def _executions_of(self, code: str) -> set[Execution]:
        """Give when an indicator may be judged, for whatever unit."""
        executions = {rule.execution for rule in self._rules if any(t.indicator == code for t in rule.thresholds)}
        of_code = [file for file in self._templates if any(t.indicator == code for t in file.thresholds)]
        return executions | {file.execution for file in [*of_code, *filter(_says_when, self._templates)]}

    def _grid(self, code: str) -> int:
        is_at_once = code in self.windowed or any(e.frequency == "realtime" for e in self._executions_of(code))
        return REALTIME_MS if is_at_once else TIMED_MS


def own_code(threshold: Threshold) -> str:
    """Give the code of the rule that a template brings itself, for an indicator that no rule judges."""
    return f"X-{threshold.indicator}"


def bounds(threshold: Threshold) -> tuple[Decimal, Decimal]:
    """Give the lowest and highest value that are in order, exactly."""
    scale, value = _scale(threshold), threshold.value
    if isinstance(value, tuple):
        return Decimal(str(value[0])) * scale, Decimal(str(value[1])) * scale
    edge = Decimal(str(value)) * scale
    return (-edge, edge) if threshold.operator == "outside" else (edge, edge)


def _scale(threshold: Threshold) -> Decimal:
    return Decimal("0.01") if threshold.unit in HUNDREDTHS else Decimal(1)


def _says_when(file: Template) -> bool:
    return "execution" in file.model_fields_set


def _item(threshold: Threshold) -> str:
    indicator, _, operator, compare = threshold.about
    return f"{indicator}.{operator}" if compare == "absolute" else f"{indicator}.{operator}.{compare}"


def _thresholds_of(rules: Iterable[IndicatorRule]) -> list[Threshold]:
    return [threshold for rule in rules for threshold in rule.thresholds]


def _face_of(rule: IndicatorRule) -> RuleFace:
    return RuleFace(rule.code, rule.version, rule.title, tuple(rule.tell), rule.text)
