"""From changes to cases: every instance's rows fused as the engine fuses them, without judging anything."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from rules.compiler import CompiledProcess, Definitions
from rules.engine.fusion import fuse_row, fuse_visit, new_row, new_visit
from rules.engine.judgement import over_at
from rules.engine.partition import Partition
from rules.flow.case import Case, case_of
from rules.flow.told import VISIT, told_fields
from rules.reference import Reference
from rules.state import Instance
from schemas import Change

BESIDE = f"{VISIT}@"
"""Begins the names of entities in which other systems tell of the same visits."""
FINAL_FIELDS = frozenset({"stage", "visit", "entered_at", "finished_at", "result"})
"""What of another system's visit matters here."""


class History:
    """What was recorded of the instances of one process. Any interleaving that keeps each row's order is the same."""

    def __init__(self, definitions: Definitions, process: CompiledProcess) -> None:
        self.process = process
        self._rivals = definitions.by_entity[process.entity]
        self._told = told_fields(process)
        self._watched = self._told.get(process.entity, frozenset[str]()).union(*(p.watched for p in self._rivals))
        self._partition = Partition(0, Reference(frozenset()))

    def wants(self, entity: str) -> bool:
        """Tell whether changes of an entity say something here; others need not be decoded."""
        return entity in {self.process.entity, VISIT} or entity in self._told or entity.startswith(BESIDE)

    def take(self, change: Change) -> None:
        """Take in a change of a wanted entity. One of a row that nobody holds is left out."""
        if change.left:
            self._fuse(change.left, change.leaving())
        keys = (change.instance,) if change.instance else self._partition.holders(change.entity, change.row)
        for key in keys:
            self._fuse(key, change)

    def _fuse(self, key: str, change: Change) -> None:
        instances = self._partition.instances
        instance = instances.peek(key) or Instance(key, since=change.at, visits=[])
        if change.entity == VISIT:
            self._fuse_visit(instance, change)
        elif change.entity == self.process.entity:
            self._fuse_main(instance, _only(change, self._watched))
        else:
            self._fuse_other(instance, _only(change, self._told.get(change.entity, FINAL_FIELDS)))
        instance.since = min(instance.since, change.at)
        instances.keep(instance)

    def _fuse_visit(self, instance: Instance, change: Change) -> None:
        visit = next((each for each in instance.visits if each.row == change.row), None)
        if visit is None:
            instance.visits.append(new_visit(change))
            self._partition.learn_rows(instance)
        else:
            fuse_visit(visit, change)

    def _fuse_main(self, instance: Instance, change: Change) -> None:
        if instance.main is None:
            instance.main = new_row(change)
        else:
            fuse_row(instance.main, change)
        fields = instance.main.fields
        process = next((each for each in self._rivals if each.fits(fields)), None)
        instance.process = process.id if process else None
        instance.over_at = over_at(process, instance, change.at) if process else None

    def _fuse_other(self, instance: Instance, change: Change) -> None:
        name = f"{change.entity}:{change.row}"
        others = instance.others = instance.others or {}
        if name not in others:
            others[name] = new_row(change)
            self._partition.learn_rows(instance)
        else:
            fuse_row(others[name], change)

    def __len__(self) -> int:
        return len(self._partition.instances)

    def cases(self) -> Iterator[Case]:
        """Give the process's cases by key; rows whose instance was never told, and other processes' ones, are none."""
        instances = self._partition.instances
        for key in sorted(instances.rows):
            instance = instances[key]
            if instance.process == self.process.id:
                yield case_of(self.process, instance)

    def orphans(self) -> int:
        """Count the instances of which only rows that refer to them were recorded."""
        return sum(instance.main is None for instance in self._partition.instances.values())


def _only(change: Change, names: frozenset[str]) -> Change:
    """Give a change without the columns that nothing here asks for, so that instances stay small."""
    return msgspec.structs.replace(change, fields={n: v for n, v in change.fields.items() if n in names})
