"""The own row of an instance: what it says, what of it counts where another source is believed, and to which process.

Called by the engine for each change of such a row, and of rows of other sources that stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rules.believed import Believed, put_together, take_apart
from rules.compiler import CompiledProcess, Definitions
from rules.engine.fusion import fuse_row, new_row
from rules.engine.judgement import over_at
from rules.engine.judges import Judges
from rules.engine.partition import Part, Partition, Step
from rules.engine.retention import let_go_all
from rules.state import Instance, Row
from schemas import Change, WireValue

MOVED_BY = ("tg_no", "line_no", "subs_no")
"""Fields of an application that say where it hangs."""


class _Before(NamedTuple):
    """An instance before its own row said something else."""

    process: CompiledProcess | None
    parts: list[Part]
    fields: Mapping[str, WireValue]
    is_first: bool
    """Nothing was known of the row."""


class OwnRows:
    """Takes changes of instances' own rows, and judges what follows."""

    def __init__(self, definitions: Definitions, judges: Judges, believed: Believed) -> None:
        self.believed = believed
        self._definitions, self._judges = definitions, judges
        self._judgement, self._findings, self._membership = judges.judgement, judges.findings, judges.membership

    def fuse(self, partition: Partition, instance: Instance, change: Change, step: Step) -> bool:
        """Apply a change to the instance's own row and judge what follows from it; False if it said nothing new."""
        before, main = self._before(instance), instance.main
        order = self.believed.get(change.entity)
        if main is None:
            instance.main = new_row(change)
        else:
            take_apart(main)
            if not fuse_row(main, change):
                if order:
                    put_together(instance, order)
                return False
        if order:
            put_together(instance, order)
        self._follow(partition, instance, change.entity, before, step)
        return True

    def _before(self, instance: Instance) -> _Before:
        process, main = self._definitions.process_of(instance), instance.main
        parts = self._judges.all_parts(process, instance)
        return _Before(process, parts, main.fields if main is not None else {}, is_first=main is None)

    def _follow(self, partition: Partition, instance: Instance, entity: str, before: _Before, step: Step) -> None:
        """Judge an instance whose own row says something else than before."""
        if instance.main is None:
            return
        fields, process = instance.main.fields, before.process
        following = self._choose(entity, instance, instance.main)
        if before.is_first and instance.visits:
            self._findings.end_orphan(partition, instance, step)
        if following is not process:
            self.leave(partition, instance, following, step)
            if following is not None and following.keeps:
                let_go_all(instance, following.keeps, following.calendar)
        instance.over_at = over_at(following, instance, partition.clock) if following else None
        self._findings.judge_class(partition, instance, step)
        if following is not None:
            self._judges.judge_all(partition, following, instance, step, is_new=following is not process)
            is_moved = any(before.fields.get(name) != fields.get(name) for name in MOVED_BY)
            if before.is_first or following is not process or is_moved:
                self._membership.judge_instance(partition, instance, following, step)
            self._findings.judge_interval(partition, following, instance, before.fields, step)
            self._judges.judge_end(partition, instance, following, step)
        partition.index(instance, self._membership.index_keys(partition, instance, following))
        step.count(before.parts, self._judges.all_parts(following, instance), partition.clock)
        self._judges.recount(partition, following, instance, step)

    def leave(self, partition: Partition, instance: Instance, following: CompiledProcess | None, step: Step) -> None:
        """Take the instance from its process (or none) to the following one; what is open about it ends before.

        Alert ids name the process, so what was raised under the old one is put aside, and is there again if the
        instance comes back.
        """
        process = self._definitions.process_of(instance)
        if process is not None:
            self._membership.end_items(partition, instance, process, step)
        self._judgement.end_all(partition, instance, process, step)
        instance.due = None
        for visit in instance.visits:
            visit.due = None
        first = next(iter(self._definitions.processes))
        old, new = instance.process or first, following.id if following else first
        instance.process = following.id if following else None
        if instance.raised and old != new:
            instance.raised = {
                code.removesuffix(f"@{new}") if "@" in code else f"{code}@{old}": rungs
                for code, rungs in instance.raised.items()
            }

    def heed(self, partition: Partition, instance: Instance, entity: str, step: Step) -> None:
        """Judge by what a row beside the instance's own says now, where that is believed first."""
        own, _, source = entity.partition("@")
        order, process = self.believed.get(own), self._definitions.process_of(instance)
        if source and order and (process is None or process.entity == own):
            before = self._before(instance)
            if put_together(instance, order):
                self._follow(partition, instance, own, before, step)

    def _choose(self, entity: str, instance: Instance, main: Row) -> CompiledProcess | None:
        """Give the process that an instance's row fits, as the instance goes on with it if it began before a change."""
        found = next((p for p in self._definitions.by_entity[entity] if p.fits(main.fields)), None)
        if found is None or not instance.edition:
            return found
        return self._definitions.held.get((found.id, instance.edition), found)
