"""One sheet of an XLSX workbook as an open file of rows.

Loaded only where a file is a workbook: openpyxl takes a second to import.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 - a class

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS

from connectors.files.sheet import Cell, Line, Sheet, UnreadableFile
from connectors.files.spoilt import Spoilt, SpoiltCells, TooManySpoilt, spoilt_cells
from connectors.files.workbook_rows import MOST_ROWS, BadRows, Portioned, sheet_rows
from connectors.files.workbook_strings import StringsOnDisk

MOST_WHOLE = 1 << 26
"""Bytes of a part that is read whole (styles, names of sheets): a workbook of all looks that Excel can keep has a tenth
of it, and a packed file of 64 KB can hold as much."""
_BROKEN = (
    ArithmeticError, LookupError, TypeError, ValueError, OSError, EOFError, SyntaxError, NotImplementedError,
    AttributeError, RuntimeError, BadZipFile, ExpatError, ZlibError,
)  # fmt: skip
"""What openpyxl, the XML parsers (one's is a SyntaxError) and the unpacking (RuntimeError: a password) say of a
workbook that is cut short or made up."""


class _Part(NamedTuple):
    """A sheet with rows; others hold charts only."""

    name: str
    path: str
    is_hidden: bool


class _Archive(ZipFile):
    def read(self, name: Any, pwd: bytes | None = None) -> bytes:  # noqa: ANN401 - as zipfile has it
        """Give a part whole. Raises ValueError for one that no workbook has."""
        if (size := self.getinfo(name).file_size) > MOST_WHOLE:
            raise ValueError(f"its part {name} takes {size} bytes")
        return super().read(name, pwd)


class _Book(ExcelReader):
    """What openpyxl knows of a workbook before its sheets are read: their names, styles, epoch, and the texts."""

    def __init__(self, path: Path, strings: StringsOnDisk) -> None:
        super().__init__(path, read_only=True, data_only=True, keep_links=False)
        self.archive.close()
        self.archive = _Archive(path)
        self._strings = strings
        self.parts: list[_Part] = []

    def read(self) -> None:
        """Read it."""
        self.read_manifest()
        self.read_strings()
        self.read_workbook()
        apply_stylesheet(self.archive, self.wb)
        self.parts = [
            _Part(sheet.name, rel.target, is_hidden=sheet.state != "visible")
            for sheet, rel in self.parser.find_sheets()
            if rel.target in self.valid_files and "chartsheet" not in rel.Type
        ]

    def read_strings(self) -> None:
        """Take the table of texts to disk."""
        package: Any = self.package
        found = package.find(SHARED_STRINGS)
        if found is not None:
            with self.archive.open(found.PartName.removeprefix("/")) as source:
                self._strings.fill(Portioned(source))

    def parser_of(self, source: Portioned) -> WorkSheetParser:
        """Give what makes values of the cells of a sheet."""
        book: Any = self.wb
        return WorkSheetParser(
            source, self._strings, data_only=True, epoch=book.epoch, date_formats=book._date_formats,  # noqa: SLF001 - as its own sheets do
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001
        )  # fmt: skip


@contextmanager
def open_workbook(path: Path, name: str | None) -> Iterator[Sheet]:
    """Open a sheet by its name; None: the first that is not hidden. Raises UnreadableFile."""
    strings = StringsOnDisk()
    try:
        try:
            book = _Book(path, strings)
        except _BROKEN as error:
            raise UnreadableFile(f"{path}: no workbook: {error}") from None
        with book.archive, _open(book, path, name) as sheet:
            yield sheet
    finally:
        strings.close()


@contextmanager
def _open(book: _Book, path: Path, name: str | None) -> Iterator[Sheet]:
    try:
        book.read()
    except _BROKEN as error:
        raise UnreadableFile(f"{path}: no workbook: {error}") from None
    part = _chosen(book.parts, path, name)
    place = f"{path}: sheet '{part.name}'"
    try:
        spoilt = spoilt_cells(lambda: book.archive.open(part.path))
    except TooManySpoilt as error:
        raise UnreadableFile(f"{place}, row {error}") from None
    except _BROKEN as error:
        raise UnreadableFile(f"{place} cannot be read: {error}") from None
    with book.archive.open(part.path) as source:
        yield _Workbook(path, book, part, Portioned(source), spoilt)


def _chosen(parts: Sequence[_Part], path: Path, name: str | None) -> _Part:
    for part in parts:
        if part.name == name or (name is None and not part.is_hidden):
            return part
    wanted = "a sheet that is not hidden" if name is None else f"sheet '{name}'"
    raise UnreadableFile(f"{path}: no {wanted}; there are {', '.join(part.name for part in parts) or 'none'}")


class _Workbook:
    def __init__(self, path: Path, book: _Book, part: _Part, source: Portioned, spoilt: SpoiltCells) -> None:
        self._path, self._part, self._source, self._spoilt = path, part, source, spoilt
        self._bytes, self._unpacked = path.stat().st_size, book.archive.getinfo(part.path).file_size
        self.unread: Sequence[str] = [each.name for each in book.parts if not each.is_hidden and each != part]
        self._rows = self._read(book.parser_of(source))
        head = next(self._rows, None)
        cells = head.cells if head and head.number == 1 else ()
        names = ["" if cell is None else str(cell).strip() for cell in cells]
        while names and not names[-1]:
            names.pop()
        bad = {column: cell for column, cell in enumerate(cells, 1) if isinstance(cell, Spoilt)}
        for column, cell in sorted((bad | spoilt.pop(1, {})).items()):
            raise UnreadableFile(f"{path}:1: column {column}: {cell.why}")
        if not names:
            raise UnreadableFile(f"{path}:1: empty; the first row names the columns")
        self.head: Sequence[str] = names

    def done(self) -> int:
        return self._bytes * self._source.count // max(self._unpacked, 1)

    def _read(self, parser: WorkSheetParser) -> Iterator[Line]:
        """Give the rows; what cannot be made out of the next one is the file's fault, and has its place."""
        number, sheet = 0, f"{self._path}: sheet '{self._part.name}'"
        try:
            for number, cells in sheet_rows(self._source, parser):
                yield Line(number, cells)
        except BadRows as error:
            raise UnreadableFile(f"{sheet}: {error}") from error
        except _BROKEN as error:
            raise UnreadableFile(f"{sheet}: what stands behind row {number} cannot be read: {error}") from error

    def lines(self) -> Iterator[Line]:
        hidden = sorted(self._spoilt, reverse=True)
        for number, cells in chain(self._rows, [Line(MOST_ROWS + 1, ())]):
            while hidden and hidden[-1] < number:  # a merged cell may cover rows that the sheet does not have itself
                yield from self._line(hidden.pop(), ())
            if hidden and hidden[-1] == number:
                hidden.pop()
            yield from self._line(number, cells)

    def _line(self, number: int, cells: Sequence[Cell]) -> Iterator[Line]:
        """Give a row as wide as the head, or wider if there is more in it; none if it is empty."""
        width = len(self.head)
        kept = [*cells, *[None] * (width - len(cells))]
        for column, spoilt in self._spoilt.get(number, {}).items():
            if column <= width:
                kept[column - 1] = spoilt
        while len(kept) > width and kept[-1] is None:
            kept.pop()
        if any(cell is not None for cell in kept):
            yield Line(number, kept)
