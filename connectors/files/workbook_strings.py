"""The texts of a workbook, kept on disk while it is read.

A workbook holds every text of its cells once, in a table of its own, and openpyxl keeps that table in memory: 100,000
rows of distinct texts take 60 MB. Here it takes eight bytes a text.
"""

from array import array
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any
from xml.etree.ElementTree import iterparse

from openpyxl.cell.text import Text
from openpyxl.xml.constants import SHEET_MAIN_NS

from connectors.files.workbook_rows import Portioned, unescaped

MOST_TEXTS = 1 << 24
"""Sixteen for each row that a sheet can have; their places take 128 MB then, and a made-up file could hold more."""
_STRING = f"{{{SHEET_MAIN_NS}}}si"


class StringsOnDisk:
    """A table of texts by number, in a file that nobody sees."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - as long as the workbook is open
        self._places = array("Q", [0])

    def fill(self, source: Portioned) -> None:
        """Take the table of a workbook. Raises ValueError where it is no person's, and what the XML parser raises."""
        at = 0
        for text in _texts(source):
            if len(self) == MOST_TEXTS:
                raise ValueError(f"more than {MOST_TEXTS} texts; cut the file into several")
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


def _texts(source: Portioned) -> Iterator[str]:
    events = iterparse(source, events=("start", "end"))  # noqa: S314 - expat bounds entities itself
    _, root = next(events)
    for event, node in events:
        if event == "end" and node.tag == _STRING:
            text: Any = Text.from_tree(node)
            yield unescaped(text.content)
            root.clear()  # else the tree keeps an empty element for each
            source.let_go()
