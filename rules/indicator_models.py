"""The shape of indicators: what instances, their rows and other values contribute to numbers per unit and date.

Read by `rules.loader`; `rules.engine.contributions` and `rules.totals` see what they need of it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field

from rules.rule_base import Condition, DurationText, Model, ProcessId
from schemas import Severity

RATIOS = frozenset(
    {"stage_on_time", "stage_mean", "stage_share", "stage_blocked", "energy", "share_of_values", "reduction", "growth"}
)
"""Kinds whose values are quotients: without a denominator there is none."""


class Indicator(Model):
    """One indicator; sums of numerator and denominator per unit, local date, process and further dimensions."""

    code: Annotated[str, Field(pattern=r"^I\d{3}[A-Z]?$")]
    title: str
    kind: Literal[
        "stage_open", "stage_on_time", "stage_mean", "stage_count", "stage_share", "count", "alerts", "rows", "energy",
        "open_alerts", "stage_blocked", "share_of_values", "reduction", "growth",
    ]  # fmt: skip
    processes: list[ProcessId]
    stage: str | None = None
    rule: str | None = Field(default=None, description="the rule whose deadline says what is in time")
    rules: list[str] = Field(
        default=[],
        description="alerts, open_alerts, stage_blocked: the rules that are meant; `R-T*`: all that begin so",
    )
    severities: list[Severity] = Field(default=[], description="alerts, open_alerts, stage_blocked: only these")
    field: str | None = Field(
        default=None, description="time field of the instance (rows: of the row) whose date counts"
    )
    sum: str | None = Field(default=None, description="number field that is summed; none: instances are counted")
    unit: str = "个"
    part: Literal["numerator", "denominator"] = Field(
        default="numerator", description="alerts and rows: where they count, beside others of the same code"
    )
    stock: bool = Field(default=False, description="rows: what stands now is counted, and its value has no date")
    negative: bool = Field(default=False, description="rows: what is counted is taken off what others count")
    # -- rows: one of over, share, on_time and seconds makes it a quotient
    each: str | None = Field(default=None, description="rows: entity of the rows; none: the instance's own row")
    when: Condition = Field(default={}, description="rows, count, stage_share: which count at all")
    over: str | None = Field(default=None, description="number field that the sum is divided by")
    share: Condition | None = Field(default=None, description="share of those for which this holds")
    on_time: tuple[str, str] | None = Field(
        default=None, description="share of those done (field; `entity.field`: the first such row) by then (field)"
    )
    seconds: tuple[str, str] | None = Field(
        default=None, description="mean time between two fields; `entity.field` first: the last such row before"
    )
    end_of_day: bool = Field(default=False, description="rows: `field` is a date, which ends with its day")
    grace: DurationText | None = Field(default=None, description="on_time: so long after the time it is still in time")
    counts_late: bool = Field(default=True, description="on_time: whether what was late counts at all")
    within: DurationText | None = Field(default=None, description="seconds, after: what took longer was something else")
    after: str | None = Field(
        default=None, description="rows: `entity.field`; only what comes (field) after such a time counts"
    )
    dims: dict[str, str] = Field(default={}, description="further dimensions: name to field of the row or the instance")
    # -- energy
    per: Literal["unit", "line", "tg", "bus", "cons"] | None = Field(
        default=None, description="what energy is balanced of"
    )
    # -- made of the values of another
    of: str | None = Field(default=None, description="the indicator whose values are looked at")
    band: tuple[float, float] | None = Field(default=None, description="share_of_values: lowest and highest in order")
    counts: Literal["inside", "outside"] = Field(default="outside", description="share_of_values: which are counted")

    def is_about(self, rule: str, severity: str) -> bool:
        """Tell whether an alert of a rule is one that it looks at."""
        if self.severities and severity not in self.severities:
            return False
        return self.is_meant(rule)

    def is_meant(self, rule: str) -> bool:
        """Tell whether it looks at a rule's alerts."""
        return rule == self.rule or any(fnmatchcase(rule, pattern) for pattern in self.rules)

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
