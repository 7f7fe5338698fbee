"""The shape of rules about the rows of an instance: sums, jumps, what is missing, what contradicts.

A row rule looks at one instance at a time: at its own row, or (`each`) at every further row of an entity. What it
finds is raised, and ended once its ground is gone. Docs: docs/rules.md.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rules.rule_base import Condition, DurationText, Model, RuleBase, RuleCode
from schemas import Severity

Match = dict[str, str]
"""Field of the other row → field of the row that the rule is about; all must be equal and not null."""


def _as_list(value: Any) -> Any:  # noqa: ANN401 - what YAML gives, before it is checked
    return [value] if isinstance(value, dict) else value


class RowTime(Model):
    """A time that other rows tell: further rows of the instance, or (`key`) a row of reference data."""

    entity: str
    field: str
    when: Condition = Field(default={}, description="which of its rows count")
    match: Match = Field(default={}, description="their field -> field of the row that the rule is about")
    key: str | None = Field(default=None, description="field that holds the key, if the entity is reference data")
    covers: Match = Field(
        default={}, description="their number -> number of the row: they count from the one on by which theirs reach it"
    )


RowTimes = Annotated[list[RowTime], BeforeValidator(_as_list)]
"""One, or several."""


class Call(Model):
    """A named computation (`rules/engine/computations/`) with its parameters."""

    function: str
    parameters: dict[str, Any] = Field(default={})


class RowGround(Model):
    """Which rows a rule is about, and when what it says of one is over."""

    each: str | None = Field(default=None, description="entity: the rule is about each of its rows; none: the instance")
    when: Condition = Field(default={}, description="which of these rows (or which instances) it is about")
    given: Call | None = Field(default=None, description="computation that must find something about the row, too")
    until: list[str] = Field(default=[], description="time fields of the row: over when one is set")
    until_row: RowTimes = Field(default=[], description="times of other rows: over at the first that is not before it")
    detail: str = Field(default="", description="words for {detail} of the sentence, with {fields} of the row")
    dept: str | None = Field(default=None, description="field of the row that names the department that answers")


class RowRule(RuleBase, RowGround):
    """What all kinds about rows have."""


class Amount(Model):
    """A number told by rows: a field of the row itself, or of rows of `of` their sum, count, mean, or the last."""

    field: str | None = None
    sum: str | None = None
    mean: str | None = None
    count: bool = False
    last: str | None = None
    of: str | None = Field(default=None, description="entity of the rows; a field alone is of the row itself")
    by: str | None = Field(default=None, description="field that orders them, for `last`")
    when: Condition = Field(default={})
    match: Match = Field(default={})


class ThresholdRule(RowRule):
    """A number, or its share of another, is beyond a bound."""

    kind: Literal["threshold"]
    value: Amount
    against: Amount | None = Field(default=None, description="the number that it is divided by; none or 0: not judged")
    rungs: dict[Severity, Condition] = Field(description="bound of each severity: `{gt: 0.9}`")


class Base(Model):
    """What a value is compared with. Exactly one."""

    mean_of_last: int | None = Field(default=None, ge=1, description="mean of so many periods before, if any is known")
    last_period: bool = False
    same_period_last_year: bool = False


class JumpRule(RowRule):
    """A row's number is far from what the rows before it lead one to expect."""

    kind: Literal["jump"]
    each: str
    value: str = Field(description="number field of the row")
    by: str = Field(description="field that names the period: a month as text (202603 or 2026-03), or a date")
    alike: list[str] = Field(default=[], description="fields that rows of one series share: meter, register")
    base: Base
    over: DurationText = Field(description="share of the base by which it may differ: `50%`")
    and_at_least: float = Field(default=0, ge=0, description="and by so much at least, in the field's unit")
    zero: bool = Field(default=False, description="nothing after use and use after nothing are found whatever the rest")
    severity: Severity = "ALARM"


