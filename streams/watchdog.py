"""Ends a process that no longer does its work: lag grows and nothing is committed.

Consumers die silently in every client library (faust-streaming#175, aiokafka#1154). A supervisor can only start
again what has ended.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable

log = logging.getLogger("stagewatch.watchdog")


class Watchdog:
    """Pure: fed with lag and progress, says when it is time to leave."""

    def __init__(self, *, stall_s: float) -> None:
        self._stall_s = stall_s
        self._progress = -1
        self._lag = 0
        self._since: float | None = None

    def is_stalled(self, *, lag: int, progress: int, now: float) -> bool:
        """Note where things stand; True if lag has grown or stayed without any progress for too long.

        Args:
            lag: records not read of partitions that this worker owns.
            progress: any number that moves with every commit.
            now: seconds of a clock that only measures.
        """
        if progress != self._progress or lag == 0 or lag < self._lag:
            self._progress, self._lag, self._since = progress, lag, None
            return False
        self._lag = lag
        if self._since is None:
            self._since = now
        return self._stall_s > 0 and now - self._since >= self._stall_s


class LastResort:
    """Ends the process if an orderly end takes too long.

    A library's thread that waits for a broker out of reach outlives every cancellation. All that was committed
    is in the broker; whatever else there is would be forgotten anyway.
    """

    def __init__(self, *, leave: Callable[[int], None] = os._exit) -> None:
        self._leave = leave
        self._timer: threading.Timer | None = None

    def arm(self, code: int, *, after_s: float) -> None:
        """Leave with this exit code after so long, whatever the other threads do."""
        self._timer = threading.Timer(after_s, self._end, (code, after_s))
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        """The orderly end came; may be called at any time."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, code: int, after_s: float) -> None:
        log.error("still here %s s after the end began: leaving at once with exit code %d", after_s, code)
        logging.shutdown()
        self._leave(code)


async def stop_signal(loop: asyncio.AbstractEventLoop) -> None:
    """Return at SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    log.info("stopping")
