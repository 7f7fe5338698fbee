"""`stagewatch instances history` and `get --at`: an instance's life, action by action, from what was recorded."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, command, moment, output_option, settings_from, settings_option
from stagewatch.cli_events import events_option
from stagewatch.phones import without_phones

if TYPE_CHECKING:
    from rules import WorkCalendar
    from stagewatch.history import Entry
    from stagewatch.in_effect import InEffect
    from stagewatch.output import Output
    from stagewatch.settings import Settings
    from stagewatch.travel import Known, Travel

KIND_COLOURS = {"change": "", "clock": "dim", "reference": "magenta", "alert": "red", "notice": "cyan"}
ENDED = ("cleared", "closed")


@command(name="history", short_help="Show an instance's life, action by action.")
@click.argument("key")
@events_option
@click.option("--until", metavar="TIME", help="Up to and including TIME: ISO 8601, or `now`. Left out: the last "
              "record of files, now of a broker.")  # fmt: skip
@settings_option
@output_option
def history(*, key: str, events: tuple[Path, ...], until: str | None, config: Path | None, form: str) -> None:
    """Show what happened to the instance KEY (an app_no, or an nl_no), from the captured topics or from files.

    Each change with what it changed, from what, to what and by whom; the alerts and notices in between; and the
    time that passed. From a broker, judged by the definitions that were in effect at --until, as far as the instance
    does not keep what it began with; alerts and notices also say whether the workers wrote them.
    """
    from stagewatch.history import Historian, mark_published
    from stagewatch.output import Output
    from stagewatch.published import published_alerts, published_notices

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    travel, known, end, _ = found_life(settings, events, key, until, output)
    entries = list(Historian().entries(travel.walk(known.changes, end)))
    if not events and settings.bootstrap is not None:
        alerts = published_alerts(settings.bootstrap, instance=key)
        entries = mark_published(entries, alerts, published_notices(settings.bootstrap, key))
    entries = [without_phones(entry) for entry in entries]
    if output.is_json:
        for entry in entries:
            output.record(entry)
    else:
        _show(output, entries, travel.definitions.calendar)


def found_life(  # noqa: PLR0913, PLR0917 - what is read, and how it is judged
    settings: Settings, events: Sequence[Path], key: str, until: str | None, output: Output,
    judged_at: int | None = None,
) -> tuple[Travel, Known, int | None, InEffect | None]:  # fmt: skip
    """Read what is recorded about an instance; give its way, what is known, and where the way ends (epoch ms).

    Last what a running system's is judged by: what was in effect at `judged_at` (epoch ms; None: where the way ends).
    Files are judged by the definitions of the settings. Raises `Failed` if nothing is recorded about it.
    """
    from stagewatch.cli_replay import load_everything, sources_of
    from stagewatch.in_effect import Editions
    from stagewatch.progress import progress_bar
    from stagewatch.recording import recording_of
    from stagewatch.travel import Travel, known_of

    found = None
    if events:
        definitions, sources = load_everything(settings)
        end = _moment(until, definitions.calendar.zone) if until is not None else None
    else:
        sources = sources_of(settings)
        editions = Editions(settings, sources)
        end = _moment(until or "now", "UTC" if until is None else editions.at().zone)
        found = editions.at(end if judged_at is None else judged_at)
        definitions = found.compiled()
    recording = recording_of(settings, events, sources)
    sources = sources.captured(recording.topics())
    with progress_bar(output.err, f"reading {recording.name}", recording.total) as progress:
        known = known_of(recording, sources.told(definitions.by_entity), key, progress)
    if known.began is None:
        raise Failed(f"nothing is recorded about '{key}' in {recording.name} ({known.records} records)")
    if found is not None:
        definitions = found.as_begun(definitions, known.began)
    travel = Travel(definitions, sources, key, mail_domain=settings.mail_domain)
    return travel, known, end, found


def _moment(text: str, zone: str) -> int:
    return moment(text, now_ms=int(time.time() * 1000), zone=zone)


def state_at(settings: Settings, events: Sequence[Path], key: str, at: str | None, output: Output) -> dict[str, Any]:
    """Give the state of an instance as of `at`. Raises `Failed` if nothing was known of it then."""
    travel, known, end, _ = found_life(settings, events, key, at, output)
    for _ in travel.walk(known.changes, end):
        pass
    state = travel.state()
    if state is None:
        raise Failed(f"nothing was known of '{key}' at {at}: its first record arrived later")
    return state


# -- on the terminal


def _show(output: Output, entries: Sequence[Entry], calendar: WorkCalendar) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("time", "passed", "what", "by", "where"):
        table.add_column(name, overflow="fold", no_wrap=name in {"time", "passed"})
    for entry in entries:
        style = "green" if entry.get("event") in ENDED else KIND_COLOURS[entry["kind"]]
        cells = (_local(calendar, entry["at"]), entry.get("passed") or "", *_words(entry, calendar))
        table.add_row(*(Text(_printable(cell), style) for cell in cells))
    output.show(table)


def _words(entry: Entry, calendar: WorkCalendar) -> tuple[str, str, str]:
    """Say what happened, who did it, and where it stands."""
    match entry["kind"]:
        case "change":
            fields = "; ".join(_field(each, calendar) for each in entry["changed"])
            what = {"c": "created", "u": "updated", "d": "deleted", "r": "snapshot"}[entry["op"]]
            old = "" if entry["is_news"] else " (old news: nothing changed)"
            by = " ".join(part for part in (entry["by"], entry["dept"]) if part)
            place = entry["place"]
            where = f"{place['topic']} {place['partition']}:{place['offset']}"
            return f"{what} {entry['entity']} {entry['row']}{old}: {fields}".rstrip(": "), by, where
        case "alert":
            mark = "" if entry.get("published", True) else " [not published]"
            mark += " [only published]" if entry.get("is_judged_otherwise_now") else ""
            return f"{entry['event']} {entry['rule']} {entry['severity']}{mark}: {entry['text']}", "", entry["alert_id"]
        case "notice":
            mark = "" if entry.get("published", True) else " [not sent: too old when the workers first ran]"
            name = " ".join(part for part in (entry["name"], entry["recipient"]) if part)
            return f"told {name} by {entry['channel']}: {entry['rule']} {entry['severity']}{mark}", "", ""
        case "reference":
            rows = ", ".join(f"{row['entity']} {row['row']}" for row in entry["rows"])
            return f"reference data changed: {rows}", "", ""
        case _:
            return "time passes", "", ""


def _field(change: dict[str, Any], calendar: WorkCalendar) -> str:
    before, after = (_value(calendar, change[side]) for side in ("from", "to"))
    return f"{change['field']} {after}" if not before else f"{change['field']} {before} → {after or 'null'}"


def _value(calendar: WorkCalendar, value: object) -> str:
    from schemas import epoch_ms

    if isinstance(value, str) and value.endswith("Z") and "T" in value:
        try:
            return local_time(calendar, epoch_ms(value))
        except ValueError:
            return value
    return "" if value is None else str(value)


def _local(calendar: WorkCalendar, at: str) -> str:
    from schemas import epoch_ms

    return local_time(calendar, epoch_ms(at))


def local_time(calendar: WorkCalendar, ms: int) -> str:
    """Say a moment in the calendar's zone: 2026-03-10 15:30:00."""
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    moment_utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment_utc.astimezone(ZoneInfo(calendar.zone)).strftime("%Y-%m-%d %H:%M:%S")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
