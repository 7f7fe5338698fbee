"""The shape of indicators: what instances, their rows and other values contribute to numbers per unit and date.

Read by `rules.loader`; `rules.engine.contributions` and `rules.totals` see what they need of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from rules.rule_base import Condition, DurationText, Model, ProcessId

RATIOS = frozenset({"stage_on_time", "stage_mean", "stage_share", "energy", "share_of_values", "reduction"})
"""Kinds whose values are quotients: without a denominator there is none."""


class Indicator(Model):
    """One indicator; sums of numerator and denominator per unit, local date, process and further dimensions."""

    code: Annotated[str, Field(pattern=r"^I\d{3}[A-Z]?$")]
    title: str
    kind: Literal[
        "stage_open", "stage_on_time", "stage_mean", "stage_count", "stage_share", "count", "alerts", "rows", "energy",
        "share_of_values", "reduction",
    ]  # fmt: skip
    processes: list[ProcessId]
    stage: str | None = None
    rule: str | None = Field(default=None, description="the rule whose deadline says what is in time")
    field: str | None = Field(
        default=None, description="time field of the instance (rows: of the row) whose date counts"
    )
    sum: str | None = Field(default=None, description="number field that is summed; none: instances are counted")
    unit: str = "个"
    part: Literal["numerator", "denominator"] = Field(
        default="numerator", description="alerts and rows: where they count, beside others of the same code"
    )
    # -- rows: one of over, share, on_time and seconds makes it a quotient
    each: str | None = Field(default=None, description="rows: entity of the rows; none: the instance's own row")
    when: Condition = Field(default={}, description="rows, count, stage_share: which count at all")
    over: str | None = Field(default=None, description="number field that the sum is divided by")
    share: Condition | None = Field(default=None, description="share of those for which this holds")
    on_time: tuple[str, str] | None = Field(default=None, description="share of those done (field) by then (field)")
    seconds: tuple[str, str] | None = Field(
        default=None, description="mean time between two fields; `entity.field` first: the last such row before"
    )
    end_of_day: bool = Field(default=False, description="rows: `field` is a date, which ends with its day")
    grace: DurationText | None = Field(default=None, description="on_time: so long after the time it is still in time")
    counts_late: bool = Field(default=True, description="on_time: whether what was late counts at all")
    within: DurationText | None = Field(default=None, description="seconds: what took longer was something else")
    dims: dict[str, str] = Field(default={}, description="further dimensions: name to field of the row or the instance")
    # -- energy
    per: Literal["unit", "line", "tg", "bus"] | None = Field(default=None, description="what energy is balanced of")
    # -- made of the values of another
    of: str | None = Field(default=None, description="the indicator whose values are looked at")
    band: tuple[float, float] | None = Field(default=None, description="share_of_values: lowest and highest in order")
    counts: Literal["inside", "outside"] = Field(default="outside", description="share_of_values: which are counted")

    @property
    def is_ratio(self) -> bool:
        """Tell whether its values are quotients."""
        return self.kind in RATIOS or any((self.over, self.share is not None, self.on_time, self.seconds))


class IndicatorFile(Model):
    """A file of indicators."""

    version: Literal["indicators/v1"]
    id: str
    indicators: list[Indicator]
    tests: list[dict[str, Any]] = Field(default=[])
