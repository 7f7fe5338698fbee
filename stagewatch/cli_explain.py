"""`stagewatch alerts explain`: why an alert was raised, when, and who was told."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, command, moment, output_option, settings_from, settings_option
from stagewatch.cli_events import events_option

if TYPE_CHECKING:
    from rules import WorkCalendar
    from schemas import AlertEvent, Recorded
    from sinks.store import NotificationRow
    from stagewatch.explain import Document, Happened
    from stagewatch.output import Output
    from stagewatch.replay import Replay
    from stagewatch.settings import Settings

STATE_WHY = {
    "entry": "day of entry, not counted",
    "workday": "workday",
    "make_up": "make-up day (调休), worked",
    "weekend": "weekend",
    "holiday": "public holiday",
    "day_off": "day off",
    "suspended": "suspended",
}


@command(name="explain", short_help="Explain an alert: deadline day by day, evidence, who was told.")
@click.argument("alert_id")
@events_option
@click.option(
    "--until", metavar="TIME", help="Of files: let time pass up to and including TIME. Left out: the last record."
)
@settings_option
@output_option
def explain(*, alert_id: str, events: tuple[Path, ...], until: str | None, config: Path | None, form: str) -> None:
    """Explain the alert ALERT_ID (as `alerts list -o json` and the alerts topic have it).

    The sentence; the rule and its version; the arithmetic of the deadline, day by day; the records it rests on, as
    far as they can still be read; who was told, and when; what became of it. With --events everything is reckoned
    from these files, without a broker.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    if events:
        found = _raised_in(settings, events, alert_id, until, output)
        document = _explained_or_of_value(settings, events, found, until, output)
    else:
        document = _from_system(settings, alert_id, output)
    if output.is_json:
        output.record(document)
    else:
        _show(output, document, _calendar(settings))


def _raised_in(
    settings: Settings, events: Sequence[Path], alert_id: str, until: str | None, output: Output
) -> AlertEvent:
    """Give the alert as a replay of the files raises it. Raises `Failed` if it does not."""
    from stagewatch.cli_replay import load_everything
    from stagewatch.progress import progress_bar
    from stagewatch.recording import FileRecording
    from stagewatch.replay import Replay

    recording = FileRecording(events)
    definitions, sources = load_everything(settings)
    sources = sources.captured(recording.topics())
    run = Replay(definitions, sources, mail_domain=settings.mail_domain)
    with progress_bar(output.err, f"looking for the alert in {recording.name}", recording.total) as progress:
        run.feed(_up_to(alert_id, run, recording.records(run.refuse, progress)))
    if until is not None and not any(alert.alert_id == alert_id for alert in run.outcome.alerts):
        run.advance(moment(until, now_ms=int(time.time() * 1000), zone=definitions.calendar.zone))
    found = next((alert for alert in run.outcome.alerts if alert.alert_id == alert_id), None)
    if found is None:
        raise Failed(f"no alert '{alert_id}' is raised by {recording.name} up to {until or 'its last record'}")
    return found


def _up_to(alert_id: str, run: Replay, records: Iterator[Recorded]) -> Iterator[Recorded]:
    """Give the records until the replay that they are for has raised the alert."""
    seen = 0
    for record in records:
        alerts = run.outcome.alerts
        if any(alert.alert_id == alert_id for alert in alerts[seen:]):
            return
        seen = len(alerts)
        yield record


def _from_system(settings: Settings, alert_id: str, output: Output) -> Document:
    """Explain an alert of a running system: from its topics; without a broker from the store alone."""
    events = _published(settings, alert_id) or _stored(settings, alert_id)
    if not events:
        raise Failed(f"no alert '{alert_id}'; `stagewatch alerts list -o json` has their ids")
    first = next((each for each in events if each.event.event == "raised"), events[0])
    try:
        document = _explained_or_of_value(settings, (), first.event, None, output)
    except Failed as error:  # the captured records are gone: what was published stands
        output.warn(f"{error.message}; only what was published is shown")
        document = _bare(first.event)
    if document["alert"]["due_at"] != _document(first.event)["due_at"]:
        document["note"] = "judged again by the definitions of that time it has another deadline than published"
    from stagewatch.explain import events_of

    document |= {"alert": _document(first.event), "events": events_of(events)}
    if sent := _sent(settings, alert_id):
        document["told"] = sent
    return document


