"""The shape of a strategy: which alerts become supervision tasks, and how long everything may take (domain.md 4.4).

Files are `version: strategy/v1`; read by `rules.loader`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from rules.durations import Duration, DurationField
from rules.loop.office_hours import OfficeHours
from rules.rule_base import Model
from schemas import Severity

Domain = Literal[
    "抄表", "电量电费", "收费账务", "线损", "业扩报装", "95598", "计量", "用电检查", "电能采控",
]  # fmt: skip
"""The nine domains under control (domain.md 4.4)."""


def _clock_only(span: Duration) -> Duration:
    if not span.is_clock:
        msg = f"{span} is no span of hours or days"
        raise ValueError(msg)
    return span


class Rung(Model):
    """One step up: who is told when nobody has answered."""

    after: DurationField = Field(
        description="working hours after the step before; the first after the answer, or a long one's work, was due"
    )
    role: str = Field(default="unit_supervisor", description="role in the table of stakeholders")
    digits: int | None = Field(default=None, ge=1, description="of the unit with so many digits; none: the alert's own")

    @field_validator("after")
    @classmethod
    def _by_the_clock(cls, span: Duration) -> Duration:
        return _clock_only(span)


class Strategy(Model):
    """What becomes of the alerts of some rules once somebody was told of them."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    rules: list[str] = Field(min_length=1, description="codes, `*` stands for the rest: R-T*")
    severities: list[Severity] = Field(default=["ALARM", "CRITICAL"], description="of those alerts")
    loop: Literal["short", "long"] = Field(
        default="short", description="short: a task, closed by its number; long: an anomaly, screened to archived"
    )
    domain: Domain | None = Field(default=None, description="of the nine under control; a long one names it")
    department: str = Field(default="", description="who has to act, where neither alert nor analyst says")
    overdue_becomes: str | None = Field(
        default=None, description="the long strategy that an alert gets when its short task is not answered in time"
    )
    reply_within: DurationField = Field(default=Duration("h", 24), description="to answer, since it was sent")
    finish_within: DurationField = Field(
        default=Duration("wd", 3),
        description="short: until the data show it done; long: until it is rectified, since it was dispatched",
    )
    acknowledged_for: DurationField = Field(default=Duration("h", 8), description="no step up for so long")
    acknowledge_most: int = Field(
        default=3, ge=1, le=100, description="acknowledgements of one task that count, until it is opened again"
    )
    verify_after: DurationField = Field(
        default=Duration("wd", 1), description="a closed task whose data still show the fault is opened again then"
    )
    hint: str = Field(
        default="", max_length=20, description="behind the message of a task: `{number}` is what closes it"
    )
    remind_every: DurationField | None = Field(default=None, description="working hours between reminders; none: none")
    remind_most: int = Field(default=3, ge=1, le=20, description="reminders of one task")
    escalation: list[Rung] | None = Field(
        default=None, description="the chain, kept for each task as it was when it was made; none: the file's"
    )
    forget_after: DurationField = Field(default=Duration("d", 90), description="a closed task answers for so long")

    @field_validator("acknowledged_for", "forget_after", "remind_every")
    @classmethod
    def _by_the_clock(cls, span: Duration | None) -> Duration | None:
        return None if span is None else _clock_only(span)

    @model_validator(mode="after")
    def _long_or_short(self) -> Strategy:
        if self.loop == "long" and (self.domain is None or self.overdue_becomes):
            msg = f"strategy '{self.id}': a long one names its `domain` and has no `overdue_becomes`"
            raise ValueError(msg)
        return self

    def fits(self, rule: str, severity: str) -> bool:
        """Tell whether alerts of this rule and severity are its."""
        return severity in self.severities and any(fnmatchcase(rule, pattern) for pattern in self.rules)


class StrategyFile(Model):
    """Strategies in the order in which they are asked; the first that fits counts."""

    version: Literal["strategy/v1"]
    id: str
    title: str = ""
    office: OfficeHours = OfficeHours()
    lock_for: DurationField = Field(
        default=Duration("h", 4), description="a work order that nobody finishes is free then"
    )
    escalation: list[Rung] = Field(default=[], description="the chain of strategies that have none of their own")
    strategies: list[Strategy]
    tests: list[dict[str, Any]] = Field(default=[])

    def complete(self) -> list[Strategy]:
        """Give the strategies, each with its chain."""
        return [
            each if each.escalation is not None else each.model_copy(update={"escalation": self.escalation})
            for each in self.strategies
        ]

    @model_validator(mode="after")
    def _becomes_long(self) -> StrategyFile:
        long = {each.id for each in self.strategies if each.loop == "long"}
        for each in self.strategies:
            if each.overdue_becomes is not None and each.overdue_becomes not in long:
                known = ", ".join(sorted(long)) or "none"
                msg = f"strategy '{each.id}': `overdue_becomes` names no long strategy of this file (known: {known})"
                raise ValueError(msg)
        return self

    @field_validator("lock_for")
    @classmethod
    def _by_the_clock(cls, span: Duration) -> Duration:
        return _clock_only(span)
