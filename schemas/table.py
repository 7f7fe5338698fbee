"""A mapping compiled for one embedded schema (or for none): a row image to fields, row key and instance.

Only decoding calls this, and for the usual records `schemas.whole_rows` takes its converters.
"""

from decimal import Decimal
from functools import partial
from typing import Any

from schemas.change import Value
from schemas.codes import CodeList
from schemas.columns import Convert, LocalZone, UnreadableDate, converter, from_loose_text, to_text
from schemas.debezium import FieldType, from_bytes, unwrapped
from schemas.errors import BadInput
from schemas.mapping import TEXT_DIALECTS, TIME_TYPES, Column, TableMapping
from schemas.view_keys import ViewKeys, joined

Tally = dict[str, int]
"""Column to how many of its values were what is counted."""
ColumnReader = tuple[str, bool, Convert]
"""Field name, whether text goes through as it stands, and what else to do with a value."""
_MOST_NAMES = 4_096  # spellings of column names kept; a hostile producer could invent more


class Table:
    """A mapping compiled for one embedded schema (or for none)."""

    def __init__(
        self, mapping: TableMapping, zone: LocalZone, types: dict[str, FieldType], unknown: Tally | None = None
    ) -> None:
        """Compile; `unknown` counts codes without a meaning, by column."""
        self._known: dict[str, ColumnReader] = {}
        self._columns: dict[str, ColumnReader | None] = {}
        self._constants = dict(mapping.constants)
        self._unknown = unknown if unknown is not None else {}
        self._dated, self._named = dated_codes(mapping), named_fields(mapping)
        for source_name, column in mapping.columns.items():
            if not column.is_kept:
                continue
            kind = types.get(source_name)
            convert = converter(column.type, zone, mapping.timestamp_unit, kind.name if kind else None)
            whole = unwrapped(kind, convert) if kind else _untyped(mapping, column, convert)
            if column.codes is not None and not column.codes_by:
                whole = column.codes.reader(to_text, partial(self._count, source_name))
            self._known[source_name] = (column.name, whole is to_text, whole)
        self._extra: dict[str, Convert] = {}
        for name in {*mapping.key, *([mapping.instance] if mapping.instance else [])} - mapping.columns.keys():
            self._extra[name] = unwrapped(types[name], to_text) if name in types else to_text
        known = mapping.columns
        self._key = tuple(
            (known[n].name, True, known[n].type == "date") if n in known else (n, False, False) for n in mapping.key
        )
        self._single = next((name for name, is_mapped, is_date in self._key if is_mapped and not is_date), None)
        if len(self._key) != 1:
            self._single = None
        self._instance, self._is_optional = mapping.instance, mapping.is_instance_optional
        mapped = mapping.columns.get(mapping.instance or "")
        self._instance_field = mapped.name if mapped else None
        self._unavailable = mapping.format.unavailable
        lobs = mapping.format.lob_columns
        self._lobs = tuple(column.name for name, column in mapping.columns.items() if name in lobs)
        view = mapping.view
        self._view = ViewKeys(mapping, view, _key_text) if view else None
        own = [mapping.instance] if mapping.instance else []
        self._identity = frozenset({*mapping.key, *own, *(view.columns if view else ())})
        self._identifying: dict[str, bool] = {}

    def converts(self) -> dict[str, Convert]:
        """Give per column (lower case), mapped or part of the key, what makes its value."""
        return {name: convert for name, (_, _, convert) in self._known.items()} | self._extra

    def read(self, image: dict[str, Any], *, has_gaps: bool) -> tuple[dict[str, Value], dict[str, Value]]:
        """Give the mapped fields of a row image, and its key columns that are not mapped.

        `has_gaps`: a value that the source could not know may be among them. Raises `BadInput`.
        """
        if has_gaps:
            image = {name: value for name, value in image.items() if value != self._unavailable}
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
            if self._dated or self._named:
                self._convert_dated(fields)
            if self._lobs:
                self._drop_null_lobs(fields)
            return fields, self._read_extra(image) if self._extra else _NOTHING
        except UnreadableDate as error:
            raise BadInput("unreadable-date", f"column {name[:64]}: {error}") from None
        except (ValueError, ArithmeticError) as error:
            raise BadInput("wrong-type", f"column {name[:64]}: {error}") from None

    def _convert_dated(self, fields: dict[str, Value]) -> None:
        """Convert codes whose meaning another column of the row dates; by the present one where that is not told.

        Then tell values under the further field that another column names.
        """
        for column, field, by, codes in self._dated:
            code, at = fields.get(field), fields.get(by)
            if isinstance(code, str):
                found = codes.meaning(code, at if isinstance(at, int) else None)
                if found is None:
                    self._count(column)
                fields[field] = code if found is None else found
        for field, by, names in self._named:
            if field in fields and by in fields:
                kind = fields[by]
                fields |= {name: fields[field] if value == kind else None for value, name in names.items()}

    def _count(self, column: str) -> None:
        self._unknown[column] = self._unknown.get(column, 0) + 1

    def _drop_null_lobs(self, fields: dict[str, Value]) -> None:
        for field in self._lobs:
            if field in fields and fields[field] is None:
                del fields[field]

    def identifying(self, image: dict[str, Any]) -> dict[str, Any]:
        """Give the columns of an image that tell which row it is, and whose: primary key and instance."""
        known = self._identifying
        try:
            return {name: value for name, value in image.items() if known[name]}
        except KeyError:
            if len(known) > _MOST_NAMES:
                known.clear()
            known |= {name: name.lower() in self._identity for name in image}
            return {name: value for name, value in image.items() if known[name]}

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
        if self._view is not None and self._view.has_row:
            return self._view.row(fields)
        if self._single is not None:
            return _key_text(fields.get(self._single)) or None
        parts = [
            (_date_key if is_date else _key_text)((fields if is_mapped else extra).get(name))
            for name, is_mapped, is_date in self._key
        ]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        if len(known) == 1:
            return known[0] or None
        return joined(known, "|")

    def instance(self, fields: dict[str, Value], extra: dict[str, Value]) -> str | None:
        """Give the instance key: "" for a row that belongs to none; None if the row does not tell it.

        A key with a zero byte in front is refused: such are our own records (`schemas.MARK_KEY`).
        """
        if self._view is not None:
            return self._view.instance(fields)
        if self._instance is None:
            return ""
        text = _key_text(fields.get(self._instance_field) if self._instance_field else extra.get(self._instance))
        if self._is_optional and not text and self._instance_field in fields:
            return ""
        if text and text[0] == "\0":
            raise BadInput("wrong-type", f"{self._instance} begins with a zero byte")
        return text or None


