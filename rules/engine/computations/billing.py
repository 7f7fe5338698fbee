"""Reading, billing and charging: what is odd about a reading, a bill, a closing (domain.md 4.5)."""

from __future__ import annotations

from decimal import Decimal

from rules.engine.computations.registry import computation
from rules.engine.rows import Found, Rows, SubjectRow, number


@computation(reading=("meter_no", "cur_reading", "prev_reading"), meter=("meter_no", "digits"))
def register_rollover(rows: Rows, row: SubjectRow, *, most_kwh: Decimal = Decimal(10_000)) -> Found | None:
    """Find a register that passed its maximum: it fell, and over the top it is a plausible step."""
    previous, current = number(row.fields.get("prev_reading")), number(row.fields.get("cur_reading"))
    if previous is None or current is None or current >= previous:
        return None
    for meter in rows.of("meter"):
        digits = meter.fields.get("digits")
        if meter.fields.get("meter_no") == row.fields.get("meter_no") and isinstance(digits, int):
            step = current + 10**digits - previous
            return Found(f"示数由{previous}翻转至{current}") if step <= most_kwh else None
    return None
