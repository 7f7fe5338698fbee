"""The real worker of the demo: `stagewatch worker` in a process of its own, as a user would start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from schemas import StagewatchError

READY = re.compile(rb"^ready: (\d+) partitions", re.MULTILINE)
METRICS = re.compile(rb"^metrics: (http://\S+)", re.MULTILINE)
STOP_S = 12.0
"""SIGTERM ends a worker within 10 s (contract, section 8)."""
TAIL_LINES = 15


class WorkerFailed(StagewatchError):
    """The demo's worker ended by itself; the message carries the end of its log."""


class WorkerProcess:
    """One worker process; what it says goes to `log`."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        """Start it. Only `settings` (by key) reach it, none of the caller's own."""
        self._log = log
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STAGEWATCH_")}
        chosen = {f"STAGEWATCH_{key.upper()}": value for key, value in settings.items()}
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stagewatch", "worker"], env={**inherited, **chosen}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,  # Ctrl-C is the demo's; it stops the worker itself
            )  # fmt: skip

    @property
    def is_ready(self) -> bool:
        """It has said so. Raises WorkerFailed if it has ended."""
        self.check()
        return READY.search(self._log.read_bytes()) is not None

    def check(self) -> None:
        """Raise WorkerFailed if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise WorkerFailed(f"the worker ended with {code}:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """Give the last lines that it said."""
        lines = self._log.read_bytes().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def metric(self, name: str) -> float | None:
        """Give the sum of a metric over its labels; None if it cannot be had."""
        found = METRICS.search(self._log.read_bytes())
        if found is None:
            return None
        try:
            with urllib.request.urlopen(found[1].decode(), timeout=2) as answer:  # noqa: S310 - its own /metrics
                lines = answer.read().decode().splitlines()
        except OSError:
            return None
        values = [float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[ {{]", line)]
        return sum(values) if values else None

    def stop(self) -> int:
        """Ask it to end (SIGTERM), kill it if it does not; give its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + STOP_S
            while self._process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            if self._process.poll() is None:
                self._process.kill()
        return self._process.wait()
