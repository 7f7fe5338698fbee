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
    names.sort(key=lambda name: (_rank(others[name], keep), name), reverse=True)
    days: set[str | None] = set()
    kept = 0
    for name in names:
        day = _day(others[name], keep, calendar) if keep.per else name
        if kept == keep.newest or day in days:
            del others[name]
        else:
            days.add(day)
            kept += 1


def let_go_all(instance: Instance, keeps: Mapping[str, Keep], calendar: WorkCalendar) -> None:
    """Drop what is too much of every entity: rows that came before their instance was known."""
    for entity, keep in keeps.items():
        let_go(instance, entity, keep, calendar)


def _rank(row: Row, keep: Keep) -> tuple[int, Any]:
    value = from_wire({"": row.fields.get(keep.by)})[""]
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | Decimal) else (2, str(value))


def _day(row: Row, keep: Keep, calendar: WorkCalendar) -> str | None:
    time = usable(row.fields.get(keep.by))
    return None if time is None else calendar.local_date(time - 1)  # a date is the end of its day
