"""Which fields of which entities a row rule reads: what makes it judge again, and what `check` looks up."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rules.engine.computations import COMPUTATIONS
from rules.models import DeadlineRule, Rule
from rules.row_models import (
    AbsenceRule,
    Amount,
    Call,
    ComputedRule,
    DistinctRule,
    DocumentsRule,
    JumpRule,
    ReconciliationRule,
    RowGround,
    RowTime,
    SequenceRule,
    ThresholdRule,
)

Path = tuple[str | int, ...]
OWN = ""
"""The entity of the row that the rule is about: `each`, or the instance's own."""
VISIT = "visit"
"""The rows of stages."""


class NameUse(NamedTuple):
    """One name in a rule: a field of an entity, or the entity itself."""

    entity: str
    field: str | None
    path: Path
    is_key: bool = False
    """The name is the key of a mapping."""
    or_own: bool = False
    """If the row has no such field, that of the instance's own row is meant."""


def fields_read(rule: Rule, own: str) -> dict[str, frozenset[str]]:
    """Give the fields by entity that a rule of a process with the own entity `own` reads."""
    found: dict[str, set[str]] = {}
    for use in name_uses(rule):
        entity = use.entity or (rule.each if isinstance(rule, RowGround) else None) or own
        fields = found.setdefault(entity, set())
        if use.field is not None:
            fields.add(use.field)
            if use.or_own:
                found.setdefault(own, set()).add(use.field)
    return {entity: frozenset(fields) for entity, fields in found.items()}


def grounds_of(rule: Rule, rules: Iterable[Rule]) -> list[ComputedRule]:
    """Give those of the rules of a process that a rule rests on, in their order."""
    codes = rule.grounds if isinstance(rule, ComputedRule) else []
    return [other for other in rules if isinstance(other, ComputedRule) and other.code in codes]


def needed(rule: Rule, own: str) -> frozenset[str]:
    """Give the entities of one of which a row must be there before a row rule can find anything; none: no further."""
    if isinstance(rule, DocumentsRule):
        return frozenset({*(paper.entity for paper in rule.papers), *([rule.record] if rule.record else [])})
    if isinstance(rule, RowGround) and rule.each not in (None, own):
        return frozenset({rule.each or own})
    if isinstance(rule, DeadlineRule) and isinstance(rule.start, RowTime) and rule.start.key is None:
        return frozenset({rule.start.entity})
    return frozenset()


def look_ups(rule: Rule) -> Iterator[tuple[str, str]]:
    """Give the entities that a row rule looks up and the fields with the keys; "" for what computations read."""
    if not isinstance(rule, RowGround):
        return
    starts = [rule.start] if isinstance(rule, DeadlineRule) and isinstance(rule.start, RowTime) else []
    yield from ((told.entity, told.key) for told in (*rule.until_row, *starts) if told.key is not None)
    if isinstance(rule, DeadlineRule) and rule.is_of_rows and rule.due is not None and rule.due.reference is not None:
        yield rule.due.reference, rule.due.key or ""
    called = [rule.given.function] if rule.given else []
    called += [rule.function] if isinstance(rule, ComputedRule) else []
    yield from ((entity, "") for name in called if name in COMPUTATIONS for entity in COMPUTATIONS[name].reads)


def name_uses(rule: Rule) -> Iterator[NameUse]:
    """Give every name of an entity or field in a row rule; none for other kinds."""
    if not isinstance(rule, RowGround) or (isinstance(rule, DeadlineRule) and not rule.is_of_rows):
        return
    yield NameUse(rule.each or OWN, None, ("each",))
    yield from _conditions(OWN, rule.when, ("when",))
    if rule.given is not None:
        yield from _call(rule.given, ("given",))
    yield from (NameUse(OWN, name, ("until", n)) for n, name in enumerate(rule.until))
    for number, told in enumerate(rule.until_row):
        yield from _row_time(told, ("until_row", number))
    if rule.detail:
        names = dict.fromkeys(name for _, name, _, _ in string.Formatter().parse(rule.detail) if name)
        yield from (NameUse(OWN, name, ("detail",), or_own=True) for name in names)
    if rule.dept is not None:
        yield NameUse(OWN, rule.dept, ("dept",))
    yield from _of_kind(rule)


def _of_kind(rule: RowGround) -> Iterator[NameUse]:  # noqa: C901 - one case a kind
    match rule:
        case DeadlineRule():
            yield from _deadline(rule)
        case ComputedRule():
            yield from _call(Call(function=rule.function, parameters=rule.parameters), ())
        case ThresholdRule():
            yield from _amount(rule.value, ("value",))
            if rule.against is not None:
                yield from _amount(rule.against, ("against",))
        case JumpRule():
            yield from (NameUse(OWN, name, (place,)) for place, name in (("value", rule.value), ("by", rule.by)))
            yield from (NameUse(OWN, name, ("alike", number)) for number, name in enumerate(rule.alike))
        case AbsenceRule():
            yield from _absence(rule)
        case SequenceRule():
            yield from _sequence(rule)
        case ReconciliationRule():
            yield from _reconciliation(rule)
        case DistinctRule():
            yield from (NameUse(OWN, name, ("fields", number)) for number, name in enumerate(rule.fields))
            if rule.stages:
                yield NameUse(VISIT, None, ("stages",))
        case DocumentsRule():
            yield from _documents(rule)
        case _:
            return


