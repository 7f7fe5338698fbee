"""A real worker process, `stagewatch worker`, as a user starts it."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.server_process import ServerProcess

STAGEWATCH = Path(sys.executable).with_name("stagewatch")
READY = re.compile(r"^ready: (\d+) partitions", re.MULTILINE)
METRICS = re.compile(r"^metrics: (http://(\S+)/metrics)", re.MULTILINE)
START_S = 180.0
"""Three seconds where a machine is there for it, and minutes where others have it."""
STOP_S = 10.0
"""SIGTERM ends a worker within this (contract, section 8)."""


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """One worker; what it says goes to its log."""

    server: ServerProcess
    data_dir: Path

    @property
    def said(self) -> str:
        """All it has written so far."""
        return self.server.log.read_text(encoding="utf-8", errors="replace")

    @property
    def metrics_url(self) -> str:
        return self._metrics()[1]

    @property
    def metrics_address(self) -> str:
        """`host:port` for Prometheus."""
        return self._metrics()[2]

    def log_tail(self) -> str:
        return self.server.log_tail()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self.server.kill()

    def stop(self) -> None:
        """Ask it to end (SIGTERM)."""
        self.server.stop()

    def _metrics(self) -> re.Match[str]:
        found = list(METRICS.finditer(self.said))
        assert found, f"the worker did not say where its metrics are:\n{self.log_tail()}"
        return found[-1]


def start_worker(broker: str, folder: Path, **settings: str) -> WorkerProcess:
    """Start one and return once it is ready. `settings` by their keys; metrics on any free port.

    Workers that share `folder` share nothing but their log's parent: each has a data folder of its own.
    """
    number = sum(each.is_dir() for each in folder.glob("worker-*"))
    data_dir = folder / f"worker-{number}"
    data_dir.mkdir()
    log = folder / f"worker-{number}.log"
    chosen = {"broker": broker, "data_dir": str(data_dir), "metrics_port": "0", **settings}
    variables = [f"STAGEWATCH_{key.upper()}={value}" for key, value in chosen.items()]
    server = ServerProcess(
        ["env", *variables, str(STAGEWATCH), "worker"],
        log,
        lambda: READY.search(log.read_text(encoding="utf-8", errors="replace")) is not None,
        start_timeout_s=START_S,
        stop_timeout_s=STOP_S,
    )
    server.start()
    return WorkerProcess(server, data_dir)


@contextmanager
def running_worker(broker: str, folder: Path, **settings: str) -> Iterator[WorkerProcess]:
    """`start_worker`, and kill it at the end if it still runs."""
    worker = start_worker(broker, folder, **settings)
    try:
        yield worker
    finally:
        worker.kill()
