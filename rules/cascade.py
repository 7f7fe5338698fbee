"""Templates that an upper unit makes and lower units derive theirs from: limits, thresholds, execution day (P23).

A unit's code begins with the code of the unit above it, as everywhere in the source systems. The nearest template up
the tree counts; what a lower one may change, the next one above it says. Files are `version: cascade/v1`; read by
`rules.loader`, which puts their limits in front of those of the limit set that they are based on.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from rules.durations import Duration, parse_duration
from rules.models import Condition, DurationText, LimitFile, LimitRow, ProcessId
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


class UnitLimit(_Model):
    """A limit for a unit and those below it: as a row of a limit file."""

    process: ProcessId
    stage: str | None = None
    total: bool = False
    when: Condition = {}
    limit: DurationText

    @property
    def about(self) -> tuple[str, str | None, bool, str]:
        """What it is a limit of."""
        return self.process, self.stage, self.total, repr(sorted(self.when.items(), key=repr))


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
    """Give the rows of a limit set with those of units in front of it, of the lowest unit first."""
    own = next(file for file in files if isinstance(file, LimitFile) and file.id == limits)
    derived = [file for file in files if isinstance(file, CascadeFile) and file.base == limits]
    rows = [
        LimitRow(
            process=row.process, stage=row.stage, total=row.total, limit=row.limit,
            when={**row.when, "org_no": {"below": file.org}},
        )
        for file in sorted(derived, key=lambda file: -len(file.org))
        for row in file.limits
    ]  # fmt: skip
    return [*rows, *own.rows]


# -- what does not fit


def cascade_faults(files: Sequence[Parsed]) -> list[Fault]:
    """Give what units may not change, and names that are not there."""
    sets = {model.id: model for model, _ in files if isinstance(model, LimitFile)}
    derived = [(model, places) for model, places in files if isinstance(model, CascadeFile)]
    faults: list[Fault] = []
    for model, places in derived:
        if model.base not in sets:
            faults.append(places.fault(("base",), f"no limits {model.base!r}; known are {', '.join(sorted(sets))}"))
            continue
        if any(other.org == model.org and other.base == model.base and other is not model for other, _ in derived):
            faults.append(places.fault(("org",), f"unit {model.org} has two files based on {model.base}"))
        above = _above(model, [other for other, _ in derived])
        if above:
            faults += _forbidden(model, above, sets[model.base], places)
    return faults


def _above(model: CascadeFile, files: Sequence[CascadeFile]) -> list[CascadeFile]:
    """Give the files of the units above a unit, the nearest first."""
    found = [f for f in files if f.base == model.base and f.org != model.org and model.org.startswith(f.org)]
    return sorted(found, key=lambda file: -len(file.org))


def _forbidden(model: CascadeFile, above: Sequence[CascadeFile], base: LimitFile, places: Places) -> Iterator[Fault]:
    nearest = above[0]
    lower = nearest.lower
    is_other_day = "execution" in model.model_fields_set and model.execution != nearest.execution
    changed: list[tuple[Changeable, tuple[str | int, ...]]] = [
        *(("limit", ("limits", n)) for n in range(len(model.limits))),
        *(("value", ("thresholds", n)) for n in range(len(model.thresholds))),
        *([("execution", ("execution",))] if is_other_day else []),
    ]
    for what, place in changed:
        if lower.may == "inherit" or what not in lower.fields:
            yield places.fault(place, f"{nearest.id} (unit {nearest.org}) lets no unit below it change the {what}")
    if lower.may != "tighten":
        return
    for number, row in enumerate(model.limits):
        upper = next((u for file in above for u in file.limits if u.about == row.about), None)
        said = upper or next((r for r in base.rows if _is_about(r, row)), None)
        if said is not None and not _is_tighter(parse_duration(row.limit), parse_duration(said.limit)):
            message = f"{row.limit} is no stricter than {said.limit} of the unit above, which lets it only be tightened"
            yield places.fault(("limits", number, "limit"), message)
    for number, mine in enumerate(model.thresholds):
        theirs = next((t for file in above for t in file.thresholds if t.about == mine.about), None)
        if theirs is not None and not _is_sooner(mine, theirs):
            message = f"{mine.value:g} is no stricter than {theirs.value:g} of the unit above"
            yield places.fault(("thresholds", number, "value"), message)


def _is_about(row: LimitRow, other: UnitLimit) -> bool:
    return UnitLimit.model_validate(row.model_dump()).about == other.about


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
    derived = [file for file in files if isinstance(file, CascadeFile) and file.base == limits]
    mine = sorted((file for file in derived if org.startswith(file.org)), key=lambda file: -len(file.org))
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
