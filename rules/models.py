"""The shape of definition files: processes, rules, limits, indicators, message templates.

Pydantic, `extra="forbid"`: these are our own files and a typing error must be a fault with its place.
Read by `rules.loader`; the engine never sees these classes but what `rules.compiler` makes of them.
"""

from collections.abc import Collection
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rules.durations import Duration, parse_duration
from rules.row_models import (
    AbsenceRule,
    ComputedRule,
    DistinctRule,
    DocumentsRule,
    JumpRule,
    Keep,
    ReconciliationRule,
    RowGround,
    RowTime,
    SequenceRule,
    ThresholdRule,
)
from rules.rule_base import Condition, DurationText, ProcessId
from rules.rule_base import RuleBase as _Rule
from rules.threshold_models import IndicatorRule
from schemas import SEVERITIES, Severity

FieldPlace = Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+$")]
"""A field of an entity: `visit.entered_at`."""

AppliesTo = Literal["running", "new"]
"""Whom a change of a definition is for, once it is published: all instances, or those that begin after it."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Awaited(_Model):
    """Rows of the instance that must not be open when a stage is entered."""

    entity: str
    when: Condition = Field(default={}, description="which of its rows are open")
    title: str = Field(description="what it is called in the sentence, before the row's key")


class Stage(_Model):
    """One stage of a process."""

    code: str
    title: str
    acts: list[str] = Field(default=[], description="departments and parties that do it")
    after: list[str] = Field(default=[], description="stages that must have ended when this one is entered")
    needs: list[str] = Field(
        default=[], description="stages of `after` that may not be left out: one that was never entered is missed"
    )
    waits_for: list[Awaited] = Field(default=[], description="other rows that must not be open when it is entered")
    parallel: bool = Field(default=False, description="runs beside its neighbours")
    optional: bool = False
    back_to: list[str] = Field(default=[], description="stages that a rejection leads back to")
    department: str | None = Field(default=None, description="who answers for it if the row names nobody")
    documents: list[str] = Field(default=[], description="kinds of document without which it may not end")
    limit: DurationText | None = Field(default=None, description="unless the chosen set of limits has one for it")
    repeats: bool = Field(default=False, description="may be visited again without a rejection")
    suspends: bool = Field(default=False, description="stands still while the customer is waited for")
    starts: str = Field(default="", description="start event, in words")
    ends: str = Field(default="", description="end event, in words")
    started_by: FieldPlace = Field(default="visit.entered_at", description="the field that tells its start")
    ended_by: FieldPlace = Field(default="visit.finished_at", description="the field that tells its end")


class Process(_Model):
    """A business process: which rows make an instance, which stages it has, when it is over."""

    version: Literal["process/v1"]
    id: ProcessId
    code: str
    title: str
    is_a: list[ProcessId] = Field(default=[], description="processes whose rules, limits and indicators count, too")
    abstract: bool = Field(default=False, description="has no instances of its own: other processes are one")
    entity: str = Field(description="entity of the row that is the instance itself")
    when: Condition = Field(default={}, description="which rows of the entity are of this process")
    over_when: list[str] = Field(default=[], description="time fields: the instance is over when one is set")
    over_status: list[str] = Field(default=[], description="values of status_code that end the instance")
    rejected: list[str] = Field(default=["rejected"], description="result codes that lead back")
    codes: dict[str, list[str | int]] = Field(
        default={}, description="fields of the instance's row with the values that are known; others are a finding"
    )
    connect_stage: str | None = Field(default=None, description="from here on grid constraints no longer touch it")
    calendar: str | None = Field(
        default=None, description="id of the calendar that counts its workdays, `every_day` for 24x7 duty; "
        "none: the one that the settings choose",
    )  # fmt: skip
    applies_to: AppliesTo = Field(
        default="new", description="published: running instances end on the process they began with, or change over"
    )
    keeps: dict[str, Keep] = Field(default={}, description="entity -> how many of its rows stay in an instance's state")
    stages: list[Stage] = []
    tests: list[dict[str, Any]] = []

    def is_among(self, names: Collection[str]) -> bool:
        """Tell whether what is said of these processes is said of this one."""
        return self.id in names or any(name in names for name in self.is_a)


class DueAt(_Model):
    """A deadline that a column states, instead of a limit counted from a start."""

    field: str
    reference: str | None = Field(default=None, description="reference entity that has the field")
    through: str | None = Field(
        default=None, description="entity of the instance's rows that carry `key`; none: its own"
    )
    key: str | None = Field(default=None, description="field of those rows that is the reference's key")
    end_of_day: bool = False
    is_days: bool = Field(default=False, description="the field holds a number of days (24 h) from the start")


class Rung(_Model):
    """When one step of a rule is reached. Exactly one of the fields."""

    before: DurationText | None = Field(default=None, description="so long before the deadline")
    share: DurationText | None = Field(default=None, description="at this share of the time to the deadline")
    at: Literal["deadline"] | None = None
    after: DurationText | None = Field(default=None, description="so long after the start, by itself")
    beyond: DurationText | None = Field(default=None, description="so long after the deadline")

    def is_surely_after(self, other: "Rung") -> bool:
        """Tell whether it is reached later than another one, whatever the limit is."""
        mine, theirs = self.place, other.place
        if mine is None or theirs is None:
            return False
        return (mine[0] == theirs[0] or 0 in (mine[1], theirs[1])) and mine[1] > theirs[1]

    @property
    def place(self) -> tuple[str, int] | None:
        """Give unit and amount after the deadline (below 0: before it); None: it is counted from the start."""
        if self.at is not None:
            return "", 0
        if self.share is not None:
            return "%", parse_duration(self.share).amount - 100
        lengths = ((self.before, -1), (self.beyond, 1))
        known = next(((parse_duration(length), sign) for length, sign in lengths if length is not None), None)
        return None if known is None else _signed(*known)


def _signed(length: Duration, sign: int) -> tuple[str, int]:
    return ("ms", sign * length.clock_ms) if length.is_clock else (length.unit, sign * length.amount)


class DeadlineRule(_Rule, RowGround):
    """Due when a time is reached and what is watched has not ended."""

    kind: Literal["deadline"]
    stage: str | None = Field(default=None, description="the stage that it watches; none: the whole instance")
    every_stage: bool = Field(default=False, description="watches each stage that has a limit, by that limit")
    start: str | RowTime = Field(
        default="entered_at",
        description="`entered_at` of the stage, a time field of the row, or the last of other rows",
    )
    limit: Literal["stage", "total"] | DurationText | None = Field(
        default=None, description="row of the limit template"
    )
    due: DueAt | None = None
    spans: Literal["stage", "all", "none"] = Field(default="stage", description="suspensions that are not counted")
    until_stage: str | None = Field(default=None, description="ended when this stage has ended")
    restarts_on: str | None = Field(default=None, description="entity whose rows restart the time (idle rules)")
    rungs: dict[Severity, Rung]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        """A milder rung is not reached after a graver one, as far as that can be told without the limit."""
        given = [(severity, self.rungs[severity]) for severity in SEVERITIES if severity in self.rungs]
        for (mild, first), (grave, then) in pairwise(given):
            if first.is_surely_after(then):
                raise ValueError(f"rungs: {mild} is reached after {grave}; the milder one must come first")
        return self

    @property
    def is_of_rows(self) -> bool:
        """Tell whether it asks for more than the instance's own row and its stages."""
        asks = self.each or self.when or self.given or self.until_row or self.detail or self.dept
        due = self.due
        is_by_row = due is not None and (due.is_days or (due.reference is not None and due.through is None))
        return bool(asks) or is_by_row or not isinstance(self.start, str)


