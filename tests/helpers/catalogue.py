"""What is defined, written down a second time: `catalogue.yaml` beside this file has it from domain.md sections 3 to 5.

It says the way of every process, when it is over and what it keeps, where each rule and indicator counts, and what is
table by nature: thresholds, what is evaluated, who has which anomaly, what is in a mail. How all of this is judged is
shown by the `tests:` of the definitions. Whoever changes one of these facts changes it in both places.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from rules.evaluation_models import EvaluationFile, EvaluationItem
from rules.indicator_models import Indicator, IndicatorFile
from rules.loop import Strategy, StrategyFile
from rules.models import Process, Rule, RuleFile
from rules.report_models import ReportFile
from rules.row_models import Keep
from rules.threshold_models import IndicatorRule, Threshold

FILE = Path(__file__).with_suffix(".yaml")
Facts = dict[str, Any]
ORDINARY = {"over": "finished_at", "is_a": "work_order"}


def written() -> dict[str, Facts]:
    """Give what is written, by section: processes by id, rules and indicators by code."""
    found: dict[str, Facts] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def facts_of(models: Iterable[BaseModel]) -> dict[str, Facts]:
    """Say the same of definitions as they stand."""
    found: dict[str, Facts] = defaultdict(dict)
    for model in models:
        if isinstance(model, Process):
            found["processes"][model.id] = process_facts(model)
        elif isinstance(model, RuleFile):
            for rule in model.rules:
                found["rules"].setdefault(rule.code, []).append(rule_fact(rule))
        elif isinstance(model, IndicatorFile):
            for indicator in model.indicators:
                found["indicators"].setdefault(indicator.code, []).append(indicator_fact(indicator))
        elif isinstance(model, EvaluationFile):
            found["evaluation"][model.id] = evaluation_facts(model)
        elif isinstance(model, StrategyFile):
            found["strategies"] |= {each.id: strategy_fact(each) for each in model.strategies}
        elif isinstance(model, ReportFile):
            found["reports"][model.id] = f"{' '.join(model.indicators)} to {' '.join(model.roles)}, {model.depth} below"
    return found


def process_facts(process: Process) -> Facts | str:
    """Give the way of a process and, where it says so, what ends it, what else it is, its calendar and its memory.

    The way alone: a flow of P28 that is a work order and over when that is finished.
    """
    said: Facts = {"way": way_of(process), "over": " ".join([*process.over_when, *process.over_status])}
    said["is_a"], said["calendar"] = " ".join(process.is_a), process.calendar
    said["connect_stage"] = process.connect_stage
    said["codes"] = {name: " ".join(map(str, values)) for name, values in process.codes.items()}
    said["keeps"] = {entity: f"{keep.newest} by {_order(keep)}" for entity, keep in process.keeps.items()}
    said = {name: value for name, value in said.items() if value}
    return way_of(process) if said == {**ORDINARY, "way": way_of(process)} else said


def way_of(process: Process) -> str:
    """Write a way: `NODE`, its limit behind a colon, behind `<` the nodes that must have ended before (`-`: none).

    Left out: that the node just before must have ended.
    """
    words, before = [], "-"
    for stage in process.stages:
        after = "+".join(stage.after) or "-"
        limit = f":{stage.limit}" if stage.limit else ""
        words.append(f"{stage.code}{limit}{'' if after == before else f'<{after}'}")
        before = stage.code
    return " ".join(words)


def nodes_of(way: str) -> Iterator[tuple[str, str, bool]]:
    """Read a way: each node, its limit or "", and whether anything must have ended before it."""
    for place, word in enumerate(way.split()):
        node, is_said, after = word.partition("<")
        code, _, limit = node.partition(":")
        yield code, limit, after != "-" if is_said else place > 0


def rule_fact(rule: Rule) -> Facts | str:
    """Say where a rule counts; of one about indicators also its thresholds."""
    reach = f"{rule.kind}: {' '.join(rule.processes)}"
    if not isinstance(rule, IndicatorRule):
        return reach
    execution = rule.execution
    when = f"{execution.frequency} {'' if execution.day is None else execution.day} {execution.at}"
    return {reach: [" ".join(when.split()), *(threshold_fact(each) for each in rule.thresholds)]}


def threshold_fact(each: Threshold) -> str:
    """Say all that a threshold says."""
    words = each.model_dump(exclude_defaults=True, exclude={"indicator", "operator", "value", "severity"})
    rest = ", ".join(f"{name} {value}" for name, value in words.items())
    return f"{each.severity} of {each.indicator} {each.operator} {each.value} {rest}".strip()


def evaluation_facts(model: EvaluationFile) -> Facts:
    """Say what counts how much, and between which values."""
    dimensions = {f"{each.code} {each.weight}": [item_fact(item) for item in each.items] for each in model.dimensions}
    return {"processes": " ".join(model.processes), **dimensions}


def item_fact(item: EvaluationItem) -> str:
    """Say what an item measures."""
    measure = " ".join(item.alerts) or " per ".join(each for each in (item.indicator, item.per) if each)
    return f"{item.weight}: {measure} {item.direction} from {item.floor} to {item.target}"


def strategy_fact(each: Strategy) -> str:
    """Say which anomalies take which loop."""
    return " ".join([f"{each.loop}:", *each.rules, *each.severities])


def indicator_fact(indicator: Indicator) -> str:
    """Say where an indicator counts: its processes, its stage, and the alerts it looks at."""
    stage = [f"at {indicator.stage}"] if indicator.stage else []
    alerts = [*([indicator.rule] if indicator.rule else []), *indicator.rules, *indicator.severities]
    return " ".join(
        [f"{indicator.kind}: {' '.join(indicator.processes)}", *stage, *(["of", *alerts] if alerts else [])]
    )


def catalogue_faults(models: Iterable[BaseModel]) -> Iterator[str]:
    """Say what is defined otherwise than it is written, or only in one of the places."""
    defined = facts_of(models)
    for section, facts in written().items():
        for name in sorted({*facts, *defined[section]}):
            if facts.get(name) != defined[section].get(name):
                yield f"{name}: defined is {defined[section].get(name)}, written is {facts.get(name)}"


def _order(keep: Keep) -> str:
    return " ".join(str(part) for part in (keep.by, keep.per and f"per {keep.per}", keep.most) if part)
