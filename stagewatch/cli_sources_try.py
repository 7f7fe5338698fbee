"""`stagewatch sources try` and `draft`: does a new table's declaration fit its records, and where does one begin?

Both look at the newest records of a topic and need no worker.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, command, output_option, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from schemas import SchemaOf, TableMapping
    from stagewatch.settings import Settings
    from stagewatch.topic_sample import Sample

NEWEST = 200
"""Records that are looked at: every kind of row of a busy hour, and a second to read."""
_records_option = click.option(
    "--records", "count", type=click.IntRange(1, 100_000), default=NEWEST, show_default=True, help="The newest so many."
)
_file_option = click.option(
    "--file", "captured", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Records from this file (JSON Lines as `replay` takes them) instead of the broker.",
)  # fmt: skip


@command(name="try", short_help="Try a declared table on its newest records: does it work?")
@click.argument("name", metavar="TABLE|TOPIC")
@_records_option
@_file_option
@settings_option
@output_option
def try_table(*, name: str, count: int, captured: Path | None, config: Path | None, form: str) -> int:
    """Decode the newest records of TABLE (mkt.mkt_app) or TOPIC as a worker would, and say what is wrong.

    Shows what was refused and why, what came in each declared column, and which columns come undeclared; advises on
    keys, zones and the producer's options. Names and phone numbers in examples are masked. Exit 1 if a record was
    refused or none could be read. Needs no worker and leaves nothing behind.
    """
    from stagewatch.output import Output
    from stagewatch.source_trial import try_records
    from stagewatch.trial_report import report

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    catalog, schema_of = _declared(settings)
    mapping = _mapping(catalog, name)
    if mapping.dialect == "debezium-avro" and schema_of is None:
        raise Failed("its records are Avro: name their registry, STAGEWATCH_SCHEMA_REGISTRY_URL=http://host:port")
    sample = _sample(settings, mapping.topic, captured, count)
    trial = try_records(mapping, sample.records, schema_of=schema_of, partitions=sample.partitions)
    report(trial, output)
    return 1 if trial.faults else 0


@command(name="draft", short_help="Write a first declaration of a table from its records.")
@click.argument("topic")
@click.option("--source", metavar="PREFIX", help="The source system's prefix, if the topic does not say it.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Make this file instead of printing it.")
@_records_option
@_file_option
@settings_option
def draft_table(  # noqa: PLR0913 - the command's options
    *, topic: str, source: str | None, out: Path | None, count: int, captured: Path | None, config: Path | None
) -> None:
    """Write a declaration of TOPIC's table, guessed from its newest records.

    Dialect, key and types are guesses for a person to read; the file passes `stagewatch check`. A file that exists is
    never written over.
    """
    from stagewatch.output import Output
    from stagewatch.source_draft import Known, draft_source

    output = Output()
    settings = settings_from(config, output)
    catalog, schema_of = _declared(settings)
    mapping = catalog.mapping_for(topic)
    if mapping is not None:
        raise Failed(f"{topic} is declared: `stagewatch sources try {mapping.source}.{mapping.table}`")
    sample = _sample(settings, topic, captured, count)
    known = Known(_joins(catalog), frozenset(each.instance for each in catalog.mappings if each.instance is not None))
    draft = draft_source(sample.topic, sample.records, known, source=source, schema_of=schema_of)
    if out is None:
        click.echo(draft, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(draft)
    except OSError as error:
        raise Failed(f"{out}: {error.strerror}; nothing was written") from None
    output.done(f"drafted {out} from {len(sample.records)} records; read it through")


def _declared(settings: Settings) -> tuple[SourceCatalog, SchemaOf | None]:
    """Give what the settings declare, and where Avro schemas are."""
    from connectors import SchemaRegistry
    from stagewatch.cli_sources import catalog_of

    url = settings.schema_registry_url
    return catalog_of(settings), None if url is None else SchemaRegistry(url).schema_of


def _mapping(catalog: SourceCatalog, name: str) -> TableMapping:
    """Give the mapping of a topic, of `SOURCE.TABLE`, or of a table's name alone. Raises `Failed`."""
    found = catalog.mapping_for(name)
    if found is not None:
        return found
    lowered = name.lower()
    named = [each for each in catalog.mappings if lowered in {each.table, f"{each.source}.{each.table}"}]
    if len(named) > 1:
        raise Failed(f"'{name}' is declared several times, say which: {', '.join(each.topic for each in named)}")
    if not named:
        known = sorted(f"{each.source}.{each.table}" for each in catalog.mappings)
        raise Failed(f"{unknown('table', name, known)}; `stagewatch sources draft TOPIC` begins a declaration")
    return named[0]


def _sample(settings: Settings, topic: str, captured: Path | None, count: int) -> Sample:
    from stagewatch.topic_sample import sample_file, sample_topic

    if captured is not None:
        return sample_file(captured, topic, count)
    if settings.bootstrap is None:
        raise Failed("no broker is set: name it with STAGEWATCH_BROKER or in the settings file, or give --file")
    return sample_topic(settings.bootstrap, topic, count)


def _joins(catalog: SourceCatalog) -> dict[str, str]:
    """Give the columns that hold a key of another table, each with the table that most declarations name."""
    found: dict[str, Counter[str]] = {}
    for file in catalog.files:
        for table in file.model.tables.values():
            for column, target in table.joins.items():
                found.setdefault(column.lower(), Counter())[target] += 1
    return {column: targets.most_common(1)[0][0] for column, targets in found.items()}
