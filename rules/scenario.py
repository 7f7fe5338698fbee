"""The changes that a definition's test describes, in the order in which they arrive.

A visit arrives when it was entered, and again when it is suspended, resumed and finished.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from schemas import Change, Value

Time = Callable[[str], int]

KEY_OF_APPLICATION = "A1"
KEY_OF_ITEM = "N1"
ENTITIES = frozenset(
    {"negative_item", "customer", "project_schedule", "tg", "tg_manager", "customer_manager", "stakeholder"}
)
_OWN_ROWS = frozenset({"customer_project", "works_report"})
_A_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T.+)?")


def scenario_changes(test: dict[str, Any], time: Time, of_processes: Collection[str]) -> list[Change]:
    """Give the changes of a test, sorted by arrival. Raises KeyError or ValueError for one that makes no sense.

    `of_processes`: the entities that processes are about; but for applications each of their rows is an instance.
    """
    rows: list[tuple[int, str, str, str, dict[str, Value]]] = []
    start = 0
    if "application" in test:
        fields = _fields(test["application"], time)
        start = time(test["application"]["accepted_at"])
        rows.append((start, "application", KEY_OF_APPLICATION, KEY_OF_APPLICATION, fields))
    if "item" in test:
        fields = _fields(test["item"], time)
        rows.append((time(test["item"]["determined_at"]), "negative_item", KEY_OF_ITEM, KEY_OF_ITEM, fields))
    for row in test.get("rows", []):
        at = time(row["at"]) if "at" in row else start
        is_own = row["entity"] in of_processes and row["entity"] != "application"
        instance = row["row"] if is_own else _instance(row["entity"])
        rows.append((at, row["entity"], instance, row["row"], _fields(row["fields"], time)))
    for number, visit in enumerate(test.get("visits", [])):
        rows += _visit_rows(f"V{number}", visit, time)
    rows.sort(key=lambda row: (row[0], row[1] not in ENTITIES))
    return [
        Change(entity, instance, row, "c", position + 1, at, "test", 0, position, fields)
        for position, (at, entity, instance, row, fields) in enumerate(rows)
    ]


def _instance(entity: str) -> str:
    return KEY_OF_APPLICATION if entity in _OWN_ROWS or "@" in entity else ""


def _visit_rows(row: str, visit: dict[str, Any], time: Time) -> list[tuple[int, str, str, str, dict[str, Value]]]:
    known = {"visit": 1, **_fields(visit, time)}
    told = {"entered_at": known["entered_at"]}
    entered = int(str(told["entered_at"]))
    steps: dict[int, dict[str, Value]] = {}
    for name in ("suspend_from", "suspend_to", "finished_at"):
        if name in known:
            steps.setdefault(max(entered, int(str(known[name]))), {})[name] = known[name]
    first = {k: v for k, v in known.items() if k not in ("suspend_from", "suspend_to", "finished_at")}
    rows = [(entered, "visit", KEY_OF_APPLICATION, row, {**first, **steps.pop(entered, {})})]
    for at in sorted(steps):
        rows.append((at, "visit", KEY_OF_APPLICATION, row, {**rows[-1][4], **steps[at]}))
    return rows


def _fields(given: dict[str, Any], time: Time) -> dict[str, Value]:
    return {k: time(v) if isinstance(v, str) and _A_TIME.fullmatch(v) else v for k, v in given.items()}
