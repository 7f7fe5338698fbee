"""The rows of a file that could not be taken, in a file beside their reasons, to be mended and loaded alone."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.files.intake import FileRow
from connectors.files.spoilt import Spoilt

REASON = "_why"
"""The column that is added; an import ignores it."""


class Rejects:
    """A CSV file that is made when the first row is refused; a context manager."""

    def __init__(self, path: Path, head: Sequence[str]) -> None:
        self.path = path
        self._head = head
        self._file: io.TextIOWrapper | None = None

    def __enter__(self) -> Self:
        """Give itself; nothing is made yet."""
        return self

    def add(self, row: FileRow) -> None:
        """Write one row, with its row number and what is wrong with it."""
        if self._file is None:
            # With the mark that makes spreadsheets read UTF-8.
            self._file = self.path.open("w", encoding="utf-8-sig", newline="")
            csv.writer(self._file).writerow([*self._head, REASON])
        cells = ["" if cell is None or isinstance(cell, Spoilt) else str(cell) for cell in row.cells][: len(self._head)]
        cells += [""] * (len(self._head) - len(cells))
        why = "; ".join(f"{column}: {what}" for column, what in row.faults)
        csv.writer(self._file).writerow([*cells, f"row {row.number}: {why}"])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
