"""Indicators: differences that instances contribute, and the sums that are published."""

from decimal import Decimal

import msgspec

Number = int | Decimal
"""A count, or an amount (kWh, yuan, seconds): sums are exact, whatever their order."""


def plain(number: Number) -> Number:
    """Give a number as it is written: whole ones as integers, others without zeros at the end."""
    if isinstance(number, int):
        return number
    return int(number) if number == number.to_integral_value() else number.normalize()


class IndicatorDelta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one change of one instance adds to (or takes from) one indicator value."""

    indicator: str
    org_no: str
    date: str
    """Local business date, `YYYY-MM-DD`; `` for a count that stands now (stock, not flow)."""
    dims: str
    """Further dimensions as canonical JSON with sorted keys, e.g. `{"process":"hv_connection"}`."""
    numerator: Number
    denominator: Number
    """0 where the indicator is a plain count or sum."""
    at: int


class ClockMark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a tracking partition has come; written among the differences.

    Every difference that it will ever write of a moment up to `clock` stands before this mark in the partition.
    """

    number: int
    """Of the tracking partition."""
    clock: int


class IndicatorValue(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last value of one indicator; value of `stagewatch.indicators` as JSON."""

    version: int = 1
    indicator: str
    org_no: str
    date: str
    dims: dict[str, str]
    numerator: Number
    denominator: Number
    value: float | None
    """numerator / denominator; the numerator itself for plain counts; None for 0 / 0."""
    at: str
