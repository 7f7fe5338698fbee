"""The row rules of one process, compiled: what each finds, and which entities make it judge again."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Protocol

from rules.engine.deadlines import RuleFace
from rules.engine.row_amounts import Jump, Threshold
from rules.engine.row_deadlines import RowDeadline
from rules.engine.row_expected import Absence, Reconciliation
from rules.engine.row_facts import ComputedFact, Distinct, Documents, Sequence
from rules.engine.row_ground import Ground
from rules.engine.rows import Finding, Rows
from rules.models import DeadlineRule, LimitRow, Process, Rule
from rules.row_fields import VISIT, fields_read, grounds_of, look_ups, needed
from rules.row_models import (
    AbsenceRule,
    ComputedRule,
    DistinctRule,
    DocumentsRule,
    JumpRule,
    ReconciliationRule,
    SequenceRule,
    ThresholdRule,
)
from rules.state import Instance
from rules.unit_parameters import OfUnit
from rules.workdays import WorkCalendar
from schemas import Severity


class RowKind(Protocol):
    """One compiled rule about rows."""

    ground: Ground
    """Which rows it is about."""
    severities: frozenset[Severity]

    @property
    def is_timed(self) -> bool:
        """Tell whether time alone may change what it says."""

    def find(self, rows: Rows) -> SequenceOf[Finding]:
        """Give what it says of every row that is known, reached or not."""


@dataclass(frozen=True, slots=True)
class RowRule:
    """One row rule and what the engine has to know of it."""

    code: str
    face: RuleFace
    kind: RowKind
    reads: frozenset[str]
    """Entities."""
    needs: frozenset[str]
    """Entities of one of which a row must be there before anything can be found; none: the instance is enough."""
    counts_workdays: bool = False

    @property
    def forgets_days(self) -> bool:
        """Tell whether what it raised is let go of once it is too long ago: a finding a day adds up."""
        return isinstance(self.kind, Absence)

    def has_let_go(self, rows: Rows, subject: str | None) -> bool:
        """Tell whether what a finding was about is not looked at any more, so that it stands as it is."""
        if isinstance(self.kind, Absence):
            return self.kind.forgets(rows, subject)
        return not self.kind.ground.holds(rows, subject)


@dataclass(frozen=True, slots=True)
class RowRules:
    """All row rules of a process."""

    rules: tuple[RowRule, ...]
    is_bare: bool
    """Some of them may find something about an instance that has no further rows."""
    needs: frozenset[str]
    """Of the others: one of these entities must have a row."""
    of_visits: RowRules | None
    """Those that look at stages; None: there are none."""
    own_fields: frozenset[str]
    """Fields of the instance's own row that they read."""
    looks_up: tuple[tuple[str, str], ...]
    """Reference entities and the field of the instance's own row that holds the key; "" where a computation asks."""

    def concern(self, instance: Instance) -> bool:
        """Tell whether anything can be found about an instance as it is (hot path: most have no further rows)."""
        if self.is_bare:
            return True
        others = instance.others
        return others is not None and any(name.partition(":")[0] in self.needs for name in others)

    @property
    def faces(self) -> dict[str, RuleFace]:
        """What alerts show of the rules, by code."""
        return {rule.code: rule.face for rule in self.rules}


def compile_row_rules(
    process: Process, rules: SequenceOf[Rule], limits: SequenceOf[LimitRow], calendar: WorkCalendar,
    units: SequenceOf[OfUnit],
) -> RowRules | None:  # fmt: skip
    """Give the row rules of a process; None: it has none. `limits` are those of the process, `units` files of units."""
    compiled: list[RowRule] = []
    own_fields: set[str] = set()
    for rule in rules:
        grounds = grounds_of(rule, rules)
        kind = (
            ComputedFact(rule, grounds, units)
            if isinstance(rule, ComputedRule)
            else _compile(process, rule, limits, calendar)
        )
        if kind is None:
            continue
        read = fields_read(rule, process.entity)
        own_fields |= read.get(process.entity, frozenset())
        reads = frozenset(read).union(*(fields_read(other, process.entity) for other in grounds))
        face = RuleFace(rule.code, rule.version, rule.title, tuple(rule.tell), rule.text)
        counts = isinstance(kind, RowDeadline) and kind.ladder.counts_workdays
        compiled.append(RowRule(rule.code, face, kind, reads, needed(rule, process.entity), counts))
    looks_up = tuple(dict.fromkeys(each for rule in rules for each in look_ups(rule)))
    of_visits = _together([rule for rule in compiled if VISIT in rule.reads], None, frozenset(own_fields), looks_up)
    return _together(compiled, of_visits, frozenset(own_fields), looks_up)


def _together(
    rules: list[RowRule], of_visits: RowRules | None, own_fields: frozenset[str], looks_up: tuple[tuple[str, str], ...]
) -> RowRules | None:
    if not rules:
        return None
    needs = frozenset(entity for rule in rules for entity in rule.needs)
    return RowRules(tuple(rules), not all(rule.needs for rule in rules), needs, of_visits, own_fields, looks_up)


def _compile(  # noqa: PLR0911 - one line a kind, beside the computed
    process: Process, rule: Rule, limits: SequenceOf[LimitRow], calendar: WorkCalendar
) -> RowKind | None:
    stages = {stage.code: stage for stage in process.stages}
    match rule:
        case DeadlineRule():
            return RowDeadline(rule, limits, calendar) if rule.is_of_rows else None
        case ThresholdRule():
            return Threshold(rule)
        case JumpRule():
            return Jump(rule, calendar)
        case AbsenceRule():
            return Absence(rule, calendar)
        case SequenceRule():
            return Sequence(rule)
        case ReconciliationRule():
            return Reconciliation(rule)
        case DistinctRule():
            return Distinct(rule, stages)
        case DocumentsRule():
            return Documents(rule, stages)
        case _:
            return None
