"""The rows of one sheet of a workbook, as its XML has them, in constant memory.

openpyxl makes values of cells. Its own walk over the rows is not used: it drops rows whose numbers go back and cells
that stand out of order, makes up empty rows up to whatever number a row has, and keeps an element for each row.
"""

import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple
from xml.etree.ElementTree import Element, iterparse

from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import CELL_TAG, DATA_TAG, ROW_TAG, VALUE_TAG, WorkSheetParser

from connectors.files.spoilt import Spoilt

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
"""Of a sheet: "Excel specifications and limits"."""
MOST_AT_ONCE = 1 << 23
"""Bytes of XML that one row (or text) may take: 500 for each column that a sheet can have. A row is held whole, and a
packed file of a few KB can hold one of gigabytes."""
_AGAIN = "; open the file in a spreadsheet program and save it again"

_ESCAPE = re.compile("_x(00(?!00)[01][0-9a-fA-F]|005[fF])_")
"""How Excel writes what XML cannot hold, and an underscore that could be taken for such (ECMA-376 part 1, 22.9.2.19,
ST_Xstring). Other letters it writes as they are, and so do programs that know of no escapes."""


_BLANKS_COUNT = frozenset({"str", "inlineStr", "e"})
"""Kinds of cells in which blanks are a text, or the name of an error; in a number's, a date's or another's they are
what a program leaves that pads its XML."""


class BadRows(ValueError):
    """A sheet that no spreadsheet program writes; says which row and why."""


class Portioned:
    """A part of a workbook being read, that is not held: too much of it between two rows is an error."""

    def __init__(self, part: IO[bytes]) -> None:
        self._part = part
        self.count = 0
        """Bytes read."""
        self._since = 0

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes. Raises BadRows."""
        data = self._part.read(size)
        self.count += len(data)
        if self.count - self._since > MOST_AT_ONCE:
            raise BadRows(f"one row or text takes more than {MOST_AT_ONCE} bytes")
        return data

    def let_go(self) -> None:
        """Count anew: what was read is held no longer."""
        self._since = self.count


def unescaped(text: str) -> str:
    """Give a text as a person sees it: `_x000D_` is a carriage return."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


class SheetRow(NamedTuple):
    """One row that the sheet has; empty ones may be missing."""

    number: int
    cells: list[object]


def sheet_rows(source: Portioned, parser: WorkSheetParser) -> Iterator[SheetRow]:
    """Give the rows in order. `parser` makes values of their cells. Raises BadRows, and what openpyxl raises."""
    data: Element | None = None
    number = 0
    for event, element in iterparse(source, ("start", "end")):  # noqa: S314 - expat bounds entities itself
        if event == "start":
            data = element if element.tag == DATA_TAG else data
        elif element.tag == ROW_TAG:
            number = _row_number(element.get("r"), number)
            yield SheetRow(number, _cells(element, number, parser))
            if data is not None:
                data.clear()
            source.let_go()
        elif element.tag == DATA_TAG:
            return  # what stands behind the rows tells of their looks


def _row_number(said: str | None, last: int) -> int:
    """Give a row's number. Raises BadRows where it is not behind the last one, or beyond what a sheet has."""
    number = last + 1 if said is None else int(said)
    if number <= last:
        raise BadRows(f"a row with the number {number} stands behind row {last}{_AGAIN}")
    if number > MOST_ROWS:
        raise BadRows(f"a row with the number {number} stands behind row {last}, and a sheet has {MOST_ROWS}{_AGAIN}")
    return number


def _cells(row: Element, number: int, parser: WorkSheetParser) -> list[object]:
    """Give a row's values by their columns, None where there is none. Raises BadRows."""
    parser.row_counter, parser.col_counter = number, 0
    cells: list[object] = []
    for element in row.iterfind(CELL_TAG):
        cell = _cell(element, number, parser)
        column = cell["column"]
        if cell["row"] != number or not 0 < column <= MOST_COLUMNS:
            raise BadRows(f"row {number} has a cell {element.get('r')}{_AGAIN}")
        if column <= len(cells):
            raise BadRows(f"the cells of row {number} are not in order: {get_column_letter(column)}{number}{_AGAIN}")
        cells += [None] * (column - 1 - len(cells))
        cells.append(cell["value"])
    return cells


def _cell(element: Element, number: int, parser: WorkSheetParser) -> dict[str, Any]:
    """Give what openpyxl makes of a cell, and what it leaves: blanks, errors and escapes. Raises BadRows."""
    value = element.find(VALUE_TAG)
    if value is not None and (value.text or "").isspace() and element.get("t") not in _BLANKS_COUNT:
        element.remove(value)
    try:
        cell: dict[str, Any] = parser.parse_cell(element)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise BadRows(f"row {number} cannot be read: cell {element.get('r', '')}: {error}") from error
    value = cell["value"]
    if cell["data_type"] == "e" and value is not None:
        return cell | {"value": Spoilt(f"the formula gave {value}")}
    if isinstance(value, str) and element.get("t") != "s":  # those of the table have been seen to
        return cell | {"value": unescaped(value)}
    return cell
