"""A watched folder: which files are complete, whose rows they are, and where they go when they have been read.

A file belongs to a table by its name: `mkt.mkt_app.csv`, `mkt.mkt_app-20260302.csv`; or all of it is the table:
`mkt.mkt_app.full-20260302.xlsx`. It is complete when `<name>.done` lies beside it, or when it has not changed for a
while; a whole table only with its marker. The marker may hold the number of rows, and behind it when they were read
(`1200 2026-03-02T01:00:00+08:00`; by default the file's own time).
"""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

SUFFIXES = frozenset({".csv", ".txt", ".tsv", ".xlsx", ".xlsm"})
MARKER = ".done"
DONE, FAILED = "done", "failed"
"""Folders beside the files."""


class Arrival(NamedTuple):
    """A complete file."""

    path: Path
    table: str
    """`source.table`, as the name says it; "" if it says none."""
    is_full: bool
    expected_rows: int | None
    """What its marker says."""
    as_of: int
    """When its rows were read at their source, epoch ms, as well as that is known."""


class Arrivals:
    """Looks at one folder, again and again."""

    def __init__(self, folder: Path, tables: frozenset[str], *, needs_marker: bool, settle_s: float) -> None:
        """`settle_s`: how long a file without a marker must look the same before it counts as complete."""
        self._folder, self._tables = folder, tables
        self._needs_marker, self._settle_s = needs_marker, settle_s
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}
        self.settling: list[Path] = []
        """Files of the last look that a later one may find complete."""
        self.unmarked: dict[Path, float] = {}
        """Files of the last look that are not taken without their marker; for how many seconds they are as they are."""

    def look(self, now_s: float) -> list[Arrival]:
        """Give the complete files, oldest first, equal times by name. `now_s`: of a clock that never goes back."""
        files = [path for path in self._folder.iterdir() if path.suffix.lower() in SUFFIXES]
        looks = {path: look for path in files if not path.name.startswith(".") if (look := _look_of(path)) is not None}
        self._seen = {path: self._since(path, look, now_s) for path, look in looks.items()}
        found, self.settling, self.unmarked = list[Arrival](), [], {}
        for path in sorted(looks, key=lambda path: (looks[path][1], path.name)):
            table, is_full = table_of(path, self._tables)
            unchanged_s = now_s - self._seen[path][1]
            if marker_of(path).exists():
                found.append(Arrival(path, table, is_full, *_marked(path, looks[path][1])))
            elif self._needs_marker or is_full:
                self.unmarked[path] = unchanged_s
            elif unchanged_s >= self._settle_s:
                found.append(Arrival(path, table, is_full, *_marked(path, looks[path][1])))
            else:
                self.settling.append(path)
        return found

    def _since(self, path: Path, look: tuple[int, int], now_s: float) -> tuple[tuple[int, int], float]:
        known = self._seen.get(path)
        return known if known is not None and known[0] == look else (look, now_s)


def _look_of(path: Path) -> tuple[int, int] | None:
    """Give size and time of change, which both move while somebody writes; None for what is no file (any more)."""
    with suppress(FileNotFoundError):
        stat = path.stat()
        return (stat.st_size, stat.st_mtime_ns) if S_ISREG(stat.st_mode) else None
    return None


def table_of(path: Path, tables: frozenset[str]) -> tuple[str, bool]:
    """Give the table that a file's name says, and whether it is all of it; ("", False) if it names none.

    The longest known name wins: `mkt.mkt_app_progress-1.csv` is not of `mkt.mkt_app`.
    """
    name = path.name[: -len(path.suffix)].lower()
    for table in sorted(tables, key=len, reverse=True):
        rest = name.removeprefix(table)
        if rest != name and re.fullmatch(r"(\.full)?([-.].*|_\d.*)?", rest):
            return table, rest.startswith(".full")
    return "", False


def marker_of(path: Path) -> Path:
    """Give where a file's marker stands."""
    return path.with_name(path.name + MARKER)


def _marked(path: Path, changed_ns: int) -> tuple[int | None, int]:
    """Give how many rows a file must have, and when they were read: what its marker says, else the file's time."""
    try:
        words = marker_of(path).read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        words = []
    rows = int(words[0]) if words and words[0].isascii() and words[0].isdigit() else None
    written_ms = min(changed_ns // 1_000_000, int(time.time() * 1000))
    try:
        said = datetime.fromisoformat(words[1]) if len(words) > 1 else None
    except ValueError:
        said = None
    return rows, int(said.timestamp() * 1000) if said is not None and said.tzinfo is not None else written_ms


def put_away(path: Path, folder: str, report: Mapping[str, object]) -> Path:
    """Move a file with a report beside it (`<name>.report.json`); gives where it is now.

    The report is written first, so that a file that has been moved always has one. A file of the same name that is
    there already is kept.
    """
    target = path.parent / folder
    target.mkdir(exist_ok=True)
    place = target / path.name
    number = 1
    while place.exists():
        number += 1
        place = target / f"{path.stem}~{number}{path.suffix}"
    text = json.dumps(report, ensure_ascii=False, indent=1)
    place.with_name(place.name + ".report.json").write_text(text + "\n", encoding="utf-8")
    path.replace(place)
    marker_of(path).unlink(missing_ok=True)
    return place
