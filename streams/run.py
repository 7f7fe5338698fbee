"""The process of one worker: from its start to its exit code."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable

from rules import Definitions
from schemas import Broken, TryLater
from streams import log as logs
from streams.config import WorkerConfig
from streams.discovery import Restart
from streams.partitions import EXIT_BROKEN
from streams.sources import Sources
from streams.worker import Worker, log

EXIT_FAILED = 1
"""It did not start: nothing of ours is broken."""
GC_THRESHOLD = (200_000, 20, 20)
"""The collector of cycles looks at every record that is on its way, again and again: by default it took a third of
the time. What the hot path makes has no cycles; those of tasks and exceptions can wait."""


def run_worker(
    config: WorkerConfig, definitions: Definitions, sources: Sources, *, restart: Callable[[], None] | None = None,
    is_verbose: bool = False,
) -> int:  # fmt: skip
    """Run one worker until SIGTERM; give the exit code of the process.

    `restart` is called when the worker should begin anew with more captured topics; by default the process
    replaces itself with the same command line, so that nothing of the old state can stay behind.
    `is_verbose`: an error is logged with its traceback.
    """
    logs.set_up(level=config.log_level, form=config.log_format, is_verbose=is_verbose)
    gc.set_threshold(*GC_THRESHOLD)
    worker = Worker(config, definitions, sources)
    try:
        asyncio.run(worker.run())
    except Restart:
        (restart or _replace_process)()
        return 0
    except TryLater as exc:
        log.error("%s", exc)
        return EXIT_FAILED
    except Exception as exc:  # noqa: BLE001 - the border of the process
        log.critical("broken, leaving: %s", exc, exc_info=None if isinstance(exc, Broken) else exc)
        return EXIT_BROKEN
    finally:
        worker.last_resort.disarm()
    return 0


def _replace_process() -> None:
    logging.shutdown()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line again
