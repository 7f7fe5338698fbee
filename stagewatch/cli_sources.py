"""`stagewatch sources`: what is declared, how each source is doing, and whether its keys find each other."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, Group, bootstrap_of, command, output_option, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors import Matching, SourceCatalog, SourceHealth
    from stagewatch.output import Output, Value
    from stagewatch.settings import Settings


def _bare(config: Path | None, form: str) -> None:
    """Show how every source is doing, if no other command is named."""
    if click.get_current_context().invoked_subcommand is None:
        _show_health((), config, form)


sources = settings_option(
    output_option(
        Group(
            name="sources",
            help="Look at the declared sources; without a command: how each of them is doing.",
            members={
                "list": "stagewatch.cli_sources:list_sources",
                "describe": "stagewatch.cli_sources:describe_source",
                "health": "stagewatch.cli_sources:show_health",
                "findings": "stagewatch.cli_source_findings:show_findings",
                "relations": "stagewatch.cli_sources:show_relations",
                "join": "stagewatch.cli_source_join:show_joined",
                "codes": "stagewatch.cli_source_codes:show_codes",
                "draft": "stagewatch.cli_sources_try:draft_table",
                "try": "stagewatch.cli_sources_try:try_table",
                "docs": "stagewatch.cli_sources:write_docs",
            },
            invoke_without_command=True,
            callback=_bare,
        )
    )
)

_COLOURS = {"running": "green", "silent": "red", "stopped": "red", "empty": "yellow", "absent": "dim"}


def catalog_of(settings: Settings) -> SourceCatalog:
    """Give what the settings declare."""
    from connectors import SchemaRegistry, load_sources

    catalog = load_sources(list(settings.sources), settings.dialect_overrides, settings.precedence)
    if settings.schema_registry_url is not None:
        catalog.schema_of = SchemaRegistry(settings.schema_registry_url).schema_of
    return catalog


@command(name="list", short_help="List the declared sources and tables.")
@click.option("--items", is_flag=True, help="A line per named data item instead of per table.")
@settings_option
@output_option
def list_sources(*, items: bool, config: Path | None, form: str) -> None:
    """List every declared table: source, table, what it is, what a row is about and who holds it."""
    from connectors import held
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    rows: list[list[Value]] = []
    for file in catalog_of(settings_from(config, output)).files:
        model = file.model
        for name, table in model.tables.items():
            head: list[Value] = [model.source, name, table.group]
            if items:
                rows += [[*head, item] for item in table.seed]
            else:
                rows.append([*head, table.title, table.entity, held(table), len(table.columns)])
    columns = ["source", "table", "group"] + (["item"] if items else ["title", "entity", "held", "columns"])
    output.table(columns, rows, empty="no sources")


@command(name="describe", short_help="Show one source's tables and columns.")
@click.argument("name", metavar="SOURCE[.TABLE]")
@settings_option
@output_option
def describe_source(*, name: str, config: Path | None, form: str) -> None:
    """Show every column of SOURCE (mkt), or of one of its tables (mkt.mkt_app), and the tables' further views.

    A further view (`also:`) tells the same rows again, to other instances: an object with `view` in JSON.
    """
    from stagewatch.output import Output
    from stagewatch.source_views import VIEW_HEAD, view_row

    output = Output(is_json=form == "json")
    catalog = catalog_of(settings_from(config, output))
    source, _, table = name.lower().partition(".")
    models = {file.model.source.lower(): file.model for file in catalog.files}
    if source not in models:
        raise Failed(unknown("source", source, sorted(models)))
    tables = {each.lower(): model for each, model in models[source].tables.items()}
    if table and table not in tables:
        raise Failed(unknown("table", table, tables))
    described = [each for each in catalog.mappings if each.source == source and table in {"", each.table}]
    topics = {mapping.table: mapping.topic for mapping in described}
    rows: list[list[Value]] = [
        [
            topics[each], column, said.type, "key" if column in model.key else "", said.title,
            said.codes.list if said.codes else "", model.joins.get(column, ""), said.is_kept,
        ]
        for each, model in tables.items()
        if table in {"", each}
        for column, said in model.columns.items()
    ]  # fmt: skip
    output.table(["topic", "column", "type", "key", "title", "codes", "joins", "kept"], rows)
    views = [view_row(mapping, each) for mapping in described for each in mapping.also]
    if views:
        if not output.is_json:
            output.line("")
        output.table(VIEW_HEAD, views)


@command(name="health", short_help="Show how every source is doing.")
@click.argument("names", metavar="[SOURCE]...", nargs=-1)
@settings_option
@output_option
def show_health(*, names: tuple[str, ...], config: Path | None, form: str) -> None:
    """Show how every source is doing: running or not, last event, rhythm, unread, records, refused.

    With SOURCEs, their tables too. A source is `silent` (R-D01) when nothing came for longer than its `quiet_after`
    or, where it declares none, three times its longest gap of late; `stopped` when its connector does not run
    (settings `connect_url` and `connectors`).
    """
    _show_health(names, config, form)


def _show_health(names: tuple[str, ...], config: Path | None, form: str) -> None:
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    bootstrap_of(settings)
    catalog = catalog_of(settings)
    known = {file.model.source.lower() for file in catalog.files}
    for name in names:
        if name.lower() not in known:
            raise Failed(unknown("source", name, sorted(known)))
    found = healths_of(catalog, settings, output)
    if names:
        found = [each for each in found if each.source in {name.lower() for name in names}]
        _print(output, _TABLE_HEAD, [row for each in found for row in _table_rows(each, is_json=output.is_json)])
    else:
        _print(output, _HEAD, [_row(each, is_json=output.is_json) for each in found])


def healths_of(catalog: SourceCatalog, settings: Settings, output: Output) -> list[SourceHealth]:
    """Ask the broker, and Kafka Connect if one is set, how every declared source is doing."""
    from connectors import read_flows, source_health

    bootstrap = bootstrap_of(settings)
    topics: dict[str, dict[str, str]] = {}
    for mapping in catalog.mappings:
        topics.setdefault(mapping.source, {})[mapping.table] = mapping.topic
    now = int(time.time() * 1000)  # before the topics are read, which takes a while: that is no silence of theirs
    refused = _refused(bootstrap)
    found = read_flows(bootstrap, catalog.topics, group=settings.application_id)
    flows = {topic: replace(flow, refused=refused.get(topic, 0)) for topic, flow in found.items()}
    connectors = _not_running(settings, catalog, output)
    return [
        source_health(file.model, topics[source], flows, now=now, connectors=connectors.get(source, ()))
        for file in catalog.files
        for source in (file.model.source.lower(),)
    ]


def _refused(bootstrap: str) -> Mapping[str, int]:
    """Give the dead letters by topic."""
    from collections import Counter

    from schemas import BadInput, decode_dead_letter
    from stagewatch.topic_reader import read_topic

    found: Counter[str] = Counter()
    for record in read_topic(bootstrap, "stagewatch.deadletters"):
        try:
            found[decode_dead_letter(record.value or b"").topic] += 1
        except BadInput:
            continue
    return found


def _not_running(settings: Settings, catalog: SourceCatalog, output: Output) -> dict[str, list[str]]:
    """Give what is wrong with the connectors of each source, by source; nothing where no Kafka Connect is set."""
    if settings.connect_url is None:
        return {}
    from connectors.connect import ConnectClient, load_connectors
    from connectors.debezium import MODELS
    from schemas import StagewatchError
    from stagewatch.connector_setup import connector_files

    try:
        wanted = {each.name: each for each in load_connectors(connector_files(settings.connectors), catalog)}
        present = ConnectClient(settings.connect_url).connectors()
    except StagewatchError as error:
        output.warn(f"the connectors' states are not known: {error}")
        return {}
    said = {name: live.summary for name, live in present.items() if not live.is_at("running")}
    said |= dict.fromkeys(wanted.keys() - present.keys(), "Kafka Connect has none")
    found: dict[str, list[str]] = {}
    for name, summary in sorted(said.items()):
        declared = wanted[name].source if name in wanted else None
        kind = (wanted[name] if name in wanted else present[name]).config.get("connector.class", "")
        # One that no file gives a source is taken by its name, if it captures: a sink may be called after one, too.
        if declared or kind in MODELS:
            found.setdefault(declared or name.partition("-")[0].lower(), []).append(f"connector {name}: {summary}")
    return found


_HEAD = [
    "source", "title", "state", "last_event", "silent_for", "usual_gap", "limit", "unread", "records", "refused", "why",
]  # fmt: skip
_TABLE_HEAD = [
    "source", "table", "state", "last_event", "silent_for", "usual_gap", "limit", "unread", "records", "refused",
]  # fmt: skip


def _row(health: SourceHealth, *, is_json: bool) -> list[Value]:
    times = _times(health, is_json=is_json)
    counts: list[Value] = [health.unread, health.records, health.refused]
    return [health.source, health.title, str(health.state), *times, *counts, health.why]


def _table_rows(health: SourceHealth, *, is_json: bool) -> list[list[Value]]:
    return [
        [
            each.source,
            each.table,
            str(each.state),
            *_times(each, is_json=is_json),
            each.unread,
            each.records,
            each.refused,
        ]
        for each in health.tables
    ]


def _times(health: Any, *, is_json: bool) -> list[Value]:  # noqa: ANN401 - a source's health or a table's
    """Give last event, silence, usual gap and limit: for programs ISO 8601 and seconds, for people spans."""
    from connectors import short_span
    from schemas import iso

    last = None if health.last_at is None else iso(health.last_at)
    silent = None if health.last_at is None else max(int(time.time() * 1000) - health.last_at, 0)
    spans = (silent, health.usual_gap_ms, health.limit_ms)
    return [last, *((None if span is None else span / 1000) if is_json else short_span(span) for span in spans)]


def _print(output: Output, head: list[str], rows: list[list[Value]]) -> None:
    """Print rows, the state in its colour where a terminal shows it."""
    if output.is_json or not output.out.is_terminal:
        output.table(head, rows)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell), _COLOURS.get(str(cell), "")) for cell in row))
    output.show(table)


@command(name="relations", short_help="Show the join keys, and how many rows find theirs.")
@click.option("--measure", is_flag=True, help="Read the captured topics to their ends and count; takes a while.")
@settings_option
@output_option
def show_relations(*, measure: bool, config: Path | None, form: str) -> None:
    """Show the relation catalogue: which column holds the key of which table.

    With --measure, also how many of the rows that name a key find it. That reads every captured topic to its present
    end and holds the join columns of each row in memory.
    """
    from connectors import Matching
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    catalog = catalog_of(settings)
    matching = Matching(catalog)
    if measure:
        _read_all(catalog, settings, matching)
    rows: list[list[Value]] = [
        [
            each.relation.table, each.relation.column, each.relation.target, each.relation.target_column,
            *([each.rows, each.matched, None if each.rate is None else round(each.rate, 4)] if measure else []),
        ]
        for each in matching.rates()
    ]  # fmt: skip
    output.table(["table", "column", "target", "key", *(["rows", "matched", "rate"] if measure else [])], rows)


def _read_all(catalog: SourceCatalog, settings: Settings, matching: Matching) -> None:
    from stagewatch.captured import Captured

    for mapping, change in Captured(catalog, settings).changes(catalog.mappings):
        matching.add(mapping, change)


@command(name="docs", short_help="Write the reference page of the declared sources.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here instead of to stdout.")
@click.option("--dry-run", is_flag=True, help="Only say whether the file would change.")
@settings_option
def write_docs(*, out: Path | None, dry_run: bool, config: Path | None) -> None:
    """Write the reference page (Markdown) made from the declarations."""
    from connectors import source_page
    from stagewatch.output import Output

    output = Output()
    page = source_page(catalog_of(settings_from(config, output)))
    if out is None:
        click.echo(page, nl=False)
        return
    is_same = out.exists() and out.read_text("utf-8") == page
    if is_same or dry_run:
        output.say(f"{out} {'is up to date' if is_same else 'would change'}")
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, "utf-8")
    output.done(f"wrote {out}")
