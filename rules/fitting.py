"""What no single definition file can show: whether the files fit together.

Every fault names the place of the part that refers to something that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pydantic import BaseModel

from rules.engine.conditions import compile_condition
from rules.models import (
    DeadlineRule,
    IndicatorFile,
    LimitFile,
    LimitRow,
    MembershipRule,
    Process,
    Rule,
    RuleFile,
    Stage,
    TemplateFile,
)
from rules.wording import unknown_parameters
from schemas import Fault, Places

Parsed = tuple[BaseModel, Places]


def fitting_faults(files: Sequence[Parsed]) -> list[Fault]:
    """Give every fault between the files, in their order."""
    processes = {m.id: m for m, _ in files if isinstance(m, Process)}
    templates = {name for m, _ in files if isinstance(m, TemplateFile) for name in m.templates}
    codes = {r.code for m, _ in files if isinstance(m, RuleFile) for r in m.rules}
    faults: list[Fault] = []
    for model, places in files:
        if isinstance(model, Process):
            faults += _process_faults(model, places)
        elif isinstance(model, RuleFile):
            for index, rule in enumerate(model.rules):
                faults += _rule_faults(rule, ("rules", index), places, processes, templates)
        elif isinstance(model, LimitFile):
            for index, row in enumerate(model.rows):
                faults += _limit_faults(row, ("rows", index), places, processes)
        elif isinstance(model, IndicatorFile):
            faults += _indicator_faults(model, places, processes, codes)
        elif isinstance(model, TemplateFile):
            faults += _template_faults(model, places)
    return [*faults, *_duplicate_codes(files)]


def _process_faults(process: Process, places: Places) -> Iterator[Fault]:
    known = [stage.code for stage in process.stages]
    yield from _condition_faults(process.when, ("when",), places)
    for index, stage in enumerate(process.stages):
        if stage.code in known[:index]:
            yield places.fault(("stages", index, "code"), f"stage {stage.code} is there twice")
        for field in ("after", "back_to"):
            for number, code in enumerate(getattr(stage, field)):
                if code not in known:
                    message = f"no stage {code!r} in {process.id}; known are {', '.join(known)}"
                    yield places.fault(("stages", index, field, number), message)
    for number in _cycle(process.stages):
        yield places.fault(("stages", number, "after"), f"stage {process.stages[number].code} comes after itself")


def _cycle(stages: Sequence[Stage]) -> list[int]:
    """Give the indexes of stages that come after themselves."""
    after = {stage.code: set(stage.after) for stage in stages}
    for _ in stages:
        after = {code: names.union(*(after.get(n, set()) for n in names)) for code, names in after.items()}
    return [index for index, stage in enumerate(stages) if stage.code in after[stage.code]]


def _rule_faults(
    rule: Rule, path: tuple[str | int, ...], places: Places, processes: dict[str, Process], templates: set[str]
) -> Iterator[Fault]:
    yield from _unknown_processes(rule.processes, path, places, processes)
    if rule.text not in templates:
        yield places.fault(
            (*path, "text"), f"no message template {rule.text!r}; known are {', '.join(sorted(templates))}"
        )
    if isinstance(rule, MembershipRule) and rule.on == "item" and f"{rule.text}_group" not in templates:
        yield places.fault((*path, "text"), f"the grouped message needs a template {rule.text}_group")
    if isinstance(rule, DeadlineRule):
        yield from _deadline_faults(rule, path, places, processes)


def _deadline_faults(
    rule: DeadlineRule, path: tuple[str | int, ...], places: Places, processes: dict[str, Process]
) -> Iterator[Fault]:
    for process in (processes[name] for name in rule.processes if name in processes):
        stages = [stage.code for stage in process.stages]
        for field, code in (("stage", rule.stage), ("until_stage", rule.until_stage)):
            if code is not None and code not in stages:
                yield places.fault((*path, field), f"no stage {code!r} in {process.id}; known are {', '.join(stages)}")
    if rule.limit is not None and rule.due is not None:
        yield places.fault((*path, "due"), "give `limit` or `due`, not both")
    for severity, rung in rule.rungs.items():
        given = [name for name, value in rung if value is not None]
        where = (*path, "rungs", severity)
        if len(given) != 1:
            yield places.fault(where, "a rung has exactly one of before, share, at, after, beyond")
        elif given[0] != "after" and rule.limit is None and rule.due is None:
            yield places.fault(where, f"`{given[0]}` needs a deadline: give `limit` or `due`")
    if rule.stage is None and rule.start == "entered_at":
        yield places.fault((*path, "start"), "a rule about the whole instance starts at a field of it", key=True)


def _limit_faults(
    row: LimitRow, path: tuple[str | int, ...], places: Places, processes: dict[str, Process]
) -> Iterator[Fault]:
    yield from _condition_faults(row.when, (*path, "when"), places)
    if row.process not in processes:
        yield places.fault((*path, "process"), f"no process {row.process!r}; known are {', '.join(sorted(processes))}")
    elif row.stage is not None and row.stage not in [s.code for s in processes[row.process].stages]:
        yield places.fault((*path, "stage"), f"no stage {row.stage!r} in {row.process}")
    if (row.stage is None) != row.total:
        yield places.fault(path, "a row has either a `stage` or `total: true`")


def _indicator_faults(
    file: IndicatorFile, places: Places, processes: dict[str, Process], codes: set[str]
) -> Iterator[Fault]:
    for index, indicator in enumerate(file.indicators):
        path = ("indicators", index)
        yield from _unknown_processes(indicator.processes, path, places, processes)
        if indicator.rule is not None and indicator.rule not in codes:
            yield places.fault((*path, "rule"), f"no rule {indicator.rule!r}")


def _template_faults(file: TemplateFile, places: Places) -> Iterator[Fault]:
    for name, text in file.templates.items():
        try:
            unknown = unknown_parameters(text)
        except ValueError as error:
            yield places.fault(("templates", name), f"braces do not match: {error}")
            continue
        for parameter in unknown:
            yield places.fault(("templates", name), f"nobody fills in {{{parameter}}}")


def _condition_faults(condition: dict[str, object], path: tuple[str | int, ...], places: Places) -> Iterator[Fault]:
    try:
        compile_condition(condition)
    except (ValueError, TypeError) as error:
        yield places.fault(path, str(error))


def _unknown_processes(
    names: Sequence[str], path: tuple[str | int, ...], places: Places, processes: dict[str, Process]
) -> Iterator[Fault]:
    for index, name in enumerate(names):
        if name not in processes:
            message = f"no process {name!r}; known are {', '.join(sorted(processes))}"
            yield places.fault((*path, "processes", index), message)


def _duplicate_codes(files: Sequence[Parsed]) -> Iterator[Fault]:
    seen: dict[tuple[str, str], str] = {}
    for model, places in files:
        if not isinstance(model, RuleFile):
            continue
        for index, rule in enumerate(model.rules):
            for process in rule.processes:
                first = seen.setdefault((rule.code, process), places.file)
                if first != places.file or _before(model, index, rule.code, process):
                    message = f"rule {rule.code} for {process} is there twice (also in {first})"
                    yield places.fault(("rules", index, "code"), message)


def _before(file: RuleFile, index: int, code: str, process: str) -> bool:
    is_same: Callable[[Rule], bool] = lambda rule: rule.code == code and process in rule.processes  # noqa: E731
    return any(is_same(rule) for rule in file.rules[:index])
