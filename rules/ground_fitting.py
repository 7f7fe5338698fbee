"""Whether what rules rest on is there (`ComputedRule.grounds`): computed, of the same processes, in no circle."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pydantic import BaseModel

from rules.engine.computations import COMPUTATIONS
from rules.models import Process, RuleFile
from rules.row_models import ComputedRule
from schemas import Fault, Places


def ground_faults(files: Sequence[tuple[BaseModel, Places]], broken: Collection[str] = ()) -> Iterator[Fault]:
    """Give what is wrong with the grounds of rules; `broken` are the kinds of which a file could not be read."""
    processes = {model.id: model for model, _ in files if isinstance(model, Process)}
    computed = [rule for model, _ in files if isinstance(model, RuleFile) for rule in _computed(model).values()]
    for model, places in files:
        for index, rule in _computed(model).items() if isinstance(model, RuleFile) else ():
            path = ("rules", index, "grounds")
            known = COMPUTATIONS.get(rule.function)
            if rule.grounds and known is not None and not known.rests_on_rules:
                yield places.fault(path, f"{rule.function} asks no other rules", key=True)
            for number, code in enumerate(rule.grounds):
                for name in rule.processes:
                    judging = {name, *(processes[name].is_a if name in processes else ())}
                    there = [other for other in computed if judging & set(other.processes)]
                    if said := _wrong(code, name, there, is_sure="rules/v1" not in broken):
                        yield places.fault((*path, number), said)


def _computed(file: RuleFile) -> dict[int, ComputedRule]:
    return {index: rule for index, rule in enumerate(file.rules) if isinstance(rule, ComputedRule)}


def _wrong(code: str, process: str, there: Sequence[ComputedRule], *, is_sure: bool) -> str | None:
    """Say what is wrong with a ground in a process with these computed rules; None: nothing."""
    meant = [rule for rule in there if rule.code == code]
    if not meant:
        known = ", ".join(sorted({rule.code for rule in there if not rule.grounds})) or "none"
        return f"no computed rule {code!r} for {process}; known are {known}" if is_sure else None
    return f"{code} rests on other rules itself: name those" if any(rule.grounds for rule in meant) else None
