"""Indicators: differences that instances contribute, and the sums that are published."""

import msgspec


class IndicatorDelta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one change of one instance adds to (or takes from) one indicator value."""

    indicator: str
    org_no: str
    date: str
    """Local business date, `YYYY-MM-DD`; `` for a count that stands now (stock, not flow)."""
    dims: str
    """Further dimensions as canonical JSON with sorted keys, e.g. `{"process":"hv_connection"}`."""
    numerator: int
    denominator: int
    """0 where the indicator is a plain count or sum."""
    at: int


class IndicatorValue(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last value of one indicator; value of `stagewatch.indicators` as JSON."""

    version: int = 1
    indicator: str
    org_no: str
    date: str
    dims: dict[str, str]
    numerator: int
    denominator: int
    value: float | None
    """numerator / denominator; the numerator itself for plain counts; None for 0 / 0."""
    at: str
