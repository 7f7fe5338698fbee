"""Templates that an upper unit makes and lower units derive theirs from: limits, thresholds, execution day (P23).

A unit's code begins with the code of the unit above it, as everywhere in the source systems. The nearest template up
the tree counts; what a lower one may change, the next one above it says. Files are `version: cascade/v1`; read by
`rules.loader`, which puts their limits in front of those of the limit set that they are based on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from rules.durations import Duration, parse_duration
from rules.models import DeadlineRule, LimitFile, LimitRow, Process, RuleFile, Stage
from rules.row_models import ComputedRule
from rules.rule_base import Condition, DurationText, ProcessId
from rules.threshold_models import Execution, IndicatorRule, Threshold
from rules.thresholds import bounds
from rules.unit_parameters import UnitParameters, loosened, parameter_faults
from schemas import Fault, Places

Changeable = Literal["limit", "value", "execution"]
STRICTNESS = ("free", "tighten", "inherit")
"""What units below may do, the most first."""
OrgCode = str
Place = tuple[str | int, ...]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lower(_Model):
    """What the units below may do with what they get."""

    may: Literal["inherit", "tighten", "free"] = Field(
        default="tighten", description="inherit: change nothing; tighten: only make it stricter; free: anything"
    )
    fields: list[Changeable] = Field(default=["limit", "value"], description="what they may change at all")


LimitOf = tuple[str, str | None, bool, str]
"""Process, stage, whether it is of the whole, and for which instances."""


def about_of(row: UnitLimit | LimitRow) -> LimitOf:
    """Give what a row is a limit of."""
    return row.process, row.stage, row.total, repr(sorted(row.when.items(), key=repr))


class UnitLimit(_Model):
    """A limit for a unit and those below it: as a row of a limit file."""

    process: ProcessId
    stage: str | None = None
    total: bool = False
    when: Condition = {}
    limit: DurationText

    @property
    def about(self) -> LimitOf:
        """What it is a limit of."""
        return about_of(self)


class CascadeFile(_Model):
    """What one unit's management sets for itself and the units below it."""

    version: Literal["cascade/v1"]
    id: str
    title: str
    org: OrgCode = Field(pattern=r"^[0-9A-Za-z]+$", description="code of the unit; those below begin with it")
    base: str = Field(default="default", description="id of the limit set that it is derived from")
    lower: Lower = Lower()
    execution: Execution = Execution()
    limits: list[UnitLimit] = []
    thresholds: list[Threshold] = []
    parameters: list[UnitParameters] = Field(default=[], description="of computed rules: A04 with its share of 30 %")
    tests: list[dict[str, Any]] = []


Parsed = tuple[BaseModel, Places]


def limit_rows(files: Sequence[BaseModel], limits: str) -> list[LimitRow]:
    """Give the rows of a limit set, in front of each those of units for the same, of the lowest unit first.

    A unit's row stands where the row stands that it replaces, so that it never hides one for a special case.
    What the set says nothing of has the limit of the stage's own definition.
    """
    own = [*next(f for f in files if isinstance(f, LimitFile) and f.id == limits).rows, *_of_stages(files)]
    known = [about_of(row) for row in own]
    of_units: dict[object, list[LimitRow]] = {}
    for file in sorted(_based_on(files, limits), key=lambda file: -len(file.org)):
        for row in file.limits:
            of_units.setdefault(row.about if row.about in known else None, []).append(_for_unit(row, file.org))
    rows = of_units.get(None, [])
    for base, about in zip(own, known, strict=True):
        rows += [*of_units.get(about, []), base]
    return rows


def _of_stages(files: Sequence[BaseModel]) -> list[LimitRow]:
    processes = [file for file in files if isinstance(file, Process)]
    return [row for process in processes for stage in process.stages for row in _of_stage(process, stage)]


def _of_stage(process: Process, stage: Stage) -> list[LimitRow]:
    return [LimitRow(process=process.id, stage=stage.code, limit=stage.limit)] if stage.limit else []


def _based_on(files: Sequence[BaseModel], limits: str) -> list[CascadeFile]:
    return [file for file in files if isinstance(file, CascadeFile) and file.base == limits]


def _for_unit(row: UnitLimit, org: OrgCode) -> LimitRow:
    when = {**row.when, "org_no": {"below": org}}
    return LimitRow(process=row.process, stage=row.stage, total=row.total, limit=row.limit, when=when)


# -- what does not fit


