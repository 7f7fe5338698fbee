"""Where batches lie on their way: a folder that an isolation device empties into another, or a database table.

A box holds bytes by number. Putting the same number again changes nothing that matters; what is taken is whole or not
there.
"""

import os
import re
from pathlib import Path
from typing import Protocol

_NAME = re.compile(r"(\d{12})\.relay")


class Box(Protocol):
    """One direction of a link. Every method raises OSError or TryLater while the link is down."""

    def put(self, number: int, data: bytes) -> None:
        """Lay down a batch, whole or not at all; again: the same."""

    def numbers(self) -> list[int]:
        """Give the numbers that lie there, sorted."""

    def take(self, number: int) -> bytes | None:
        """Give a batch; None if it is not there."""

    def drop(self, number: int) -> None:
        """Remove a batch; one that is not there is no fault."""

    def set_aside(self, number: int) -> None:
        """Keep what cannot be trusted for a person to look at, out of the way."""


class FolderBox:
    """A folder with one file a batch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, number: int, data: bytes) -> None:
        """Write beside, flush to the disk, then rename."""
        beside = self._folder / f".{number:012d}.{os.getpid()}.tmp"
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path(number))

    def numbers(self) -> list[int]:
        """Look at the names; what is still being written begins with a dot."""
        return sorted(int(match[1]) for path in self._folder.iterdir() if (match := _NAME.fullmatch(path.name)))

    def take(self, number: int) -> bytes | None:
        """Read the file."""
        try:
            return self._path(number).read_bytes()
        except FileNotFoundError:
            return None

    def drop(self, number: int) -> None:
        """Delete the file."""
        self._path(number).unlink(missing_ok=True)

    def set_aside(self, number: int) -> None:
        """Move it to `bad/`."""
        bad = self._folder / "bad"
        bad.mkdir(exist_ok=True)
        self._path(number).replace(bad / self._path(number).name)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.relay"
