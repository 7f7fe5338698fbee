"""What one batch did to each row: the before-image that undo restores, on disk, one SQLite file a batch.

Why a file of its own: a batch of a million rows must neither fill memory nor the store, and whoever loses the file
loses no more than the undo of that batch.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from schemas import BEFORE_ALL, DATED, Columns, StagewatchError, ingested_position

FOLDER = "ingest"
"""Below `data_dir`."""
COMMIT_ROWS = 10_000
"""A commit costs milliseconds on a disk; a crash repeats no more than so many rows."""

_SET_UP = """
PRAGMA locking_mode = EXCLUSIVE; -- one process at a time works on a batch
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL; -- a crash of the machine may cost what this batch did last, and the topic tells it again
CREATE TABLE IF NOT EXISTS batch (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
    key TEXT PRIMARY KEY, row_no INTEGER, own TEXT, is_ours INTEGER NOT NULL, rec_key BLOB,
    position INTEGER, at INTEGER, image TEXT, written_ts INTEGER,
    passed_by TEXT, is_undone INTEGER NOT NULL DEFAULT 0, place INTEGER NOT NULL DEFAULT 0,
    said INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""


class Known(NamedTuple):
    """What the topic says about a row before (and beside) the batch."""

    key: str
    row_no: int | None
    own: Columns
    """Key and instance columns of the batch's row."""
    is_ours: bool
    """It is in the batch's file."""
    rec_key: bytes | None
    position: int
    """With `order` and `said` what the topic has told last, the batch's own row included (`schemas.Standing`)."""
    at: int | None
    """Arrival of what was known before, epoch ms; of a row that no capture wrote, its `src_ts`. None: nothing was."""
    image: Columns | None
    """None: there is no such row, or it was deleted."""
    written_ts: int | None
    """The `src_ts` under which the batch's row stands in the topic; None: it does not stand there (yet)."""
    passed_by: str | None
    """Who changed it later: a batch of files, or "" for all others; None: nobody."""
    is_undone: bool
    order: int = 0
    said: int = 0


class BusyBatch(StagewatchError):
    """Somebody else works on the batch."""


class Journal:
    """One batch's journal; a context manager. Raises BusyBatch.

    Changes are kept in steps of `COMMIT_ROWS` and at the end.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._db = sqlite3.connect(path, timeout=0)
        try:
            self._db.executescript(_SET_UP)
            self._take_over()
        except sqlite3.OperationalError as error:
            self._db.close()
            raise BusyBatch(f"{path}: another process works on this batch ({error})") from None
        self._pending = 0

    def _take_over(self) -> None:
        """Make an earlier version's journal one of this: of what stands it kept no more than the position before."""
        if any(column[1] == "said" for column in self._db.execute("PRAGMA table_info(rows)")):
            return
        self._db.execute("ALTER TABLE rows ADD COLUMN place INTEGER NOT NULL DEFAULT 0")
        self._db.execute("ALTER TABLE rows ADD COLUMN said INTEGER NOT NULL DEFAULT 0")
        zero = ingested_position(0)
        self._db.execute(  # each row of the batch said its time then
            "UPDATE rows SET said = written_ts + ?, place = ?, "
            "position = CASE WHEN position >= 0 THEN position ELSE written_ts + ? END WHERE written_ts IS NOT NULL",
            (zero, DATED, zero),
        )
        self._db.commit()

    # -- the batch

    def __getitem__(self, name: str) -> str:
        """Give a fact of the batch; "" if it was not set."""
        found = self._db.execute("SELECT value FROM batch WHERE name = ?", (name,)).fetchone()
        return found[0] if found else ""

    def note(self, **facts: str | int) -> None:
        """Set facts of the batch, and keep everything up to here."""
        self._db.executemany(
            "INSERT OR REPLACE INTO batch VALUES (?, ?)", [(name, str(value)) for name, value in facts.items()]
        )
        self.commit()

    def refuse(self, reason: str, at_ms: int, *, bad: int = 0, first: str = "") -> None:
        """Note that the batch was rejected and nothing of it written (R-D08); `first`: the first bad cell."""
        self.note(state="refused", reason=reason, refused_at=at_ms, bad=bad, first=first)

    def clear(self) -> None:
        """Forget everything: the batch begins anew."""
        self._db.executescript("DELETE FROM rows; DELETE FROM batch;")

    def facts(self) -> dict[str, str]:
        """Give all facts of the batch."""
        return dict(self._db.execute("SELECT name, value FROM batch ORDER BY name"))

    # -- its rows

    def add(self, key: str, row_no: int, own: Columns) -> int | None:
        """Take a row of the file; gives the row number of an earlier one with the same key, else None."""
        try:
            self._do("INSERT INTO rows (key, row_no, own, is_ours) VALUES (?, ?, ?, 1)", (key, row_no, json.dumps(own)))
        except sqlite3.IntegrityError:
            (earlier,) = self._db.execute("SELECT row_no FROM rows WHERE key = ?", (key,)).fetchone()
            return int(earlier)
        return None

    def get(self, key: str) -> Known | None:
        """Give what is known of a row; None if it is none of the journal's."""
        found = self._db.execute(_SELECT + " WHERE key = ?", (key,)).fetchone()
        return _known(found) if found else None

    def learn(self, known: Known) -> None:
        """Keep what the topic says about a row."""
        image = None if known.image is None else json.dumps(known.image, ensure_ascii=False, default=str)
        self._do(
            "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (known.key, known.row_no, json.dumps(known.own), known.is_ours, known.rec_key, known.position, known.at,
             image, known.written_ts, known.passed_by, known.is_undone, known.order, known.said),
        )  # fmt: skip

    def rows(self, condition: str = "1") -> Iterator[Known]:
        """Give the rows of a condition in the journal's own columns, by key."""
        with closing(self._db.cursor()) as cursor:
            for found in cursor.execute(f"{_SELECT} WHERE {condition} ORDER BY key"):
                yield _known(found)

    def count(self, condition: str = "1") -> int:
        """Count the rows of a condition."""
        (count,) = self._db.execute(f"SELECT COUNT(*) FROM rows WHERE {condition}").fetchone()  # noqa: S608 - our own
        return int(count)

    def _do(self, statement: str, values: Iterable[object]) -> None:
        self._db.execute(statement, tuple(values))
        self._pending += 1
        if self._pending >= COMMIT_ROWS:
            self.commit()

    def commit(self) -> None:
        """Keep everything up to here."""
        self._db.commit()
        self._pending = 0

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep and close, also after an error: what was written was written."""
        self.commit()
        self._db.close()


_SELECT = (
    "SELECT key, row_no, own, is_ours, rec_key, position, at, image, written_ts, passed_by, is_undone, place, said "
    "FROM rows"
)


def _known(found: tuple[object, ...]) -> Known:
    key, row_no, own, is_ours, rec_key, position, at, image, written_ts, passed_by, is_undone, order, said = found
    return Known(
        key, row_no, json.loads(str(own or "{}")), bool(is_ours), rec_key,  # type: ignore[arg-type]
        BEFORE_ALL if position is None else position, at, None if image is None else json.loads(str(image)),  # type: ignore[arg-type]
        written_ts, passed_by, bool(is_undone), order, said,  # type: ignore[arg-type]
    )  # fmt: skip
