"""Definitions made ready for the engine: per process, the rules by stage, compiled once.

`rules.loader` reads the files; this joins processes, rules, the chosen limits, the calendar, templates and
indicators, and finds what no single file can show (a rule for a stage that its process lacks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from rules.durations import parse_duration
from rules.engine.conditions import Test, compile_condition
from rules.engine.deadlines import Deadline
from rules.engine.messages import MessageBook, Messages, compile_messages
from rules.engine.row_rules import RowRules, compile_row_rules
from rules.indicator_models import Indicator
from rules.loop import Strategies
from rules.message_models import Message
from rules.models import (
    BackdatedRule,
    CodeRule,
    DeadlineRule,
    DisagreementRule,
    IntervalRule,
    LimitRow,
    MembershipRule,
    OrderRule,
    OrphanRule,
    Process,
    ReleasedRule,
    Rule,
    Stage,
)
from rules.reports import Reports
from rules.row_models import Keep
from rules.state import Instance
from rules.threshold_models import IndicatorRule
from rules.thresholds import Template, Thresholds
from rules.wording import OwnCopies
from rules.workdays import WorkCalendar

R = TypeVar("R")
WHEREABOUTS = ("tg_no", "trans_no", "line_no", "subs_no", "cons_no", "org_no")
"""Fields of an instance by which reference data find it, and the unit that its indicators count for."""


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
    calendar: WorkCalendar
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
    disagreement: DisagreementRule | None
    intervals: tuple[tuple[str, int, IntervalRule], ...]
    """Field and limit (ms) of each."""
    watched: frozenset[str]
    """Fields of the instance's own row that something judges; a change of the others is kept and no more."""
    rows: RowRules | None
    """Rules about rows of its instances; None: it has none."""
    keeps: Mapping[str, Keep]
    """How many rows of an entity stay in state; all of the others."""
    indicators: tuple[Indicator, ...]
    told: MessageBook | None
    """What people are told of its instances beside alerts; None: nothing."""
    awaited: Mapping[str, tuple[tuple[str, Test, str], ...]]
    """By stage, the rows that must not be open when it is entered: entity, test, and what it is called."""

    def deadline(self, code: str, stage: str | None) -> Deadline | None:
        """Give a deadline rule by its code and the stage that it watches."""
        rules = self.of_instance if stage is None else self.by_stage.get(stage, ())
        return next((rule for rule in rules if rule.code == code), None)


@dataclass(frozen=True, slots=True)
class Definitions:
    """A set of definitions that fits together; what `rules.Engine` is made from."""

    processes: dict[str, CompiledProcess]
    calendar: WorkCalendar
    templates: dict[str, str]
    limits_id: str
    thresholds: Thresholds
    by_entity: dict[str, tuple[CompiledProcess, ...]] = field(default_factory=dict)
    held: dict[tuple[str, int], CompiledProcess] = field(default_factory=dict)
    """Processes as instances go on with them that began under older rules, by id and `Instance.edition`."""
    serial: int = 0
    """Of the published set; 0: read from folders."""
    digest: str = ""
    """Of everything that the set was made from."""
    own_templates: OwnCopies = field(default_factory=dict)
    """What units say in their own words, by template and unit."""
    reports: Reports = field(default_factory=Reports)
    """What is mailed at set times."""
    strategies: Strategies | None = None
    """What becomes of alerts that somebody was told of; None: a set made without files."""

    def process_of(self, instance: Instance) -> CompiledProcess | None:
        """Give the process that judges an instance; None if it is of none, or of one that is not defined any more."""
        name = instance.process
        if name is None:
            return None
        if instance.edition and (name, instance.edition) in self.held:
            return self.held[name, instance.edition]
        return self.processes.get(name)


def compile_definitions(  # noqa: PLR0913 - the kinds of definition there are
    processes: list[Process],
    rules: list[Rule],
    limits: list[LimitRow],
    *,
    limits_id: str,
    calendar: WorkCalendar,
    templates: dict[str, str],
    indicators: list[Indicator],
    calendars: Mapping[str, WorkCalendar] | None = None,
    units: Sequence[Template] = (),
    messages: Sequence[Message] = (),
    versions: Mapping[str, int] | None = None,
    digest: str = "",
) -> Definitions:
    """Give the compiled definitions; what does not fit together was found by `rules.loader` before.

    `calendar` counts for processes that name none; `calendars` has those that they name. `units` have the thresholds
    that units set, `versions` those of the rules that these bring.
    """
    named = calendars or {}
    chosen_by = frozenset(name for process in processes for name in process.when)
    made = {
        process.id: _compile_process(
            process,
            [r for r in rules if r.enabled and process.is_among(r.processes)],
            _limits_of(process, limits),
            named[process.calendar] if process.calendar else calendar,
            tuple(i for i in indicators if process.is_among(i.processes)),
            chosen_by,
            messages,
            units,
        )
        for process in processes
    }
    by_entity = _by_entity(processes, made)
    # The first stands for rows of no process: the one that asks for them.
    made = dict(sorted(made.items(), key=lambda item: item[1].orphan is None))
    thresholds = Thresholds(
        [rule for rule in rules if isinstance(rule, IndicatorRule) and rule.enabled], units, indicators,
        processes={name: frozenset(p.id for p in processes if p.is_among([name])) for name in made}, calendar=calendar,
        versions=versions,
    )  # fmt: skip
    return Definitions(made, calendar, templates, limits_id, thresholds, by_entity, digest=digest)


