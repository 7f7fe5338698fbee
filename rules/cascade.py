"""Templates that an upper unit makes and lower units derive theirs from: limits, thresholds, execution day (P23).

A unit's code begins with the code of the unit above it, as everywhere in the source systems. The nearest template up
the tree counts; what a lower one may change, the next one above it says. Files are `version: cascade/v1`; read by
`rules.loader`, which puts their limits in front of those of the limit set that they are based on.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from rules.durations import Duration, parse_duration
from rules.models import Condition, DurationText, LimitFile, LimitRow, Process, ProcessId
from schemas import Fault, Places, Severity

Changeable = Literal["limit", "value", "execution"]
OrgCode = str
_FIRST_MONTHS = (1, 4, 7, 10)
"""Of the quarters."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Execution(_Model):
    """When an indicator is judged: its frequency, and the day where that leaves one open."""

    frequency: Literal["realtime", "hourly", "daily", "weekly", "monthly", "quarterly"] = "realtime"
    day: int | None = Field(
        default=None, ge=1, le=31,
        description="weekly: 1 (Monday) to 7; monthly: day of the month, quarterly: of its first month; a day that the "
        "month does not have is its last",
    )  # fmt: skip

    def runs_on(self, day: date) -> bool:
        """Tell whether it is judged on a local date; without a day a period is judged on its first."""
        wanted = self.day or 1
        match self.frequency:
            case "weekly":
                return day.isoweekday() == wanted
            case "monthly" | "quarterly":
                is_month = self.frequency == "monthly" or day.month in _FIRST_MONTHS
                return is_month and day.day == min(wanted, monthrange(day.year, day.month)[1])
            case _:
                return True


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


class Threshold(_Model):
    """When the value of an indicator is an anomaly, for a unit and those below it."""

    indicator: str = Field(pattern=r"^I\d{3}[A-Z]?$")
    severity: Severity = "ALARM"
    operator: Literal["gt", "ge", "lt", "le"]
    value: float
    unit: str = ""
    compare: Literal["absolute", "last_period", "same_period_last_year", "peer_mean"] = "absolute"

    @property
    def about(self) -> tuple[str, str, str, str]:
        """What it is a threshold of."""
        return self.indicator, self.severity, self.operator, self.compare


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
    tests: list[dict[str, Any]] = []


Parsed = tuple[BaseModel, Places]


def limit_rows(files: Sequence[BaseModel], limits: str) -> list[LimitRow]:
    """Give the rows of a limit set, in front of each those of units for the same, of the lowest unit first.

    A unit's row stands where the row stands that it replaces, so that it never hides one for a special case.
    """
    own = next(file for file in files if isinstance(file, LimitFile) and file.id == limits)
    known = [about_of(row) for row in own.rows]
    of_units: dict[object, list[LimitRow]] = {}
    for file in sorted(_based_on(files, limits), key=lambda file: -len(file.org)):
        for row in file.limits:
            of_units.setdefault(row.about if row.about in known else None, []).append(_for_unit(row, file.org))
    rows = of_units.get(None, [])
    for base, about in zip(own.rows, known, strict=True):
        rows += [*of_units.get(about, []), base]
    return rows


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
    faults: list[Fault] = []
    for model, places in derived:
        faults += _unknown_names(model, stages, places)
        if model.base not in sets:
            faults.append(places.fault(("base",), f"no limits {model.base!r}; known are {', '.join(sorted(sets))}"))
            continue
        if any(other.org == model.org and other.base == model.base and other is not model for other, _ in derived):
            faults.append(places.fault(("org",), f"unit {model.org} has two files based on {model.base}"))
        above = _above(model, [other for other, _ in derived])
        if above:
            faults += _forbidden(model, above, sets[model.base], places)
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


def _above(model: CascadeFile, files: Sequence[CascadeFile]) -> list[CascadeFile]:
    """Give the files of the units above a unit, the nearest first."""
    found = [f for f in files if f.base == model.base and f.org != model.org and model.org.startswith(f.org)]
    return sorted(found, key=lambda file: -len(file.org))


