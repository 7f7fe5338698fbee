"""Parameters of computed rules that units set for themselves: which count where, and what is wrong with them.

Part of `version: cascade/v1` files (`rules.cascade`). Of each parameter the nearest file up the tree counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from pydantic import Field

from rules.engine.computations import COMPUTATIONS
from rules.row_models import ComputedRule
from rules.rule_base import Model, RuleCode
from schemas import Fault, Places

Parameters = Mapping[str, Any]
ByUnit = Sequence[tuple[str, Parameters]]
"""Code of a unit and what counts there, the lowest unit first."""


class UnitParameters(Model):
    """Parameters of one rule for a unit and those below it; what is not named stays as it is."""

    rule: RuleCode = Field(description="code of a computed rule")
    values: dict[str, Any] = Field(min_length=1, description="its parameters that are otherwise here")


class OfUnit(Protocol):
    """A file that sets some (`rules.cascade.CascadeFile`)."""

    @property
    def id(self) -> str:
        """Of the file."""

    @property
    def org(self) -> str:
        """Code of the unit."""

    @property
    def parameters(self) -> Sequence[UnitParameters]:
        """What it sets."""


def parameters_by_unit(files: Sequence[OfUnit], rule: ComputedRule) -> ByUnit:
    """Give the parameters of a rule where units set any; those of two rules of one code are told by their names."""
    found: list[tuple[str, dict[str, Any]]] = []
    for file in sorted(files, key=lambda file: len(file.org)):
        own = {name: value for each in file.parameters if is_of(each, rule) for name, value in each.values.items()}
        if own:
            above = next((known for org, known in reversed(found) if file.org.startswith(org)), dict(rule.parameters))
            found.append((file.org, {**above, **own}))
    return found[::-1]


def is_of(each: UnitParameters, rule: ComputedRule) -> bool:
    """Tell whether parameters are a rule's."""
    known = COMPUTATIONS.get(rule.function)
    return each.rule == rule.code and known is not None and set(each.values) <= set(known.parameters)


def parameter_faults(file: OfUnit, rules: Sequence[ComputedRule], places: Places) -> Iterator[Fault]:
    """Give parameters of rules that are not there, that these do not have, or that cannot be what they are."""
    for number, each in enumerate(file.parameters):
        path = ("parameters", number)
        meant = [rule for rule in rules if rule.code == each.rule]
        if not meant:
            known = ", ".join(sorted({rule.code for rule in rules if rule.parameters})) or "none"
            yield places.fault((*path, "rule"), f"no computed rule {each.rule!r} with parameters; known are {known}")
        for rule in [rule for rule in meant if is_of(each, rule)] or meant[:1]:
            if said := _wrong(each, rule):
                yield places.fault((*path, "values"), said, key=True)


def _wrong(each: UnitParameters, rule: ComputedRule) -> str | None:
    """Say what is wrong with parameters of a rule; None: nothing, or its function is not there."""
    try:
        if rule.function in COMPUTATIONS:
            COMPUTATIONS[rule.function].bind(each.values)
    except ValueError as error:
        return str(error)
    return None


def loosened(file: OfUnit, above: Sequence[OfUnit], rules: Sequence[ComputedRule], places: Places) -> Iterator[Fault]:
    """Give parameters that are no stricter than those of the units above, the nearest first, or of the rule."""
    for number, each in enumerate(file.parameters):
        for rule in [rule for rule in rules if is_of(each, rule) and not _wrong(each, rule)]:
            upper = next((known for org, known in parameters_by_unit(above, rule) if file.org.startswith(org)), None)
            said = rule.parameters if upper is None else upper
            for name, value in each.values.items():
                place = ("parameters", number, "values", name)
                if name not in COMPUTATIONS[rule.function].stricter_below:
                    yield places.fault(
                        place, f"{name} of {rule.code} is neither stricter nor looser: it stays as it is"
                    )
                elif name not in said or Decimal(str(value)) > Decimal(str(said[name])):
                    message = f"{value} is no stricter than {said.get(name, 'the default')} of {rule.code} above"
                    yield places.fault(place, f"{message}, which lets it only be tightened")
