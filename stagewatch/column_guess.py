"""What type a column most likely has, by what the record calls it and by its values. Pure; for drafts and suggestions.

A guess is read by a person before it is used. Where values do not decide, text: it loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from schemas import TimestampUnit
from schemas.columns import DAY_SEMANTICS, TIME_SEMANTICS

if TYPE_CHECKING:
    from schemas import ColumnType

_BY_WORD: dict[str, ColumnType] = {
    "boolean": "bool", "date": "date", "datetime": "timestamp", "timestamp": "timestamp",
    **dict.fromkeys(("int8", "int16", "int32", "int64"), "int"),
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "integer", "bigint", "year"), "int"),
    **dict.fromkeys(("float", "float32", "float64", "double", "decimal", "numeric"), "decimal"),
}  # fmt: skip
"""Connect's primitive types and MySQL's, by their first word."""
_TIMED = re.compile(r"(?:^|_)(?:at|time|date|day|ts|dt|on)$|(?:time|date)$|^(?:gmt|ts)_", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T :]\d{2}:\d{2}.*")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FRACTION = re.compile(r"-?\d{1,30}\.\d{1,18}")
FIRST_S, LAST_S = 631_152_000, 4_102_444_800
"""1990 and 2100: business data of a system that still runs. A time outside is most likely read in a wrong unit."""
_DAY_S = 86_400
UNITS: dict[TimestampUnit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""How many make a second."""


def guess_type(name: str, values: Sequence[object], said: str = "") -> ColumnType | None:
    """Give the type of a column; None for what is no single value (an object, a list).

    `said`: what the record calls its type. `values`: those seen, without nulls; may be empty.
    """
    by_name = _by_said(said)
    if by_name is not None:
        return by_name
    if any(isinstance(value, dict | list | bytes) for value in values):
        return None
    if values and all(isinstance(value, bool) for value in values):
        return "bool"
    if values and all(type(value) is int for value in values):
        return _of_numbers(name, [value for value in values if isinstance(value, int)])
    if values and all(isinstance(value, int | float | Decimal) for value in values):
        return "decimal"
    return _of_texts([value for value in values if isinstance(value, str)])


def guess_unit(values: Sequence[int]) -> TimestampUnit | None:
    """Give the unit in which all the numbers are times of our days; None if there is none."""
    fitting = (unit for unit, per in UNITS.items() if all(FIRST_S * per <= value < LAST_S * per for value in values))
    return next(fitting, None) if values else None


def _by_said(said: str) -> ColumnType | None:
    if said in DAY_SEMANTICS:
        return "date"
    if said in TIME_SEMANTICS or said == "io.debezium.time.ZonedTimestamp":
        return "timestamp"
    if said.endswith("Decimal"):
        return "decimal"
    return _BY_WORD.get(re.split(r"[^a-z0-9]", said.lower(), maxsplit=1)[0])


def _of_numbers(name: str, values: list[int]) -> ColumnType:
    if _TIMED.search(name):
        if guess_unit(values) is not None:
            return "timestamp"
        if all(FIRST_S // _DAY_S <= value < LAST_S // _DAY_S for value in values):
            return "date"
    return "int"


def _of_texts(values: list[str]) -> ColumnType:
    patterns: tuple[tuple[re.Pattern[str], ColumnType], ...] = (
        (_DAY, "date"), (_MOMENT, "timestamp"), (_FRACTION, "decimal"),
    )  # fmt: skip
    for pattern, kind in patterns:
        if values and all(pattern.fullmatch(value) for value in values):
            return kind
    return "text"
