"""`stagewatch tasks totals`: what the long loops of a period came to, by domain, unit, department or person."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from pathlib import Path

import click

from stagewatch.cli import command, output_option, settings_from, settings_option
from stagewatch.cli_store import opened_store

BY = ("domain", "org", "dept", "person")
MOST = 1_000_000
"""Anomalies that are summed: a province's for years; what is beyond is said."""
COLUMNS = (
    "of", "warned", "guided", "evaluated", "dismissed", "self_cleared", "energy_kwh", "money", "errors", "points",
)  # fmt: skip


@command(short_help="Sum anomalies of a period: phases, effect of control, points.")
@click.option("--period", "name", required=True, metavar="PERIOD", help="2026-W10, 2026-03, 2026-Q1 or 2026.")
@click.option("--by", type=click.Choice(BY), default="domain", show_default=True, help="What is summed by.")
@click.option("--org", "org_no", help="Only anomalies of this unit.")
@settings_option
@output_option
def show_totals(*, name: str, by: str, org_no: str | None, config: Path | None, form: str) -> None:
    """Sum anomalies by domain, unit, department, or the person whose duty they were.

    warned: raised in the period; guided: confirmed in it; evaluated: archived in it after approval. Energy, money,
    errors (from rectification orders that were not rejected) and points are those of the evaluated.
    """
    from typing import get_args

    from rules import By, Period, control_totals
    from stagewatch.in_effect import load_in_effect
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    try:
        period = Period.parse(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--period'") from None
    definitions, _ = load_in_effect(settings_from(config, output), output)
    with opened_store(config, output) as store:
        views = [row.task for row in store.tasks(kind="anomaly", org_no=org_no, limit=MOST)]
    if len(views) == MOST:
        output.warn(f"only the last {MOST} anomalies were summed")
    known = next(each for each in get_args(By) if each == by)
    totals = control_totals(views, known, period, definitions.calendar)
    rows = [[_plain(getattr(total, column)) for column in COLUMNS] for total in totals]
    if not output.is_json:
        output.table(COLUMNS, rows)
        return
    for row in rows:
        output.record(dict(zip(COLUMNS, row, strict=True)))


def _plain(value: object) -> str | int:
    """Give a sum as written: decimals as text, so that no digit is lost."""
    return value if isinstance(value, int) else str(value)
