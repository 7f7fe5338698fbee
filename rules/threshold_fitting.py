"""What no single file shows of indicators that look at rows or values, and of thresholds: whether the names fit.

Called by `rules.loader`; every fault names its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from pydantic import BaseModel

from rules.cascade import CascadeFile
from rules.engine.conditions import compile_condition
from rules.indicator_models import Indicator, IndicatorFile
from rules.models import RuleFile
from rules.threshold_models import IndicatorRule, Threshold
from schemas import Fault, Places

Parsed = tuple[BaseModel, Places]
_Path = tuple[str | int, ...]
DERIVED = frozenset({"share_of_values", "reduction", "growth"})


def threshold_faults(files: Sequence[Parsed], broken: Collection[str]) -> list[Fault]:
    """Give the faults of indicators and thresholds among the files of a set."""
    if "indicators/v1" in broken:
        return []
    every = [each for model, _ in files if isinstance(model, IndicatorFile) for each in model.indicators]
    known = {each.code: each for each in reversed(every)}  # what comes first says what several of one code are
    faults: list[Fault] = []
    for model, places in files:
        if isinstance(model, IndicatorFile):
            for number, indicator in enumerate(model.indicators):
                faults += _indicator_faults(indicator, ("indicators", number), places, known)
        elif isinstance(model, CascadeFile):
            for number, threshold in enumerate(model.thresholds):
                faults += _threshold_faults(threshold, ("thresholds", number), places, known)
        elif isinstance(model, RuleFile):
            for index, rule in enumerate(model.rules):
                if isinstance(rule, IndicatorRule):
                    faults += _rule_faults(rule, ("rules", index), places, known)
    return faults


def _rule_faults(rule: IndicatorRule, path: _Path, places: Places, known: Mapping[str, Indicator]) -> Iterator[Fault]:
    seen: set[tuple[str, ...]] = set()
    for number, threshold in enumerate(rule.thresholds):
        where = (*path, "thresholds", number)
        yield from _threshold_faults(threshold, where, places, known)
        if threshold.about in seen:
            yield places.fault(where, f"{' '.join(threshold.about)} is there twice")
        seen.add(threshold.about)
        if threshold.window is not None and rule.execution.frequency != "realtime":
            yield places.fault((*where, "window"), "a window is judged at once: the rule's execution must be realtime")


def _threshold_faults(
    threshold: Threshold, path: _Path, places: Places, known: Mapping[str, Indicator]
) -> Iterator[Fault]:
    indicator = known.get(threshold.indicator)
    if indicator is None:
        yield places.fault((*path, "indicator"), f"no indicator {threshold.indicator!r}; known are {_list(known)}")
    elif indicator.kind in DERIVED:
        message = f"{indicator.code} is made of the values of {indicator.of}: set a threshold for that one"
        yield places.fault((*path, "indicator"), message)
    elif threshold.window is not None and not indicator.is_ratio:
        yield places.fault((*path, "window"), f"{indicator.code} is no mean: a window has the mean of its events")


def _indicator_faults(
    indicator: Indicator, path: _Path, places: Places, known: Mapping[str, Indicator]
) -> Iterator[Fault]:
    if indicator.of is not None:
        source = known.get(indicator.of)
        if indicator.kind not in DERIVED:
            yield places.fault((*path, "of"), f"an indicator of kind {indicator.kind} is made of no other")
        elif source is None:
            yield places.fault((*path, "of"), f"no indicator {indicator.of!r}; known are {_list(known)}")
        elif source.of is not None or not (source.is_ratio or indicator.kind == "growth"):
            yield places.fault((*path, "of"), f"{source.code} must be a quotient that is made of instances")
    given = [name for name in ("over", "share", "on_time", "seconds") if getattr(indicator, name) is not None]
    if indicator.kind == "rows" and len(given) > 1:
        yield places.fault(path, f"give only one of {' and '.join(given)}")
    for name in ("when", "share"):
        try:
            compile_condition(getattr(indicator, name) or {})
        except (ValueError, TypeError) as error:
            yield places.fault((*path, name), str(error))


def _list(known: Mapping[str, Indicator]) -> str:
    return ", ".join(sorted(known))
