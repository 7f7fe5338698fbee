"""The shape of an evaluation: four dimensions, what is measured in each, weights, targets and floors (domain 5.5).

Files are `version: evaluation/v1`; read by `rules.loader`. Weights are whole percents so that they add up exactly;
targets and floors are decimals for the same reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, Field

from rules.indicator_models import Indicator, IndicatorFile
from rules.models import Process, Rule, RuleFile
from rules.rule_base import Model as _Model
from rules.rule_base import ProcessId, RuleCode
from schemas import Fault, Places, Severity

ALL_PERCENT = 100
TOTAL = "total"
"""The `eval_item` of a unit's whole score; the others are codes of dimensions and items."""
Parsed = tuple[BaseModel, Places]


class EvaluationItem(_Model):
    """One thing that is measured: an indicator, or how many ended applications had an alert."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    weight: int = Field(ge=1, le=ALL_PERCENT, description="percent of its dimension")
    direction: Literal["up", "down"] = Field(description="up: more is better")
    target: Decimal = Field(description="from here on full marks; of a rate a share (0.95), of a mean its unit")
    floor: Decimal = Field(description="from here on none; between the two in proportion")
    indicator: str | None = Field(default=None, description="code of the indicator; of a plain count with `per`")
    per: str | None = Field(default=None, description="the indicator that a plain count is divided by")
    alerts: list[RuleCode] = Field(
        default=[], description="in place of `indicator`: the share of ended applications that had one of these"
    )
    severities: list[Severity] = Field(default=["ALARM", "CRITICAL"], description="of those alerts")


class Dimension(_Model):
    """One of the four sides from which a unit is looked at."""

    code: Literal["scale", "efficiency", "compliance", "service"]
    title: str
    weight: int = Field(ge=1, le=ALL_PERCENT, description="percent of the score")
    items: list[EvaluationItem]


class EvaluationFile(_Model):
    """How units are evaluated for a period."""

    version: Literal["evaluation/v1"]
    id: str
    title: str
    processes: list[ProcessId] = Field(description="whose applications and indicator values count")
    unit_levels: list[int] = Field(
        default=[2, 5, 7, 9], description="lengths of the codes of province, city, county and station, for units "
        "that are not in the table of units: a unit's code begins with the code of the one above it",
    )  # fmt: skip
    dimensions: list[Dimension]
    tests: list[dict[str, Any]] = Field(default=[])

    @property
    def items(self) -> list[tuple[Dimension, EvaluationItem]]:
        """All items with their dimensions, in the file's order."""
        return [(dimension, item) for dimension in self.dimensions for item in dimension.items]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The definitions that an evaluation speaks of, by code or id."""

    indicators: Mapping[str, Indicator]
    rules: Mapping[str, Rule]
    processes: Mapping[str, Process]

    @classmethod
    def of(cls, models: Sequence[BaseModel]) -> Catalogue:
        """Collect them from the models of a set."""
        return cls(
            {each.code: each for model in models if isinstance(model, IndicatorFile) for each in model.indicators},
            {each.code: each for model in models if isinstance(model, RuleFile) for each in model.rules},
            {model.id: model for model in models if isinstance(model, Process)},
        )


# -- what does not fit

Path = tuple[str | int, ...]


def evaluation_faults(files: Sequence[Parsed], broken: Collection[str] = ()) -> Iterator[Fault]:
    """Give what makes no sense in evaluations, and names that are not there.

    `broken` names the kinds of which a file could not be read: what such a file may hold is not reported as lacking.
    """
    known = Catalogue.of([model for model, _ in files])
    for model, places in files:
        if isinstance(model, EvaluationFile):
            yield from _own_faults(model, places)
            if "process/v1" not in broken:
                yield from _lacking("process", model.processes, known.processes, ("processes",), places)
            for n, dimension in enumerate(model.dimensions):
                for m, item in enumerate(dimension.items):
                    yield from _item_faults(item, known, ("dimensions", n, "items", m), places, broken)


def _own_faults(file: EvaluationFile, places: Places) -> Iterator[Fault]:
    yield from _sum_fault("dimensions", [each.weight for each in file.dimensions], ("dimensions",), places)
    seen: set[str] = {TOTAL}
    for n, dimension in enumerate(file.dimensions):
        path: Path = ("dimensions", n)
        weights = [item.weight for item in dimension.items]
        yield from _sum_fault(f"items of {dimension.code}", weights, (*path, "items"), places)
        named = [(dimension.code, path)] + [(item.code, (*path, "items", m)) for m, item in enumerate(dimension.items)]
        for code, place in named:
            if code in seen:
                yield places.fault((*place, "code"), f"{code!r} is taken already")
            seen.add(code)
    if any(upper >= lower for upper, lower in pairwise([0, *file.unit_levels])):
        yield places.fault(("unit_levels",), "the codes of lower units are longer: write the lengths in rising order")


def _sum_fault(what: str, weights: Sequence[int], path: Path, places: Places) -> Iterator[Fault]:
    if sum(weights) != ALL_PERCENT:
        yield places.fault(path, f"the weights of the {what} add up to {sum(weights)}, not {ALL_PERCENT}")


def _item_faults(
    item: EvaluationItem, known: Catalogue, path: Path, places: Places, broken: Collection[str]
) -> Iterator[Fault]:
    if (item.indicator is None) == (not item.alerts):
        yield places.fault(path, "an item has either an `indicator` or `alerts`")
    if item.per is not None and item.indicator is None:
        yield places.fault((*path, "per"), "`per` divides an `indicator`; alerts are counted per ended application")
    if item.target == item.floor or (item.target > item.floor) != (item.direction == "up"):
        better = "above" if item.direction == "up" else "below"
        yield places.fault((*path, "target"), f"direction {item.direction}: the target must lie {better} the floor")
    if "rules/v1" not in broken:
        yield from _lacking("rule", item.alerts, known.rules, (*path, "alerts"), places)
    if "indicators/v1" in broken:
        return
    for name in ("indicator", "per"):
        code = getattr(item, name)
        if code is not None:
            yield from _indicator_faults(item, name, known.indicators.get(code), known, (*path, name), places)


def _indicator_faults(  # noqa: PLR0913, PLR0917 - a name, what it stands for, and where
    item: EvaluationItem, name: str, indicator: Indicator | None, known: Catalogue, path: Path, places: Places
) -> Iterator[Fault]:
    if indicator is None:
        codes = ", ".join(sorted(known.indicators))
        yield places.fault(path, f"no indicator {getattr(item, name)!r}; known are {codes}")
    elif indicator.kind == "stage_open":
        yield places.fault(path, f"{indicator.code} counts what stands now: it has no period")
    elif name == "indicator" and not indicator.is_ratio and item.per is None:
        yield places.fault(path, f"{indicator.code} is a plain count and grows with the unit: say `per` which other")
    elif name == "indicator" and indicator.is_ratio and item.per is not None:
        yield places.fault(path, f"{indicator.code} is divided already: leave `per` out")
    elif indicator.kind == "stage_on_time" and name == "indicator" and not _is_share_up(item):
        yield places.fault(path, f"{indicator.code} is a share in time: direction up, target at most 1")


def _is_share_up(item: EvaluationItem) -> bool:
    return item.direction == "up" and item.target <= 1


def _lacking(what: str, names: Sequence[str], known: Collection[str], path: Path, places: Places) -> Iterator[Fault]:
    for number, name in enumerate(names):
        if name not in known:
            yield places.fault((*path, number), f"no {what} {name!r}; known are {', '.join(sorted(known))}")
