"""A rule book cut down to some of its rules: what a change does not touch need not be judged to compare two books.

Rules about deadlines, order and times entered late are judged each by itself, from rows alone: without the others
they raise the same alerts. Called by `stagewatch rules backtest`.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

from pydantic import BaseModel

from rules.cascade import CascadeFile
from rules.evaluation_models import EvaluationFile
from rules.fingerprints import fingerprints
from rules.indicator_models import IndicatorFile
from rules.loader import DefinitionSet
from rules.loop import StrategyFile
from rules.message_models import MessageFile
from rules.models import BackdatedRule, DeadlineRule, LimitFile, OrderRule, Process, RuleFile
from rules.report_models import ReportFile

ALONE = (DeadlineRule, OrderRule, BackdatedRule)
"""Rules that depend on rows and limits only, not on what others raise, count or list."""
WITHOUT_ALERTS = (EvaluationFile, StrategyFile, ReportFile)
"""Definitions of what comes after an alert."""
OF_RULES = (RuleFile, LimitFile, CascadeFile)


def touched_rules(before: tuple[DefinitionSet, str], after: tuple[DefinitionSet, str]) -> frozenset[str] | None:
    """Give the codes of the rules that differ between two sets, each with the limit template chosen in it.

    None: something else differs as well, or a rule that cannot be judged without others; then all count.
    """
    (base, base_limits), (changed, changed_limits) = before, after
    texts = [{file.key: (file.digest, file.model) for file in loaded.files} for loaded in (base, changed)]
    for key in texts[0].keys() | texts[1].keys():
        one, other = (text.get(key, ("", None)) for text in texts)
        if one[0] != other[0] and not isinstance(one[1] or other[1], (*OF_RULES, *WITHOUT_ALERTS)):
            return None
    mine, theirs = fingerprints(base, base_limits), fingerprints(changed, changed_limits)
    codes = frozenset(code for code in mine.keys() | theirs.keys() if mine.get(code) != theirs.get(code))
    known = {
        rule.code: isinstance(rule, ALONE)
        for loaded in (base, changed) for file in loaded.of(RuleFile) for rule in file.rules
        if rule.code in codes
    }  # fmt: skip
    return codes if codes == known.keys() and all(known.values()) else None


def only(loaded: DefinitionSet, codes: AbstractSet[str]) -> DefinitionSet:
    """Give a set with these rules alone, and the processes that they or others of the same rows are about.

    It counts no indicators and tells no messages.
    """
    rules = [rule for file in loaded.of(RuleFile) for rule in file.rules if rule.code in codes]
    judged = {
        process.entity for process in loaded.of(Process) if any(process.is_among(rule.processes) for rule in rules)
    }
    kept = DefinitionSet()
    for file in loaded.files:
        if isinstance(file.model, ReportFile) or (isinstance(file.model, Process) and file.model.entity not in judged):
            continue
        kept.files.append(replace(file, model=_cut(file.model, codes)))
    return kept


def _cut(model: BaseModel, codes: AbstractSet[str]) -> BaseModel:
    match model:
        case RuleFile():
            return model.model_copy(update={"rules": [rule for rule in model.rules if rule.code in codes]})
        case IndicatorFile():
            return model.model_copy(update={"indicators": []})
        case MessageFile():
            return model.model_copy(update={"messages": []})
        case CascadeFile():
            return model.model_copy(update={"thresholds": []})
        case _:
            return model
