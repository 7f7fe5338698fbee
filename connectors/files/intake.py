"""A file's rows as rows of one captured table: every bad cell named, nothing written.

Called by the preview, and again by the batch that writes; both see the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from connectors.files.cells import BadCell, cell_value
from connectors.files.sheet import Cell, Line, Sheet, UnreadableFile
from connectors.outside_rows import moment_of, too_large, with_instance
from schemas import BadInput, Columns, RowForm

TIME_COLUMN = "_src_ts"
"""A column of this name tells of each row when it was true; without it the batch's own time holds."""

Titles = Mapping[str, Sequence[str]]
"""What columns are called in the business's words, to the names of those that are called so."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row; `faults` is empty if it can be taken, else `key` is "" and `columns` may lack what is wrong."""

    number: int
    cells: Sequence[Cell]
    columns: Columns = field(default_factory=dict)
    key: str = ""
    """What the row is told by: as `Change.row`."""
    src_ts: int | None = None
    faults: tuple[tuple[str, str], ...] = ()
    """Column as the file's head names it (or "-"), and what is wrong."""


class Intake:
    """Reads one open file for one table."""

    def __init__(self, path: Path, sheet: Sheet, form: RowForm, titles: Titles, *, now_ms: int) -> None:
        """Match the head with the table. `now_ms`: when the file is taken; no row can be true later.

        Raises UnreadableFile with every fault of the head.
        """
        self._sheet, self._form, self._now_ms = sheet, form, now_ms
        self.ignored: list[str] = []
        """Columns of the file that the table does not have."""
        self.nameless: dict[int, int] = {}
        """Columns without a name in the head that hold something, from 1, and the first row where they do."""
        self._unnamed = [column for column, head in enumerate(sheet.head) if not head]
        meant = {title.strip().lower(): tuple(names) for title, names in titles.items()}
        names = {title: found[0] for title, found in meant.items() if len(found) == 1} | {n: n for n in form.columns}
        unclear = {title: found for title, found in meant.items() if title not in names}
        self._columns = [names.get(head.lower()) or self._other(head) for head in sheet.head]
        faults = [f"{path}:1:{text}" for text in (*self._unclear(unclear), *self._faults_of_head(names))]
        if faults:
            raise UnreadableFile("\n".join(faults))

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that the file has."""
        return tuple(name for name in self._columns if name and name != TIME_COLUMN)

    def _other(self, head: str) -> str | None:
        if head.lower() == TIME_COLUMN:
            return TIME_COLUMN
        if head:
            self.ignored.append(head)
        return None

    def _unclear(self, unclear: Titles) -> Iterator[str]:
        for head in self._sheet.head:
            if head.lower() in unclear:
                yield f"{head}: the title of {' and '.join(unclear[head.lower()])}; write the column's name instead"

    def _faults_of_head(self, names: Mapping[str, str]) -> Iterator[str]:
        found = [name for name in self._columns if name]
        for name in dict.fromkeys(name for name in found if found.count(name) > 1):
            yield f"{name}: there twice"
        for name in self._form.needed:
            if name not in found:
                near = get_close_matches(name, [head.lower() for head in self.ignored], n=1)
                hint = f"; is it '{near[0]}'?" if near else ""
                yield f"{name}: not there, and every row needs it{hint} (known: {', '.join(sorted(names))})"

    def rows(self) -> Iterator[FileRow]:
        """Give every row, in order. Raises UnreadableFile where the file ends to be one."""
        return (self._row(line) for line in self._sheet.lines())

    def _row(self, line: Line) -> FileRow:
        head, cells = self._sheet.head, line.cells
        if len(cells) != len(head):
            fault = ("-", f"{len(cells)} cells, and the head has {len(head)}")
            return FileRow(line.number, cells, faults=(fault,))
        for column in self._unnamed:
            if cells[column] not in (None, ""):
                self.nameless.setdefault(column + 1, line.number)
        columns: Columns = {}
        faults: list[tuple[str, str]] = []
        src_ts: int | None = None
        for name, written, cell in zip(self._columns, head, cells, strict=True):
            if name is None:
                continue
            try:
                if name == TIME_COLUMN:
                    src_ts = self._moment(cell)
                else:
                    columns[name] = cell_value(cell, self._form.columns[name])
            except (BadCell, ValueError) as error:
                faults.append((written, str(error)))
        return self._checked(line, with_instance(self._form, columns), faults, src_ts)

    def _moment(self, cell: Cell) -> int | None:
        """Give when the row was true; None: the batch's own time holds. Raises BadCell and ValueError."""
        said = cell_value(cell, "timestamp")
        return None if said is None else moment_of(self._form, said, now_ms=self._now_ms)

    def _checked(self, line: Line, columns: Columns, faults: list[tuple[str, str]], src_ts: int | None) -> FileRow:
        if (why := too_large(self._form, columns)) is not None:
            faults.append(("-", why))
        if not faults and not self._form.lacking(columns):
            with suppress(BadInput):  # what the decoder takes has no faults: the usual row is converted once
                return FileRow(line.number, line.cells, columns, self._form.row_key(columns), src_ts)
        named = {name: written for name, written in zip(self._columns, self._sheet.head, strict=True) if name}
        faults += [
            (named.get(name, name), what)
            for name, what in self._form.faults(columns)
            if not any(written == named.get(name) for written, _ in faults)
        ]
        if faults:
            return FileRow(line.number, line.cells, faults=tuple(faults))
        try:
            return FileRow(line.number, line.cells, columns, self._form.row_key(columns), src_ts)
        except BadInput as error:
            return FileRow(line.number, line.cells, faults=(("-", str(error)),))
