"""An instance as people and programs read it: the document of `instances.jsonl` and of the store."""

from __future__ import annotations

from typing import Any

from rules.state import Instance, Visit, is_time, rung_parts
from schemas import Value, as_told, from_wire, iso


def describe(instance: Instance) -> dict[str, Any]:
    """Give the instance's document: keys in a fixed order, times as ISO 8601 UTC, decimals as text.

    `status` is `running`, `over`, or `unknown` while the row that is the instance itself has not come.
    """
    main = instance.main
    visits = [v for v in instance.visits if not v.is_deleted]
    visits.sort(key=lambda v: (v.entered_at or 0, v.stage or "", v.visit or 0, v.row))
    is_over = instance.over_at is not None
    return {
        "instance": instance.key,
        "process": instance.process,
        "status": "over" if is_over else "running" if main else "unknown",
        "org_no": main.fields.get("org_no") if main else None,
        "stages": sorted({v.stage for v in visits if v.finished_at is None and v.stage}),
        "fields": {k: shown(k, v) for k, v in sorted(from_wire(main.fields).items())} if main else {},
        "visits": [_visit(v) for v in visits],
        "rows": {
            name: {k: shown(k, v) for k, v in sorted(from_wire(row.fields).items())}
            for name, row in sorted((instance.others or {}).items())
            if not row.is_deleted
        },
        "alerts": _alerts(instance),
        "next_due_at": _time(instance.scheduled),
    }


def _visit(visit: Visit) -> dict[str, Any]:
    return {
        "stage": visit.stage,
        "visit": visit.visit,
        "entered_at": _told(visit.entered_at),
        "finished_at": _told(visit.finished_at),
        "suspend_from": _told(visit.suspend_from),
        "suspend_to": _told(visit.suspend_to),
        "result": visit.result,
        "dept": visit.dept,
        "handler": visit.handler,
    }


def _alerts(instance: Instance) -> list[dict[str, Any]]:
    documents = []
    found = [(rule, key, raised) for rule, keys in (instance.raised or {}).items() for key, raised in keys.items()]
    for rule, key, raised in sorted(found, key=lambda entry: entry[:2]):
        stage, visit, item, severity = rung_parts(key)
        documents.append(
            {
                "rule": rule.partition("@")[0],
                "severity": severity,
                "stage": stage,
                "visit": visit,
                "item": item,
                "raised_at": _time(raised.at),
                "due_at": _time(raised.deadline),
                "open": raised.is_open,
            }
        )
    return documents


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def _told(ms: int | None) -> str | None:
    return None if ms is None else iso(as_told(ms))


def shown(name: str, value: Value) -> object:
    """Give a field's value for a document: a time as ISO 8601, a decimal as text."""
    if isinstance(value, int) and is_time(name, value):
        return iso(as_told(value))
    return value if value is None or isinstance(value, str | int | bool) else str(value)