class OrderRule(_Rule):
    """A stage entered before one that it comes after had ended."""

    kind: Literal["order"]
    severity: Severity = "ALARM"


class BackdatedRule(_Rule):
    """A stage that ended before it began, or whose times lie far before the news of them."""

    kind: Literal["backdated"]
    severity: Severity = "ALARM"
    max_lag: DurationText = "72h"


class MembershipRule(_Rule):
    """An instance hangs below equipment that is on the negative list."""

    kind: Literal["membership"]
    object_type: Literal["pub_trans", "dist_line", "main_subs", "any"]
    on: Literal["instance", "item"] = Field(description="judged when the instance moves, or when the item opens")
    severity_by_level: dict[str, Severity] = Field(default={}, description="severity by the item's limit_level")
    no_spare: Severity | None = Field(default=None, description="severity if no bay of the substation's bus is spare")
    severity: Severity = "ALARM"


class ReleasedRule(_Rule):
    """An item was cleared while applications that it had touched still wait."""

    kind: Literal["released"]
    severity: Severity = "INFO"


class OrphanRule(_Rule):
    """Rows whose instance is unknown after a while."""

    kind: Literal["orphan"]
    after: DurationText = "30m"
    severity: Severity = "WARN"


class CodeRule(_Rule):
    """A stage, class or date that the definitions do not know (kept, marked, counted)."""

    kind: Literal["unknown_code"]
    severity: Severity = "INFO"


class DisagreementRule(_Rule):
    """Another source tells something about the instance otherwise (`application@lean`, `visit@lean`)."""

    kind: Literal["disagreement"]
    tolerance: DurationText = Field(default="1m", description="times that differ by less say the same")
    severity: Severity = "INFO"


class IntervalRule(_Rule):
    """A time field of the instance's own row that moved on by more than a limit: once each time it does."""

    kind: Literal["interval"]
    field: str = Field(description="time field of the instance")
    limit: DurationText
    severity: Severity = "ALARM"


Rule = Annotated[
    DeadlineRule
    | OrderRule
    | BackdatedRule
    | MembershipRule
    | ReleasedRule
    | OrphanRule
    | CodeRule
    | IntervalRule
    | DisagreementRule
    | ThresholdRule
    | JumpRule
    | AbsenceRule
    | SequenceRule
    | ReconciliationRule
    | ComputedRule
    | DistinctRule
    | DocumentsRule
    | IndicatorRule,
    Field(discriminator="kind"),
]


class RuleFile(_Model):
    """A file of rules."""

    version: Literal["rules/v1"]
    id: str
    title: str = ""
    applies_to: AppliesTo = Field(default="running", description="published: for running instances, or new ones only")
    rules: list[Rule]
    tests: list[dict[str, Any]] = []


class LimitRow(_Model):
    """The limit of one stage (or of the whole) of one process, for the instances that match `when`."""

    process: ProcessId
    stage: str | None = None
    total: bool = False
    when: Condition = {}
    limit: DurationText


class LimitFile(_Model):
    """A selectable set of limits. The first row that matches counts."""

    version: Literal["limits/v1"]
    id: str
    title: str
    applies_to: AppliesTo = Field(default="running", description="published: for running instances, or new ones only")
    rows: list[LimitRow]
    tests: list[dict[str, Any]] = []


class TemplateFile(_Model):
    """Sentences by id; `{name}` parameters are those of `rules.wording`, for M01 to M17 of `rules.message_kinds`."""

    version: Literal["templates/v1"]
    id: str
    org: str | None = Field(
        default=None,
        pattern=r"^[0-9A-Za-z]+$",
        description="code of the unit whose own copy of standard sentences this is, for it and those below; left out: "
        "the standard library",
    )
    templates: dict[str, str]
    tests: list[dict[str, Any]] = []
