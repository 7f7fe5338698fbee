"""The golden record of an instance: of every column the value that counts, and where it comes from.

Several systems tell of one application; one of them feeds the rules, the rows of the others stand beside it in the
instance's state as `entity@source`. Which is believed per entity and per field is a setting (`connectors.precedence`
makes the names, this chooses between the rows). Pure; made when somebody asks, since all of it follows from state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules.believed import own_fields
from rules.description import shown
from rules.reconciliation import differences
from rules.state import Instance, Row
from schemas import Value, from_wire

Precedence = Mapping[str, Sequence[str]]
"""Entity, or one of its fields (`negative_item.published_at`), to sources, the most believed first."""

ALSO = {"application": ("online_application",)}
"""Further entities whose rows tell of the same thing under the same names; the last to be believed."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a column's value comes from."""

    source: str
    topic: str
    position: int
    """In the source: LSN, SCN, ..."""
    partition: int
    offset: int | None
    """Of the record in the topic; None: the column is older than the row's newest record, which alone is kept."""


@dataclass(frozen=True, slots=True)
class GoldenColumn:
    """One column of a golden record."""

    value: Value
    origin: Origin
    others: tuple[tuple[str, Value], ...] = ()
    """What other sources tell instead, by source."""


def golden_record(
    instance: Instance, entity: str, *, precedence: Precedence, source_of: Callable[[str], str]
) -> dict[str, GoldenColumn]:
    """Give the columns of the instance's own row, sorted by name; none while no source has told of it.

    `entity`: of the instance's own row; `source_of`: topic to source. A source that does not tell a column says
    nothing about it; one that tells null says that there is nothing, but where a field has an order of its own and
    another source feeds the entity.
    """
    rows = [(source_of(row.place.topic), row, from_wire(own_fields(row))) for row in _rows(instance, entity)]
    found: dict[str, GoldenColumn] = {}
    for name in sorted({name for _, _, fields in rows for name in fields}):
        own_order = precedence.get(f"{entity}.{name}")
        order = own_order or precedence.get(entity, ())
        told = sorted((each for each in rows if name in each[2]), key=lambda each: _rank(each[0], order))
        if own_order:  # a null beside counts for nothing, as in judgement
            told.sort(key=lambda each: each[2][name] is None and each[1] is not instance.main)
        source, row, fields = told[0]
        value = fields[name]
        others = tuple((other, said[name]) for other, _, said in told[1:] if said[name] != value)
        found[name] = GoldenColumn(value, _origin(source, row, name), others)
    return found


def _rows(instance: Instance, entity: str) -> Iterator[Row]:
    """Give the rows that tell of the instance itself: its own, those of other sources, then further entities."""
    if instance.main is not None and not instance.main.is_deleted:
        yield instance.main
    beside = [(name.partition(":")[0], row) for name, row in sorted((instance.others or {}).items())]
    yield from (row for name, row in beside if name.startswith(f"{entity}@") and not row.is_deleted)
    yield from (row for name, row in beside if name in ALSO.get(entity, ()) and not row.is_deleted)


def _rank(source: str, order: Sequence[str]) -> int:
    return order.index(source) if source in order else len(order)


def _origin(source: str, row: Row, name: str) -> Origin:
    older = (row.older or {}).get(name)
    place = row.place
    position, offset = (row.position, place.offset) if older is None else (older, None)
    return Origin(source, place.topic, position, place.partition, offset)


def describe_golden(
    instance: Instance, entity: str, *, precedence: Precedence, source_of: Callable[[str], str]
) -> dict[str, object]:
    """Give the golden record for a document: its fields, where they come from, and about what sources disagree."""
    record = golden_record(instance, entity, precedence=precedence, source_of=source_of)
    return {
        "fields": {name: shown(name, column.value) for name, column in record.items()},
        "lineage": lineage(record),
        "disagreements": [
            {"source": each.source, "item": each.item, "ours": shown(each.item, each.ours),
             "theirs": shown(each.item, each.theirs)}
            for each in differences(instance)
        ],
    }  # fmt: skip


def lineage(record: Mapping[str, GoldenColumn]) -> list[dict[str, object]]:
    """Give for people and programs which columns come from where: an entry an origin, in order of their columns."""
    by_origin: dict[Origin, list[str]] = {}
    for name, column in record.items():
        by_origin.setdefault(column.origin, []).append(name)
    return [
        {
            "source": origin.source, "topic": origin.topic, "partition": origin.partition, "offset": origin.offset,
            "position": origin.position, "columns": columns,
        }
        for origin, columns in by_origin.items()
    ]  # fmt: skip