def cascade_faults(files: Sequence[Parsed]) -> list[Fault]:
    """Give what units may not change, and names that are not there."""
    sets = {model.id: model for model, _ in files if isinstance(model, LimitFile)}
    derived = [(model, places) for model, places in files if isinstance(model, CascadeFile)]
    stages = {m.id: {stage.code for stage in m.stages} for m, _ in files if isinstance(m, Process)}
    in_workdays = [rule for m, _ in files if isinstance(m, RuleFile) for rule in m.rules if _warns_in_workdays(rule)]
    computed = [r for m, _ in files if isinstance(m, RuleFile) for r in m.rules if isinstance(r, ComputedRule)]
    faults: list[Fault] = []
    for model, places in derived:
        faults += _unknown_names(model, stages, places)
        faults += parameter_faults(model, computed, places)
        faults += _by_the_clock(model, in_workdays, places)
        if model.base not in sets:
            faults.append(places.fault(("base",), f"no limits {model.base!r}; known are {', '.join(sorted(sets))}"))
            continue
        if any(other.org == model.org and other.base == model.base and other is not model for other, _ in derived):
            faults.append(places.fault(("org",), f"unit {model.org} has two files based on {model.base}"))
        above = _above(model, [other for other, _ in derived])
        if above:
            faults += _forbidden(model, above, sets[model.base], places)
        if above and _only_tightens(above):
            faults += loosened(model, above, computed, places)
    return faults


def _unknown_names(model: CascadeFile, stages: Mapping[str, Collection[str]], places: Places) -> Iterator[Fault]:
    for number, row in enumerate(model.limits):
        if row.process not in stages:
            known = ", ".join(sorted(stages))
            yield places.fault(("limits", number, "process"), f"no process {row.process!r}; known are {known}")
        elif row.stage is not None and row.stage not in stages[row.process]:
            yield places.fault(("limits", number, "stage"), f"no stage {row.stage!r} in {row.process}")
        if (row.stage is None) != row.total:
            yield places.fault(("limits", number), "a row has either a `stage` or `total: true`")


def _warns_in_workdays(rule: object) -> TypeGuard[DeadlineRule]:
    """Tell whether a rule counts workdays back from a limit that units may set."""
    return (
        isinstance(rule, DeadlineRule)
        and rule.limit in {"stage", "total"}
        and any(rung.before is not None and parse_duration(rung.before).unit == "wd" for rung in rule.rungs.values())
    )


def _by_the_clock(model: CascadeFile, rules: Sequence[DeadlineRule], places: Places) -> Iterator[Fault]:
    """Give limits in hours or days of which a rule warns workdays before: neither day is part of the other's count."""
    for number, row in enumerate(model.limits):
        for rule in rules if parse_duration(row.limit).unit != "wd" else ():
            is_about = rule.stage == row.stage or (rule.every_stage and row.stage is not None)
            if row.process in rule.processes and is_about:
                message = f"{row.limit} cannot stand here: {rule.code} warns workdays before it; give it in wd"
                yield places.fault(("limits", number, "limit"), message)
                break


def _above(model: CascadeFile, files: Sequence[CascadeFile]) -> list[CascadeFile]:
    """Give the files of the units above a unit, the nearest first."""
    found = [f for f in files if f.base == model.base and f.org != model.org and model.org.startswith(f.org)]
    return sorted(found, key=lambda file: -len(file.org))


def _forbidden(model: CascadeFile, above: Sequence[CascadeFile], base: LimitFile, places: Places) -> Iterator[Fault]:
    """Give what a unit may not: what any unit above it has ruled out holds, whatever those between grant."""
    is_other_day = "execution" in model.model_fields_set and model.execution != above[0].execution
    changed: list[tuple[Changeable, tuple[str | int, ...]]] = []
    changed += [("limit", ("limits", number)) for number in range(len(model.limits))]
    changed += [("value", ("thresholds", number)) for number in range(len(model.thresholds))]
    changed += [("value", ("parameters", number)) for number in range(len(model.parameters))]
    if is_other_day:
        changed.append(("execution", ("execution",)))
    for what, place in changed:
        by = next((f for f in above if f.lower.may == "inherit" or what not in f.lower.fields), None)
        if by is not None:
            yield places.fault(place, f"{by.id} (unit {by.org}) lets no unit below it change the {what}")
    yield from _granted_too_much(model, above, places)
    by = next((file for file in above if file.lower.may == "tighten"), None)
    if by is not None and _only_tightens(above):
        yield from _loosened(model, above, base, places, by=by)