def _forbidden(model: CascadeFile, above: Sequence[CascadeFile], base: LimitFile, places: Places) -> Iterator[Fault]:
    nearest = above[0]
    lower = nearest.lower
    is_other_day = "execution" in model.model_fields_set and model.execution != nearest.execution
    changed: list[tuple[Changeable, tuple[str | int, ...]]] = []
    changed += [("limit", ("limits", number)) for number in range(len(model.limits))]
    changed += [("value", ("thresholds", number)) for number in range(len(model.thresholds))]
    if is_other_day:
        changed.append(("execution", ("execution",)))
    for what, place in changed:
        if lower.may == "inherit" or what not in lower.fields:
            yield places.fault(place, f"{nearest.id} (unit {nearest.org}) lets no unit below it change the {what}")
    if lower.may != "tighten":
        return
    for number, row in enumerate(model.limits):
        upper = next((u for file in above for u in file.limits if u.about == row.about), None)
        said = upper or next((r for r in base.rows if about_of(r) == row.about), None)
        if said is None:
            yield places.fault(("limits", number), f"{nearest.id} lets limits only be tightened, and has none for this")
        elif not _is_tighter(parse_duration(row.limit), parse_duration(said.limit)):
            message = f"{row.limit} is no stricter than {said.limit} of the unit above, which lets it only be tightened"
            yield places.fault(("limits", number, "limit"), message)
    for number, mine in enumerate(model.thresholds):
        theirs = next((t for file in above for t in file.thresholds if t.about == mine.about), None)
        if theirs is not None and not _is_sooner(mine, theirs):
            message = f"{mine.value:g} is no stricter than {theirs.value:g} of the unit above"
            yield places.fault(("thresholds", number, "value"), message)


def _is_tighter(mine: Duration, theirs: Duration) -> bool:
    """Tell whether a limit is as strict or stricter; workdays and hours cannot be told apart without a date."""
    if mine.is_clock and theirs.is_clock:
        return mine.clock_ms <= theirs.clock_ms
    return mine.unit == theirs.unit and mine.amount <= theirs.amount


def _is_sooner(mine: Threshold, theirs: Threshold) -> bool:
    return mine.value <= theirs.value if mine.operator in {"gt", "ge"} else mine.value >= theirs.value


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
    place: tuple[str | int, ...]
    """Where in the file it stands."""
    lower: str
    """What units below may do with it."""


def settings_of(files: Sequence[BaseModel], limits: str, org: OrgCode) -> list[Setting]:
    """Give all that is set for a unit, the value that counts first for each thing, then those that it replaces."""
    mine = [file for file in _based_on(files, limits) if org.startswith(file.org)]
    mine.sort(key=lambda file: -len(file.org))
    found = [setting for file in mine for setting in _of_file(file)]
    for file in files:
        if isinstance(file, LimitFile) and file.id == limits:
            may = "free" if not mine else f"as {mine[-1].id} says"
            for number, row in enumerate(file.rows):
                about = _limit_of(row.process, row.stage, row.when)
                found.append(Setting(about, row.limit, f"limits/{file.id}", None, ("rows", number), may))
    order = list(dict.fromkeys(setting.about for setting in found))
    return sorted(found, key=lambda setting: order.index(setting.about))


def _of_file(file: CascadeFile) -> Iterator[Setting]:
    key, may = f"cascade/{file.id}", f"{file.lower.may} ({', '.join(file.lower.fields)})"
    for number, row in enumerate(file.limits):
        yield Setting(_limit_of(row.process, row.stage, row.when), row.limit, key, file.org, ("limits", number), may)
    for number, threshold in enumerate(file.thresholds):
        about = f"{threshold.indicator} {threshold.severity} {threshold.compare}"
        value = f"{threshold.operator} {threshold.value:g}{threshold.unit}"
        yield Setting(about, value, key, file.org, ("thresholds", number), may)
    if "execution" in file.model_fields_set:
        day = f", day {file.execution.day}" if file.execution.day else ""
        yield Setting("execution", f"{file.execution.frequency}{day}", key, file.org, ("execution",), may)


def _limit_of(process: str, stage: str | None, when: Condition) -> str:
    return " ".join([process, stage or "total", *(f"{name}={value}" for name, value in when.items())])
