"""The Faust app: what of Faust's own start is left out."""

import asyncio
from pathlib import Path

from streams.config import WorkerConfig
from streams.faust_app import make_app

TURNS = 1000
"""Of the event loop: milliseconds, while Faust's own manager of tables waits a second."""


def test_subscribing_does_not_wait_for_tables_that_are_not_there(tmp_path: Path) -> None:
    async def is_said_at_once() -> bool:
        app = make_app(WorkerConfig(broker="kafka://127.0.0.1:1", data_dir=str(tmp_path)), "client")
        starting = asyncio.ensure_future(app.tables.on_start())
        try:
            for _ in range(TURNS):
                if starting.done():
                    break
                await asyncio.sleep(0)
            return starting.done() and bool(app.tables._tables_registered.is_set())  # noqa: SLF001 - what Faust waits for
        finally:
            starting.cancel()
            await app.tables.recovery.stop()

    assert asyncio.run(is_said_at_once())