def _only_tightens(above: Sequence[CascadeFile]) -> bool:
    said = {file.lower.may for file in above}
    return "tighten" in said and "inherit" not in said


def _granted_too_much(model: CascadeFile, above: Sequence[CascadeFile], places: Places) -> Iterator[Fault]:
    """Give what a unit lets those below it do that it may not do itself; what it does not write out is no grant."""
    if "lower" not in model.model_fields_set:
        return
    strictest = max(above, key=lambda file: STRICTNESS.index(file.lower.may))
    if "may" in model.lower.model_fields_set and STRICTNESS.index(model.lower.may) < STRICTNESS.index(
        strictest.lower.may
    ):
        message = f"{model.lower.may} grants more than {strictest.id} (unit {strictest.org}): {strictest.lower.may}"
        yield places.fault(("lower", "may"), message)
    for number, what in enumerate(model.lower.fields if "fields" in model.lower.model_fields_set else ()):
        by = next((file for file in above if what not in file.lower.fields), None)
        if by is not None:
            message = f"{what} cannot be granted: {by.id} (unit {by.org}) lets no unit below it change it"
            yield places.fault(("lower", "fields", number), message)


def _loosened(
    model: CascadeFile, above: Sequence[CascadeFile], base: LimitFile, places: Places, *, by: CascadeFile
) -> Iterator[Fault]:
    for number, row in enumerate(model.limits):
        upper = next((u for file in above for u in file.limits if u.about == row.about), None)
        said = upper or next((r for r in base.rows if about_of(r) == row.about), None)
        if said is None:
            yield places.fault(("limits", number), f"{by.id} lets limits only be tightened, and has none for this")
        elif not _is_tighter(parse_duration(row.limit), parse_duration(said.limit)):
            message = f"{row.limit} is no stricter than {said.limit} of the unit above, which lets it only be tightened"
            yield places.fault(("limits", number, "limit"), message)
    for number, mine in enumerate(model.thresholds):
        theirs = next((t for file in above for t in file.thresholds if t.about == mine.about), None)
        if theirs is not None and not _is_sooner(mine, theirs):
            message = f"{mine.said} is no stricter than {theirs.said} of the unit above"
            yield places.fault(("thresholds", number, "value"), message)


def _is_tighter(mine: Duration, theirs: Duration) -> bool:
    """Tell whether a limit is as strict or stricter; workdays and hours cannot be told apart without a date."""
    if mine.is_clock and theirs.is_clock:
        return mine.clock_ms <= theirs.clock_ms
    return mine.unit == theirs.unit and mine.amount <= theirs.amount


def _is_sooner(mine: Threshold, theirs: Threshold) -> bool:
    """Tell whether whatever the unit above finds is found, too; both have the same operator."""
    (low, high), (their_low, their_high) = bounds(mine), bounds(theirs)
    if _terms_of(mine) != _terms_of(theirs):
        return False
    is_above = mine.operator in {"lt", "le"} or high <= their_high
    is_below = mine.operator in {"gt", "ge"} or low >= their_low
    return is_above and is_below and mine.min_count <= theirs.min_count


def _terms_of(threshold: Threshold) -> tuple[object, ...]:
    return threshold.unit, threshold.trigger, threshold.window, threshold.relative


# -- what counts for a unit


class Setting(NamedTuple):
    """One value that is set for a unit, and where."""

    about: str
    """Process and stage, or indicator and severity; with the condition, if there is one."""
    value: str
    definition: str
    """`kind/id` of the file that says so."""
    org: OrgCode | None
    """The unit whose file that is; None: the limit set itself."""
    place: Place
    """Where in the file it stands."""
    lower: str
    """What units below may do with it."""


def settings_of(files: Sequence[BaseModel], limits: str, org: OrgCode) -> list[Setting]:
    """Give all that is set for a unit, the value that counts first for each thing, then those that it replaces."""
    mine = [file for file in _based_on(files, limits) if org.startswith(file.org)]
    mine.sort(key=lambda file: -len(file.org))
    judged = dict.fromkeys(threshold.indicator for file in mine for threshold in file.thresholds)
    found = [setting for file in mine for setting in _of_file(file, judged)]
    for file in files:
        if isinstance(file, LimitFile) and file.id == limits:
            may = "free" if not mine else f"as {mine[-1].id} says"
            for number, row in enumerate(file.rows):
                about = _limit_of(row.process, row.stage, row.when)
                found.append(Setting(about, row.limit, f"limits/{file.id}", None, ("rows", number), may))
        elif isinstance(file, RuleFile):
            found += _of_rules(file, "free" if not mine else f"as {mine[-1].id} says")
    for file in files:
        if isinstance(file, Process):
            found += _of_process(file, "free" if not mine else f"as {mine[-1].id} says")
    order = list(dict.fromkeys(setting.about for setting in found))
    return sorted(found, key=lambda setting: order.index(setting.about))