def _by_entity(processes: list[Process], made: Mapping[str, CompiledProcess]) -> dict[str, tuple[CompiledProcess, ...]]:
    """Give the processes that rows of an entity may belong to; those that take every row take what is left."""
    found: dict[str, tuple[CompiledProcess, ...]] = {}
    for process in sorted(processes, key=lambda p: not p.when):
        if not process.abstract:
            found[process.entity] = (*found.get(process.entity, ()), made[process.id])
    return found


def _limits_of(process: Process, limits: list[LimitRow]) -> list[LimitRow]:
    """Give the limits of a process, its own before those of the processes that it is one of."""
    rank = {name: number for number, name in enumerate((process.id, *process.is_a))}
    return sorted((row for row in limits if row.process in rank), key=lambda row: rank[row.process])


def _compile_process(  # noqa: PLR0913, PLR0917 - the kinds of definition there are
    process: Process, rules: list[Rule], limits: list[LimitRow], calendar: WorkCalendar,
    indicators: tuple[Indicator, ...], chosen_by: frozenset[str], messages: Sequence[Message],
    units: Sequence[Template],
) -> CompiledProcess:  # fmt: skip
    deadlines = [Deadline(r, limits, calendar) for r in _by_stage(process, rules, limits) if not r.is_of_rows]
    of_rows = compile_row_rules(process, rules, limits, calendar, units)
    backdated, told = _only(BackdatedRule, rules), compile_messages(process, messages)
    stages = {stage.code: stage for stage in process.stages}
    return CompiledProcess(
        id=process.id, title=process.title, entity=process.entity, fits=compile_condition(process.when),
        over_when=tuple(process.over_when),
        over_status=frozenset(process.over_status),
        rejected=frozenset(process.rejected),
        codes={name: frozenset(values) for name, values in process.codes.items()},
        connect_stage=process.connect_stage,
        calendar=calendar,
        stages=stages,
        by_stage={code: tuple(d for d in deadlines if d.stage == code) for code in stages},
        of_instance=tuple(d for d in deadlines if d.stage is None),
        by_code={d.code: d for d in deadlines},
        followers=_followers(process),
        watched_by_whole=frozenset(d.until_stage for d in deadlines if d.until_stage),
        order=_only(OrderRule, rules),
        backdated=backdated,
        max_lag_ms=parse_duration(backdated.max_lag).clock_ms if backdated else 0,
        on_instance=_members(rules, "instance"),
        on_item=_members(rules, "item"),
        released=_only(ReleasedRule, rules),
        orphan=_only(OrphanRule, rules),
        unknown_code=_only(CodeRule, rules),
        disagreement=_only(DisagreementRule, rules),
        intervals=tuple((r.field, parse_duration(r.limit).clock_ms, r) for r in rules if isinstance(r, IntervalRule)),
        watched=_watched(process, rules, limits, indicators) | chosen_by | _own_fields(of_rows, told),
        rows=of_rows,
        keeps=process.keeps,
        indicators=indicators,
        told=MessageBook(process.id, process.entity, calendar, stages, told) if told else None,
        awaited=_awaited(process),
    )  # fmt: skip


def _awaited(process: Process) -> dict[str, tuple[tuple[str, Test, str], ...]]:
    """Give by stage the rows that must not be open when it is entered."""
    return {
        stage.code: tuple((each.entity, compile_condition(each.when), each.title) for each in stage.waits_for)
        for stage in process.stages
        if stage.waits_for
    }


def _followers(process: Process) -> dict[str, frozenset[str]]:
    """Give the stages that come after each."""
    return {s.code: frozenset(f.code for f in process.stages if s.code in f.after) for s in process.stages}


def _members(rules: list[Rule], on: Literal["instance", "item"]) -> tuple[MembershipRule, ...]:
    return tuple(rule for rule in rules if isinstance(rule, MembershipRule) and rule.on == on)


def _own_fields(of_rows: RowRules | None, told: Messages | None) -> frozenset[str]:
    """Give the fields of the instance's own row that rules about rows and messages read."""
    return (of_rows.own_fields if of_rows else frozenset()) | (told.own_fields if told else frozenset())


def _by_stage(process: Process, rules: list[Rule], limits: list[LimitRow]) -> Iterator[DeadlineRule]:
    """Give the deadline rules, one about every stage as one for each stage that has a limit."""
    limited = {row.stage for row in limits if row.stage is not None}
    for rule in rules:
        if isinstance(rule, DeadlineRule) and rule.every_stage:
            stages = [stage.code for stage in process.stages if stage.code in limited]
            yield from (rule.model_copy(update={"stage": code, "every_stage": False}) for code in stages)
        elif isinstance(rule, DeadlineRule):
            yield rule


def _watched(
    process: Process, rules: list[Rule], limits: list[LimitRow], indicators: tuple[Indicator, ...]
) -> frozenset[str]:
    names = {*WHEREABOUTS, "status_code", *process.over_when, *process.when, *process.codes}
    for row in limits:
        names.update(row.when)
    for indicator in indicators:
        names.update(name for name in (indicator.field, indicator.sum, indicator.over) if name)
        names.update((*indicator.when, *(indicator.share or ()), *indicator.dims.values()))
        names.update((*(indicator.on_time or ()), *(indicator.seconds or ())))
    for rule in rules:
        if isinstance(rule, DeadlineRule) and not rule.is_of_rows:
            names.update((str(rule.start), *rule.until))
            if rule.due is not None:
                names.add(rule.due.field)
    return frozenset(names)


def _only(kind: type[R], rules: list[Rule]) -> R | None:
    return next((r for r in rules if isinstance(r, kind)), None)
