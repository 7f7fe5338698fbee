"""`stagewatch sources findings`: what is wrong with what the sources tell, by rule (R-D01, R-D02, R-D05, R-D07)."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stagewatch.captured import Captured
from stagewatch.cli import command, output_option, settings_from, settings_option
from stagewatch.cli_sources import catalog_of, healths_of

if TYPE_CHECKING:
    from connectors import SourceCatalog, SourceHealth
    from stagewatch.output import Value

PEOPLE = frozenset({"tg", "tg_manager", "customer_manager"})
"""Entities that say who answers for a district."""


@command(name="findings", short_help="Show what is wrong with what the sources tell.")
@settings_option
@output_option
def show_findings(*, config: Path | None, form: str) -> None:
    """Show silent sources (R-D01), unknown codes (R-D02), refused records (R-D05), districts of nobody (R-D07).

    Reads the topics with coded columns, districts and managers to their present ends. Rows of unknown applications
    (R-D03) are alerts: `stagewatch alerts list --rule R-D03`.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    catalog = catalog_of(settings)
    captured = Captured(catalog, settings)
    rows = [*_of_health(healths_of(catalog, settings, output)), *_of_rows(catalog, captured)]
    output.table(["rule", "where", "finding", "count"], sorted(rows, key=lambda row: (str(row[0]), str(row[1]))))


def _of_health(found: list[SourceHealth]) -> Iterator[list[Value]]:
    from connectors import State, short_span

    now = int(time.time() * 1000)
    for source in found:
        if source.state == State.SILENT and source.last_at is not None:
            yield ["R-D01", source.source, f"nothing for {short_span(now - source.last_at)}", 1]
        for table in source.tables:
            if table.refused:
                yield ["R-D05", table.topic, "refused; see `stagewatch deadletters list`", table.refused]


def _of_rows(catalog: SourceCatalog, captured: Captured) -> Iterator[list[Value]]:
    from rules import Reference, uncovered

    reference, districts = Reference(PEOPLE), set[str]()
    wanted = [m for m in catalog.mappings if m.entity in PEOPLE or any(c.codes for c in m.columns.values())]
    for mapping, change in captured.changes(wanted):
        if mapping.entity in PEOPLE:
            reference.add(change)
        if mapping.entity == "tg":
            districts.add(change.row)
    for (topic, column), count in captured.unknown_codes.items():
        yield ["R-D02", f"{topic}.{column}", "codes that its list does not have, kept as they came", count]
    for each in uncovered(reference, districts, int(time.time() * 1000)):
        yield ["R-D07", each.tg_no, each.why, 1]
