"""`stagewatch flow`: the flow that really was, from recorded history, and how it differs from its definition."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, command, moment, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from rules import Definitions
    from rules.flow import Flow
    from stagewatch.flow import Choice, Document, Read
    from stagewatch.output import Output
    from stagewatch.recording import Recording

FORMS = ("table", "json", "html", "svg")
VIEWS = ("all", "variants", "durations", "rework", "waiting", "conformance")


@command(short_help="Show the flow that really was: variants, durations, rework, waits, conformance.")
@click.argument("events", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from-topics", "is_live", is_flag=True, help="Read the broker's captured topics in place of files.")
@click.option("--process", default="hv_connection", show_default=True, help="Id of the process.")
@click.option("--view", type=click.Choice(VIEWS), default="all", show_default=True, help="What of it is shown.")
@click.option("--from", "begin", metavar="TIME", help="Leave out instances of which nothing was heard since TIME.")
@click.option("--to", "end", metavar="TIME", help="As it was known at TIME: ISO 8601, or `now`. Left out: at the last "
              "record of files, now of a broker.")  # fmt: skip
@click.option("--org", metavar="ORG_NO", help="Instances of this unit and those below it.")
@click.option("--rows", type=click.IntRange(1, 100_000), default=20, show_default=True,
              help="Of a table, and of the longest waits, at most.")  # fmt: skip
@click.option("-o", "--output", "form", type=click.Choice(FORMS), default="table", show_default=True,
              help="json: one object; html: a page; svg: the picture.")  # fmt: skip
@settings_option
def flow(  # noqa: PLR0913 - click hands over every option
    *, events: tuple[Path, ...], is_live: bool, process: str, view: str, begin: str | None, end: str | None,
    org: str | None, rows: int, config: Path | None, form: str,
) -> None:  # fmt: skip
    """Discover the real flow of a process from EVENTS (.jsonl or .jsonl.gz), or from the broker (--from-topics).

    Which ways instances went, how long stages took (by unit and handler), what was done again, where instances wait,
    between stages and now, and where they did not go as the definition says: for EVENTS that of the settings, for the
    broker that in effect. Times are working time by the process's calendar, without suspensions. Nothing is written;
    -o html and svg go to stdout.
    """
    from stagewatch.cli_replay import load_everything
    from stagewatch.flow import Choice, document_of
    from stagewatch.in_effect import load_in_effect
    from stagewatch.output import Output
    from stagewatch.recording import recording_of

    if bool(events) == is_live:
        raise click.UsageError("name files of recorded events, or give --from-topics to read the broker's topics")
    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    definitions, sources = load_in_effect(settings, output) if is_live else load_everything(settings)
    if process not in definitions.processes:
        raise click.BadParameter(unknown("process", process, definitions.processes), param_hint="--process")
    zone, now_ms = definitions.processes[process].calendar.zone, int(time.time() * 1000)
    end = end or ("now" if is_live else None)
    begin_ms, end_ms = (moment(text, now_ms=now_ms, zone=zone) if text else None for text in (begin, end))
    choice = Choice(process, begin_ms, end_ms, org, rows)
    recording = recording_of(settings, events, sources)
    found, read = _measured(definitions, sources, choice, recording, output)
    views = VIEWS[1:] if view == "all" or form == "html" else (view,)
    _show(output, found, document_of(found, _of(found, choice, recording, read), views), form, rows)


def _measured(
    definitions: Definitions, sources: SourceCatalog, choice: Choice, recording: Recording, output: Output
) -> tuple[Flow, Read]:
    """Read and measure. Raises `Failed` if no case is left."""
    from stagewatch.flow import Reader, flow_of, history_of
    from stagewatch.progress import progress_bar

    history = history_of(definitions, choice.process)
    reader = Reader(sources, history)
    started = time.monotonic()
    with progress_bar(output.err, f"reading {recording.name}", recording.total) as progress:
        reader.take(recording, choice.end, progress)
    read = reader.read
    at = choice.end if choice.end is not None else read.last or 0
    with progress_bar(output.err, "measuring", len(history)) as progress:
        found = flow_of(history, choice, at, progress)
    took = time.monotonic() - started
    output.say(f"{read.records} records in {took:.1f} s ({read.records / took:.0f} a second)")
    if read.refused:
        output.warn(f"{read.refused} records were refused; `stagewatch replay` says why")
    if orphans := history.orphans():
        output.warn(f"{orphans} instances are left out: only rows that refer to them were recorded")
    if not found.totals.instances:
        raise Failed(f"no instance of {choice.process} in {recording.name} fits: see --process, --org, --from and --to")
    return found, read


def _of(found: Flow, choice: Choice, recording: Recording, read: Read) -> Document:
    """Say what was measured."""
    from schemas import iso

    return {
        "process": choice.process, "title": found.process.title, "source": recording.name,
        "records": read.records, "refused": read.refused, "at": iso(found.at),
        "from": None if choice.begin is None else iso(choice.begin), "org": choice.org,
    }  # fmt: skip


def _show(output: Output, found: Flow, document: Document, form: str, rows: int) -> None:
    from rules.flow import draw_flow
    from stagewatch.flow_html import page

    match form:
        case "json":
            output.line_of_json(document)
        case "html":
            click.echo(page(document, draw_flow(found), rows), nl=False)
        case "svg":
            click.echo(draw_flow(found), nl=False)
        case _:
            _tables(output, document, rows)


def _tables(output: Output, document: Document, rows: int) -> None:
    from stagewatch.flow_tables import tables_of

    of = document["of"]
    output.line(
        f"{of['title']} {of['process']}: {of['instances']} instances, {of['over']} ended, {of['events']} visits, "
        f"as known at {of['at']}"
    )
    for table in tables_of(document, rows):
        if not table.rows:
            continue
        output.line("")
        left_out = table.of - len(table.rows)
        output.line(table.title + (f" (the first {len(table.rows)} of {table.of})" if left_out else ""))
        output.table(table.columns, table.rows)
