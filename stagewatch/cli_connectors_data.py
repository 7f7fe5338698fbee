"""`stagewatch connectors snapshot|template|ogg`: tables read again, files to begin with, GoldenGate's properties."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, bootstrap_of, command, output_option, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from connectors.connect import Desired
    from stagewatch.output import Output, Value


@command(name="snapshot", short_help="Read tables again, beside the live changes.")
@click.argument("tables", nargs=-1, required=True)
@click.option("--connector", metavar="NAME", help="Which one captures them; by default found by its include list.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Connector file or folder; by default the setting `connectors`.",
)
@click.option(
    "--channel",
    type=click.Choice(["kafka", "source"]),
    help="kafka: the signal topic. source: print the SQL for the signal table. By default kafka where it is heard.",
)
@click.option("--stop", is_flag=True, help="End a snapshot of these tables that is running.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@settings_option
def snapshot(*, tables: tuple[str, ...], stop: bool, dry_run: bool, config: Path | None, **choices: Any) -> None:  # noqa: ANN401
    """Have the connector that captures TABLES (`schema.table`) read them again, a chunk at a time.

    Live changes go on, and none is overwritten by an older row. By the channel `source` the statement is printed
    on stdout: pipe it into the database's own client.
    """
    from connectors.connect import channel_of, insert_statement, send, snapshot_signal
    from stagewatch.connector_setup import wanted
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output, as_set=True)  # a trial worker's broker is not the connector's
    desired = _captor(wanted(choices["files"], settings, output), tables, choices["connector"])
    way = channel_of(desired, choices["channel"])
    assert desired.model is not None  # noqa: S101 - `channel_of` refuses others
    signal = snapshot_signal(desired.model, tables, f"stagewatch-{int(time.time() * 1000)}", stops=stop)
    if way == "source":
        output.line(insert_statement(desired.model, signal))
        return
    bootstrap = settings.bootstrap or desired.model.signal_kafka_bootstrap_servers or bootstrap_of(settings)
    if dry_run:
        output.say(f"would send {signal.kind} {signal.data} to {desired.model.signal_topic}")
        return
    send(bootstrap, desired.model, signal)
    output.done(f"sent {signal.kind} {signal.id} to {desired.name}")


def _captor(wanted: list[Desired], tables: tuple[str, ...], name: str | None) -> Desired:
    """Give the one connector that captures all tables."""
    from connectors.connect import captures

    if name is not None:
        found = [desired for desired in wanted if desired.name == name]
        if not found:
            raise click.UsageError(unknown("connector", name, [desired.name for desired in wanted]))
        return found[0]
    fitting = [
        desired
        for desired in wanted
        if (model := desired.model) is not None and all(captures(model, table) for table in tables)
    ]
    if len(fitting) != 1:
        names = ", ".join(desired.name for desired in fitting or wanted)
        many = "several connectors capture" if fitting else "no connector captures"
        raise Failed(f"{many} {', '.join(tables)}; say which with --connector: {names}")
    return fitting[0]


@command(name="template", short_help="Show connector files to begin with.")
@click.argument("name", required=False)
@output_option
def template(*, name: str | None, form: str) -> None:
    """List the templates, or print the one called NAME: `stagewatch connectors template ymd > connectors/ymd.yaml`."""
    from connectors.connect import TEMPLATES
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    found = {path.stem: path for path in sorted(TEMPLATES.glob("*.yaml"))}
    if name is None:
        rows: list[list[Value]] = [
            [stem, path.read_text("utf-8").splitlines()[0].lstrip("# ")] for stem, path in found.items()
        ]
        output.table(["template", "for"], rows)
        return
    if name not in found:
        raise click.UsageError(unknown("template", name, found))
    click.echo(found[name].read_text(encoding="utf-8"), nl=False)


@command(name="ogg", short_help="Make or check the properties of GoldenGate's Kafka handler.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", metavar="NAME", help="Check a properties file against this source's declaration.")
@click.option("--producer", is_flag=True, help="Print the Kafka producer's file that goes with it.")
@settings_option
def ogg(*, file: Path, source: str | None, producer: bool, config: Path | None) -> int:
    """Print the handler's properties that a FILE in YAML (`version: ogg/v1`) describes, for GoldenGate's people.

    With --source, FILE is a properties file that somebody wrote: it is checked, a line a fault; exit 1 if there is
    one.
    """
    from connectors import load_sources
    from connectors.ogg import PRODUCER, load_handler
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output)
    catalog = load_sources(settings.sources, settings.dialect_overrides)
    if source is not None:
        return _check_properties(file, source, catalog, output)
    handler, warnings = load_handler(file, catalog)
    for warning in warnings:
        output.warn(str(warning))
    text = "".join(f"{key}={value}\n" for key, value in PRODUCER.items()) if producer else handler.text
    click.echo(text, nl=False)
    return 0


def _check_properties(file: Path, source: str, catalog: SourceCatalog, output: Output) -> int:
    from connectors.ogg import check_properties, parse_properties

    tables = [mapping for mapping in catalog.mappings if mapping.source == source.lower()]
    if not tables:
        raise click.UsageError(unknown("source", source, sorted({mapping.source for mapping in catalog.mappings})))
    text = file.read_text(encoding="utf-8")
    lines = [line.strip().lower() for line in text.splitlines()]
    count = 0
    for problem in check_properties(parse_properties(text), tables):
        number = next((n for n, line in enumerate(lines, 1) if line.startswith(problem.key.lower())), 1)
        said = f"{file}:{number}:1: {problem.key}: {problem.text}"
        count += problem.is_fault
        output.line(said) if problem.is_fault else output.warn(said)
    if count:
        output.error(f"{count} fault{'s' if count > 1 else ''}")
        return 1
    output.done("checked: no faults")
    return 0
