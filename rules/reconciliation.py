"""Where two systems tell different things about the same instance (R-D04). Pure.

Compares the row that the rules go by with the rows of other sources that stand beside it (`application@lean`), and the
visits with those that other sources tell of (`visit@lean`). Nothing is overwritten: a difference is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.believed import own_fields
from rules.engine.deadlines import usable
from rules.state import Instance, Place, is_time
from schemas import Value, from_wire

TOLERANCE_MS = 60_000
"""Times that differ by less say the same: systems write seconds or minutes, and copy from one another."""
NOT_COMPARED = frozenset({"remark", "suspend_reason", "status_code", "dept", "handler", "result"})
"""Each system's own words, about which no two need agree."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One item about which two sources disagree."""

    source: str
    """The one that is not believed."""
    item: str
    """The field, for visits with the stage, and its number from the second on: `SCHEME#2.finished_at`."""
    ours: Value
    theirs: Value


def stands_beside(instance: Instance) -> bool:
    """Tell whether another source tells of the instance, too."""
    return any("@" in name.partition(":")[0] for name in instance.others or ())


def differences(instance: Instance, *, tolerance_ms: int = TOLERANCE_MS) -> list[Difference]:
    """Give everything that another source tells otherwise, in a fixed order.

    What only one of them tells, or one tells as null, is no disagreement: news takes its time.
    """
    found: list[Difference] = []
    for name, row in sorted((instance.others or {}).items()):
        entity, _, source = name.partition(":")[0].partition("@")
        if not source or row.is_deleted:
            continue
        if entity == "visit":
            found += _of_visit(instance, source, from_wire(row.fields), tolerance_ms)
        elif instance.main is not None and not instance.main.is_deleted:
            found += _between(source, "", from_wire(own_fields(instance.main)), from_wire(row.fields), tolerance_ms)
    return found


def compared(instance: Instance, source: str, item: str) -> Iterator[Place]:
    """Give where the rows were read, ours and the other source's, that tell of one item (`Difference.item`)."""
    visit, _, _ = item.rpartition(".")
    if not visit:
        yield from () if instance.main is None else (instance.main.place,)
    else:
        yield from (each.place for each in instance.visits if _named(each.stage, each.visit) == visit)
    for name, row in sorted((instance.others or {}).items()):
        entity, _, theirs = name.partition(":")[0].partition("@")
        told = _named(row.fields.get("stage"), row.fields.get("visit")) if entity == "visit" else ""
        if theirs and theirs == source and told == visit:
            yield row.place


def _named(stage: object, number: object) -> str:
    return f"{stage}#{number}" if isinstance(number, int) and number > 1 else str(stage)


def _of_visit(instance: Instance, source: str, theirs: Mapping[str, Value], tolerance_ms: int) -> Iterator[Difference]:
    for visit in instance.visits:
        if visit.is_deleted or visit.stage != theirs.get("stage") or (visit.visit or 1) != (theirs.get("visit") or 1):
            continue
        ours: dict[str, Value] = {
            "entered_at": visit.entered_at, "finished_at": visit.finished_at,
            "suspend_from": visit.suspend_from, "suspend_to": visit.suspend_to,
        }  # fmt: skip
        yield from _between(source, f"{_named(visit.stage, visit.visit)}.", ours, theirs, tolerance_ms)


def _between(
    source: str, prefix: str, ours: Mapping[str, Value], theirs: Mapping[str, Value], tolerance_ms: int
) -> Iterator[Difference]:
    for name in sorted(ours.keys() & theirs.keys() - NOT_COMPARED):
        one, other = ours[name], theirs[name]
        if one is None or other is None or _agree(name, one, other, tolerance_ms):
            continue
        yield Difference(source, prefix + name, one, other)


def _agree(name: str, one: Value, other: Value, tolerance_ms: int) -> bool:
    if isinstance(one, int) and isinstance(other, int) and is_time(name, one) and is_time(name, other):
        ours, theirs = usable(one), usable(other)
        return ours is None or theirs is None or abs(ours - theirs) <= tolerance_ms
    return one == other