def setting_of(files: Sequence[BaseModel], limits: str, org: OrgCode, row: LimitRow) -> Setting | None:
    """Give where a limit that counts for an instance of a unit was set; None if the files do not have it."""
    where = next((place for known, place in _limit_places(files, limits) if known == row), None)
    found = settings_of(files, limits, org)
    return next((setting for setting in found if (setting.definition, setting.place) == where), None)


def threshold_setting_of(files: Sequence[BaseModel], limits: str, org: OrgCode, threshold: Threshold) -> Setting | None:
    """Give where a threshold that counts for a unit was set; None if the files do not have it."""
    about = _threshold_of(threshold)
    return next((setting for setting in settings_of(files, limits, org) if setting.about == about), None)


def _limit_places(files: Sequence[BaseModel], limits: str) -> Iterator[tuple[LimitRow, tuple[str, Place]]]:
    """Give the rows of `limit_rows`, each with its definition and its place there."""
    for derived in _based_on(files, limits):
        for number, of_unit in enumerate(derived.limits):
            yield _for_unit(of_unit, derived.org), (f"cascade/{derived.id}", ("limits", number))
    for file in files:
        if isinstance(file, LimitFile) and file.id == limits:
            for number, row in enumerate(file.rows):
                yield row, (f"limits/{file.id}", ("rows", number))
        elif isinstance(file, Process):
            for number, stage in enumerate(file.stages):
                for row in _of_stage(file, stage):
                    yield row, (f"process/{file.id}", ("stages", number, "limit"))


def _of_file(file: CascadeFile, judged: Iterable[str]) -> Iterator[Setting]:
    """Give what a unit's file sets; `judged` are the indicators that it or a unit above or below judges."""
    key, may = f"cascade/{file.id}", f"{file.lower.may} ({', '.join(file.lower.fields)})"
    for number, row in enumerate(file.limits):
        yield Setting(_limit_of(row.process, row.stage, row.when), row.limit, key, file.org, ("limits", number), may)
    for number, threshold in enumerate(file.thresholds):
        yield Setting(_threshold_of(threshold), threshold.said, key, file.org, ("thresholds", number), may)
    for number, each in enumerate(file.parameters):
        for name, value in each.values.items():
            place = ("parameters", number, "values", name)
            yield Setting(f"{each.rule} {name}", str(value), key, file.org, place, may)
    if "execution" in file.model_fields_set:
        for indicator in judged:
            yield Setting(f"{indicator} execution", file.execution.said, key, file.org, ("execution",), may)


def _of_process(file: Process, may: str) -> Iterator[Setting]:
    """Give the limits that the stages themselves have; they count where no limit set says another."""
    for number, stage in enumerate(file.stages):
        if stage.limit is not None:
            about, place = _limit_of(file.id, stage.code, {}), ("stages", number, "limit")
            yield Setting(about, stage.limit, f"process/{file.id}", None, place, may)


def _of_rules(file: RuleFile, may: str) -> Iterator[Setting]:
    for number, rule in enumerate(file.rules):
        if isinstance(rule, IndicatorRule):
            for index, threshold in enumerate(rule.thresholds):
                said = f"{threshold.said} ({rule.code}, {rule.execution.said})"
                place = ("rules", number, "thresholds", index)
                yield Setting(_threshold_of(threshold), said, f"rules/{file.id}", None, place, may)
        elif isinstance(rule, ComputedRule):
            for name, value in rule.parameters.items():
                where = ("rules", number, "parameters", name)
                yield Setting(f"{rule.code} {name}", str(value), f"rules/{file.id}", None, where, may)


def _threshold_of(threshold: Threshold) -> str:
    return f"{threshold.indicator} {threshold.severity} {threshold.operator} {threshold.compare}"


def _limit_of(process: str, stage: str | None, when: Condition) -> str:
    return " ".join([process, stage or "total", *(f"{name}={value}" for name, value in when.items())])
