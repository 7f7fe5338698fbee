"""Definitions made ready for the engine: per process, the rules by stage, compiled once.

`rules.loader` reads the files; this joins processes, rules, the chosen limits, the calendar, templates and
indicators, and finds what no single file can show (a rule for a stage that its process lacks).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from rules.durations import parse_duration
from rules.engine.conditions import Test, compile_condition
from rules.engine.deadlines import Deadline
from rules.models import (
    BackdatedRule,
    CodeRule,
    DeadlineRule,
    Indicator,
    LimitRow,
    MembershipRule,
    OrderRule,
    OrphanRule,
    Process,
    ReleasedRule,
    Rule,
    Stage,
)
from rules.workdays import WorkCalendar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class CompiledProcess:
    """One process with everything that judges it."""

    id: str
    title: str
    entity: str
    fits: Test
    over_when: tuple[str, ...]
    over_status: frozenset[str]
    rejected: frozenset[str]
    codes: dict[str, frozenset[str | int]]
    """Known values of fields of the instance's own row."""
    connect_stage: str | None
    stages: dict[str, Stage]
    by_stage: dict[str, tuple[Deadline, ...]]
    of_instance: tuple[Deadline, ...]
    by_code: dict[str, Deadline]
    followers: dict[str, frozenset[str]]
    """Stages that come after a stage."""
    watched_by_whole: frozenset[str]
    """Stages whose end ends a rule about the whole instance."""
    order: OrderRule | None
    backdated: BackdatedRule | None
    max_lag_ms: int
    on_instance: tuple[MembershipRule, ...]
    on_item: tuple[MembershipRule, ...]
    released: ReleasedRule | None
    orphan: OrphanRule | None
    unknown_code: CodeRule | None
    indicators: tuple[Indicator, ...]


@dataclass(frozen=True, slots=True)
class Definitions:
    """A set of definitions that fits together; what `rules.Engine` is made from."""

    processes: dict[str, CompiledProcess]
    calendar: WorkCalendar
    templates: dict[str, str]
    limits_id: str
    by_entity: dict[str, tuple[CompiledProcess, ...]] = field(default_factory=dict)


def compile_definitions(  # noqa: PLR0913 - the kinds of definition there are
    processes: list[Process],
    rules: list[Rule],
    limits: list[LimitRow],
    *,
    limits_id: str,
    calendar: WorkCalendar,
    templates: dict[str, str],
    indicators: list[Indicator],
) -> Definitions:
    """Give the compiled definitions; what does not fit together was found by `rules.loader` before."""
    compiled = [
        _compile_process(
            process,
            [r for r in rules if r.enabled and process.id in r.processes],
            [row for row in limits if row.process == process.id],
            calendar,
            tuple(i for i in indicators if process.id in i.processes),
        )
        for process in processes
    ]
    by_entity: dict[str, tuple[CompiledProcess, ...]] = {}
    for process in compiled:
        by_entity[process.entity] = (*by_entity.get(process.entity, ()), process)
    return Definitions({p.id: p for p in compiled}, calendar, templates, limits_id, by_entity)


def _compile_process(
    process: Process,
    rules: list[Rule],
    limits: list[LimitRow],
    calendar: WorkCalendar,
    indicators: tuple[Indicator, ...],
) -> CompiledProcess:
    deadlines = [Deadline(r, limits, calendar) for r in rules if isinstance(r, DeadlineRule)]
    members = [r for r in rules if isinstance(r, MembershipRule)]
    backdated = _only(BackdatedRule, rules)
    return CompiledProcess(
        id=process.id,
        title=process.title,
        entity=process.entity,
        fits=compile_condition(process.when),
        over_when=tuple(process.over_when),
        over_status=frozenset(process.over_status),
        rejected=frozenset(process.rejected),
        codes={name: frozenset(values) for name, values in process.codes.items()},
        connect_stage=process.connect_stage,
        stages={stage.code: stage for stage in process.stages},
        by_stage={s.code: tuple(d for d in deadlines if d.stage == s.code) for s in process.stages},
        of_instance=tuple(d for d in deadlines if d.stage is None),
        by_code={d.code: d for d in deadlines},
        followers={s.code: frozenset(f.code for f in process.stages if s.code in f.after) for s in process.stages},
        watched_by_whole=frozenset(d.until_stage for d in deadlines if d.until_stage),
        order=_only(OrderRule, rules),
        backdated=backdated,
        max_lag_ms=parse_duration(backdated.max_lag).clock_ms if backdated else 0,
        on_instance=tuple(r for r in members if r.on == "instance"),
        on_item=tuple(r for r in members if r.on == "item"),
        released=_only(ReleasedRule, rules),
        orphan=_only(OrphanRule, rules),
        unknown_code=_only(CodeRule, rules),
        indicators=indicators,
    )


def _only(kind: type[R], rules: list[Rule]) -> R | None:
    return next((r for r in rules if isinstance(r, kind)), None)
