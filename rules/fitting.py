"""What no single definition file can show: whether the files fit together.

Every fault names the place of the part that refers to something that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from pydantic import BaseModel

from rules.durations import Unit, parse_duration
from rules.engine.conditions import compile_condition
from rules.ground_fitting import ground_faults
from rules.indicator_models import Indicator, IndicatorFile
from rules.models import (
    BackdatedRule,
    DeadlineRule,
    IntervalRule,
    LimitFile,
    LimitRow,
    MembershipRule,
    OrphanRule,
    Process,
    Rule,
    RuleFile,
    Stage,
    TemplateFile,
)
from rules.row_fitting import row_faults
from rules.row_models import DistinctRule, DocumentsRule
from rules.template_fitting import copy_faults, template_faults
from rules.threshold_models import IndicatorRule
from rules.vocabulary import Known, Vocabulary, name_faults
from schemas import Fault, Places

Parsed = tuple[BaseModel, Places]
CLOCK: tuple[Unit, ...] = ("s", "m", "h", "d")
ANY_LIMIT: tuple[Unit, ...] = (*CLOCK, "wd")
UNITS_OF_RUNG: dict[str, tuple[Unit, ...]] = {"before": ANY_LIMIT, "share": ("%",), "after": CLOCK, "beyond": CLOCK}
NEEDED_BY: dict[str, tuple[str, ...]] = {
    "stage_open": ("stage",),
    "stage_on_time": ("stage", "rule"),
    "stage_mean": ("stage",),
    "stage_count": ("stage",),
    "count": ("field",),
    "alerts": (),
    "open_alerts": (),
    "stage_blocked": ("stage",),
    "stage_share": ("stage", "share"),
    "rows": (),
    "energy": ("per",),
    "share_of_values": ("of", "band"),
    "reduction": ("of",),
    "growth": ("of",),
}
"""What an indicator of a kind cannot do without."""
OF_ALERTS = frozenset({"alerts", "open_alerts", "stage_blocked"})


def fitting_faults(
    files: Sequence[Parsed], vocabulary: Vocabulary | None = None, broken: Collection[str] = ()
) -> list[Fault]:
    """Give every fault between the files, in their order.

    `vocabulary` has the fields of every entity that a source feeds; without it their names are not checked.
    `broken` names the kinds (`process/v1`, ...) of which a file could not be read: what such a file may hold is
    not reported as lacking.
    """
    known = Known.of([model for model, _ in files], frozenset(broken))
    in_clock = {(r.process, r.stage) for m, _ in files if isinstance(m, LimitFile) for r in m.rows if _runs_by_clock(r)}
    faults: list[Fault] = []
    for model, places in files:
        if isinstance(model, Process):
            faults += _process_faults(model, places)
        elif isinstance(model, RuleFile):
            for index, rule in enumerate(model.rules):
                faults += _rule_faults(rule, ("rules", index), places, known)
                if isinstance(rule, DeadlineRule):
                    faults += _unit_faults(rule, ("rules", index), places, in_clock)
        elif isinstance(model, LimitFile):
            for index, row in enumerate(model.rows):
                faults += _limit_faults(row, ("rows", index), places, known)
        elif isinstance(model, IndicatorFile):
            faults += _indicator_faults(model, places, known)
        elif isinstance(model, TemplateFile):
            faults += template_faults(model, places)
        faults += name_faults(model, places, known, vocabulary)
    return [*faults, *copy_faults(files, broken), *ground_faults(files, broken), *_duplicate_codes(files)]


def _process_faults(process: Process, places: Places) -> Iterator[Fault]:
    known = [stage.code for stage in process.stages]
    yield from _condition_faults(process.when, ("when",), places)
    for index, stage in enumerate(process.stages):
        if stage.code in known[:index]:
            yield places.fault(("stages", index, "code"), f"stage {stage.code} is there twice")
        yield from _missed_faults(stage, ("stages", index), places)
        for field in ("after", "back_to"):
            for number, code in enumerate(getattr(stage, field)):
                if code not in known:
                    message = f"no stage {code!r} in {process.id}; known are {', '.join(known)}"
                    yield places.fault(("stages", index, field, number), message)
    if process.connect_stage is not None and process.connect_stage not in known:
        yield places.fault(("connect_stage",), f"no stage {process.connect_stage!r}; known are {', '.join(known)}")
    for number in _cycle(process.stages):
        yield places.fault(("stages", number, "after"), f"stage {process.stages[number].code} comes after itself")


def _missed_faults(stage: Stage, path: tuple[str | int, ...], places: Places) -> Iterator[Fault]:
    for number, code in enumerate(stage.needs):
        if code not in stage.after:
            yield places.fault((*path, "needs", number), f"{code!r} is none of the stages in `after`")
    for number, awaited in enumerate(stage.waits_for):
        yield from _condition_faults(awaited.when, (*path, "waits_for", number, "when"), places)


def _cycle(stages: Sequence[Stage]) -> list[int]:
    """Give the indexes of stages that come after themselves."""
    after = {stage.code: set(stage.after) for stage in stages}
    for _ in stages:
        after = {code: names.union(*(after.get(n, set()) for n in names)) for code, names in after.items()}
    return [index for index, stage in enumerate(stages) if stage.code in after[stage.code]]


def _rule_faults(rule: Rule, path: tuple[str | int, ...], places: Places, known: Known) -> Iterator[Fault]:
    yield from _unknown_processes(rule.processes, path, places, known)
    if known.lacks_template(rule.text):
        message = f"no message template {rule.text!r}; known are {', '.join(sorted(known.templates))}"
        yield places.fault((*path, "text"), message)
    if isinstance(rule, MembershipRule) and rule.on == "item" and known.lacks_template(f"{rule.text}_group"):
        yield places.fault((*path, "text"), f"the grouped message needs a template {rule.text}_group")
    if isinstance(rule, BackdatedRule):
        yield from _units(rule.max_lag, CLOCK, (*path, "max_lag"), places)
    if isinstance(rule, OrphanRule):
        yield from _units(rule.after, CLOCK, (*path, "after"), places)
    if isinstance(rule, IntervalRule):
        yield from _units(rule.limit, CLOCK, (*path, "limit"), places)
    if isinstance(rule, DeadlineRule):
        yield from _deadline_faults(rule, path, places, known.processes)
    if isinstance(rule, DistinctRule | DocumentsRule):
        yield from _stage_faults(rule, path, places, known.processes)
    yield from row_faults(rule, path, places)


def _stage_faults(
    rule: DistinctRule | DocumentsRule, path: tuple[str | int, ...], places: Places, processes: dict[str, Process]
) -> Iterator[Fault]:
    known = {stage.code for name in rule.processes if name in processes for stage in processes[name].stages}
    named: list[tuple[tuple[str | int, ...], str]]
    if isinstance(rule, DistinctRule):
        named = [(("stages", number), code) for number, code in enumerate(rule.stages)]
    else:
        papers = enumerate(rule.papers)
        named = [(("papers", number, "stages"), code) for number, paper in papers for code in paper.stages]
    for place, code in named:
        if known and code not in known:
            yield places.fault((*path, *place), f"no stage {code!r}; known are {', '.join(sorted(known))}")


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
    yield from _rung_faults(rule, path, places)
    if rule.due is not None and rule.due.reference is not None and not rule.due.key:
        yield places.fault((*path, "due"), "`reference` needs `key`, the field that holds the reference row's key")
    if rule.stage is None and not rule.every_stage and rule.start == "entered_at":
        yield places.fault((*path, "start"), "a rule about the whole instance starts at a field of it", key=True)
    if rule.every_stage and (rule.stage is not None or rule.limit != "stage" or rule.is_of_rows):
        yield places.fault(
            (*path, "every_stage"), "a rule about every stage has `limit: stage` and names no stage", key=True
        )


def _rung_faults(rule: DeadlineRule, path: tuple[str | int, ...], places: Places) -> Iterator[Fault]:
    if not rule.rungs:
        yield places.fault((*path, "rungs"), "a rule needs at least one rung")
    for severity, rung in rule.rungs.items():
        given = [name for name, value in rung if value is not None]
        where = (*path, "rungs", severity)
        if len(given) != 1:
            yield places.fault(where, "a rung has exactly one of before, share, at, after, beyond")
        elif given[0] != "after" and rule.limit is None and rule.due is None:
            yield places.fault(where, f"`{given[0]}` needs a deadline: give `limit` or `due`")


def _unit_faults(
    rule: DeadlineRule, path: tuple[str | int, ...], places: Places, in_clock: set[tuple[str, str | None]]
) -> Iterator[Fault]:
    """Give the durations whose unit means nothing where they stand."""
    is_template = rule.limit in ("stage", "total")
    if rule.limit is not None and not is_template:
        yield from _units(rule.limit, ANY_LIMIT, (*path, "limit"), places)
    counts_workdays = is_template or str(rule.limit).endswith("wd")
    if is_template and any((process, rule.stage) in in_clock for process in rule.processes):
        counts_workdays = False
    for severity, rung in rule.rungs.items():
        for name, allowed in UNITS_OF_RUNG.items():
            text = getattr(rung, name)
            where = (*path, "rungs", severity, name)
            if text is not None:
                yield from _units(text, allowed if counts_workdays or name != "before" else CLOCK, where, places)


def _units(text: str, allowed: Sequence[Unit], path: tuple[str | int, ...], places: Places) -> Iterator[Fault]:
    unit = parse_duration(text).unit
    if unit not in allowed:
        yield places.fault(path, f"{text} cannot stand here: the unit must be one of {', '.join(allowed)}")


def _runs_by_clock(row: LimitRow) -> bool:
    return parse_duration(row.limit).unit != "wd"


def _limit_faults(row: LimitRow, path: tuple[str | int, ...], places: Places, known: Known) -> Iterator[Fault]:
    process = known.processes.get(row.process)
    yield from _condition_faults(row.when, (*path, "when"), places)
    yield from _units(row.limit, ANY_LIMIT, (*path, "limit"), places)
    if known.lacks_process(row.process):
        message = f"no process {row.process!r}; known are {', '.join(sorted(known.processes))}"
        yield places.fault((*path, "process"), message)
    elif row.stage is not None and process is not None and row.stage not in [s.code for s in process.stages]:
        yield places.fault((*path, "stage"), f"no stage {row.stage!r} in {row.process}")
    if (row.stage is None) != row.total:
        yield places.fault(path, "a row has either a `stage` or `total: true`")


def _indicator_faults(file: IndicatorFile, places: Places, known: Known) -> Iterator[Fault]:
    processes = known.processes
    for index, indicator in enumerate(file.indicators):
        path = ("indicators", index)
        yield from _unknown_processes(indicator.processes, path, places, known)
        if indicator.rule is not None and known.lacks_rule(indicator.rule):
            message = f"no rule {indicator.rule!r}; known are {', '.join(sorted(known.codes))}"
            yield places.fault((*path, "rule"), message)
        for number, pattern in enumerate(indicator.rules):
            if "*" not in pattern and known.lacks_rule(pattern):
                message = f"no rule {pattern!r}; known are {', '.join(sorted(known.codes))}"
                yield places.fault((*path, "rules", number), message)
        yield from _needs(indicator, path, places)
        stages = {s.code for name in indicator.processes if name in processes for s in processes[name].stages}
        is_whole = all(name in processes for name in indicator.processes)
        if indicator.stage is not None and stages and is_whole and indicator.stage not in stages:
            yield places.fault((*path, "stage"), f"no stage {indicator.stage!r}; known are {', '.join(sorted(stages))}")


def _needs(indicator: Indicator, path: tuple[str | int, ...], places: Places) -> Iterator[Fault]:
    lacking = [name for name in NEEDED_BY[indicator.kind] if getattr(indicator, name) is None]
    if lacking:
        yield places.fault(path, f"an indicator of kind {indicator.kind} needs {' and '.join(lacking)}")
    if indicator.kind in OF_ALERTS and not (indicator.rule or indicator.rules):
        yield places.fault(path, f"an indicator of kind {indicator.kind} needs rule or rules")
    if indicator.kind == "rows" and (indicator.field is None) != indicator.stock:
        yield places.fault(path, "an indicator of kind rows needs field, or else stock")


def _condition_faults(condition: dict[str, object], path: tuple[str | int, ...], places: Places) -> Iterator[Fault]:
    try:
        compile_condition(condition)
    except (ValueError, TypeError) as error:
        yield places.fault(path, str(error))


def _unknown_processes(
    names: Sequence[str], path: tuple[str | int, ...], places: Places, known: Known
) -> Iterator[Fault]:
    for index, name in enumerate(names):
        if known.lacks_process(name):
            message = f"no process {name!r}; known are {', '.join(sorted(known.processes))}"
            yield places.fault((*path, "processes", index), message)


def _duplicate_codes(files: Sequence[Parsed]) -> Iterator[Fault]:
    seen: dict[tuple[str, str, bool], str] = {}
    for model, places in files:
        if not isinstance(model, RuleFile):
            continue
        for index, rule in enumerate(model.rules):
            for process in rule.processes:
                first = seen.setdefault((rule.code, process, isinstance(rule, IndicatorRule)), places.file)
                if first != places.file or _before(model, index, rule.code, process):
                    message = f"rule {rule.code} for {process} is there twice (also in {first})"
                    yield places.fault(("rules", index, "code"), message)


def _before(file: RuleFile, index: int, code: str, process: str) -> bool:
    """Tell whether the code stood before for the process; one rule may judge instances and one their mean."""
    kind = isinstance(file.rules[index], IndicatorRule)
    is_same: Callable[[Rule], bool] = lambda rule: rule.code == code and process in rule.processes  # noqa: E731
    return any(is_same(rule) and isinstance(rule, IndicatorRule) == kind for rule in file.rules[:index])
