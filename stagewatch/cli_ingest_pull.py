"""`stagewatch ingest pull`: web services that are asked for rows."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, bootstrap_of, command, settings_from, settings_option

if TYPE_CHECKING:
    from connectors import Landing
    from connectors.web import FieldFault, Pull
    from stagewatch.output import Output
    from stagewatch.settings import Settings

MOST_SHOWN = 5
"""Bad rows of a run that are told; each becomes a dead letter anyway."""


@command(name="pull", short_help="Ask web services for rows, once or on and on.")
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--once", is_flag=True, help="Ask each endpoint once and end; exit code 1 if one failed.")
@click.option("--dry-run", is_flag=True, help="Only check the definitions and say what would be asked.")
@settings_option
def pull(*, path: Path | None, once: bool, dry_run: bool, config: Path | None) -> int:
    """Ask the endpoints of PATH (`version: pull/v1`; by default the folder of the setting pulls) at their intervals.

    How far each has been read is kept in the data folder, and moves only when Kafka has the rows.
    """
    from connectors import Landing, load_sources
    from connectors.files import FOLDER
    from connectors.web import Cursors, Pull, load_pulls
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output)
    folder = path or settings.pulls
    if folder is None:
        raise Failed("say where the definitions are: PATH, or the setting pulls")
    definitions = load_pulls(folder, load_sources(list(settings.sources), settings.dialect_overrides).mappings)
    if dry_run:
        for one in definitions:
            output.line(f"{one.model.name}: {one.model.url} to {one.mapping.topic} every {one.model.interval}")
        return 0
    bootstrap, cursors = bootstrap_of(settings), Cursors(settings.data_dir / FOLDER / "pull.db")
    pulls = [Pull(definition, cursors, clock=time.time) for definition in definitions]
    try:
        with Landing(bootstrap) as landing:
            _make_topics(landing, pulls, settings, output)
            return _ask_once(landing, pulls, output) if once else _ask_on(landing, pulls, output)
    finally:
        for each in pulls:
            each.close()
        cursors.close()


def _make_topics(landing: Landing, pulls: list[Pull], settings: Settings, output: Output) -> None:
    for topic in sorted({each.topic for each in pulls}):
        if landing.make_topic(topic, settings.partitions):
            output.say(f"made topic {topic}")


def _ask_once(landing: Landing, pulls: list[Pull], output: Output) -> int:
    return int(any([_ask(landing, each, output) is None for each in pulls]))  # noqa: C419 - all are asked


def _ask_on(landing: Landing, pulls: list[Pull], output: Output) -> int:
    """Ask each at its interval, or later where it fails; until the process is ended."""
    from connectors.web import seconds, wait_after

    failed = dict.fromkeys(range(len(pulls)), 0)
    due = [(0.0, number) for number in failed]
    while due:
        at, number = heapq.heappop(due)
        time.sleep(max(0.0, at - time.monotonic()))
        asked_s = _ask(landing, pulls[number], output)
        failed[number] = 0 if asked_s == 0 else failed[number] + 1
        interval_s = float(seconds(pulls[number].model.interval))
        wait_s = (
            interval_s if asked_s in (None, 0) else min(interval_s, wait_after(failed[number], float(asked_s or 0)))
        )
        heapq.heappush(due, (time.monotonic() + wait_s, number))
    return 0


def _ask(landing: Landing, each: Pull, output: Output) -> float | None:
    """Ask one; 0: done; None: it failed in a way that only its next turn may mend; else after how long to try again."""
    from connectors import MissingSecret
    from connectors.web import BadAnswer
    from schemas import TryLater

    name, shown = each.model.name, 0

    def tell_bad(number: int, faults: Sequence[FieldFault]) -> None:
        nonlocal shown
        shown += 1
        if shown <= MOST_SHOWN:
            output.warn(f"{name}: row {number}: " + "; ".join(f"{field}: {what}" for field, what in faults))

    try:
        pulled = each.run(landing, tell_bad)
    except TryLater as error:
        output.warn(str(error))
        return max(error.delay_s, 1.0)
    except (BadAnswer, MissingSecret) as error:
        output.error(str(error))
        return None
    output.done(f"pulled {name}: {pulled.rows} rows on {pulled.pages} pages, {pulled.bad} bad")
    return 0
