"""What a rule says, with all that it rests on: two sets in which it is the same judge alike by that rule."""

from __future__ import annotations

from rules.cascade import CascadeFile, limit_rows
from rules.loader import DefinitionSet
from rules.models import LimitFile, Process, Rule, RuleFile
from rules.row_fields import grounds_of
from rules.row_models import ComputedRule
from rules.threshold_models import IndicatorRule, Threshold
from rules.thresholds import own_code
from rules.unit_parameters import ByUnit, parameters_by_unit


def fingerprints(loaded: DefinitionSet, limits: str) -> dict[str, tuple[int, str]]:
    """Give of each rule the version that its file says, and all else that it says, limits included."""
    models = [file.model for file in loaded.files]
    rows = limit_rows(models, limits) if any(file.id == limits for file in loaded.of(LimitFile)) else []
    units = [file for file in loaded.of(CascadeFile) if file.base == limits]
    processes, rules = loaded.of(Process), [rule for file in loaded.of(RuleFile) for rule in file.rules]
    found: dict[str, tuple[int, str]] = {}
    for rule in rules:
        names = {name for each in processes if each.is_among(rule.processes) for name in (each.id, *each.is_a)}
        mine = [row for row in rows if row.process in names and _has_limit(rule, row.stage)]
        said, print_ = found.get(rule.code, (0, ""))
        asked = [other for other in grounds_of(rule, rules) if names & set(other.processes)]
        own = [(_unnumbered(each), _parameters_of_units(each, units)) for each in (rule, *asked)]
        found[rule.code] = max(said, rule.version), f"{print_}{own!r}{mine!r}"
    for code, thresholds in _thresholds_of_units(loaded, limits).items():
        said, print_ = found.get(code, (1, ""))
        found[code] = said, f"{print_}{thresholds!r}"
    return found


def thresholds_of(rule: Rule) -> list[Threshold]:
    """Give the thresholds of a rule; none of one that judges no indicator."""
    return rule.thresholds if isinstance(rule, IndicatorRule) else []


def _parameters_of_units(rule: Rule, units: list[CascadeFile]) -> ByUnit:
    return parameters_by_unit(units, rule) if isinstance(rule, ComputedRule) else ()


def _unnumbered(rule: Rule) -> Rule:
    return rule.model_copy(update={"version": 0})


def _thresholds_of_units(loaded: DefinitionSet, limits: str) -> dict[str, list[tuple[object, ...]]]:
    """Give by rule what units set for themselves of what it judges, and when; an indicator without a rule has one."""
    judging: dict[str, list[str]] = {}
    for rule in (rule for file in loaded.of(RuleFile) for rule in file.rules):
        for threshold in thresholds_of(rule):
            judging.setdefault(threshold.indicator, []).append(rule.code)
    found: dict[str, list[tuple[object, ...]]] = {}
    for file in sorted(loaded.of(CascadeFile), key=lambda file: (file.org, file.id)):
        for threshold in file.thresholds if file.base == limits else ():
            for code in dict.fromkeys(judging.get(threshold.indicator, [own_code(threshold)])):
                found.setdefault(code, []).append((file.org, file.execution, threshold))
    return found


def _has_limit(rule: Rule, stage: str | None) -> bool:
    match getattr(rule, "limit", None):
        case "stage":
            return stage is not None and (getattr(rule, "every_stage", False) or stage == getattr(rule, "stage", None))
        case "total":
            return stage is None
        case _:
            return False
