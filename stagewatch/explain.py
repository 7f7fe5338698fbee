"""An alert explained as one document: its rule, its deadline day by day, its evidence, who was told, what followed.

Called by `stagewatch alerts explain`. Everything is reckoned again by the worker's engine from what was recorded; where
the answer differs from what was published, the document says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules import (
    ClockRow,
    DayRow,
    Definitions,
    Duration,
    Grounds,
    Instance,
    Process,
    RuleFile,
    Threshold,
    clock_rows,
    day_names,
    grounds_of,
    grounds_of_row,
    parse_duration,
    setting_of,
    threshold_setting_of,
    workday_rows,
)
from schemas import AlertEvent, Change, Notice, alert_id, encode_alert, iso
from stagewatch.history import said
from stagewatch.in_effect import Origin, Texts
from stagewatch.travel import Moment, Travel

Document = dict[str, Any]
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of the alert and when it came about, epoch ms."""

    event: AlertEvent
    at: int


@dataclass(slots=True)
class Life:
    """What a walk through the instance's life showed of one alert."""

    events: list[Happened] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    deadline: Document | None = None
    """As it stood when the alert was raised; None: the rule has no deadline, or the alert did not come about."""

    @property
    def raised(self) -> Happened | None:
        """The raising, if it came about."""
        return self.events[0] if self.events else None


@dataclass(frozen=True, slots=True)
class Book:
    """The definitions, compiled and as they were written."""

    definitions: Definitions
    texts: Texts
    calendar: str
    """Id of the calendar that is used."""


def live(travel: Travel, changes: Sequence[Change], until: int | None, alert_id: str, book: Book) -> Life:
    """Walk through an instance's life and keep what concerns one alert."""
    life = Life()
    for moment in travel.walk(changes, until):
        _notice(life, moment, alert_id)
        if life.raised is not None and life.deadline is None and life.raised.at == moment.at:
            life.deadline = deadline_of(travel, life.raised.event, changes, book)
    return life


def _notice(life: Life, moment: Moment, alert_id: str) -> None:
    life.events += [Happened(alert, moment.at) for alert in moment.alerts if alert.alert_id == alert_id]
    life.notices += [notice for notice in moment.notices if notice.alert_id == alert_id]


# -- the deadline


def deadline_of(travel: Travel, alert: AlertEvent, changes: Iterable[Change], book: Book) -> Document | None:
    """Give the arithmetic of the alert's deadline as the instance stands now; None for a rule without one."""
    process = book.definitions.processes.get(alert.process)
    instance = travel.instance
    if process is None or instance is None:
        return None
    rule = process.deadline(alert.rule, alert.stage)
    same = [v for v in instance.visits if (v.stage, v.visit) == (alert.stage, alert.visit) and not v.is_deleted]
    visit = same[0] if same else None
    if rule is not None:
        grounds = grounds_of(rule, instance, visit, travel.partition)
    else:
        grounds = grounds_of_row(process, instance, travel.partition, alert)
    if grounds is None:
        return None
    model = rule_model(book, alert)
    origin = _origin(grounds, instance, book)
    return {
        "start": iso(grounds.times.start),
        "start_from": _start_from(model),
        "limit": None if grounds.limit is None else str(grounds.limit),
        "limit_from": _limit_from(model, origin),
        "limit_set": None if origin is None else origin._asdict(),
        "due_at": iso(grounds.times.deadline),
        "rungs": [
            {"severity": severity, "at": iso(at), "says": _rung_says(model, severity)}
            for severity, at in grounds.times.rungs
        ],
        "suspended": [_span(span, changes, travel.key) for span in grounds.spans],
        **_rows(grounds, alert, model, book),
    }


def rule_model(book: Book, alert: AlertEvent) -> Document:
    """Give the rule of an alert as its file has it; empty if there is none any more."""
    rules = (rule for file in book.texts.files.of(RuleFile) for rule in file.rules)
    process = next((p for p in book.texts.files.of(Process) if p.id == alert.process), None)
    found = next((r for r in rules if r.code == alert.rule and process and process.is_among(r.processes)), None)
    return found.model_dump(exclude_none=True) if found else {}


def _start_from(model: Document) -> str:
    start = model.get("start", "entered_at")
    return f"{start['entity']}.{start['field']}" if isinstance(start, dict) else str(start)


def _origin(grounds: Grounds, instance: Instance, book: Book) -> Origin | None:
    """Give where the limit was set, a unit's own template or the limits for all; None: the rule has it itself."""
    if grounds.row is None:
        return None
    org = instance.main.fields.get("org_no") if instance.main else None
    models = [file.model for file in book.texts.files.files]
    setting = setting_of(models, book.definitions.limits_id, str(org or ""), grounds.row)
    return None if setting is None else book.texts.origin(setting)


def _limit_from(model: Document, origin: Origin | None) -> str:
    if origin is not None:
        return origin.said
    if model.get("limit") is not None:
        return "the rule"
    due = model.get("due")
    return "the rule's own steps" if due is None else f"column {due['field']} of {due.get('reference', 'the instance')}"


