"""Grid equipment: what returns to the negative list, and what its load would put there (domain.md 4.3)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from rules.engine.computations.registry import computation
from rules.engine.deadlines import usable
from rules.engine.equipment import same_equipment
from rules.engine.periods import year_before
from rules.engine.rows import Found, Rows, SubjectRow, number
from rules.reference import is_open
from rules.state import Place

ITEM = "negative_item"
WHAT_AN_ITEM_IS_ABOUT = ("nl_type", "trans_no", "line_no", "bus_no")


@computation(negative_item=(*WHAT_AN_ITEM_IS_ABOUT, "determined_at", "cleared_at"))
def item_returned(rows: Rows, row: SubjectRow) -> Found | None:
    """Find a list item whose equipment was cleared less than twelve months before it was determined again."""
    determined_at = usable(row.fields.get("determined_at"))
    if determined_at is None:
        return None
    end_of_day = rows.calendar.end_of_day(determined_at)
    earliest = year_before(end_of_day, rows.calendar)
    for name, value in same_equipment(row.fields):
        for key, other in rows.linked(ITEM, name, value):
            cleared_at = usable(other.get("cleared_at"))
            if key == rows.instance.key or cleared_at is None or not isinstance(earliest, int):
                continue
            if earliest <= cleared_at <= determined_at:
                place = rows.place(ITEM, key)
                return Found(
                    f"{key}于{rows.calendar.local_text(cleared_at)}销号", places=() if place is None else (place,)
                )
    return None


@computation(stricter_below=("days", "above"), trans_load=("ts", "load_rate"), negative_item=WHAT_AN_ITEM_IS_ABOUT)
def overloaded_for_days(rows: Rows, row: SubjectRow, *, days: int = 3, above: Decimal = Decimal("0.8")) -> Found | None:
    """Find equipment that was loaded beyond a rate on so many days in a row, up to the last known, and is not listed.

    A value at midnight is of the day that ends.
    """
    loaded: dict[date, Decimal] = {}
    told: dict[date, Place] = {}
    for each in rows.of("trans_load"):
        time, rate = usable(each.fields.get("ts")), number(each.fields.get("load_rate"))
        if time is not None and rate is not None:
            day = date.fromisoformat(rows.calendar.local_date(time - 1))
            if each.place is not None and (day not in loaded or rate > loaded[day]):
                told[day] = each.place
            loaded[day] = max(rate, loaded.get(day, rate))
    last = max(loaded, default=None)
    if last is None or any(loaded.get(last - timedelta(days=n), Decimal(0)) <= above for n in range(days)):
        return None
    for name, value in same_equipment(row.fields):
        if any(is_open(item, rows.clock) for _, item in rows.linked(ITEM, name, value)):
            return None
    places = tuple(told[day] for n in range(days) if (day := last - timedelta(days=n)) in told)
    return Found(f"连续{days}日负载率超过{above}，最近{loaded[last]}", places=places)
