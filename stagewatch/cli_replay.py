"""`stagewatch replay`: the engine offline over recorded events."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, command, moment, settings_from, settings_option

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from stagewatch.output import Output
    from stagewatch.replay import Replay
    from stagewatch.settings import Settings

SEVERITY_ORDER = ("INFO", "WARN", "ALARM", "CRITICAL")


@command(short_help="Run the engine over recorded events, without a broker.")
@click.argument("events", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings_option
@click.option("--until", metavar="TIME", help="Let time pass up to and including TIME: ISO 8601, or `now`.")
@click.option("-o", "--out", "folder", required=True, metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for the six files that are written.")  # fmt: skip
@click.option("--json", "is_json", is_flag=True, help="The summary as one JSON object on stdout.")
def replay(*, events: Path, config: Path | None, until: str | None, folder: Path, is_json: bool) -> None:
    """Run the same engine as a worker over EVENTS (.jsonl or .jsonl.gz), deterministically.

    Without --until the clock stops at the last record. A TIME without a zone is local to the calendar's.
    """
    from stagewatch.output import Output
    from stagewatch.recording import FileRecording
    from stagewatch.replay import Replay

    output = Output(is_json=is_json)
    settings = settings_from(config, output)
    definitions, sources = load_everything(settings)
    for warning in sources.warnings:
        output.warn(warning)
    now_ms = int(time.time() * 1000)
    until_ms = moment(until, now_ms=now_ms, zone=definitions.calendar.zone) if until is not None else None
    sources = sources.captured(FileRecording([events]).topics())
    run = Replay(definitions, sources, mail_domain=settings.mail_domain)
    _feed(run, events, output)
    letters = run.outcome.dead_letters
    if letters and not run.outcome.records and all(letter.reason == "not-json" for letter in letters):
        raise Failed(f"{events} is no recording: not one of its lines is a record with `topic`, `partition`, `offset`, "
                     "`timestamp`, `key` and `value`")  # fmt: skip
    if until_ms is not None:
        run.advance(until_ms)
    run.write(folder)
    for warning in run.warnings:
        output.warn(warning)
    summary = run.summary()
    if is_json:
        output.record(summary)
    else:
        show_summary(output, summary)
    output.done(f"wrote {folder}")


def load_everything(settings: Settings) -> tuple[Any, Any]:
    """Give the definitions and the sources that the settings name."""
    from rules import Choice, UnknownChoice, load_definitions
    from stagewatch.settings import SettingError

    sources = sources_of(settings)
    choice = Choice(
        limits=settings.limits,
        calendar=settings.calendar,
        orphan_after=settings.orphan_after,
        known_codes=sources.known_codes(),
    )
    try:
        definitions = load_definitions(settings.definitions, choice)
    except UnknownChoice as error:
        where = {key: settings.source_of(key) for key in error.by_setting}
        raise SettingError(
            [
                f"{f'setting `{key}`' if where[key] == 'default' else where[key]}: {fault.message}"
                for key, fault in error.by_setting.items()
            ]
        ) from None
    return definitions, sources


def sources_of(settings: Settings) -> SourceCatalog:
    """Give the sources that the settings name, able to read what they are declared to be. Raises SettingError."""
    from connectors import SchemaRegistry, load_sources
    from stagewatch.settings import SettingError

    sources = load_sources(list(settings.sources), settings.dialect_overrides, settings.precedence)
    if settings.schema_registry_url is not None:
        sources.schema_of = SchemaRegistry(settings.schema_registry_url).schema_of
    elif avro := [mapping.topic for mapping in sources.mappings if mapping.dialect == "debezium-avro"]:
        raise SettingError([f"setting `schema_registry_url`: unset, but {avro[0]} is debezium-avro"])
    return sources


def _feed(run: Replay, events: Path, output: Output) -> None:
    from stagewatch.progress import progress_bar
    from stagewatch.replay import read_recorded

    with progress_bar(output.err, f"replaying {events.name}", events.stat().st_size) as progress:
        run.feed(read_recorded(events, run.refuse, progress))


def show_summary(output: Output, summary: dict[str, Any]) -> None:
    """Show the alerts by rule, and the counts beside them."""
    by_rule: dict[str, dict[str, int]] = summary["alerts_by_rule"]
    columns = ["rule", *SEVERITY_ORDER]
    rows = [[rule, *(counts.get(severity) for severity in SEVERITY_ORDER)] for rule, counts in by_rule.items()]
    output.table(columns, rows, empty="no alerts")
    output.say(
        f"{summary['records']} records, {summary['instances']} instances, {summary['alerts_raised']} alerts raised, "
        f"{summary['notifications']} notifications, {summary['dead_letters']} dead letters; clock {summary['clock']}"
    )
