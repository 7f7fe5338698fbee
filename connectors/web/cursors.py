"""How far each endpoint has been read, and which of its bad rows have been told; on disk.

A cursor's values are ordered as its `start` is: numbers as numbers, times by the moment, all else as text.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from connectors.outside_rows import is_text
from connectors.web.pull_models import CursorModel

_NUMBER = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?", re.ASCII)
"""As wide as databases' own numbers; more would be no row's."""

Moment = Callable[[object], int]
"""Gives a time as epoch ms; raises ValueError for what is none, or lies in the future."""


class Place(NamedTuple):
    """How far: comparable with others of the same cursor."""

    rank: Decimal
    """The number, or epoch ms; 0 for text."""
    text: str
    """As the endpoint is asked; tells two places of one millisecond apart."""


class Order:
    """The order of one cursor's values."""

    def __init__(self, cursor: CursorModel, moment: Moment) -> None:
        """`moment` may be asked for `start`, too."""
        self._moment = moment
        self.is_number = _NUMBER.fullmatch(cursor.start) is not None
        self.is_time = not self.is_number and _is_time(moment, cursor.start)

    def place(self, value: object) -> Place:
        """Give where a value stands. Raises ValueError for one that does not fit in the order."""
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise ValueError("neither text nor a number")  # noqa: TRY004 - as for other cells
        if not is_text(str(value)):
            raise ValueError("half of a surrogate pair, and no text")
        if self.is_time:
            return Place(Decimal(self._moment(value)), str(value))
        text = str(value)
        if not self.is_number:
            return Place(Decimal(0), text)
        if not _NUMBER.fullmatch(text):
            raise ValueError("no number, and the cursor starts at one")
        return Place(Decimal(text), text)


def _is_time(moment: Moment, start: str) -> bool:
    try:
        moment(start)
    except ValueError:
        return False
    return True


class Cursors:
    """How far each endpoint has been read, by its name."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path)
        self._db.executescript(
            "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS refused (name TEXT, digest BLOB, PRIMARY KEY (name, digest)) WITHOUT ROWID;"
        )

    def get(self, name: str) -> str | None:
        """Give what was read last; None at the first time."""
        found = self._db.execute("SELECT value FROM cursors WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def set(self, name: str, value: str) -> None:
        """Keep what was read; after Kafka has it."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (name, value))

    def refused(self, name: str) -> frozenset[bytes]:
        """Give the digests of the bad rows that have been told."""
        found = self._db.execute("SELECT digest FROM refused WHERE name = ?", (name,))
        return frozenset(bytes(digest) for (digest,) in found)

    def refuse(self, name: str, digests: Iterable[bytes]) -> None:
        """Keep that bad rows have been told; after Kafka has them."""
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO refused VALUES (?, ?)", [(name, each) for each in digests])

    def forget(self, name: str, digests: Iterable[bytes]) -> None:
        """Forget bad rows that the endpoint gives no more."""
        with self._db:
            self._db.executemany(
                "DELETE FROM refused WHERE name = ? AND digest = ?", [(name, each) for each in digests]
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()
