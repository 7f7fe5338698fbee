"""One table's rows as columns: checked cell by cell, and turned into records and back.

Why: who reads a file or takes a web service's rows wants every fault with its column, where a decoder needs only the
first. Called by `connectors`; what is right here is right for the table's decoder, which has the last word.
"""

import msgspec

from schemas.change import Change, Op, Value
from schemas.codec import iso
from schemas.columns import LocalZone, UnreadableDate, converter
from schemas.decode import Decoder
from schemas.errors import BadInput
from schemas.ingested import Origin, encode_ingested
from schemas.mapping import ColumnType, Format, TableMapping
from schemas.table import Table


def as_written(mapping: TableMapping) -> TableMapping:
    """Give the mapping that reads every declared column as the source wrote it: no codes converted, none left out."""
    columns = {
        name: msgspec.structs.replace(column, codes=None, codes_by="", is_kept=True, also_by="")
        for name, column in mapping.columns.items()
    }
    return msgspec.structs.replace(mapping, columns=columns)


Columns = dict[str, Value]
"""Source column (lower case) to value; a column that is absent is missing, None is null."""


class RowForm:
    """Rows of one table."""

    def __init__(self, mapping: TableMapping) -> None:
        """Compile; the topic's own dialect plays no part."""
        self.mapping = msgspec.structs.replace(as_written(mapping), dialect="debezium-json", format=Format())
        self._decoder = Decoder(self.mapping)
        zone = LocalZone(mapping.column_timezone)
        self._converts = Table(self.mapping, zone, {}).converts()
        self._moment = converter("timestamp", zone, "ms")
        columns = self.mapping.columns
        self.columns: dict[str, ColumnType] = {
            name: columns[name].type if name in columns else "text" for name in self._converts
        }
        """Every column that a row may have; a key column that the source does not type is text."""
        instance = [mapping.instance] if mapping.instance else []
        self.identity = tuple(dict.fromkeys((*mapping.key, *instance)))
        """The columns that tell a row from others, and whose it is."""
        self.needed = mapping.key if mapping.is_instance_optional else self.identity
        self._fields = {column.name: (name, column.type) for name, column in mapping.columns.items()}

    def faults(self, row: Columns) -> list[tuple[str, str]]:
        """Give every (column, what is wrong); empty if the row can be taken."""
        found = []
        for name, value in row.items():
            if value is None:
                continue
            try:
                self._converts[name](value)
            except UnreadableDate as error:
                found.append((name, f"{error}; write 2026-03-02 or 2026-03-02 09:00:00"))
            except (ValueError, ArithmeticError) as error:
                found.append((name, str(error)))
        found += [(name, "is empty, and the row needs it") for name in self.lacking(row)]
        return found

    def lacking(self, row: Columns) -> list[str]:
        """Give the columns that every row needs and this one leaves empty."""
        return [name for name in self.needed if row.get(name) in (None, "")]

    def moment(self, value: Value) -> int:
        """Give a time as epoch ms, read as the table's columns are. Raises ValueError."""
        return int(str(self._moment(value)))

    def record(self, op: Op, row: Columns, origin: Origin) -> bytes:
        """Give the value of the record that tells the row."""
        return encode_ingested(op, row, origin)

    def key(self, row: Columns) -> bytes:
        """Give the key of the record, as Kafka Connect's JSON converter writes it."""
        mapping = self.mapping
        if mapping.message_key != "row" and mapping.instance is not None:
            return mapping.key_form % str(row.get(mapping.instance)).encode()
        return msgspec.json.encode({name: row.get(name) for name in mapping.key})

    def row_key(self, row: Columns) -> str:
        """Give what `Change.row` is for the row. Raises `BadInput` if a decoder would refuse it."""
        origin = Origin(connector="", src="", src_ts=0)
        change = self._decoder.decode(
            key=None, value=encode_ingested("u", row, origin), timestamp=0, topic=self.mapping.topic, partition=0,
            offset=0,
        )  # fmt: skip
        if change is None:
            raise BadInput("no-row-image", "the row says nothing")
        return change.row

    def columns_of(self, change: Change) -> Columns:
        """Give a change's fields as columns again: what has to be written so that the same fields come out."""
        row: Columns = {}
        for field, value in change.fields.items():
            if field in self._fields:
                name, kind = self._fields[field]
                row[name] = _text_of(kind, value)
        missing = [name for name in self.mapping.key if name not in self.mapping.columns]
        if missing:
            row |= dict(zip(self.mapping.key, _key_parts(change.row, len(self.mapping.key)), strict=True))
        instance = self.mapping.instance
        if instance is not None and row.get(instance) is None and change.instance:
            row[instance] = change.instance
        return row


def _text_of(kind: ColumnType, value: Value) -> Value:
    """Write a canonical time as ISO 8601; a date lies one ms before its last, also if kept as the midnight after it."""
    if type(value) is int and kind in ("timestamp", "date"):
        return iso(value if kind == "timestamp" else value - 1)
    return value


def _key_parts(row: str, count: int) -> list[str]:
    """Undo how `Table.row_key` joins the parts of a key."""
    if count == 1:
        return [row]
    parts, escaped = [""], False
    for char in row:
        if escaped or char not in "\\|":
            parts[-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            parts.append("")
    return parts