def _rung_says(model: Document, severity: str) -> str:
    said_by_rule = model.get("rungs", {}).get(severity, {})
    return ", ".join(value if name == "at" else f"{name} {value}" for name, value in said_by_rule.items())


def _rows(grounds: Grounds, alert: AlertEvent, model: Document, book: Book) -> Document:
    """Give the days, or the stretches of time, from the start to the deadline."""
    limit, times, calendar = grounds.limit, grounds.times, book.definitions.calendar
    if limit is not None and limit.unit == "wd":
        names = day_names(book.texts.files, book.calendar)
        days = workday_rows(calendar, times.start, limit.amount, grounds.spans, names)
        reached = {at: severity for severity, at in times.rungs}
        return {"days": [_day(row, reached) for row in days], "is_provisional": any(d.is_provisional for d in days)}
    after = _after(model, alert.severity)
    if limit is None and after is None:
        return {"is_provisional": False}
    due, sharp = times.deadline if after is None else dict(times.rungs)[alert.severity], calendar.by_clock
    spans = [(sharp(begin), sharp(end)) for begin, end in grounds.spans]
    return {
        "stretches": [_stretch(row) for row in clock_rows(sharp(times.start), due, spans)],
        "is_provisional": False,
    }


def _after(model: Document, severity: str) -> Duration | None:
    text = model.get("rungs", {}).get(severity, {}).get("after")
    return None if text is None else parse_duration(text)


def _day(row: DayRow, reached: Mapping[int, str]) -> Document:
    return {
        "day": row.day.isoformat(),
        "weekday": WEEKDAYS[row.day.weekday()],
        "counted": row.number,
        "why": row.kind.value,
        "name": row.name,
        "suspended_from": None if row.span is None else iso(row.span[0]),
        "provisional": row.is_provisional,
        "reached": reached.get(row.ends_at),
    }


def _stretch(row: ClockRow) -> Document:
    why = "runs" if row.is_counted else "suspended"
    return {
        "from": iso(row.begin),
        "to": iso(row.end),
        "hours": round((row.end - row.begin) / 3_600_000, 2),
        "why": why,
    }


def _span(span: tuple[int, int], changes: Iterable[Change], key: str) -> Document:
    """Give a suspension with the record that told it first."""
    begin, end = span
    place = next((place_of(c) for c in changes if c.instance == key and c.fields.get("suspend_from") == begin), None)
    return {"from": iso(begin), "to": iso(end), "place": place}


# -- the threshold


def threshold_of(alert: AlertEvent, book: Book) -> Document | None:
    """Give the threshold of an alert about an indicator's value, and where it was set; None for any other alert."""
    thresholds = book.definitions.thresholds
    for indicator in sorted(thresholds.judged):
        for judged in thresholds.of(indicator, alert.org_no or ""):
            mine = (judged.rule.code, judged.threshold.severity) == (alert.rule, alert.severity)
            if mine and alert.alert_id == alert_id(
                alert.rule, alert.process, alert.instance, None, None, judged.item, alert.severity
            ):
                return _threshold(alert, judged.threshold, book)
    return None


def _threshold(alert: AlertEvent, threshold: Threshold, book: Book) -> Document:
    models = [file.model for file in book.texts.files.files]
    setting = threshold_setting_of(models, book.definitions.limits_id, alert.org_no or "", threshold)
    origin = None if setting is None else book.texts.origin(setting)
    return {
        "indicator": threshold.indicator,
        "says": threshold.said,
        "compare": threshold.compare,
        "says_from": None if origin is None else origin.said,
        "set": None if origin is None else origin._asdict(),
    }


# -- evidence and the whole


def place_of(change: Change) -> Document:
    """Give where a change was read."""
    return {"topic": change.topic, "partition": change.partition, "offset": change.offset}


def evidence_of(alert: AlertEvent, changes: Sequence[Change]) -> list[Document]:
    """Give the records that the alert rests on, each with what it said; `fields` None: it cannot be read any more."""
    known = {(c.topic, c.partition, c.offset): c for c in changes}
    documents = []
    for each in alert.evidence:
        change = known.get((each.topic, each.partition, each.offset))
        document: Document = {"topic": each.topic, "partition": each.partition, "offset": each.offset}
        if change is not None:
            fields = {name: said(name, value) for name, value in sorted(change.fields.items())}
            document |= {"at": iso(change.at), "entity": change.entity, "row": change.row, "op": change.op}
            document["fields"] = fields
        else:
            document["fields"] = None
        documents.append(document)
    return documents


def told_of(notices: Iterable[Notice]) -> list[Document]:
    """Give who is told, as the engine routed it; whether it was sent, the store knows."""
    return [
        {"recipient": n.recipient.no, "name": n.recipient.name, "channel": n.channel, "at": iso(n.at), "state": None}
        for n in notices
    ]


def events_of(events: Iterable[Happened]) -> list[Document]:
    """Give the events of the alert in order."""
    return [{"at": iso(each.at), "event": each.event.event, "text": each.event.text} for each in events]


def alert_of(alert: AlertEvent) -> Document:
    """Give the alert as the contract writes it."""
    import msgspec  # noqa: PLC0415 - of one function

    document: Document = msgspec.json.decode(encode_alert(alert))
    return document
