"""Which requests have been taken, so that one sent again is not written again; on disk, so over a restart too."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

KEPT_MS = 86_400_000
"""A day: senders give up long before."""


class Seen(NamedTuple):
    """A request by its key."""

    digest: str
    src_ts: int
    """When it came first, epoch ms."""
    is_done: bool
    is_first: bool
    """It has not come before."""


class Repeats:
    """Requests by key."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path)
        self._db.executescript(
            "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS requests "
            "(key TEXT PRIMARY KEY, digest TEXT, src_ts INTEGER, is_done INTEGER) WITHOUT ROWID;"
        )

    def begin(self, key: str, digest: str, src_ts: int) -> Seen:
        """Give the request of this key: this one, or the first of its repeats."""
        with self._db:
            self._db.execute("DELETE FROM requests WHERE src_ts < ?", (src_ts - KEPT_MS,))
            added = self._db.execute("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, 0)", (key, digest, src_ts))
        found = self._db.execute("SELECT digest, src_ts, is_done FROM requests WHERE key = ?", (key,)).fetchone()
        return Seen(found[0], int(found[1]), bool(found[2]), added.rowcount == 1)

    def end(self, key: str) -> None:
        """Keep that Kafka has what the request brought."""
        with self._db:
            self._db.execute("UPDATE requests SET is_done = 1 WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
