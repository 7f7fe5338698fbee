"""What is wrong with a row rule by itself: conditions, computations, bounds and units; with the place of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rules.durations import parse_duration
from rules.engine.computations import COMPUTATIONS
from rules.engine.conditions import COMPARISONS, compile_condition
from rules.models import DeadlineRule, Rule
from rules.row_models import (
    AbsenceRule,
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
from schemas import Fault, Places

Path = tuple[str | int, ...]
PAIR = 2


def row_faults(rule: Rule, path: Path, places: Places) -> Iterator[Fault]:
    """Give the faults of one rule about rows; none for other kinds."""
    if not isinstance(rule, RowGround):
        return
    yield from _condition(rule.when, (*path, "when"), places)
    if rule.given is not None:
        yield from _call(rule.given, (*path, "given"), places)
    for number, told in enumerate(rule.until_row):
        yield from _row_time(told, (*path, "until_row", number), places)
    yield from _of_kind(rule, path, places)


def _of_kind(rule: RowGround, path: Path, places: Places) -> Iterator[Fault]:  # noqa: C901 - one case a kind
    match rule:
        case DeadlineRule() if not isinstance(rule.start, str):
            yield from _row_time(rule.start, (*path, "start"), places)
        case ComputedRule():
            yield from _call(Call(function=rule.function, parameters=rule.parameters), path, places)
        case ThresholdRule():
            yield from _threshold(rule, path, places)
        case JumpRule():
            yield from _jump(rule, path, places)
        case AbsenceRule():
            yield from _absence(rule, path, places)
        case SequenceRule():
            for number, told in enumerate([rule.earlier, *rule.since]):
                place = ("since", number - 1) if number else ("earlier",)
                yield from _row_time(told, (*path, *place), places)
        case ReconciliationRule():
            yield from _reconciliation(rule, path, places)
        case DistinctRule() if len(rule.fields) + len(rule.stages) < PAIR:
            yield places.fault(path, "persons that must differ are at least two: give `fields` or `stages`")
        case DocumentsRule() if rule.record is None and not rule.papers:
            yield places.fault(path, "give `papers` or `record`, or both")
        case _:
            return


def _threshold(rule: ThresholdRule, path: Path, places: Places) -> Iterator[Fault]:
    for place, amount in (("value", rule.value), ("against", rule.against)):
        if amount is None:
            continue
        told = [name for name in ("field", "sum", "mean", "last") if getattr(amount, name) is not None]
        where = (*path, place)
        yield from _condition(amount.when, (*where, "when"), places)
        if len(told) + amount.count != 1:
            yield places.fault(where, "a number is exactly one of field, sum, mean, count, last")
        elif (amount.field is None) != (amount.of is not None):
            yield places.fault(where, "sum, mean, count and last need `of`; a field is one of the row itself")
        elif (amount.last is None) != (amount.by is None):
            yield places.fault(where, "`last` needs `by`, the field that orders the rows, and nothing else does")
    for severity, bound in rule.rungs.items():
        if not bound or any(name not in COMPARISONS or not isinstance(v, int | float) for name, v in bound.items()):
            message = f"a bound is a comparison with a number, like {{gt: 0.9}}; known are {', '.join(COMPARISONS)}"
            yield places.fault((*path, "rungs", severity), message)


def _jump(rule: JumpRule, path: Path, places: Places) -> Iterator[Fault]:
    if sum((rule.base.mean_of_last is not None, rule.base.last_period, rule.base.same_period_last_year)) != 1:
        yield places.fault((*path, "base"), "a base is exactly one of mean_of_last, last_period, same_period_last_year")
    if parse_duration(rule.over).unit != "%":
        yield places.fault((*path, "over"), f"{rule.over} cannot stand here: a share of the base is written 50%")


def _absence(rule: AbsenceRule, path: Path, places: Places) -> Iterator[Fault]:
    yield from _condition(rule.expects.when, (*path, "expects", "when"), places)
    for severity, text in rule.rungs.items():
        if text != "deadline":
            yield from _by_clock(text, (*path, "rungs", severity), places)


def _reconciliation(rule: ReconciliationRule, path: Path, places: Places) -> Iterator[Fault]:
    yield from _condition(rule.left.when, (*path, "left", "when"), places)
    yield from _condition(rule.right.when, (*path, "right", "when"), places)
    yield from _by_clock(rule.after, (*path, "after"), places)
    yield from _by_clock(rule.tolerance, (*path, "tolerance"), places)


def _by_clock(text: str, path: Path, places: Places) -> Iterator[Fault]:
    if not parse_duration(text).is_clock:
        yield places.fault(path, f"{text} cannot stand here: the unit must be one of s, m, h, d")


def _row_time(told: RowTime, path: Path, places: Places) -> Iterator[Fault]:
    yield from _condition(told.when, (*path, "when"), places)
    if told.key is not None and (told.when or told.match or told.covers):
        message = "a row of reference data is found by its key: no `when`, no `match`, no `covers`"
        yield places.fault((*path, "key"), message, key=True)
    if len(told.covers) > 1:
        yield places.fault((*path, "covers"), "one number of theirs covers one of the row", key=True)


def _call(call: Call, path: Path, places: Places) -> Iterator[Fault]:
    known = COMPUTATIONS.get(call.function)
    if known is None:
        message = f"no computation {call.function!r}; known are {', '.join(sorted(COMPUTATIONS))}"
        yield places.fault((*path, "function"), message)
        return
    try:
        known.bind(call.parameters)
    except ValueError as error:
        yield places.fault((*path, "parameters"), str(error))


def _condition(condition: Mapping[str, Any], path: Path, places: Places) -> Iterator[Fault]:
    try:
        compile_condition(condition)
    except (ValueError, TypeError) as error:
        yield places.fault(path, str(error))
