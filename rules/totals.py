"""The sums of indicators: differences in, values out, and the indicators that are made of others' values.

One owner holds all values of an indicator: the summing agent's partition in a worker, all of them in `replay`. Pure.
A derived indicator is a function of its source's sums, so it is never told in differences and repairs itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

import msgspec

from rules.indicator_models import Indicator
from rules.threshold_periods import period_of, years_on
from schemas import IndicatorDelta, IndicatorValue, Number, iso, plain

EXACT = Context(prec=60)
"""Enough digits for any sum and product of two amounts: nothing is rounded but where it says so."""
_PLACES = Decimal("0.0001")
"""kWh have up to four places."""
_Key = tuple[str, str, str, str]


class Total(msgspec.Struct, array_like=True, gc=False):
    """The sum of all differences of one key."""

    numerator: Number = 0
    denominator: Number = 0
    at: int = 0


class Series(NamedTuple):
    """Values of one indicator that differ in their date alone."""

    indicator: str
    org_no: str
    dims: str

    def key(self, date: str) -> str:
        """Give the key of its value of a date."""
        return f"{self.indicator}|{self.org_no}|{date}|{self.dims}"


def delta_key(delta: IndicatorDelta) -> str:
    """Give the key of an indicator value: indicator, unit, date and dimensions."""
    return f"{delta.indicator}|{delta.org_no}|{delta.date}|{delta.dims}"


def key_parts(key: str) -> tuple[Series, str]:
    """Give the series and the date of a key."""
    indicator, org_no, date, dims = key.split("|", 3)
    return Series(indicator, org_no, dims), date


def indicator_value(key: str, total: Total) -> IndicatorValue:
    """Give the value of a key as it is published; with nothing to divide by it is the numerator."""
    series, date = key_parts(key)
    numerator, denominator = plain(total.numerator), plain(total.denominator)
    return IndicatorValue(
        indicator=series.indicator, org_no=series.org_no, date=date,
        dims=msgspec.json.decode(series.dims or "{}", type=dict[str, str]),
        numerator=numerator, denominator=denominator,
        value=float(numerator / denominator if denominator else numerator), at=iso(total.at),
    )  # fmt: skip


def added(one: Number, other: Number) -> Number:
    """Give the exact sum."""
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return EXACT.add(one, other)


@dataclass(frozen=True, slots=True)
class Derived:
    """Indicators that are functions of the values of others, by the indicator that they look at."""

    by_source: Mapping[str, tuple[Indicator, ...]]

    @classmethod
    def of(cls, indicators: Iterable[Indicator]) -> Derived:
        """Sort the derived ones among the indicators."""
        found: dict[str, tuple[Indicator, ...]] = {}
        for indicator in indicators:
            if indicator.of is not None:
                found[indicator.of] = (*found.get(indicator.of, ()), indicator)
        return cls(found)


NOTHING_DERIVED = Derived({})


class Totals:
    """All sums of one owner. `changed` collects the keys whose values are to be published."""

    def __init__(self) -> None:
        self.rows: dict[str, Total] = {}
        self.changed: set[str] = set()
        self.indexed: frozenset[str] = frozenset()
        self._derived = NOTHING_DERIVED
        self._by_date: dict[str, dict[str, dict[Series, None]]] = {}

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self.rows)

    def prepare(self, derived: Derived, judged: Iterable[str]) -> None:
        """Say what is derived and which indicators are asked for by date; call again when the definitions change."""
        self._derived = derived
        self.indexed = frozenset(judged) | derived.by_source.keys()
        self._by_date = {code: {} for code in self.indexed}
        for key in self.rows:
            self._index(key)
        self._derive_anew()

    def add(self, delta: IndicatorDelta) -> str:
        """Add a difference up; give its key."""
        key = delta_key(delta)
        total = self.rows.get(key)
        if total is None:
            total = self.rows[key] = Total()
            if delta.indicator in self.indexed:
                self._index(key)
        derived = self._derived.by_source.get(delta.indicator, ())
        was = msgspec.structs.replace(total) if derived else total
        total.numerator = added(total.numerator, delta.numerator)
        total.denominator = added(total.denominator, delta.denominator)
        total.at = max(total.at, delta.at)
        self.changed.add(key)
        for indicator in derived:
            self._follow(indicator, key, was, total)
        return key

    def dates(self, indicator: str) -> Mapping[str, Mapping[Series, None]]:
        """Give the series of an indexed indicator that have a value, by date."""
        return self._by_date.get(indicator, {})

    def series(self, indicator: str, dates: Iterable[str]) -> Iterator[Series]:
        """Give the series of an indexed indicator that have a value on one of the dates, each once, in no order."""
        by_date = self.dates(indicator)
        return iter(dict.fromkeys(series for day in dates for series in by_date.get(day, ())))

    def _index(self, key: str) -> None:
        series, date = key_parts(key)
        by_date = self._by_date.get(series.indicator)
        if by_date is not None:
            by_date.setdefault(date, {})[series] = None

    # -- what is derived

    def _follow(self, indicator: Indicator, key: str, was: Total, now: Total) -> None:
        """Let a derived indicator follow a change of its source."""
        series, date = key_parts(key)
        if indicator.kind == "share_of_values":
            target = Series(indicator.code, series.org_no, process_dims(series.dims)).key(date)
            (n, d), (old_n, old_d) = _share(indicator, now), _share(indicator, was)
            if (n, d) != (old_n, old_d):
                total = self._row(target, now.at)
                total.numerator, total.denominator = total.numerator + n - old_n, total.denominator + d - old_d
            return
        self._set_against_last_year(indicator, series, date)
        following = _a_year_from(date, 1)
        if following is not None and series.key(following) in self.rows:
            self._set_against_last_year(indicator, series, following)

    def _set_against_last_year(self, indicator: Indicator, series: Series, date: str) -> None:
        """A reduction is the amount saved against the rate of a year before: over the same denominator, points gained.

        A growth is what came on top of the amount of a year before, over that amount.
        """
        base_date = _a_year_from(date, -1)
        now, base = self.rows[series.key(date)], self.rows.get(series.key(base_date or ""))
        target = series._replace(indicator=indicator.code).key(date)
        is_growth = indicator.kind == "growth"
        if base is None or not (base.numerator if is_growth else base.denominator and now.denominator):
            if target in self.rows:
                total = self._row(target, now.at)
                total.numerator = total.denominator = 0
            return
        if is_growth:
            total = self._row(target, max(now.at, base.at))
            total.numerator, total.denominator = EXACT.subtract(now.numerator, base.numerator), base.numerator
            return
        at_base_rate = EXACT.divide(EXACT.multiply(base.numerator, now.denominator), base.denominator)
        saved = EXACT.subtract(at_base_rate, now.numerator).quantize(_PLACES, ROUND_HALF_EVEN, EXACT)
        total = self._row(target, max(now.at, base.at))
        total.numerator, total.denominator = saved, now.denominator

    def _row(self, key: str, at: int) -> Total:
        self.changed.add(key)
        total = self.rows.get(key) or self.rows.setdefault(key, Total())
        total.at = max(total.at, at)
        return total

    def _derive_anew(self) -> None:
        """Bring everything derived in line with its definition as it is now."""
        codes = {each.code for group in self._derived.by_source.values() for each in group}
        before = {k: (t.numerator, t.denominator) for k, t in self.rows.items() if k.partition("|")[0] in codes}
        was_changed = set(self.changed)
        for key in before:
            self.rows[key].numerator = self.rows[key].denominator = 0
        for source, indicators in self._derived.by_source.items():
            for date in self._by_date[source]:
                for series in list(self._by_date[source][date]):
                    key = series.key(date)
                    for indicator in indicators:
                        self._follow(indicator, key, Total(), self.rows[key])
        same = {k for k, was in before.items() if was == (self.rows[k].numerator, self.rows[k].denominator)}
        self.changed = (self.changed - same) | was_changed


def process_dims(dims: str) -> str:
    """Give the dimensions with the process alone."""
    process = msgspec.json.decode(dims or "{}", type=dict[str, str]).get("process")
    return "{}" if process is None else f'{{"process":"{process}"}}'


def _share(indicator: Indicator, total: Total) -> tuple[int, int]:
    """Tell whether a value counts, and whether there is one."""
    if not total.denominator or indicator.band is None:
        return 0, 0
    low, high = (EXACT.multiply(Decimal(str(edge)), total.denominator) for edge in indicator.band)
    if total.denominator < 0:
        low, high = high, low
    return int((low <= total.numerator <= high) == (indicator.counts == "inside")), 1


def _a_year_from(date: str, years: int) -> str | None:
    return years_on("daily", period_of("daily", date), years).label if date else None