def _amount(amount: Amount, path: Path) -> Iterator[NameUse]:
    entity = amount.of or OWN
    if amount.of is not None:
        yield NameUse(amount.of, None, (*path, "of"))
    for place in ("field", "sum", "mean", "last", "by"):
        if (name := getattr(amount, place)) is not None:
            yield NameUse(entity, name, (*path, place))
    yield from _conditions(entity, amount.when, (*path, "when"))
    yield from _match(entity, amount.match, (*path, "match"))


def _absence(rule: AbsenceRule) -> Iterator[NameUse]:
    expects = rule.expects
    yield NameUse(expects.entity, None, ("expects", "entity"))
    yield NameUse(expects.entity, expects.date, ("expects", "date"))
    if expects.arrived is not None:
        yield NameUse(expects.entity, expects.arrived, ("expects", "arrived"))
    yield from _conditions(expects.entity, expects.when, ("expects", "when"))
    yield from _match(expects.entity, expects.match, ("expects", "match"))
    if rule.since is not None:
        yield NameUse(OWN, rule.since, ("since",))


def _sequence(rule: SequenceRule) -> Iterator[NameUse]:
    yield NameUse(OWN, rule.later, ("later",))
    yield from _row_time(rule.earlier, ("earlier",))
    for number, told in enumerate(rule.since):
        yield from _row_time(told, ("since", number))
    if rule.begin is not None:
        yield NameUse(OWN, rule.begin, ("begin",))


def _reconciliation(rule: ReconciliationRule) -> Iterator[NameUse]:
    for place, side in (("left", rule.left), ("right", rule.right)):
        yield NameUse(side.entity, None, (place, "entity"))
        for name in ("since", "until"):
            if (field := getattr(side, name)) is not None:
                yield NameUse(side.entity, field, (place, name))
        yield from _conditions(side.entity, side.when, (place, "when"))
        yield from (NameUse(side.entity, name, ("compare", n)) for n, name in enumerate(rule.compare))
    for left, right in rule.on.items():
        yield NameUse(rule.left.entity, left, ("on", left), is_key=True)
        yield NameUse(rule.right.entity, right, ("on", left))


def _documents(rule: DocumentsRule) -> Iterator[NameUse]:
    yield NameUse(VISIT, "finished_at", ("kind",))
    for number, paper in enumerate(rule.papers):
        yield NameUse(paper.entity, None, ("papers", number, "entity"))
        yield NameUse(paper.entity, paper.field, ("papers", number, "field"))
        if paper.stage is not None:
            yield NameUse(paper.entity, paper.stage, ("papers", number, "stage"))
    if rule.record is not None:
        yield NameUse(rule.record, None, ("record",))
        yield NameUse(rule.record, rule.stage, ("stage",))


def _deadline(rule: DeadlineRule) -> Iterator[NameUse]:
    if isinstance(rule.start, str):
        yield NameUse(OWN, rule.start, ("start",))
    else:
        yield from _row_time(rule.start, ("start",))
    if rule.due is not None and rule.due.reference is not None:
        yield NameUse(rule.due.reference, None, ("due", "reference"))
        yield NameUse(rule.due.reference, rule.due.field, ("due", "field"))
        yield NameUse(OWN, rule.due.key, ("due", "key"), or_own=True)
    elif rule.due is not None:
        yield NameUse(OWN, rule.due.field, ("due", "field"))


def _row_time(told: RowTime, path: Path) -> Iterator[NameUse]:
    yield NameUse(told.entity, None, (*path, "entity"))
    yield NameUse(told.entity, told.field, (*path, "field"))
    yield from _conditions(told.entity, told.when, (*path, "when"))
    yield from _match(told.entity, told.match, (*path, "match"))
    yield from _match(told.entity, told.covers, (*path, "covers"))
    if told.key is not None:
        yield NameUse(OWN, told.key, (*path, "key"), or_own=True)


def _conditions(entity: str, names: Iterable[str], path: Path) -> Iterator[NameUse]:
    return (NameUse(entity, name, (*path, name), is_key=True) for name in names)


def _match(entity: str, match: dict[str, str], path: Path) -> Iterator[NameUse]:
    for their, our in match.items():
        yield NameUse(entity, their, (*path, their), is_key=True)
        yield NameUse(OWN, our, (*path, their))


def _call(call: Call, path: Path) -> Iterator[NameUse]:
    known = COMPUTATIONS.get(call.function)
    for entity, fields in known.reads.items() if known else ():
        yield NameUse(entity, None, (*path, "function"))
        yield from (NameUse(entity, field, (*path, "function")) for field in fields)
