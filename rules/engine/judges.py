"""All that judges one instance, in the order in which it is judged after a change.

Called by the engine only: it says which instance changed, and how; here it is told to the rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rules.compiler import CompiledProcess, Definitions
from rules.engine.alerting import Alerting
from rules.engine.contributions import Contributions
from rules.engine.deadlines import usable
from rules.engine.energy import hanging
from rules.engine.findings import Findings
from rules.engine.fusion import fuse_visit as fuse_row_of
from rules.engine.fusion import new_visit
from rules.engine.judgement import Judgement
from rules.engine.membership import ITEM, PREFIXES, Membership
from rules.engine.open_parts import OPEN, recount_open
from rules.engine.partition import Part, Partition, Step
from rules.engine.row_parts import recount
from rules.reference import TOPOLOGY, Reference, ReferenceEvent
from rules.state import Instance, Visit
from schemas import Change


class _Told(NamedTuple):
    """What a visit's row told before a change of it."""

    name: tuple[str | None, int | None] | None
    """Stage and visit number; None: the row was not known, or deleted."""
    stage: str | None
    times: tuple[int | None, int | None]
    """Entered and finished."""
    matters_to_whole: bool
    """A rule about the whole instance may look at it."""


NOTHING_TOLD = _Told(None, None, (None, None), matters_to_whole=False)


class _Contributing(dict[str, Contributions]):
    """What the instances of each process contribute, by its id: made when the first of them is met."""

    def __init__(self, definitions: Definitions) -> None:
        super().__init__()
        self._definitions = definitions

    def __missing__(self, name: str) -> Contributions:
        made = self[name] = Contributions(self._definitions.processes[name], self._definitions.calendar)
        return made


