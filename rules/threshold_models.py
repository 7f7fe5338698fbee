"""The shape of thresholds: when the value of an indicator is an anomaly, and when it is looked at (P23, domain.md 4.4).

Rules of kind `indicator` and the templates of units (`rules.cascade`) hold them. The judge (`rules.threshold_judge`)
sees what `rules.thresholds` makes of them.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from rules.rule_base import DurationText, Model, RuleBase
from schemas import Severity

IndicatorCode = str
Operator = Literal["gt", "ge", "lt", "le", "outside"]
Compare = Literal["absolute", "last_period", "same_period_last_year", "peer_mean"]
Frequency = Literal["realtime", "hourly", "daily", "weekly", "monthly", "quarterly"]
INDICATOR = r"^I\d{3}[A-Z]?$"
_FIRST_MONTHS = (1, 4, 7, 10)
"""Of the quarters."""


class Execution(Model):
    """When an indicator is judged: its frequency, and the day and time where that leaves them open."""

    frequency: Frequency = "realtime"
    day: int | None = Field(
        default=None, ge=1, le=31,
        description="weekly: 1 (Monday) to 7; monthly: day of the month, quarterly: of its first month; a day that the "
        "month does not have is its last",
    )  # fmt: skip
    at: str = Field(
        default="00:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="local time of day; hourly: the minutes count",
    )  # fmt: skip

    @property
    def said(self) -> str:
        """Give it in words: `monthly, day 5, at 08:00`."""
        day = f", day {self.day}" if self.day else ""
        return self.frequency + day + (f", at {self.at}" if self.frequency != "realtime" else "")

    def runs_on(self, day: date) -> bool:
        """Tell whether it is judged on a local date; without a day a period is judged on its first."""
        wanted = self.day or 1
        match self.frequency:
            case "weekly":
                return day.isoweekday() == wanted
            case "monthly" | "quarterly":
                is_month = self.frequency == "monthly" or day.month in _FIRST_MONTHS
                return is_month and day.day == min(wanted, monthrange(day.year, day.month)[1])
            case _:
                return True


class Window(Model):
    """The last events of a unit, instead of a date's: a rolling mean."""

    events: int = Field(ge=1, description="so many at most")
    time: DurationText = Field(description="and none longer ago than this")


class Threshold(Model):
    """When the value of an indicator is an anomaly, for a unit and those below it."""

    indicator: IndicatorCode = Field(pattern=INDICATOR)
    severity: Severity = "ALARM"
    operator: Operator
    value: float | tuple[float, float] = Field(
        description="outside: lowest and highest value that are in order, or one number for both sides of 0"
    )
    unit: str = Field(default="", description="`%` and `点` (points of a percentage): the value is in hundredths")
    compare: Compare = Field(default="absolute", description="base that the value is taken less")
    relative: bool = Field(default=False, description="the difference from the base is taken as a share of the base")
    clear: float | None = Field(default=None, description="an open alert ends here; none: where it is raised")
    trigger: Literal["edge", "level"] = Field(
        default="level", description="level: each period that breaches; edge: only the first of several in a row"
    )
    min_count: float = Field(default=0, ge=0, description="with a smaller denominator nothing is judged")
    window: Window | None = None

    @property
    def about(self) -> tuple[str, str, str, str]:
        """What it is a threshold of."""
        return self.indicator, self.severity, self.operator, self.compare

    @property
    def said(self) -> str:
        """Give it in words: `lt 90%`, `outside -2..2%`."""
        edges = self.value if isinstance(self.value, tuple) else (self.value,)
        return f"{self.operator} {'..'.join(f'{edge:g}' for edge in edges)}{self.unit}"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.value, tuple) and (self.operator != "outside" or self.value[0] > self.value[1]):
            raise ValueError("two values, the lower first, belong to the operator `outside`")
        if self.operator == "outside" and not isinstance(self.value, tuple) and self.value < 0:
            raise ValueError("`outside` one number means outside of its negative and itself: it cannot be negative")
        if self.window and self.compare != "absolute":
            raise ValueError("a window is compared with nothing")
        if self.relative and self.compare == "absolute":
            raise ValueError("`relative` needs a base: give `compare`")
        return self


class IndicatorRule(RuleBase):
    """The value of an indicator breaches a threshold; judged where the value has its one owner."""

    kind: Literal["indicator"]
    execution: Execution = Execution()
    thresholds: list[Threshold] = Field(min_length=1)
