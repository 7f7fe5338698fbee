"""GoldenGate's delimited text: meta columns and then the row's columns, by their place alone.

Nothing in a record names its columns: the source's definition lists all of them, in order, and a record with another
count is refused, for then every column may be another one.
"""

from collections.abc import Iterator

from schemas.dialects.ogg import Meta
from schemas.dialects.row_events import RowEvent
from schemas.errors import BadInput, Broken
from schemas.mapping import TableMapping


class OggDelimited:
    """Reads the records of one table."""

    def __init__(self, mapping: TableMapping) -> None:
        """Compile. Raises `Broken` where the definition does not list the columns."""
        form = mapping.format
        if not form.columns:
            raise Broken(f"{mapping.topic}: ogg-delimited needs `format: {{columns: [...]}}`, all of them, in order")
        self.meta = Meta(mapping)
        self._head, self._columns = form.head, form.columns
        self._delimiter, self._null, self._missing = form.delimiter, form.null_marker, form.missing_marker

    def read(self, value: bytes, offset: int, at: int) -> Iterator[RowEvent | str]:
        """Give an event a line."""
        lines = [line for line in value.decode().split("\n") if line.strip("\r")]
        if not lines:
            raise BadInput("wrong-columns", "an empty line")
        for index, line in enumerate(lines):
            yield self._event(line.removesuffix("\r").split(self._delimiter), offset, at, index)

    def _event(self, parts: list[str], offset: int, at: int, index: int) -> RowEvent | str:
        wanted = len(self._head) + len(self._columns)
        if len(parts) != wanted:
            raise BadInput("wrong-columns", f"{len(parts)} fields, {wanted} are declared")
        meta = self.meta.of(dict(zip(self._head, parts, strict=False)))
        op = self.meta.op_of(meta)
        self.meta.note_clock(meta, at)
        if op not in ("c", "u", "d", "r"):
            return op
        row = {
            name: None if text == self._null else text
            for name, text in zip(self._columns, parts[len(self._head) :], strict=True)
            if text != self._missing
        }
        position, order = self.meta.position_of(meta, offset, index)
        return RowEvent(op, row, position, order=order)  # type: ignore[arg-type]
