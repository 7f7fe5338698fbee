"""Visits of stages that no progress row tells: the definition names the fields that tell their start and end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from rules.compiler import CompiledProcess
from rules.engine.deadlines import rows_of, usable
from rules.models import Stage
from rules.state import Instance, Row, Visit

VISIT = "visit"


def told_fields(process: CompiledProcess) -> Mapping[str, frozenset[str]]:
    """Give by entity the fields that tell a start or an end, but for those of progress rows."""
    fields: dict[str, set[str]] = defaultdict(set)
    for stage in _told_stages(process):
        for place in (stage.started_by, stage.ended_by):
            entity, _, field = place.partition(".")
            fields[entity].add(field)
    return {entity: frozenset(names) for entity, names in fields.items() if entity != VISIT}


def told_visits(process: CompiledProcess, instance: Instance) -> list[Visit]:
    """Give the visits that the instance's further rows tell, in order of entry within a stage.

    Of one entity, each row with a start is a visit; of two, the first start is one, up to the first end after it.
    """
    visits: list[Visit] = []
    for stage in _told_stages(process):
        found = sorted(_of_stage(process, stage, instance), key=lambda told: told[:2])
        for number, (entered_at, ended_at, row) in enumerate(found, 1):
            name = f"{stage.code}|{number}"
            finished_at = ended_at or None
            visits.append(Visit(name, row.position, row.place, stage.code, number, entered_at, finished_at))
    return visits


def _told_stages(process: CompiledProcess) -> Iterator[Stage]:
    return (stage for stage in process.stages.values() if not stage.started_by.startswith(f"{VISIT}."))


def _of_stage(process: CompiledProcess, stage: Stage, instance: Instance) -> Iterator[tuple[int, int, Row]]:
    """Give start, end (0: none yet) and the row that tells the start."""
    entity, _, start = stage.started_by.partition(".")
    other, _, end = stage.ended_by.partition(".")
    starts = [
        (at, row) for row in _rows(process, entity, instance) if (at := usable(row.fields.get(start))) is not None
    ]
    if entity == other:
        for at, row in starts:
            yield at, usable(row.fields.get(end)) or 0, row
    elif starts:
        at, row = min(starts, key=lambda told: told[0])
        ends = (usable(each.fields.get(end)) for each in _rows(process, other, instance))
        yield at, min((each for each in ends if each is not None and each >= at), default=0), row


def _rows(process: CompiledProcess, entity: str, instance: Instance) -> list[Row]:
    if entity == process.entity:
        return [instance.main] if instance.main is not None else []
    return rows_of(instance, entity)