class Expected(Model):
    """The row that should be there."""

    entity: str
    date: str = Field(description="date field that says of which day it is")
    arrived: str | None = Field(default=None, description="time field that says when it was there")
    when: Condition = Field(default={})
    match: Match = Field(default={})


class AbsenceRule(RowRule):
    """No row of a day was there at its time: one finding per day."""

    kind: Literal["absence"]
    expects: Expected
    every: Literal["day"] = "day"
    at: str = Field(default="24:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$", description="local time")
    days_later: int = Field(default=0, ge=0, le=31, description="so many days after the day that it is about")
    since: str | None = Field(default=None, description="time field: expected from the day after; none: from the rows")
    back: int = Field(default=7, ge=1, le=62, description="days looked back: what was missing before is not found anew")
    rungs: dict[Severity, Literal["deadline"] | DurationText] = Field(description="at the time, or so long after it")


class SequenceRule(RowRule):
    """What should have come after lies before: a payment before the switch was opened for not paying."""

    kind: Literal["sequence"]
    each: str
    later: str = Field(description="time field of the row")
    earlier: RowTime = Field(description="found if such a time lies between `since` and `later`")
    since: RowTimes = Field(default=[], description="the last of these before `later`; none known: the row's `begin`")
    begin: str | None = Field(default=None, description="time field of the row; earlier times do not count")
    severity: Severity = "ALARM"


class Side(Model):
    """The rows of one system."""

    entity: str
    since: str | None = Field(default=None, description="time field from which the other should have it")
    until: str | None = Field(default=None, description="time field from which it need not any more")
    when: Condition = Field(default={})


class ReconciliationRule(RowRule):
    """Two systems tell of the same thing: one lacks it, or they differ, for longer than `after`."""

    kind: Literal["reconciliation"]
    left: Side
    right: Side
    on: dict[str, str] = Field(default={}, description="field of the left -> of the right; none: all of the instance")
    compare: list[str] = Field(default=[], description="fields that must agree (times within `tolerance`)")
    tolerance: DurationText = "1m"
    amount_tolerance: float = Field(default=0, ge=0, description="numbers that differ by no more agree")
    after: DurationText = "1d"
    severity: Severity = "WARN"


class ComputedRule(RowRule):
    """A named computation finds something about a row (or the instance)."""

    kind: Literal["computed"]
    function: str
    parameters: dict[str, Any] = Field(default={})
    grounds: list[RuleCode] = Field(
        default=[], description="computed rules of the same process that it rests on, by the numbers they have there"
    )
    severity: Severity = "ALARM"


class DistinctRule(RowRule):
    """Persons that must differ are the same: who asked for it also approved it."""

    kind: Literal["distinct"]
    fields: list[str] = Field(default=[], description="fields of the row that name persons")
    stages: list[str] = Field(default=[], description="stages whose handlers are meant")
    severity: Severity = "ALARM"


class Paper(Model):
    """Rows that are documents."""

    entity: str
    field: str = Field(description="their field that names the kind of document, or the document")
    stage: str | None = Field(
        default=None,
        description="their field that names the stage: what no kind is part of stands for all of its kinds",
    )
    stages: list[str] = Field(default=[], description="stages whose documents are told there; none: of all")


class DocumentsRule(RowRule):
    """A stage has ended without a document that its definition requires, or without any record of what was done."""

    kind: Literal["documents"]
    papers: list[Paper] = Field(default=[], description="where documents are told")
    record: str | None = Field(default=None, description="entity of the rows that record steps")
    stage: str = Field(default="stage_code", description="field of a record that names the stage")
    severity: Severity = "ALARM"


class Keep(Model):
    """How many rows of an entity stay in an instance's state."""

    newest: int = Field(ge=1, le=5_000)
    by: str = Field(description="field that orders them")
    per: Literal["day"] | None = Field(default=None, description="of each local day of `by` only the newest row")
    most: str | None = Field(default=None, description="with `per`: of each day the row with the most of this instead")
