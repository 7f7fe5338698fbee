"""`stagewatch sources findings`: what is wrong with what the sources tell, by rule (R-D01, R-D02, R-D05 to R-D08)."""

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
    from connectors import SourceCatalog, SourceHealth, TableHealth
    from stagewatch.settings import Settings

PEOPLE = frozenset({"tg", "tg_manager", "customer_manager"})
"""Entities that say who answers for a district."""


SEVERITIES = {"R-D01": "WARN", "R-D02": "INFO", "R-D05": "WARN", "R-D06": "WARN", "R-D07": "WARN", "R-D08": "WARN"}
"""WARN: somebody has to do something, or rows are missing; INFO: the rows are there, and marked."""
_HEAD = ["rule", "severity", "where", "finding", "count", "first"]


@command(name="findings", short_help="Show what is wrong with what the sources tell.")
@settings_option
@output_option
def show_findings(*, config: Path | None, form: str) -> None:
    """Show what is wrong with what the sources tell, by rule.

    Silent sources (R-D01), unknown codes (R-D02), refused records (R-D05), records later than their table's
    `late_after` (R-D06), districts of nobody (R-D07), refused batches of this data folder (R-D08).

    Reads the topics that may be late, with coded columns, districts and managers to their present ends, and warns where
    they say that their declaration is wrong: a zone, or a source's log that began anew, whether or not a worker ran
    then. Rows of unknown applications (R-D03) are alerts: `stagewatch alerts list --rule R-D03`.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    catalog = catalog_of(settings)
    captured = Captured(catalog, settings)
    found = [
        *_of_health(healths_of(catalog, settings, output)), *_of_rows(catalog, captured), *_of_batches(settings),
    ]  # fmt: skip
    found.sort(key=lambda each: each[:2])
    output.table(
        _HEAD, [[rule, SEVERITIES[rule], where, what, count, first] for rule, where, what, count, first in found]
    )
    for warning in captured.warnings:
        output.warn(warning)


_Finding = tuple[str, str, str, int, str]
"""Rule, where, what, how many, and where or when the first is ("": all that is known is said)."""


def _of_health(found: list[SourceHealth]) -> Iterator[_Finding]:
    from connectors import DATED_AHEAD, State, short_span
    from schemas import iso

    now = int(time.time() * 1000)
    for source in found:
        # Whatever its connector does, and beside it each table that has a limit of its own.
        parts: list[tuple[str, SourceHealth | TableHealth]] = [(source.source, source)]
        parts += [(f"{each.source}.{each.table}", each) for each in source.tables]
        for where, part in parts:
            if part.last_at is not None and part.limit_ms is not None and now - part.last_at > part.limit_ms:
                yield "R-D01", where, f"nothing for {short_span(now - part.last_at)}", 1, iso(part.last_at)
            elif part.last_at is None and part.state == State.SILENT:
                yield "R-D01", where, DATED_AHEAD, part.records, ""
        for table in source.tables:
            if table.refused:
                yield "R-D05", table.topic, "refused; see `stagewatch deadletters list`", table.refused, ""


def _of_rows(catalog: SourceCatalog, captured: Captured) -> Iterator[_Finding]:
    from rules import Reference, uncovered

    reference, districts, limits = Reference(PEOPLE), set[str](), _late_limits(catalog)
    wanted = [
        m for m in catalog.mappings
        if m.topic in limits or m.entity in PEOPLE or any(c.codes for c in m.columns.values())
    ]  # fmt: skip
    for mapping, change in captured.changes(wanted, limits):
        if mapping.entity in PEOPLE:
            reference.add(change)
        if mapping.entity == "tg":
            districts.add(change.row)
    for (topic, column), count in captured.unknown_codes.items():
        yield "R-D02", f"{topic}.{column}", "codes that its list does not have, kept as they came", count, ""
    yield from _of_late(captured)
    for each in uncovered(reference, districts, int(time.time() * 1000)):
        yield "R-D07", each.tg_no, each.why, 1, ""


def _of_late(captured: Captured) -> Iterator[_Finding]:
    from connectors import short_span
    from schemas import iso

    for topic, late in captured.late.items():
        what = f"later than {short_span(late.limit_ms)}, up to {short_span(late.most_ms)} after their own time"
        first = late.first
        yield "R-D06", topic, what, late.count, f"{topic}/{first.partition}/{first.offset} {iso(first.timestamp)}"


def _late_limits(catalog: SourceCatalog) -> dict[str, int]:
    """Give how late (ms) the records of each topic may be; topics without a limit are left out."""
    from connectors import late_limit_ms

    models = {file.model.source.lower(): file.model for file in catalog.files}
    limits = {m.topic: late_limit_ms(models[m.source], m.table) for m in catalog.mappings}
    return {topic: limit for topic, limit in limits.items() if limit is not None}


def _of_batches(settings: Settings) -> Iterator[_Finding]:
    from stagewatch.ingest import refused_batches

    for each in refused_batches(settings.data_dir):
        yield "R-D08", each.batch, f"{each.file} for {each.table}: {each.reason}", each.bad or 1, each.first
