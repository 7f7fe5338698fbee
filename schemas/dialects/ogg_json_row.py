"""GoldenGate's JSON in the row form: one image, its columns beside the meta columns.

A changed primary key cannot be told here: the handler has to write it as delete and insert
(`format.pkUpdateHandling=delete-insert`). A column that has the name of a meta column is lost to it.
"""

from collections.abc import Iterator
from typing import Any

from schemas.dialects.limits import Limits, decode_objects
from schemas.dialects.ogg import Meta
from schemas.dialects.row_events import RowEvent
from schemas.errors import BadInput
from schemas.mapping import TableMapping

_IMAGES = ("before", "after")


class OggJsonRow:
    """Reads the records of one table."""

    def __init__(self, mapping: TableMapping, limits: Limits) -> None:
        self.meta = Meta(mapping)
        self._limits = limits
        self._beside = frozenset(self.meta.names.values())

    def read(self, value: bytes, offset: int, at: int) -> Iterator[RowEvent | str]:
        """Give an event a document."""
        self._limits.check_json(value)
        for index, record in enumerate(decode_objects(value)):
            yield self._event(record, offset, at, index)

    def _event(self, record: dict[str, Any], offset: int, at: int, index: int) -> RowEvent | str:
        meta = self.meta.of(record)
        op = self.meta.op_of(meta)
        self.meta.note_clock(meta, at)
        if op not in ("c", "u", "d", "r"):
            return op
        row = {name: value for name, value in record.items() if name not in self._beside}
        if not row or any(isinstance(row.get(name), dict) for name in _IMAGES):
            raise BadInput("no-row-image", "no columns beside the meta columns")
        position, order = self.meta.position_of(meta, offset, index)
        return RowEvent(op, row, position, order=order)  # type: ignore[arg-type]
