"""`stagewatch sources join`: a row with all that belongs to it, from what was captured."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, command, output_option, settings_from, settings_option, unknown
from stagewatch.cli_sources import catalog_of
from stagewatch.phones import PHONES

if TYPE_CHECKING:
    from connectors import Gathered, GatheredRow, SourceCatalog
    from schemas import TableMapping
    from stagewatch.output import Value


@command(name="join", short_help="Show a row with everything that belongs to it.")
@click.argument("table", metavar="[SOURCE.]TABLE")
@click.argument("key")
@settings_option
@output_option
def show_joined(*, table: str, key: str, config: Path | None, form: str) -> None:
    """Show the row KEY of TABLE, the rows that name it, those that name these, and what they all point at.

    `sources join mkt_app 330126000129`: money, progress, notices, interactions and works of an application, of every
    system. `sources join lean_res_district RD0007`: a district beside the progress of its projects. A key of several
    columns is written with | between them. Follows `sources relations`; reads the captured tables concerned to their
    present ends, which takes a while.
    """
    from connectors import gather
    from stagewatch.captured import Captured
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    catalog = catalog_of(settings)
    name = _table(catalog, table)
    found = gather(catalog, name, key, Captured(catalog, settings).changes)
    if not found.own.get(name):
        raise Failed(f"no row '{key}' of {name} has been captured, or it was deleted")
    output.table(["source", "table", "row", "is_own", "fields"], _rows(catalog, found, is_json=output.is_json))


def _table(catalog: SourceCatalog, name: str) -> str:
    bare = name.lower().rpartition(".")[2]
    known = {mapping.table: mapping.source for mapping in catalog.mappings}
    if bare not in known or name.lower() not in {bare, f"{known[bare]}.{bare}"}:
        raise Failed(unknown("table", name, sorted(known)))
    return bare


def _rows(catalog: SourceCatalog, found: Gathered, *, is_json: bool) -> Iterator[list[Value]]:
    for is_own, tables in ((True, found.own), (False, found.pointed_at)):
        for mapping in catalog.mappings:
            for key, row in sorted(tables.get(mapping.table, {}).items()):
                fields = _fields(mapping, row)
                text = "; ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
                yield [mapping.source, mapping.table, key, is_own, fields if is_json else text]


def _fields(mapping: TableMapping, row: GatheredRow) -> dict[str, Value]:
    """Give a row's fields for a document: times as ISO 8601, decimals as text, phone numbers masked."""
    from schemas import as_told, iso
    from sinks import masked_address

    times = {column.name for column in mapping.columns.values() if column.type in {"timestamp", "date"}}
    found: dict[str, Value] = {}
    for name, value in row.fields.items():
        if isinstance(value, int) and name in times:
            found[name] = iso(as_told(value))
        elif name in PHONES and value is not None:
            found[name] = masked_address(str(value))
        else:
            found[name] = value if value is None or isinstance(value, str | int | bool) else str(value)
    return found
