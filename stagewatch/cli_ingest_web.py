"""`stagewatch ingest serve` and `pull`: rows from web services, pushed by others or asked for by us."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, bootstrap_of, command, settings_from, settings_option

if TYPE_CHECKING:
    from connectors.web import Push, Repeats
    from schemas import TableMapping
    from stagewatch.output import Output
    from stagewatch.settings import Settings

PUSH_WAIT_S = 10.0
"""Longest that a request waits for Kafka before it is told to come again; HTTP clients give up after 30 s."""


@command(name="serve", short_help="Take rows that other systems push by HTTP.")
@click.option("--dry-run", is_flag=True, help="Only check the settings and say what would be served.")
@settings_option
def serve(*, config: Path | None, dry_run: bool) -> None:
    """Serve POST /ingest/SOURCE/TABLE until it is ended: a row, or an array of rows, as JSON.

    Each source needs a token (setting push_tokens). 202 means that Kafka has the rows.
    """
    from connectors import load_sources
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output)
    catalog = load_sources(list(settings.sources), settings.dialect_overrides)
    known = {mapping.source for mapping in catalog.mappings}
    unknown = sorted({source.lower() for source in settings.push_tokens} - known)
    if unknown:
        raise Failed(f"push_tokens: no source '{unknown[0]}'; known: {', '.join(sorted(known))}")
    if not settings.push_tokens:
        raise Failed("no source may push: name where its token is, push_tokens: {mob: env:MOB_TOKEN}")
    mappings = [m for m in catalog.mappings if m.source in {source.lower() for source in settings.push_tokens}]
    if dry_run:
        for mapping in mappings:
            output.line(f"/ingest/{mapping.source}/{mapping.table}")
        return
    push, repeats = _push(settings, mappings)
    try:
        asyncio.run(_serve(settings, output, push))
    finally:
        repeats.close()


def _push(settings: Settings, mappings: list[TableMapping]) -> tuple[Push, Repeats]:
    from connectors import Landing
    from connectors.files import FOLDER, TopicLog
    from connectors.web import Push, Rate, Repeats

    bootstrap = bootstrap_of(settings)
    repeats = Repeats(settings.data_dir / FOLDER / "push.db")
    push = Push(
        mappings, tokens=settings.push_tokens, connect=lambda: Landing(bootstrap, wait_s=PUSH_WAIT_S),
        look_back=lambda mapping: TopicLog(bootstrap, mapping), repeats=repeats,
        rate=Rate(settings.push_rows_per_s), max_bytes=settings.push_max_bytes, partitions=settings.partitions,
    )  # fmt: skip
    return push, repeats


async def _serve(settings: Settings, output: Output, push: Push) -> None:
    from aiohttp import web

    # What it handles is counted by who stands before it; an access log would hold customers' rows in its URLs.
    runner = web.AppRunner(push.application(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.push_host, settings.push_port)
        try:
            await site.start()
        except OSError as error:
            where = f"{settings.push_host}:{settings.push_port}"
            why = os.strerror(error.errno or 0)
            raise Failed(f"cannot listen on {where}: {why}; see push_host, push_port") from None
        host, port = runner.addresses[0][:2]
        output.say(f"ready: http://{host}:{port}/ingest/<source>/<table>")
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await ended.wait()
    finally:
        await runner.cleanup()
