"""Worker processes of a world: started, killed, frozen, thawed, asked to end; with data and a log of their own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.fault import stacks

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ("-m", "stagewatch", "worker")
READY = re.compile(r"^ready: \d+ partitions", re.MULTILINE)
POLL_S = 0.02
TOLD_WITHIN_S = 0.5
PATIENCE_S = 90.0
"""A machine that others work on, too."""
STOP_S = 90.0
"""SIGTERM ends a worker within 10 s (contract, section 8) where a machine is there for it; a hang lasts for ever."""


class NotInTime(Exception):
    """What was waited for did not happen; the message carries the end of the log."""


class Worker:
    """One process. `number` counts from 1 within its world; its log is `worker-<number>.log`."""

    def __init__(self, number: int, folder: Path, settings: Mapping[str, str], program: Sequence[str] = PLAIN) -> None:
        """Start it; it is not ready yet. `program`: what to run, as arguments of this Python."""
        self.number, self.program = number, tuple(program)
        self.data_dir = folder / f"worker-{number}"
        self.data_dir.mkdir()
        self.log = folder / f"worker-{number}.log"
        self.store = settings.get("store") or f"sqlite:///{self.data_dir / 'store.db'}"
        self.is_frozen = self.was_frozen = False
        self.started = time.monotonic()
        chosen = {"data_dir": str(self.data_dir), "metrics_port": "0", **settings, "store": self.store}
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("STAGEWATCH_")}
        ours = {f"STAGEWATCH_{name.upper()}": value for name, value in chosen.items()}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT,
                env={**foreign, **ours},
            )  # fmt: skip

    @property
    def said(self) -> str:
        """All it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def is_running(self) -> bool:
        """Whether the process exists (frozen ones do)."""
        return self.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it is ready."""
        return READY.search(self.said) is not None

    @property
    def has_begun(self) -> bool:
        """Whether it has said anything: it is beyond its start and talks to the broker."""
        return self.log.stat().st_size > 0

    @property
    def is_stopped(self) -> bool:
        """Whether it stands still by SIGSTOP, its own or ours."""
        try:
            status = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] == "T"

    def wait(self, what: str, is_so: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait until something holds while the process lives. Raises NotInTime."""
        deadline = time.monotonic() + timeout_s
        while not is_so():
            if not self.is_running or time.monotonic() > deadline:
                raise NotInTime(f"worker {self.number}: {what}; exit {self.process.poll()}\n{self.log_tail()}")
            time.sleep(POLL_S)

    def wait_ready(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it is ready. Raises NotInTime."""
        self.wait("not ready", lambda: self.is_ready, timeout_s)

    def wait_said(self, pattern: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until its log holds a match of the regular expression. Raises NotInTime."""
        self.wait(f"did not say {pattern!r}", lambda: re.search(pattern, self.said) is not None, timeout_s)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.send(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.is_frozen = self.was_frozen = True
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.is_frozen = False
        self.send(signal.SIGCONT)

    def ask_to_end(self) -> None:
        """SIGTERM; returns at once."""
        self.send(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM and wait; give the exit code. Raises NotInTime if it does not end."""
        self.thaw()
        self.ask_to_end()
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotInTime(f"worker {self.number} hung on SIGTERM\n{self.log_tail()}") from None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def tell_where(self) -> None:
        """Let it say in its log where it stands, if it is a watched one. Ends it if its loop has ended."""
        if "--watch" in self.program and self.has_begun:
            for number in (stacks.THREADS_BY, stacks.TASKS_BY):
                self.send(number)
                time.sleep(TOLD_WITHIN_S)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.said.splitlines()[-lines:])
