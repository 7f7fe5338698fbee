"""What a worker is in the middle of, in a file that both it and the harness have in memory.

The worker writes, the harness aims and looks: what stands there after a SIGKILL is what the worker died in.
"""

import mmap
from enum import IntEnum
from pathlib import Path


class Phase(IntEnum):
    """A window that a fault should hit."""

    FENCING = 0
    RECOVERY = 1
    REBALANCE = 2
    TRANSACTION = 3


class Phases:
    """One byte a phase: how many of it are under way (0 to 255)."""

    def __init__(self, path: str | Path) -> None:
        """Open the file, made if it is not there."""
        self.path = Path(path)
        with self.path.open("a+b") as file:
            if file.seek(0, 2) < len(Phase):
                file.truncate(len(Phase))
            self._bytes = mmap.mmap(file.fileno(), len(Phase))

    def add(self, phase: Phase, number: int) -> None:
        """Count one more, or one less."""
        self._bytes[phase] = max(self._bytes[phase] + number, 0)

    def set(self, phase: Phase, number: int) -> None:
        """Set the count."""
        self._bytes[phase] = number

    def is_in(self, phase: Phase) -> bool:
        """Whether it is under way."""
        return self._bytes[phase] > 0

    @property
    def current(self) -> list[Phase]:
        """All that is under way."""
        return [phase for phase in Phase if self.is_in(phase)]
