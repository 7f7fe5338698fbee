"""A CSV or XLSX file as rows of cells, read once from front to back.

Takes constant memory, but for the places of a workbook's texts (eight bytes each).

Encoding and delimiter are detected unless they are said. Nothing here knows tables: a cell is what the file holds.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from schemas import StagewatchError

Cell = object
"""Text in a CSV file; text, numbers, truth values and times in a workbook, `Spoilt` where a value was lost there; None
where a sheet's cell is empty."""

DELIMITERS = ",;\t|"
MOST_CELL = 1 << 20
"""Longest cell of a CSV file, in characters: a broker refuses a record of that size anyway."""
_CHUNK = 1 << 20
_SNIFFED_LINES = 20
"""Enough to tell a delimiter from a character inside texts."""
_EXCEL_ERRORS = frozenset({
    "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
    "#CONNECT!", "#UNKNOWN!", "#BUSY!", "#PYTHON!", "#GETTING_DATA",
})  # fmt: skip
"""As a CSV file has them; a workbook marks such a cell."""


class UnreadableFile(StagewatchError):
    """A file that is no table; the message begins with its name."""


class Line(NamedTuple):
    """One row of the file."""

    number: int
    """Line of the file or row of the sheet, from 1; the head is 1 as a rule."""
    cells: Sequence[Cell]


class Sheet(Protocol):
    """An open file. `head` are its column names as written."""

    head: Sequence[str]
    unread: Sequence[str]
    """Other sheets of the workbook that a person sees in it."""

    def done(self) -> int:
        """How much of the file has been read, as bytes of it."""

    def lines(self) -> Iterator[Line]:
        """Give the rows below the head that are not empty; once. Raises UnreadableFile."""


class Form(NamedTuple):
    """How a file is to be read; None: find out."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    """Name of a workbook's sheet; None: the first that is not hidden."""


FOUND_OUT = Form()


@contextmanager
def open_sheet(path: Path, form: Form = FOUND_OUT) -> Iterator[Sheet]:
    """Open a file by its suffix: `.xlsx` and `.xlsm` are workbooks, everything else is text. Raises UnreadableFile."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        # A second to load, and most files are text.
        from connectors.files.workbook import open_workbook  # noqa: PLC0415

        with open_workbook(path, form.sheet) as sheet:
            yield sheet
        return
    if path.suffix.lower() == ".xls":
        raise UnreadableFile(f"{path}: the old .xls form is not read; save it as .xlsx or CSV")
    encoding = form.encoding or detect_encoding(path)
    with path.open("rb") as raw, _text(path, raw, encoding) as text:
        yield _Csv(path, raw, text, form.delimiter)


def detect_encoding(path: Path) -> str:
    """Give `utf-8-sig`, `utf-16` or `gb18030`: the first that fits the whole file. Raises UnreadableFile.

    A mark at the front (BOM) says which; then no other is tried.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    bad_line = _first_bad_line(path, "utf-8-sig")
    if bad_line is None:
        return "utf-8-sig"
    if head.startswith(codecs.BOM_UTF8):
        raise UnreadableFile(f"{path}:{bad_line}: not UTF-8, as the file's mark says; say its encoding with --encoding")
    if _first_bad_line(path, "gb18030") is None:
        return "gb18030"
    raise UnreadableFile(f"{path}: neither UTF-8 nor GB18030; say its encoding with --encoding")


def _first_bad_line(path: Path, encoding: str) -> int | None:
    """Give the first line that is not in an encoding; None if all are."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                line += decoder.decode(chunk).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return line + error.object[: error.start].count(b"\n")
    return None


def _text(path: Path, raw: IO[bytes], encoding: str) -> io.TextIOWrapper:
    try:
        return io.TextIOWrapper(raw, encoding=encoding, newline="")  # type: ignore[type-var, arg-type, unused-ignore]
    except LookupError:
        raise UnreadableFile(f"{path}: no encoding '{encoding}'") from None


class _Csv:
    def __init__(self, path: Path, raw: IO[bytes], text: io.TextIOWrapper, delimiter: str | None) -> None:
        self._path, self._raw = path, raw
        self.unread: Sequence[str] = ()
        csv.field_size_limit(MOST_CELL)
        try:
            delimiter = delimiter or _delimiter_of([line for line, _ in zip(text, range(_SNIFFED_LINES), strict=False)])
            text.seek(0)
            self._reader = csv.reader(text, delimiter=delimiter, strict=True)
            self.head: Sequence[str] = [cell.strip() for cell in next(self._reader, [])]
        except (UnicodeDecodeError, csv.Error, TypeError) as error:
            raise UnreadableFile(f"{path}:1: {error}") from None
        if not any(self.head):
            raise UnreadableFile(f"{path}: empty; the first row names the columns")

    def done(self) -> int:
        return self._raw.tell()

    def lines(self) -> Iterator[Line]:
        number = self._reader.line_num + 1
        try:
            for cells in self._reader:
                if any(cells):
                    yield Line(number, cells)
                number = self._reader.line_num + 1
        except (UnicodeDecodeError, csv.Error) as error:
            raise UnreadableFile(f"{self._path}:{number}: {error}") from None


def _delimiter_of(lines: Sequence[str]) -> str:
    """Give the delimiter that cuts the head into most columns and the lines below into as many."""
    best, most = ",", 0
    for delimiter in DELIMITERS:
        sizes = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if sizes and sizes[0] > 1 and sizes.count(sizes[0]) * sizes[0] > most:
            best, most = delimiter, sizes.count(sizes[0]) * sizes[0]
    return best


def is_excel_error(cell: Cell) -> bool:
    """Tell whether a formula failed in the cell."""
    return isinstance(cell, str) and cell in _EXCEL_ERRORS
