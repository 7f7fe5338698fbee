"""Cells of a workbook's sheet that look empty and are not: formulas nobody worked out, and what a merged cell covers.

openpyxl gives both as None, so a value would become null without a word. One look through the sheet's XML before its
rows are read; a sheet without formulas and merged cells costs only a search in its bytes.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO, NamedTuple
from xml.parsers import expat

_CHUNK = 1 << 20
_LONGEST_TAG = 64
"""Of those that are looked for, kept between chunks."""
_TELLING = re.compile(rb"<(?:\w+:)?(?:f|mergeCell)[\s/>]")
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})", re.ASCII)
MOST = 10_000
"""Cells that are kept by their places; a sheet with more was not made to be read as a table."""


class Spoilt(NamedTuple):
    """What stands in the place of such a cell's value."""

    why: str


NOT_WORKED_OUT = Spoilt("a formula without a value; open the file in a spreadsheet program and save it there")


Source = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens a sheet's XML."""
SpoiltCells = dict[int, dict[int, Spoilt]]
"""Row of the sheet to column, both from 1."""


class TooManySpoilt(ValueError):
    """More than `MOST` such cells; says where the first is."""


def spoilt_cells(sheet: Source) -> SpoiltCells:
    """Find them. Raises TooManySpoilt, ValueError, and what the XML parser raises."""
    with sheet() as source:
        if not _is_telling(source):
            return {}
    with sheet() as source:
        return _Look().at(source)


def _is_telling(source: IO[bytes]) -> bool:
    rest = b""
    while chunk := source.read(_CHUNK):
        if _TELLING.search(rest + chunk):
            return True
        rest = chunk[-_LONGEST_TAG:]
    return False


class _Look:
    """One pass through a sheet's XML (ECMA-376 part 1, 18.3.1)."""

    def __init__(self) -> None:
        self._found: SpoiltCells = {}
        self._count = self._row = self._column = 0
        self._is_text = self._has_formula = self._has_value = self._is_inside = False

    def at(self, source: IO[bytes]) -> SpoiltCells:
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text
        parser.ParseFile(source)
        return self._found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._row, self._column = int(attributes.get("r", self._row + 1)), 0
            case "c":
                place = _CELL.fullmatch(attributes.get("r", ""))
                self._column = _number(place[1]) if place else self._column + 1
                self._is_text = attributes.get("t") == "str"  # an empty text is a value
                self._has_formula = self._has_value = False
            case "f":
                self._has_formula = True
            case "v":
                self._is_inside = True
            case "mergeCell":
                for row, column in _covered(attributes.get("ref", "")):
                    self._note(row, column, Spoilt(f"covered by the merged cell {attributes['ref']}; unmerge it"))
            case _:
                pass

    def _text(self, text: str) -> None:
        self._has_value |= self._is_inside and not text.isspace()

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "v":
                self._is_inside = False
            case "c" if self._has_formula and not self._has_value and not self._is_text:
                self._note(self._row, self._column, NOT_WORKED_OUT)
            case _:
                pass

    def _note(self, row: int, column: int, spoilt: Spoilt) -> None:
        self._count += 1
        if self._count > MOST:
            at = min(self._found)
            raise TooManySpoilt(f"{at}: {next(iter(self._found[at].values())).why} (and more than {MOST} such cells)")
        self._found.setdefault(row, {})[column] = spoilt


def _covered(ref: str) -> Iterator[tuple[int, int]]:
    """Give row and column of what a merged range covers: all of it but the first cell, which holds the value."""
    first, _, last = ref.partition(":")
    start, end = _CELL.fullmatch(first), _CELL.fullmatch(last)
    if start is None or end is None:
        return
    for row in range(int(start[2]), int(end[2]) + 1):
        for column in range(_number(start[1]), _number(end[1]) + 1):
            if (row, column) != (int(start[2]), _number(start[1])):
                yield row, column


def _number(letters: str) -> int:
    """Give a column's number: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
