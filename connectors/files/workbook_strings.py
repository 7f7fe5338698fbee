"""The texts of a workbook, kept on disk while it is read.

A workbook holds every text of its cells once, in a table of its own, and openpyxl keeps that table in memory: 100,000
rows of distinct texts take 60 MB. Here it takes eight bytes a text.
"""

from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

_STRING = f"{{{SHEET_MAIN_NS}}}si"
_ESCAPED_UNDERSCORE = "x005F_"
"""Excel writes `_x005F_` for an underscore that could be taken for an escape."""


class StringsOnDisk:
    """A table of texts by number, in a file that nobody sees."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - as long as the workbook is open
        self._places = array("Q", [0])

    def fill(self, source: IO[bytes]) -> None:
        """Take the table of a workbook."""
        at = 0
        for text in _texts(source):
            at += self._file.write(text.encode("utf-8", "surrogatepass"))
            self._places.append(at)
        self._file.flush()

    def __len__(self) -> int:
        return len(self._places) - 1

    def __getitem__(self, number: int) -> str:
        """Give a text. Raises IndexError."""
        if not 0 <= number < len(self):
            raise IndexError(f"no text {number} in the workbook's table")
        begin, end = self._places[number], self._places[number + 1]
        self._file.seek(begin)
        return self._file.read(end - begin).decode("utf-8", "surrogatepass")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _texts(source: IO[bytes]) -> Iterator[str]:
    events = iterparse(source, events=("start", "end"))
    _, root = next(events)
    for event, node in events:
        if event == "end" and node.tag == _STRING:
            text: Any = Text.from_tree(node)
            yield text.content.replace(_ESCAPED_UNDERSCORE, "")
            root.clear()  # else the tree keeps an empty element for each


class _Reader(ExcelReader):
    def __init__(self, path: Path, strings: StringsOnDisk) -> None:
        super().__init__(path, read_only=True, data_only=True)
        self._strings = strings

    def read_strings(self) -> None:
        package: Any = self.package
        found = package.find(SHARED_STRINGS)
        if found is not None:
            with self.archive.open(found.PartName.removeprefix("/")) as source:
                self._strings.fill(source)
            self.shared_strings: Any = self._strings


def load_workbook(path: Path, strings: StringsOnDisk) -> Any:  # noqa: ANN401 - openpyxl's, without types
    """Open a workbook to be read row by row, its values and not its formulas; `strings` takes its texts."""
    reader = _Reader(path, strings)
    reader.read()
    return reader.wb
