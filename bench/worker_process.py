"""A real `stagewatch worker` under measurement: started with nothing but what is measured, watched from outside."""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from bench.server_process import ServerProcess
from schemas import StagewatchError

_TOOK_OVER = re.compile(r"took over (\d+) partitions: fenced in ([\d.]+) s, (\d+) changelog records in ([\d.]+) s")
_READY = re.compile(r"^ready: \d+ partitions", re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK")
START_S = 120.0
"""A million instances are read back in seconds; this is for a machine that does other things too."""
STOP_S = 12.0
"""SIGTERM must end a worker within 10 s."""


_SERIALS = count()
"""Tells workers apart that are of one application; `next` is atomic, several may be started at once."""


class WorkerDied(StagewatchError):
    """The worker under measurement is gone; the message carries the end of its log."""


class Moment(NamedTuple):
    """How far a worker was at one time."""

    wall_s: float
    cpu_s: float
    done: float


class TakeOver(NamedTuple):
    """What a worker said of one take-over."""

    partitions: int
    fenced_s: float
    records: int
    """Of the changelogs."""
    recovered_s: float


class Measured(NamedTuple):
    """What went by between two moments."""

    per_second: float
    per_core: float
    """Per CPU second of the worker process, all threads."""


def rate(begin: Moment, end: Moment) -> Measured:
    """Give the speed between two moments. Raises StagewatchError if nothing lies between them."""
    wall, cpu, done = end.wall_s - begin.wall_s, end.cpu_s - begin.cpu_s, end.done - begin.done
    if wall <= 0 or cpu <= 0 or done <= 0:
        raise StagewatchError("the run was too short to measure; ask for more --events")
    return Measured(done / wall, done / cpu)


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used so far, user and system (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class WorkerProcess:
    """One worker."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server

    @property
    def pid(self) -> int:
        """Its process id. Raises WorkerDied."""
        pid = self._server.pid
        if pid is None:
            raise WorkerDied(f"the worker ended in the middle of the run:\n{self._server.log_tail()}")
        return pid

    def cpu_s(self) -> float:
        """CPU seconds it has used so far, all threads."""
        return cpu_s(self.pid)

    def rss_mb(self) -> float:
        """Resident memory, MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def take_overs(self) -> list[TakeOver]:
        """What it said of each of its take-overs so far."""
        found = _TOOK_OVER.findall(self._server.log.read_text(errors="replace"))
        return [TakeOver(int(count), float(fenced), int(records), float(s)) for count, fenced, records, s in found]

    def at(self, done: float) -> Moment:
        """Give this moment, at which so much was done."""
        return Moment(time.monotonic(), self.cpu_s(), done)


@contextmanager
def running_worker(
    broker: str, folder: Path, application_id: str, agents: str | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[WorkerProcess]:
    """Start a worker, give it once it is ready, stop it at the end. Settings of this shell do not reach it.

    Args:
        broker: its setting of that name.
        folder: its data folder and its log go there; may hold those of others.
        application_id: its setting of that name. Several workers of one may run, also one after the other.
        agents: what of it runs; None: all.
        settings: further ones, by key.
    """
    name = f"{application_id}-{next(_SERIALS)}"
    data_dir, log = folder / name, folder / f"{name}.log"
    data_dir.mkdir(parents=True)
    chosen = {
        "broker": broker, "application_id": application_id, "data_dir": str(data_dir),
        "store": f"sqlite:///{data_dir / 'store.db'}", **(settings or {}),
    }  # fmt: skip
    foreign = [part for name in os.environ if name.startswith("STAGEWATCH_") for part in ("-u", name)]
    variables = [f"STAGEWATCH_{name.upper()}={value}" for name, value in chosen.items()]
    program = str(Path(sys.executable).with_name("stagewatch"))
    command = ["env", *foreign, *variables, program, "worker", *(("--agents", agents) if agents else ())]
    server = ServerProcess(
        command, log, lambda: log.exists() and _READY.search(log.read_text(errors="replace")) is not None,
        start_timeout_s=START_S, stop_timeout_s=STOP_S,
    )  # fmt: skip
    server.start()
    try:
        yield WorkerProcess(server)
    finally:
        server.stop()
