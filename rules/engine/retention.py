"""How many rows of an entity stay in an instance's state (`keeps` of a process): the newest, however they came.

Which rows are kept follows from all that ever came, not from their order, as long as what a row is ordered by does
not change once others have pushed it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rules.engine.deadlines import usable
from rules.row_models import Keep
from rules.state import Instance, Row
from rules.workdays import WorkCalendar
from schemas import from_wire


def let_go(instance: Instance, entity: str, keep: Keep, calendar: WorkCalendar) -> None:
    """Drop the rows of an entity that are too many, deleted ones like the others."""
    prefix, others = f"{entity}:", instance.others
    names = [name for name in others or () if name.startswith(prefix)]
    if others is None or (len(names) <= keep.newest and keep.per is None):
        return
    names.sort(key=lambda name: (_value(others[name], keep.by), name), reverse=True)
    groups: dict[str | None, list[str]] = {}
    for name in names:
        groups.setdefault(_day(others[name], keep, calendar) if keep.per else name, []).append(name)
    for number, group in enumerate(groups.values()):
        best = group[0] if keep.most is None else max(group, key=lambda name: (_value(others[name], keep.most), name))
        for name in group:
            if number >= keep.newest or name != best:
                del others[name]


def let_go_all(instance: Instance, keeps: Mapping[str, Keep], calendar: WorkCalendar) -> None:
    """Drop what is too much of every entity: rows that came before their instance was known."""
    for entity, keep in keeps.items():
        let_go(instance, entity, keep, calendar)


def _value(row: Row, field: str | None) -> tuple[int, Any]:
    """Give what rows are ordered by; nothing comes before everything."""
    value = from_wire({"": row.fields.get(field or "")})[""]
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | Decimal) else (2, str(value))


def _day(row: Row, keep: Keep, calendar: WorkCalendar) -> str | None:
    time = usable(row.fields.get(keep.by))
    return None if time is None else calendar.local_date(time - 1)  # a date is the end of its day
