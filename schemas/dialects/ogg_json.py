"""GoldenGate's JSON in the operation form: meta columns, `before` and `after`.

One value may hold several documents (`gg.handler.<name>.mode=tx`). `before` may be an object, empty, null or absent;
with compressed updates `after` holds only what changed and the key.
"""

from collections.abc import Iterator
from typing import Any

from schemas.dialects.limits import Limits, decode_objects
from schemas.dialects.ogg import Meta
from schemas.dialects.row_events import RowEvent
from schemas.errors import BadInput
from schemas.mapping import TableMapping


class OggJson:
    """Reads the records of one table."""

    def __init__(self, mapping: TableMapping, limits: Limits) -> None:
        self.meta = Meta(mapping)
        self._limits = limits

    def read(self, value: bytes, offset: int, at: int) -> Iterator[RowEvent | str]:
        """Give an event a document."""
        self._limits.check_json(value)
        for index, record in enumerate(decode_objects(value)):
            yield self._event(record, offset, at, index)

    def _event(self, record: dict[str, Any], offset: int, at: int, index: int) -> RowEvent | str:
        meta = self.meta.of(record)
        op = self.meta.op_of(meta)
        self.meta.note_clock(meta, at)
        before, after = _image(record, "before"), _image(record, "after")
        if op not in ("c", "u", "d", "r"):
            if before or after:
                raise BadInput("unknown-operation", f"'{meta['op_type']}' ({op}) with a row image")
            return op
        row = before or after if op == "d" else after
        if row is None and op != "d":
            raise BadInput("no-row-image", f"operation {meta['op_type']}")
        position, order = self.meta.position_of(meta, offset, index)
        return RowEvent(op, row or {}, position, before, order=order)  # type: ignore[arg-type]


def _image(record: dict[str, Any], name: str) -> dict[str, Any] | None:
    image = record.get(name)
    if image is not None and not isinstance(image, dict):
        raise BadInput("wrong-type", f"{name} is no object")
    return image or None
