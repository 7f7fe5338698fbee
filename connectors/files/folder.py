"""A watched folder: which files are complete, whose rows they are, and where they go when they have been read.

A file belongs to a table by its name: `mkt.mkt_app.csv`, `mkt.mkt_app-20260302.csv`; or all of it is the table:
`mkt.mkt_app.full-20260302.xlsx`. It is complete when it is there under its final name: whoever writes it renames it
when done, or, with `--marker`, puts `<name>.done` beside it, which may hold the number of its rows.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

SUFFIXES = frozenset({".csv", ".txt", ".tsv", ".xlsx", ".xlsm"})
MARKER = ".done"
DONE, FAILED = "done", "failed"
"""Folders beside the files."""
_PART = (".tmp", ".part", ".partial", ".filepart", ".crdownload")
"""How programs call files that they are still writing."""


class Arrival(NamedTuple):
    """A complete file."""

    path: Path
    table: str
    """`source.table`, as the name says it; "" if it says none."""
    is_full: bool
    expected_rows: int | None
    """What its marker says."""


def arrivals(folder: Path, tables: frozenset[str], *, needs_marker: bool) -> Iterator[Arrival]:
    """Give the complete files, oldest first; equal times by name."""
    files = [path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES]
    for path in sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name)):
        marker = marker_of(path)
        if path.name.startswith(".") or path.name.lower().endswith(_PART) or (needs_marker and not marker.exists()):
            continue
        table, is_full = table_of(path, tables)
        yield Arrival(path, table, is_full, _rows_of(marker))


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


def _rows_of(marker: Path) -> int | None:
    try:
        text = marker.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isascii() and text.isdigit() else None


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
