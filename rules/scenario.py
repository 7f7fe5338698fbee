"""The changes that a definition's test describes, in the order in which they arrive.

A visit arrives when it was entered, and again when it is suspended, resumed and finished; with `told_at` no
sooner than that: late news.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from schemas import Change, Op, Value

Time = Callable[[str], int]

KEY_OF_APPLICATION = "A1"
KEY_OF_ITEM = "N1"
ENTITIES = frozenset(
    {
        "org",
        "cons_tg",
        "subs",
        "bus",
        "bay",
        "line",
        "negative_item",
        "customer",
        "project_schedule",
        "tg",
        "tg_manager",
        "customer_manager",
        "stakeholder",
        "sms_subscription",
        "meter_install",
    }
)
_A_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T.+)?")


def scenario_changes(test: dict[str, Any], time: Time, of_processes: Collection[str]) -> list[Change]:
    """Give the changes of a test, sorted by arrival. Raises KeyError or ValueError for one that makes no sense.

    `of_processes`: the entities that processes are about; but for applications each of their rows is an instance.
    A row of another entity belongs to the instance that it names (`instance`), to the application, or to the first
    such row of the test; reference data to none.
    """
    home = home_of(test, of_processes)
    rows: list[tuple[int, str, str, str, dict[str, Value], Op]] = []
    start = 0
    if "application" in test:
        fields = _fields(test["application"], time)
        start = time(test["application"]["accepted_at"])
        rows.append((start, "application", KEY_OF_APPLICATION, KEY_OF_APPLICATION, fields, "c"))
    if "item" in test:
        fields = _fields(test["item"], time)
        rows.append((time(test["item"]["determined_at"]), "negative_item", KEY_OF_ITEM, KEY_OF_ITEM, fields, "c"))
    for row in test.get("rows", []):
        at = time(row["at"]) if "at" in row else start
        is_own = row["entity"] in of_processes and row["entity"] != "application"
        instance = row.get("instance", row["row"] if is_own else "" if row["entity"] in ENTITIES else home)
        rows.append((at, row["entity"], instance, row["row"], _fields(row.get("fields", {}), time), row.get("op", "c")))
    for number, visit in enumerate(test.get("visits", [])):
        rows += [(*each, "c") for each in _visit_rows(f"V{number}", home, visit, time)]
    rows.sort(key=lambda row: (row[0], row[1] not in ENTITIES))
    return [
        Change(entity, instance, row, op, position + 1, at, "test", 0, position, fields)
        for position, (at, entity, instance, row, fields, op) in enumerate(rows)
    ]


def home_of(test: dict[str, Any], of_processes: Collection[str]) -> str:
    """Give the instance that a test is about: its application, its list item, or the first row that is an instance."""
    if "application" in test or "item" in test:
        return KEY_OF_APPLICATION if "application" in test else KEY_OF_ITEM
    own = (str(row.get("instance", row["row"])) for row in test.get("rows", []) if row["entity"] in of_processes)
    return next(own, KEY_OF_APPLICATION)


def _visit_rows(
    row: str, home: str, visit: dict[str, Any], time: Time
) -> list[tuple[int, str, str, str, dict[str, Value]]]:
    known = {"visit": 1, **_fields(visit, time)}
    told_at = int(str(known.pop("told_at", 0)))
    entered = int(str(known["entered_at"]))
    steps: dict[int, dict[str, Value]] = {}
    for name in ("suspend_from", "suspend_to", "finished_at"):
        if name in known:
            steps.setdefault(max(entered, told_at, int(str(known[name]))), {})[name] = known[name]
    first = {k: v for k, v in known.items() if k not in ("suspend_from", "suspend_to", "finished_at")}
    rows = [(entered, "visit", home, row, {**first, **steps.pop(entered, {})})]
    for at in sorted(steps):
        rows.append((at, "visit", home, row, {**rows[-1][4], **steps[at]}))
    return rows


def _fields(given: dict[str, Any], time: Time) -> dict[str, Value]:
    return {name: _value(value, time) for name, value in given.items()}


def _value(value: Any, time: Time) -> Value:  # noqa: ANN401 - a YAML scalar
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, str) and _A_TIME.fullmatch(value):
        return time(value) - (len(value) == len("2026-01-01"))  # a date is kept as the last millisecond of its day
    known: Value = value
    return known
