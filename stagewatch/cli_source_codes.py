"""`stagewatch sources codes`: how a source writes the standard codes, and what its own codes mean."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, command, moment, output_option, settings_from, settings_option, unknown
from stagewatch.cli_sources import catalog_of

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from schemas.codes import CodeList


@command(name="codes", short_help="Show how a source writes the standard codes.")
@click.argument("source")
@click.option("--list", "name", metavar="LIST", help="Only this code list: volt_level.")
@click.option("--code", help="What this code of the source means.")
@click.option("--standard", help="How the source writes this standard code.")
@click.option("--at", metavar="TIME", help="As it was at TIME (ISO 8601): a code may have meant something else, and "
              "been written otherwise. Left out: as now, and of codes no longer used the last meaning.")  # fmt: skip
@settings_option
@output_option
def show_codes(  # noqa: PLR0913 - click hands over every option
    *, source: str, name: str | None, code: str | None, standard: str | None, at: str | None, config: Path | None,
    form: str,
) -> None:  # fmt: skip
    """Show the code lists that columns of SOURCE are converted by: its codes, the standard ones, and their names.

    So those who still ask by old codes, or expect answers in them, are served after a cutover.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    catalog = catalog_of(settings_from(config, output))
    lists = _lists(catalog, source.lower())
    if name is not None and name not in lists:
        raise Failed(unknown("code list", name, sorted(lists)))
    zone = next(each.column_timezone for each in catalog.mappings if each.source == source.lower())
    then = None if at is None else moment(at, now_ms=int(time.time() * 1000), zone=zone)
    rows = [
        [each.name, written, meant, each.standard[meant]]
        for each in lists.values()
        if name in {None, each.name}
        for written, meant in _pairs(each, then, is_every=code is not None)
        if code in {None, written} and standard in {None, meant}
    ]
    if not rows and (code or standard):
        raise Failed(f"{source} has no such code" + ("" if at is None else f" at {at}"))
    output.table(["list", "code", "standard", "name"], rows, empty=f"no column of {source} is written in a code list")


def _lists(catalog: SourceCatalog, source: str) -> Mapping[str, CodeList]:
    known = sorted({each.source for each in catalog.mappings})
    if source not in known:
        raise Failed(unknown("source", source, known))
    columns = [column for each in catalog.mappings if each.source == source for column in each.columns.values()]
    return {column.codes.name: column.codes for column in columns if column.codes is not None}


def _pairs(codes: CodeList, at: int | None, *, is_every: bool) -> Iterator[tuple[str, str]]:
    """Give the source's codes with the standard ones; `is_every`: also those that it no longer writes."""
    if not is_every:
        found = {meant: codes.sources_code(meant, at) for meant in codes.standard}
        yield from ((written, meant) for meant, written in found.items() if written is not None)
        return
    for written in dict.fromkeys([*codes.meanings, *codes.standard]):
        meant = codes.meaning(written, at)
        if meant is not None:
            yield written, meant