def _published(settings: Settings, alert_id: str) -> list[Happened]:
    from stagewatch.explain import Happened
    from stagewatch.published import published_alerts

    if settings.bootstrap is None:
        return []
    found = published_alerts(settings.bootstrap, alert_id=alert_id)
    return [Happened(each.event, each.event.raised_at if each.event.event == "raised" else each.at) for each in found]


def _stored(settings: Settings, alert_id: str) -> list[Happened]:
    from sinks.store import Store
    from stagewatch.explain import Happened

    if not _has_store(settings):
        return []
    store = Store(settings.store)
    try:
        return [Happened(row.event, row.at) for row in store.alert_events(alert_id)]
    finally:
        store.close()


def _sent(settings: Settings, alert_id: str) -> list[Document]:
    """Give what became of each notice; nothing without a store."""
    from sinks.store import Store

    if not _has_store(settings):
        return []
    store = Store(settings.store)
    try:
        return [_notification(row) for row in store.notifications(alert_id=alert_id)]
    finally:
        store.close()


def _has_store(settings: Settings) -> bool:
    url = settings.store
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()


def _notification(row: NotificationRow) -> Document:
    from schemas import iso

    return {
        "recipient": row.recipient_no,
        "name": row.recipient_name,
        "channel": row.channel,
        "at": iso(row.updated_at),
        "state": row.state,
        "reason": row.reason,
    }


def _explained_or_of_value(
    settings: Settings, events: Sequence[Path], alert: AlertEvent, until: str | None, output: Output
) -> Document:
    """Explain an alert by its instance's life, or, about an indicator's value, by its threshold. Raises `Failed`."""
    try:
        return _explained(settings, events, alert, until, output)
    except Failed:
        document = _of_value(settings, events, alert)
        if document is None:
            raise
        return document


def _of_value(settings: Settings, events: Sequence[Path], alert: AlertEvent) -> Document | None:
    """Explain an alert about an indicator's value by the threshold that it breached; None if it is no such alert."""
    from rules import read_definitions
    from stagewatch.cli_replay import load_everything, sources_of
    from stagewatch.explain import Book, Happened, events_of, rule_model, threshold_of
    from stagewatch.in_effect import Editions, Texts

    if events:
        definitions, _ = load_everything(settings)
        book = Book(definitions, Texts(read_definitions(settings.definitions), None), settings.calendar)
    else:
        found = Editions(settings, sources_of(settings)).at(alert.raised_at)
        book = Book(found.compiled(), Texts(found.files, found.published), found.choice.calendar)
    threshold = threshold_of(alert, book)
    if threshold is None:
        return None
    model = rule_model(book, alert)
    rule = {"code": alert.rule, "version": alert.rule_version, "title": model.get("title"), "kind": "indicator"}
    raised = events_of([Happened(alert, alert.raised_at)])
    return {**_bare(alert), "rule": rule, "threshold": threshold, "events": raised}


def _explained(
    settings: Settings, events: Sequence[Path], alert: AlertEvent, until: str | None, output: Output
) -> Document:
    """Walk through the instance's life and explain the alert by it. Raises `Failed` if nothing is recorded of it."""
    from rules import read_definitions
    from stagewatch.cli_travel import found_life
    from stagewatch.explain import Book, events_of, evidence_of, live, rule_model, told_of
    from stagewatch.in_effect import Texts

    travel, known, end, found = found_life(settings, events, alert.instance, until, output, alert.raised_at)
    if found is None:
        book = Book(travel.definitions, Texts(read_definitions(settings.definitions), None), settings.calendar)
    else:
        texts = found.texts_for(alert.process, known.began or alert.raised_at)
        book = Book(travel.definitions, texts, found.choice.calendar)
    life = live(travel, known.changes, end, alert.alert_id, book)
    model = rule_model(book, alert)
    shown = life.raised.event if life.raised else alert
    return {
        "alert": _document(shown),
        "rule": {name: model.get(name) for name in ("code", "version", "title", "kind")},
        "deadline": life.deadline,
        "evidence": evidence_of(shown, known.changes),
        "told": told_of(life.notices),
        "events": events_of(life.events),
        "note": None if life.events else "judged again by the definitions of that time it would not be raised",
    }


