"""A server started for a test or a benchmark: waits until it answers, and does not outlive its owner.

Whoever started it stops it. On Linux it is also killed by the system when its owner is: by any signal, SIGKILL too.

Called by `bench.kafka_server` and the tests' Connect, PostgreSQL, embedded broker and Prometheus.
"""

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import StagewatchError

HOST = "127.0.0.1"
POLL_S = 0.05
PORTS = (15000, 32000)
_PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when the thread that started it ends."""
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class StartFailed(StagewatchError):
    """The server ended or stayed silent; the message carries the end of its log."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now; all different.

    Below the range from which the system takes ports for outgoing connections (32768 and up on
    Linux): one of those could be taken by a client while its server restarts.
    """
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            port = random.SystemRandom().randrange(*PORTS)
            with contextlib.suppress(OSError):
                held.enter_context(socket.socket()).bind((HOST, port))
                found.append(port)
    return found


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _bound_to_owner() -> Callable[[], None] | None:
    """Give what a new process does first so that it ends with this one; None where that cannot be had.

    Not in a thread other than the main one: the server would end with the thread.
    """
    libc, owner = _libc, os.getpid()
    if libc is None or threading.current_thread() is not threading.main_thread():
        return None

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != owner:  # it ended in between
            os._exit(1)

    return bind


@dataclass(slots=True)
class ServerProcess:
    """One server program. `start`, `stop` and `kill` may be called again and again, in any order."""

    command: Sequence[str]
    log: Path
    """Both output streams, appended over restarts."""
    is_ready: Callable[[], bool]
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 20.0
    stop_signal: signal.Signals = signal.SIGTERM
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def is_running(self) -> bool:
        """Whether the process exists."""
        return self.pid is not None

    def start(self) -> None:
        """Start it and return once it is ready; raises `StartFailed`."""
        if self.is_running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=_bound_to_owner(),  # noqa: PLW1509 - one system call, that takes no lock
            )
        deadline = time.monotonic() + self.start_timeout_s
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise StartFailed(f"{self.command[0]} did not become ready:\n{self.log_tail()}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Ask it to end, kill it if it does not."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(self.stop_timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that it wrote."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