def dated_codes(mapping: TableMapping) -> list[tuple[str, str, str, CodeList]]:
    """Give the columns whose codes mean something by the time in another: column, field, field of the time, list."""
    found = []
    for name, column in mapping.columns.items():
        by = mapping.columns.get(column.codes_by)
        if column.codes is not None and by is not None:
            found.append((name, column.name, by.name, column.codes))
    return found


def named_fields(mapping: TableMapping) -> list[tuple[str, str, dict[str, str]]]:
    """Give the fields that are told as another, too, by what a column says: field, field of that, its values' names."""
    columns = mapping.columns
    return [(each.name, columns[each.also_by].name, each.also) for each in columns.values() if each.also_by in columns]


_NOTHING: dict[str, Value] = {}


def _untyped(mapping: TableMapping, column: Column, convert: Convert) -> Convert:
    """Give the conversion of a column that no schema describes."""
    if column.type in TIME_TYPES and mapping.dialect in TEXT_DIALECTS:
        return from_loose_text(convert)
    is_bytes = mapping.format.decimal == "base64" and column.type == "decimal"
    return from_bytes(column.scale, convert) if is_bytes else convert


def _date_key(value: Value) -> str | None:
    """Write a date in a key as the midnight that ends it: so rows were named when dates were kept as that."""
    return _key_text(value + 1 if type(value) is int else value)


def _key_text(value: Value) -> str | None:
    """Write one part of a key, the same for 7, 7.0 and "7"."""
    if type(value) is str or value is None:
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return str(int(value))
    return to_text(value)