def _bare(alert: AlertEvent) -> Document:
    from stagewatch.explain import evidence_of

    rule = {"code": alert.rule, "version": alert.rule_version, "title": None, "kind": None}
    evidence = evidence_of(alert, ())
    return {
        "alert": _document(alert), "rule": rule, "deadline": None, "evidence": evidence, "told": [], "events": [],
        "note": None,
    }  # fmt: skip


def _document(alert: AlertEvent) -> dict[str, Any]:
    from stagewatch.explain import alert_of

    return alert_of(alert)


def _calendar(settings: Settings) -> WorkCalendar:
    from stagewatch.cli_replay import load_everything

    calendar: WorkCalendar = load_everything(settings)[0].calendar
    return calendar


# -- on the terminal


def _show(output: Output, document: Document, calendar: WorkCalendar) -> None:
    from schemas import epoch_ms
    from stagewatch.cli_travel import local_time

    def local(at: str | None) -> str:
        return "" if at is None else local_time(calendar, epoch_ms(at))

    alert, rule = document["alert"], document["rule"]
    output.line(alert["text"])
    about = (
        f"{rule['code']} {rule['title'] or ''} (version {alert['rule_version']}), {alert['severity']}, "
        f"raised {local(alert['raised_at'])}" + (f", due {local(alert['due_at'])}" if alert["due_at"] else "")
    )
    output.line(about)
    if document["note"]:
        output.warn(document["note"])
    if document["deadline"]:
        _show_deadline(output, document["deadline"], local)
    if "threshold" in document:
        output.line(_said_threshold(document["threshold"]))
    _section(output, "Evidence", ["record", "arrived", "what it said"], [
        [f"{e['topic']} {e['partition']}:{e['offset']}", local(e.get("at")), _fields(e["fields"])]
        for e in document["evidence"]
    ])  # fmt: skip
    _section(output, "Told", ["who", "by", "when", "state"], [
        [f"{t['name'] or ''} {t['recipient']}".strip(), t["channel"], local(t["at"]), t["state"] or ""]
        for t in document["told"]
    ])  # fmt: skip
    rows = [[local(e["at"]), e["event"], e["text"]] for e in document["events"]]
    _section(output, "What became of it", ["when", "event", "sentence"], rows)


def _said_threshold(threshold: Document) -> str:
    against = "" if threshold["compare"] == "absolute" else f" against {threshold['compare']}"
    return f"threshold {threshold['indicator']} {threshold['says']}{against} ({threshold['says_from']})"


def _show_deadline(output: Output, deadline: Document, local: Any) -> None:  # noqa: ANN401 - a function of times
    limit = f"limit {deadline['limit']} ({deadline['limit_from']})" if deadline["limit"] else deadline["limit_from"]
    output.line(f"from {local(deadline['start'])} ({deadline['start_from']}), {limit}: due {local(deadline['due_at'])}")
    for rung in deadline["rungs"]:
        output.line(f"{rung['severity']} {rung['says']}: {local(rung['at'])}")
    days = [
        [d["day"], d["weekday"], d["counted"], _why(d) + _of_span(d, deadline, local), d["reached"]]
        for d in deadline.get("days", ())
    ]
    _section(output, "Day by day", ["day", "", "counted", "why", "reached"], days)
    stretches = [[local(s["from"]), local(s["to"]), s["hours"], s["why"]] for s in deadline.get("stretches", ())]
    _section(output, "By the clock", ["from", "to", "hours", ""], stretches)


def _why(day: Document) -> str:
    text = STATE_WHY[day["why"]] + (f": {day['name']}" if day["name"] else "")
    return f"{text} (calendar provisional)" if day["provisional"] else text


def _of_span(day: Document, deadline: Document, local: Any) -> str:  # noqa: ANN401 - a function of times
    span = next((s for s in deadline["suspended"] if s["from"] == day["suspended_from"]), None)
    if span is None:
        return ""
    place = span["place"]
    where = f", {place['topic']} {place['partition']}:{place['offset']}" if place else ""
    return f" {local(span['from'])} to {local(span['to'])}{where}"


def _fields(fields: Document | None) -> str:
    if fields is None:
        return "no longer readable"
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)


def _section(output: Output, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        output.line("")
        output.line(title)
        output.table(columns, rows)