class Judges:
    """The judges of all processes."""

    def __init__(self, definitions: Definitions, reference: Reference, alerting: Alerting) -> None:
        self._definitions = definitions
        self._reference = reference
        processes = definitions.processes.values()
        self._measures_energy = any(each.kind == "energy" for process in processes for each in process.indicators)
        self.alerting = alerting
        self.judgement = Judgement(definitions, alerting)
        self.findings = Findings(definitions, alerting)
        self.membership = Membership(definitions, reference, alerting)
        self._contributions = _Contributing(definitions)

    def fuse_visit(self, partition: Partition, instance: Instance, change: Change, step: Step) -> bool:
        """Take a change of a stage's row and judge what follows from it; False if it said nothing new."""
        process = self._definitions.process_of(instance)
        visit = _visit_of(instance, change.row)
        before: list[Part] = []
        was = NOTHING_TOLD
        if visit is None:
            visit = new_visit(change)
            instance.visits.append(visit)
            partition.learn_rows(instance)
        else:
            was = _told(visit)
            if process is not None:
                before = self._contributions[process.id].of_visit(instance, visit)
            if not fuse_row_of(visit, change):
                return False
        if process is None:
            self.findings.judge_orphan(partition, instance, step)
            return True
        if was.name is not None and (change.op == "d" or was.name != (visit.stage, visit.visit)):
            self.judgement.end_visit(partition, process, instance, was.name, step, place=visit.place)
            for twin in _named(instance, was.name, visit):
                self.judge_visit(partition, process, instance, twin, step)
        self.judge_visit(partition, process, instance, visit, step)
        self.judgement.judge_entry(partition, process, instance, visit, step)
        self.findings.judge_times(partition, process, instance, visit, was.times, step)
        self.findings.judge_order(partition, process, instance, visit, step)
        self.findings.judge_disagreement(partition, process, instance, step)
        watched = process.watched_by_whole
        if (
            was.matters_to_whole
            or visit.suspend_from is not None
            or visit.stage in watched
            or was.stage in watched
            or _looks_at_visits(process, instance)
        ):
            self.judgement.judge_whole(partition, process, instance, step)
        after = self._contributions[process.id].of_visit(instance, visit)
        if before != after:
            step.count(before, after, partition.clock)
        return True

    def judge_all(  # noqa: PLR0913 - an instance, its process and what changed
        self, partition: Partition, process: CompiledProcess, instance: Instance, step: Step, *, is_new: bool = False,
        changed: str | None = None,
    ) -> None:  # fmt: skip
        """Judge deadlines again; findings about visits stand in relation to nothing else, but are new to a process.

        `changed` is the entity whose row has changed; None: anything may have.
        """
        for visit in instance.visits:
            self.judge_visit(partition, process, instance, visit, step)
            if is_new:
                self.judgement.judge_entry(partition, process, instance, visit, step)
                now = usable(visit.entered_at), usable(visit.finished_at)
                self.findings.judge_times(partition, process, instance, visit, now, step)
                self.findings.judge_order(partition, process, instance, visit, step)
            elif changed is not None and _is_awaited(process, visit, changed):
                self.findings.judge_order(partition, process, instance, visit, step)
        self.findings.judge_row(partition, process, instance, step)
        self.findings.judge_disagreement(partition, process, instance, step)
        self.judgement.judge_whole(partition, process, instance, step, changed=changed)

    def judge_visit(
        self, partition: Partition, process: CompiledProcess, instance: Instance, visit: Visit, step: Step
    ) -> None:
        """Judge the deadlines and codes of one visit, and measure it for the indicators."""
        self.judgement.judge_visit(partition, process, instance, visit, step)
        self.findings.judge_codes(partition, process, instance, visit, step)
        contributions = self._contributions[process.id]
        if visit.stage in contributions.measured:
            rule = process.deadline(contributions.deadline_rules.get(visit.stage) or "", visit.stage)
            self.judgement.measure(visit, instance, partition, rule)

    def judge_end(self, partition: Partition, instance: Instance, process: CompiledProcess, step: Step) -> None:
        """End what list items had raised about an instance that is over; tell of a list item that was cleared."""
        if instance.over_at is not None and instance.raised:
            self.membership.end_items(partition, instance, process, step, ended_at=instance.over_at)
        if process.entity == ITEM:
            self.membership.judge_released(partition, instance, process, step)

    def refer(self, partition: Partition, event: ReferenceEvent, step: Step) -> None:
        """Judge what a change of reference data touches."""
        if event.entity == ITEM:
            partition.is_history = event.is_history
            for instance in self.membership.judge_item(partition, event.key, event.kind, step):
                self.count_open(partition, instance, step)
            self.judge_again(partition, self.membership.beside(partition, event.key), step)
            partition.is_history = False
            return
        if event.entity in PREFIXES:
            keys = [f"{PREFIXES[event.entity]}:{event.key}"]
            self.judge_again(partition, partition.found(keys), step, event.entity)
        if event.entity in TOPOLOGY and self._measures_energy:
            self._count_energy_again(partition, event, step)

    def _count_energy_again(self, partition: Partition, event: ReferenceEvent, step: Step) -> None:
        """Count the energy of metering points again that may hang elsewhere, on whatever day."""
        for instance in partition.found(hanging(self._reference, event.entity, event.key)):
            process = self._definitions.process_of(instance)
            if process is None or not self._contributions[process.id].of_rows.measures_energy:
                continue
            counted = instance.counted
            self.recount(partition, process, instance, step)
            if instance.counted != counted:
                step.changed.add(instance.key)

    def judge_again(
        self, partition: Partition, instances: Iterable[Instance], step: Step, entity: str | None = None
    ) -> None:
        """Judge instances again for which what they look up (`entity`) has changed."""
        for instance in instances:
            process = self._definitions.process_of(instance)
            if process is None:
                continue
            before = self.all_parts(process, instance)
            self.judge_all(partition, process, instance, step)
            if entity == "tg":
                partition.index(instance, self.membership.index_keys(partition, instance, process))
                self.membership.judge_instance(partition, instance, process, step)
            step.count(before, self.all_parts(process, instance), partition.clock)
            self.count_open(partition, instance, step)
            partition.schedule(instance)
            step.changed.add(instance.key)

    def claim_beside(self, instance: Instance, entity: str) -> CompiledProcess | None:
        """Take an instance that only another source knows (`negative_item@mkt`) to the process that reads such rows."""
        own, _, source = entity.partition("@")
        for process in self._definitions.by_entity.get(own, ()) if source else ():
            if process.rows is not None and any(entity in rule.reads for rule in process.rows.rules):
                instance.process = process.id
                return process
        return None

    def recount(
        self, partition: Partition, process: CompiledProcess | None, instance: Instance, step: Step, *,
        changed: str | None = None,
    ) -> None:  # fmt: skip
        """Count what the instance's rows contribute to indicators; `changed` as for `judge_all`."""
        parts = self._contributions[process.id].of_rows if process else None
        if parts or instance.counted:
            recount(partition, parts, instance, step, changed=changed)

    def count_open(self, partition: Partition, instance: Instance, step: Step) -> None:
        """Count what is open about an instance; after all that may have changed it."""
        if instance.raised is None and instance.counted is None:  # hot path
            return
        process = self._definitions.process_of(instance)
        parts = self._contributions[process.id].of_open if process else None
        if parts or (instance.counted is not None and OPEN in instance.counted):
            recount_open(partition, parts, instance, step)

    def all_parts(self, process: CompiledProcess | None, instance: Instance) -> list[Part]:
        """Give all that an instance contributes to indicators."""
        if process is None or instance.main is None:
            return []
        contributions = self._contributions[process.id]
        parts = contributions.of_main(instance)
        for visit in instance.visits:
            parts += contributions.of_visit(instance, visit)
        return parts


def _is_awaited(process: CompiledProcess, visit: Visit, entity: str) -> bool:
    """Tell whether a visit's stage must wait for rows of an entity."""
    awaited = process.awaited.get(visit.stage or "") if process.awaited else None
    return awaited is not None and any(each[0] == entity for each in awaited)


def _looks_at_visits(process: CompiledProcess, instance: Instance) -> bool:
    """Tell whether a rule about rows may find something because of a stage (hot path)."""
    rows = process.rows
    return rows is not None and rows.of_visits is not None and rows.of_visits.concern(instance)


def _named(instance: Instance, name: tuple[str | None, int | None], but: Visit) -> list[Visit]:
    """Give the other visits of a stage and number."""
    return [visit for visit in instance.visits if visit is not but and (visit.stage, visit.visit) == name]


def _visit_of(instance: Instance, row: str) -> Visit | None:
    for visit in reversed(instance.visits):  # the newest is the likeliest
        if visit.row == row:
            return visit
    return None


def _told(visit: Visit) -> _Told:
    if visit.is_deleted:
        return _Told(None, visit.stage, (None, None), matters_to_whole=True)
    times = usable(visit.entered_at), usable(visit.finished_at)
    return _Told((visit.stage, visit.visit), visit.stage, times, visit.suspend_from is not None)
