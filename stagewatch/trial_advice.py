"""What many records together say about how their producer is set up; of one alone, `schemas.advice_on` tells it.

Pure. Called by `stagewatch.source_trial` only. Each piece of advice is a sentence that names what to set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from schemas import is_extreme_year
from schemas.arrival_order import FIRST_ARRIVAL
from stagewatch.column_guess import FIRST_S, LAST_S, guess_unit

if TYPE_CHECKING:
    from schemas import Change, Recorded, TableMapping
    from schemas.row_images import RowImage
    from stagewatch.source_trial import ColumnTrial

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_GROUP = 4
"""Base64 stands in groups of four characters."""
_ALIKE = 0.75
"""Names nearer than this are most likely the same column: `app_nr` and `app_no` are 0.83 alike."""


def whole_advice(partitions: int | None, records: Sequence[Recorded], *, is_said: bool) -> list[str]:
    """Say what is odd about the topic and the message keys; `is_said`: that keys are missing was said already."""
    found = []
    if partitions == 1:
        found.append("the topic has one partition: only one worker can read it; make as many as other topics have")
    without = sum(record.key is None for record in records)
    if without and not is_said:
        found.append(
            f"{without} of {len(records)} records have no message key: with several partitions the changes of a row "
            "come in any order; have the producer key them by the primary key"
        )
    return found


def order_advice(mapping: TableMapping, changes: Sequence[Change], images: Sequence[RowImage]) -> Iterator[str]:
    """Say where the order of a row's changes, or what it was before, cannot be told."""
    newest: dict[tuple[int, str], int] = {}
    homes: dict[str, set[int]] = {}
    older, by_arrival = 0, False
    for change in changes:
        homes.setdefault(change.row, set()).add(change.partition)
        by_arrival |= FIRST_ARRIVAL <= change.position < 0
        if change.op != "r" and change.position > 0:  # snapshot rows and rows from files stand before all
            place = (change.partition, change.row)
            older += change.position < newest.get(place, 0)
            newest[place] = max(newest.get(place, 0), change.position)
    if older:
        yield f"{older} changes stand behind newer ones of their row: they were sent again (harmless), or out of order"
    scattered = sum(len(partitions) > 1 for partitions in homes.values())
    if scattered:
        order = "the records' times, to the millisecond" if by_arrival else "their places in the source's log"
        if by_arrival and mapping.format.partitions == "multiplied":
            order = "the number of the partition"
        yield (
            f"{scattered} rows have changes in several partitions: they come in any order, and which counts is told by "
            f"{order}; key by the primary key"
        )
    updates = [image for image in images if image.op == "u"]
    is_movable = mapping.instance is not None and mapping.instance not in mapping.key
    if is_movable and mapping.dialect in {"debezium-json", "debezium-avro"} and any(not u.before for u in updates):
        yield (
            f"updates come without the row before: a row that moves to another {mapping.instance} stays with the old "
            "one too; PostgreSQL: alter table … replica identity full, Oracle: supplemental log of all columns"
        )


def time_advice(column: ColumnTrial, images: Sequence[RowImage]) -> list[str]:
    """Say that a column's times are far from our days, and which unit would explain it."""
    if column.type != "timestamp":
        return []
    times = [value for value in column.values if isinstance(value, int) and not is_extreme_year(value)]
    if not times or any(FIRST_S * 1000 <= time < LAST_S * 1000 for time in times):
        return []
    unit = guess_unit([value for value in _written(column.name, images) if type(value) is int])
    what = f"declare `timestamp_unit: {unit}`" if unit else "look at the example"
    return [f"column {column.name}: its times are not of our days; {what}"]


def decimal_advice(column: ColumnTrial, images: Sequence[RowImage]) -> list[str]:
    """Say that a decimal that cannot be read looks like bytes."""
    if column.type != "decimal" or not column.unreadable:
        return []
    texts = [value for value in _written(column.name, images) if isinstance(value, str)]
    if texts and all(len(text) % _GROUP == 0 and _BASE64.fullmatch(text) for text in texts):
        way = "set decimal.handling.mode=string at the connector, or declare `format: {decimal: base64}` and a `scale`"
        return [f"column {column.name}: decimals are written as bytes: {way}"]
    return []


def absence_advice(columns: Sequence[ColumnTrial], undeclared: Sequence[str]) -> Iterator[str]:
    """Say which declared columns never came, and which undeclared one each of them may be."""
    absent = [each.name for each in columns if each.missing and not (each.seen or each.null or each.unreadable)]
    near = {name: get_close_matches(name, undeclared, n=1, cutoff=_ALIKE) for name in absent}
    for name, found in near.items():
        if found:
            yield f"column {name} never came: did you mean {found[0]}, which is not declared?"
    others = [name for name, found in near.items() if not found]
    if others:
        yield f"never came: {', '.join(others)}; misspelt, or not captured?"


def _written(name: str, images: Sequence[RowImage]) -> list[object]:
    """Give a column's values as the source wrote them."""
    return [value for image in images for column, value in image.row.items() if column.lower() == name]
