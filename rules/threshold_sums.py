"""The values that thresholds look at: of things, of units with those below them, of peers; as of the judge's clock.

Pure, a view of `rules.totals` less what is not judged yet. What one moment needs is summed once and kept until the
next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rules.reference import Reference
from rules.threshold_alerts import OBJECTS, Subject
from rules.threshold_periods import Period
from rules.thresholds import Ratio, Thresholds
from rules.totals import Series, Totals, added
from schemas import Number

Dates = tuple[str, ...]
STANDING: Dates = ("",)
"""The date of what stands now."""
MOST_UNITS = 12
"""Levels above a unit that are looked at: a circle in the units' table must end."""


class Amount(NamedTuple):
    """A sum of numerators and denominators, and of how many units or things."""

    numerator: Number = 0
    denominator: Number = 0
    members: int = 0

    def plus(self, numerator: Number, denominator: Number, members: int = 1) -> Amount:
        """Give the sum with another."""
        return Amount(added(self.numerator, numerator), added(self.denominator, denominator), self.members + members)


def dates_of(period: Period | None) -> Dates:
    """Give the dates that a period's value is the sum of; None: what stands now."""
    return STANDING if period is None else tuple(period.dates())


class Sums:
    """Values as of the judge's clock."""

    def __init__(self, totals: Totals, reference: Reference) -> None:
        self._totals, self._reference = totals, reference
        self.held: dict[str, tuple[Number, Number]] = {}
        """By key, what was added after the clock."""
        self._clock = 0
        self._above: dict[str, tuple[str, ...]] = {}
        self._by_unit: dict[tuple[str, Dates], dict[Subject, Amount]] = {}
        self._of_peers: dict[tuple[str, Dates], dict[tuple[str, object], Amount]] = {}
        self._thresholds: Thresholds

    def use(self, thresholds: Thresholds) -> None:
        """Go over to other thresholds."""
        self._thresholds = thresholds
        self.go_to(self._clock)

    def go_to(self, clock: int) -> None:
        """Forget what was summed for the moment before."""
        self._clock = clock
        self._above.clear()
        self._by_unit.clear()
        self._of_peers.clear()

    # -- units

    def subjects(self, series: Series) -> list[Subject]:
        """Give whose values a series counts for: its thing, or its unit and the units above."""
        own = Subject(series.org_no, series.dims)
        if is_of_thing(own):
            return [own]
        return [own, *(Subject(unit, series.dims) for unit in self._units_above(series.org_no))]

    def _units_above(self, org: str) -> tuple[str, ...]:
        """Give the units above one: those of the units' table, and those that have a template."""
        found = self._above.get(org)
        if found is None:
            units, above = dict.fromkeys(self._thresholds.units_above(org)), self._parent(org)
            while above is not None and len(units) < MOST_UNITS and org.startswith(above) and above not in units:
                units[above] = None
                above = self._parent(above)
            found = self._above[org] = tuple(sorted(units))
        return found

    def _parent(self, org: str) -> str | None:
        row = self._reference.get("org", org, self._clock)
        parent = row.get("parent_org_no") if row else None
        return None if parent is None or parent == org else str(parent)

    # -- values

    def value(self, indicator: str, subject: Subject, dates: Dates, min_count: float = 0) -> Ratio | None:
        """Give a value; None if there is none, or too little of it."""
        if is_of_thing(subject):
            amount = self._amount(Series(indicator, subject.unit, subject.dims), dates)
        else:
            amount = self.by_subject(indicator, dates).get(subject, Amount())
        return self._ratio(indicator, amount, min_count)

    def peers(self, indicator: str, subject: Subject, dates: Dates) -> Ratio | None:
        """Give the mean of the siblings: the other things of the unit, or the other units below its upper one."""
        group = self._group(subject)
        if group is None:
            return None
        groups = self._of_peers.get((indicator, dates))
        if groups is None:
            groups = self._of_peers[indicator, dates] = {}
            for each, amount in self.by_subject(indicator, dates).items():
                key = self._group(each)
                if key is not None:
                    groups[key] = groups.get(key, Amount()).plus(amount.numerator, amount.denominator)
        mine = self.by_subject(indicator, dates).get(subject)
        others = groups.get(group, Amount())
        if mine is not None:
            others = others.plus(-mine.numerator, -mine.denominator, -1)
        if not self._is_ratio(indicator):
            return Ratio(others.numerator, others.members) if others.members > 0 else None
        return self._ratio(indicator, others, 0)

    def siblings(self, indicator: str, subject: Subject, dates: Dates) -> list[Subject]:
        """Give the siblings of a subject that have a value."""
        group = self._group(subject)
        return [] if group is None else [
            each for each in self.by_subject(indicator, dates) if each != subject and self._group(each) == group
        ]  # fmt: skip

    def by_subject(self, indicator: str, dates: Dates) -> dict[Subject, Amount]:
        """Give the sums of all things and units, those of upper units too."""
        found = self._by_unit.get((indicator, dates))
        if found is None:
            found = self._by_unit[indicator, dates] = {}
            for series in self._totals.series(indicator, dates):
                amount = self._amount(series, dates)
                if amount.members:
                    for subject in self.subjects(series):
                        found[subject] = found.get(subject, Amount()).plus(amount.numerator, amount.denominator)
        return found

    def _group(self, subject: Subject) -> tuple[str, object] | None:
        if is_of_thing(subject):
            return subject.unit, tuple(sorted(subject.known()))
        parent = self._parent(subject.unit)
        return None if parent is None else (parent, subject.dims)

    def _amount(self, series: Series, dates: Iterable[str]) -> Amount:
        amount = Amount()
        for day in dates:
            key = series.key(day)
            total = self._totals.rows.get(key)
            if total is None:
                continue
            held = self.held.get(key, (0, 0))
            numerator, denominator = added(total.numerator, -held[0]), added(total.denominator, -held[1])
            if numerator or denominator:  # else it may be that nothing has come by the clock
                amount = amount.plus(numerator, denominator)
        return amount

    def _ratio(self, indicator: str, amount: Amount, min_count: float) -> Ratio | None:
        if not amount.members:
            return None
        if not self._is_ratio(indicator):
            return Ratio(amount.numerator, 1)
        if not amount.denominator or amount.denominator < min_count:
            return None
        return Ratio.of(amount.numerator, amount.denominator)

    def _is_ratio(self, indicator: str) -> bool:
        return indicator in self._thresholds.ratios


def is_of_thing(subject: Subject) -> bool:
    """Tell whether a value is of one thing, not of a unit."""
    return not OBJECTS.keys().isdisjoint(subject.known())
