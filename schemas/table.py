"""A mapping compiled for one embedded schema (or for none): a row image to fields, row key and instance.

Only `schemas.decode` calls this, and for the usual records `schemas.whole_rows` takes its converters.
"""

from decimal import Decimal
from typing import Any

from schemas.change import Value
from schemas.columns import Convert, LocalZone, UnreadableDate, converter, to_text
from schemas.debezium import UNAVAILABLE, FieldType, unwrapped
from schemas.errors import BadInput
from schemas.mapping import TableMapping

ColumnReader = tuple[str, bool, Convert]
"""Field name, whether text goes through as it stands, and what else to do with a value."""
_MOST_NAMES = 4_096  # spellings of column names kept; a hostile producer could invent more


class Table:
    """A mapping compiled for one embedded schema (or for none)."""

    def __init__(self, mapping: TableMapping, zone: LocalZone, types: dict[str, FieldType]) -> None:
        self._known: dict[str, ColumnReader] = {}
        self._columns: dict[str, ColumnReader | None] = {}
        self._constants = dict(mapping.constants)
        for source_name, column in mapping.columns.items():
            kind = types.get(source_name)
            convert = converter(column.type, zone, mapping.timestamp_unit, kind.name if kind else None)
            whole = unwrapped(kind, convert) if kind else convert
            self._known[source_name] = (column.name, whole is to_text, whole)
        self._extra: dict[str, Convert] = {}
        for name in {*mapping.key, *([mapping.instance] if mapping.instance else [])} - mapping.columns.keys():
            self._extra[name] = unwrapped(types[name], to_text) if name in types else to_text
        names = [(mapping.columns[n].name if n in mapping.columns else n, n in mapping.columns) for n in mapping.key]
        self._key = tuple(names)
        self._single = names[0][0] if len(names) == 1 and names[0][1] else None
        self._instance = mapping.instance
        mapped = mapping.columns.get(mapping.instance or "")
        self._instance_field = mapped.name if mapped else None

    def converts(self) -> dict[str, Convert]:
        """Give per column (lower case), mapped or part of the key, what makes its value."""
        return {name: convert for name, (_, _, convert) in self._known.items()} | self._extra

    def read(self, image: dict[str, Any], *, has_gaps: bool) -> tuple[dict[str, Value], dict[str, Value]]:
        """Give the mapped fields of a row image, and its key columns that are not mapped.

        `has_gaps`: a value that Debezium could not know may be among them. Raises `BadInput`.
        """
        if has_gaps:
            image = {name: value for name, value in image.items() if value != UNAVAILABLE}
        fields, name = self._constants.copy(), ""
        columns = self._columns
        try:
            for name, value in image.items():
                column = columns[name] if name in columns else self._column(name)
                if column is None:
                    continue
                field, is_text, convert = column
                if value is None or (is_text and type(value) is str):
                    fields[field] = value
                else:
                    fields[field] = convert(value)
            return fields, self._read_extra(image) if self._extra else _NOTHING
        except UnreadableDate as error:
            raise BadInput("unreadable-date", f"column {name[:64]}: {error}") from None
        except (ValueError, ArithmeticError) as error:
            raise BadInput("wrong-type", f"column {name[:64]}: {error}") from None

    def _column(self, name: str) -> ColumnReader | None:
        """Find a column without regard to case, and remember this spelling of its name."""
        column = self._known.get(name.lower())
        if len(self._columns) < _MOST_NAMES:
            self._columns[name] = column
        return column

    def _read_extra(self, image: dict[str, Any]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for lowered, convert in self._extra.items():
            name = lowered if lowered in image else next((n for n in image if n.lower() == lowered), "")
            if (value := image.get(name)) is not None:
                found[lowered] = convert(value)
        return found

    def row_key(self, fields: dict[str, Value], extra: dict[str, Value]) -> str | None:
        """Give the row's primary key as text; None if (a part of) it is missing, null or, being all of it, empty."""
        if self._single is not None:
            return _key_text(fields.get(self._single)) or None
        parts = [_key_text((fields if is_mapped else extra).get(name)) for name, is_mapped in self._key]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        if len(known) == 1:
            return known[0] or None
        return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in known)

    def instance(self, fields: dict[str, Value], extra: dict[str, Value]) -> str | None:
        """Give the instance key: "" for a pure reference table; None if the row does not tell it.

        A key with a zero byte in front is refused: such are our own records (`schemas.MARK_KEY`).
        """
        if self._instance is None:
            return ""
        text = _key_text(fields.get(self._instance_field) if self._instance_field else extra.get(self._instance))
        if text and text[0] == "\0":
            raise BadInput("wrong-type", f"{self._instance} begins with a zero byte")
        return text or None


_NOTHING: dict[str, Value] = {}


def _key_text(value: Value) -> str | None:
    """Write one part of a key, the same for 7, 7.0 and "7"."""
    if type(value) is str or value is None:
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return str(int(value))
    return to_text(value)
