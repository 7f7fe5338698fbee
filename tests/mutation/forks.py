"""Forked children, a few at a time: each puts in its mutant, runs what it is told, and is gone with all it changed."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

Job = TypeVar("Job")
KILLED, SURVIVED, REFUSED = 1, 0, 3
"""How a child ends; by a signal or with any other number: killed, too."""
MEMORY_BYTES = 6 << 30
"""A mutant that never stops collecting is stopped before the machine is; a run takes less than a tenth."""
WALL_S = 300
"""A mutant that waits for ever burns no CPU time; the longest run takes a tenth of it even on a busy machine."""


def run_all(
    jobs: Iterable[Job], run: Callable[[Job], int], *, workers: int, cpu_s: int, until: float
) -> Iterator[tuple[Job, int]]:
    """Run each job in a child of its own and give how it ended, in order of ending; begin none after `until`.

    `cpu_s`: CPU seconds after which a child counts as one that never ends. `until`: `time.monotonic()`.
    """
    running: dict[int, Job] = {}
    waiting = iter(jobs)
    is_open = True
    while is_open or running:
        while is_open and len(running) < workers:
            job = next(waiting, None) if time.monotonic() < until else None
            if job is None:
                is_open = False
                break
            running[_child(job, run, cpu_s)] = job
        if running:
            pid, status = os.wait()
            if pid in running:
                yield running.pop(pid), os.waitstatus_to_exitcode(status)


def _child(job: Job, run: Callable[[Job], int], cpu_s: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = KILLED
    with suppress(BaseException):
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(WALL_S)
        silence()
        code = run(job)
    os._exit(code)


def silence() -> None:
    """Send what a child prints nowhere: hundreds of failing tests have nothing to say."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
