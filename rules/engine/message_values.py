"""What fills in the sentences of messages: fields of rows and names of stages, as people say them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from rules.engine.rows import Fields, Rows, SubjectRow
from rules.message_models import Message
from rules.models import Stage
from schemas import Value

NAMELESS = "客户"
"""Stands for the name of a customer whose name is not kept."""
LAST_STEP = "办结"
"""What follows the last stage."""
MONEY = frozenset({"amount", "balance"})
TIMES = frozenset({"time", "stop_time", "due_date", "deadline"})
OF_STAGE = frozenset({"app_no", "stage", "next_step", "who_acts"})
"""Parameters that a message about a stage has without being told."""
DAY_MS = 86_400_000
YEAR_DIGITS = 4


class Values:
    """The parameters of one message."""

    def __init__(self, message: Message) -> None:
        self._fields = tuple(message.values.items())
        self._words, self._constants = message.words, message.constants

    def of_row(self, rows: Rows, row: SubjectRow) -> dict[str, object] | None:
        """Give the values for a row; None while one of them is not known."""
        own = rows.main.fields if rows.main else {}
        said = {name: self._said(rows, name, row.fields.get(field, own.get(field))) for name, field in self._fields}
        return None if None in said.values() else {**said, **self._constants}

    def of_stage(
        self, stages: Mapping[str, Stage], code: str, instance: str, own: SubjectRow
    ) -> dict[str, object] | None:
        """Give the values for a stage that was entered or ended; None while one of them is not known."""
        stage = stages[code]
        told = {name: _text(own.fields, field) for name, field in self._fields}
        if None in told.values():
            return None
        return {
            "app_no": instance, "stage": stage.title, "next_step": next_step(stages, code),
            "who_acts": "、".join(stage.acts) or stage.department, **told, **self._constants,
        }  # fmt: skip

    def _said(self, rows: Rows, name: str, value: Value) -> str | None:
        """Say a value as its parameter wants it; None: it is not known."""
        if value is None:
            return NAMELESS if name == "name" else None
        if name in self._words:
            return self._words[name].get(str(value), str(value))
        if isinstance(value, int) and name in TIMES:
            return rows.calendar.local_text(value)
        if isinstance(value, int) and name == "days_late":
            return str(days_late(rows.clock, rows.calendar.by_clock(value)))
        return _plain(name, value)


def next_step(stages: Mapping[str, Stage], code: str) -> str:
    """Name the stage that comes after one: the first that cannot be skipped, else the first."""
    following = [stage for stage in stages.values() if code in stage.after and not stage.parallel]
    needed = [stage for stage in following if not stage.optional]
    chosen = (needed or following)[:1]
    return chosen[0].title if chosen else LAST_STEP


def month(text: str) -> str:
    """Say a month that is written 202602 or 2026-02."""
    digits = text.replace("-", "")
    if not digits.isdigit() or len(digits) != YEAR_DIGITS + 2:
        return text
    return f"{digits[:YEAR_DIGITS]}年{int(digits[YEAR_DIGITS:])}月"


def days_late(now: int, due: int) -> int:
    """Count the days since something was due; the first one counts."""
    return max(1, -((due - now) // DAY_MS))


def _plain(name: str, value: Value) -> str:
    """Say what needs no calendar: money, months, numbers without idle zeros."""
    if name == "month":
        return month(str(value))
    if name in MONEY and isinstance(value, Decimal | int):
        return f"{value:.2f}元"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def _text(fields: Fields, field: str) -> str | None:
    value = fields.get(field)
    return None if value is None else str(value)
