"""`stagewatch notifications costs`: what each unit's messages came to."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from pathlib import Path

import click

from stagewatch.cli import ZONE, command, is_date, moment, output_option, settings_option
from stagewatch.cli_store import opened_store

DAY_MS = 86_400_000


@command(short_help="Count what each unit's messages came to.")
@click.option("--since", metavar="TIME", help="From TIME on (ISO 8601).  [default: 30 days before --until]")
@click.option("--until", metavar="TIME", default="now", show_default=True, help="Until TIME; a date counts whole.")
@click.option("--price", type=click.FloatRange(0), metavar="AMOUNT", help="Of one part of an SMS; adds a column.")
@settings_option
@output_option
def costs(*, since: str | None, until: str, price: float | None, config: Path | None, form: str) -> None:
    """Count the SMS, their parts, and the mails of each unit that a carrier or a mail server took.

    A message counts for the unit of its first notification. Refused ones cost nothing; `unknown` ones may have been
    taken and are counted.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    end = moment(until, now_ms=int(time.time() * 1000), zone=ZONE)
    begin = end - 30 * DAY_MS
    if since is not None:  # a date alone means the whole of that day
        begin = moment(since, now_ms=end, zone=ZONE) - DAY_MS * is_date(since)
    with opened_store(config, output) as store:
        units = store.costs(begin, end)
    rows = [[each.org_no or None, each.sms, each.parts, each.unknown, each.mails] for each in units]
    columns = ["unit", "sms", "parts", "unknown", "mails"]
    if price is not None:
        columns.append("cost")
        for row, each in zip(rows, units, strict=True):
            row.append(round(each.parts * price, 2))  # type: ignore[arg-type]  # a column more
    output.table(columns, rows, empty="no message left in that time")
