"""The history of an instance as documents: changes with what they changed, alerts, notices, and time that passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rules import is_time
from schemas import AlertEvent, Change, Notice, Value, iso, to_wire
from sinks import masked_address
from stagewatch.published import PublishedAlert
from stagewatch.travel import Moment

Entry = dict[str, Any]
"""One line of a history. `at` and `kind` (`change`, `clock`, `reference`, `alert`, `notice`) are always there."""
PERSON_FIELDS = ("handler", "handler_no", "operator", "reporter", "mgr_no", "actor_no", "locked_by")
DEPT_FIELDS = ("dept", "dept_code", "org_no")
"""Fields that say who did it, the likeliest first."""
ADDRESS_FIELDS = ("mobile", "phone", "tel_no", "mail")
"""Parts of the names of fields that hold a person's number or mail address."""
DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000


class Historian:
    """Makes entries of moments; knows the rows as they were, so that a change can be told as from and to."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[str, Value]] = {}
        self._at: int | None = None

    def entries(self, moments: Iterable[Moment]) -> Iterator[Entry]:
        """Give the entries of all moments in order."""
        for moment in moments:
            passed = None if self._at is None else moment.at - self._at
            self._at = moment.at
            if moment.change is not None:
                yield {**self._change(moment, moment.change), "passed": elapsed(passed)}
            else:
                yield {**_cause(moment), "passed": elapsed(passed)}
            yield from (alert_entry(alert, moment.at) for alert in moment.alerts)
            yield from map(notice_entry, moment.notices)

    def _change(self, moment: Moment, change: Change) -> Entry:
        known = self._rows.setdefault((change.entity, change.row), {})
        changed = {} if change.op == "d" else {n: v for n, v in change.fields.items() if known.get(n) != v}
        entry: Entry = {
            "at": iso(moment.at),
            "kind": "change",
            "op": change.op,
            "entity": change.entity,
            "row": change.row,
            "by": _first(change.fields, PERSON_FIELDS),
            "dept": _first(change.fields, DEPT_FIELDS),
            "changed": [
                {"field": name, "from": said(name, known.get(name)), "to": said(name, value)}
                for name, value in sorted(changed.items())
            ],
            "is_news": moment.is_news,
            "place": {"topic": change.topic, "partition": change.partition, "offset": change.offset},
        }
        if moment.is_news:
            known.update(changed)
        return entry


def _cause(moment: Moment) -> Entry:
    """Tell what it was, if it was no change of the instance's own rows."""
    if not moment.reference:
        return {"at": iso(moment.at), "kind": "clock"}
    rows = [{"entity": c.entity, "row": c.row, "topic": c.topic, "offset": c.offset} for c in moment.reference]
    return {"at": iso(moment.at), "kind": "reference", "rows": rows}


def alert_entry(alert: AlertEvent, at: int) -> Entry:
    """Give the entry of an alert event; `at` is when it came about."""
    return {
        "at": iso(at),
        "kind": "alert",
        "event": alert.event,
        "rule": alert.rule,
        "rule_version": alert.rule_version,
        "severity": alert.severity,
        "stage": alert.stage,
        "visit": alert.visit,
        "due_at": None if alert.due_at is None else iso(alert.due_at),
        "text": alert.text,
        "alert_id": alert.alert_id,
    }


def notice_entry(notice: Notice) -> Entry:
    """Give the entry of a notice, without the address."""
    return {
        "at": iso(notice.at),
        "kind": "notice",
        "channel": notice.channel,
        "recipient": notice.recipient.no,
        "name": notice.recipient.name,
        "rule": notice.rule,
        "severity": notice.severity,
        "alert_id": notice.alert_id,
    }


def mark_published(
    entries: Sequence[Entry], alerts: Sequence[PublishedAlert], notices: Iterable[Notice]
) -> list[Entry]:
    """Say of each alert and notice whether the workers wrote it (`published`), and add what only they have.

    They differ where definitions have changed since, and where a worker's first run over history told nobody.
    """
    events: list[tuple[str, str]] = [(a.event.alert_id, a.event.event) for a in alerts]
    told = {(n.alert_id, n.recipient.no, n.channel) for n in notices}
    marked = []
    for entry in entries:
        if entry["kind"] == "alert":
            event = (entry["alert_id"], entry["event"])
            is_published = event in events
            if is_published:
                events.remove(event)
            entry = {**entry, "published": is_published}  # noqa: PLW2901 - the same entry, marked
        elif entry["kind"] == "notice":
            key = (entry["alert_id"], entry["recipient"], entry["channel"])
            entry = {**entry, "published": key in told}  # noqa: PLW2901 - as above
        marked.append(entry)
    only_theirs = [a for a in alerts if (a.event.alert_id, a.event.event) in events]
    marked += [{**alert_entry(a.event, a.at), "published": True, "is_judged_otherwise_now": True} for a in only_theirs]
    return sorted(marked, key=lambda entry: str(entry["at"]))


def _first(fields: dict[str, Value], names: Sequence[str]) -> str | None:
    return next((str(fields[name]) for name in names if fields.get(name) is not None), None)


def said(name: str, value: Value) -> Value:
    """Give a field's value as people and programs read it: times as ISO 8601, addresses masked."""
    if isinstance(value, str) and any(part in name for part in ADDRESS_FIELDS):
        return masked_address(value)
    wire = to_wire({name: value})[name]
    if isinstance(value, int) and is_time(name, wire):
        return iso(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def elapsed(ms: int | None) -> str | None:
    """Say how long it took: 3d 4h, 20min; None for less than a minute."""
    if ms is None or ms < MINUTE_MS:
        return None
    if ms >= DAY_MS:
        hours = ms % DAY_MS // HOUR_MS
        return f"{ms // DAY_MS}d" + (f" {hours}h" if hours else "")
    return f"{ms // HOUR_MS}h" if ms >= HOUR_MS else f"{ms // MINUTE_MS}min"
