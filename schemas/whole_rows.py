"""The usual record, fast: a row image with all its columns, spelt and typed as the records before it.

Why: most of the time of `schemas.decode.Decoder` goes into what hardly any record has: other spellings, missing
columns, numbers as text, an embedded schema, a primary key that changed. `WholeRow` takes what has none of it, in
one typed pass of the parser, and gives back everything else untouched: the long way decides what that is.
Whatever it takes, it must read exactly as the long way does (`tests/property/test_whole_rows.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, TypedDict, cast

import msgspec

from schemas.arrival_order import arrival_place
from schemas.change import Change, Op
from schemas.columns import Convert, to_text
from schemas.debezium import MOST_POSITION, Source, position_of
from schemas.mapping import ColumnType, TableMapping
from schemas.record import Raw
from schemas.table import dated_codes, named_fields
from schemas.view_keys import Test, condition

_Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_SHAPES: dict[ColumnType, Any] = {
    "text": str | None,
    "int": _Int64 | None,
    "decimal": str | _Int64 | None,
    "bool": bool | None,
    "timestamp": str | _Int64 | None,
    "date": str | _Int64 | None,
}
"""What a column's JSON may be here. Anything else goes the long way."""
_DIRECT = frozenset({"text", "int", "bool"})
"""Types whose JSON is their value."""


class Odd(Exception):
    """A record is not as usual."""


_ODD = (Odd, msgspec.DecodeError, ValueError, ArithmeticError, RecursionError)


class WholeRow:
    """Reads records of one table whose images look like the one it was made from."""

    def __init__(  # noqa: PLR0913 - what a table's decoder knows
        self, mapping: TableMapping, converts: Mapping[str, Convert], image: Mapping[str, Any], *, max_bytes: int,
        max_depth: int, prefix: bytes = b"",
    ) -> None:  # fmt: skip
        """Compile for the spelling and the types of `image`, a row image that the long way has read.

        `converts`: per column (lower case; also key columns that are not mapped) what makes its value.
        Raises ValueError if such images cannot be read here.
        """
        if dated_codes(mapping):
            raise ValueError("the meaning of a code depends on the row's time")
        if named_fields(mapping):
            raise ValueError("what a column is called depends on the row")
        spelt = {name.lower(): name for name in image if name.lower() in converts}
        columns = mapping.columns
        self._mapping, self._max_bytes, self._max_depth = mapping, max_bytes, max_depth
        self._prefix, self._unavailable = prefix, mapping.format.unavailable
        if not mapping.format.lob_columns.isdisjoint(spelt):
            raise ValueError("null says nothing in some column")
        self._names = dict.fromkeys(spelt.values()).keys()
        self._texts = tuple(n for c, n in spelt.items() if c not in columns or columns[c].type == "text")
        self._converts = tuple(
            (name, to_text if _is_number_text(mapping, column, image[name]) else converts[column])
            for column, name in spelt.items()
            if (name in self._texts and type(image[name]) is int)
            or _type_of(mapping, column) not in _DIRECT
            or _has_codes(mapping, column)
        )
        self._renames = tuple(
            (name, columns[column].name) for column, name in spelt.items()
            if column in columns and columns[column].name != name
        )  # fmt: skip
        self._extra = tuple(name for column, name in spelt.items() if column not in columns)
        self._constants = dict(mapping.constants)
        # A column that comes back, or comes in another spelling too, is seen, and the record goes the long way.
        self._others = [name for c in converts for name in (c, c.upper()) if name != spelt.get(c)]
        self._key = self._find_key(spelt)
        self._instance = self._find_instance(spelt)
        self._is_row_apart = mapping.instance is not None and mapping.key[0] != mapping.instance
        self._head, self._fits, self._when = self._find_view(spelt)
        self._decode = msgspec.json.Decoder(self._envelope(converts, spelt, image)).decode

    def _find_key(self, spelt: Mapping[str, str]) -> str:
        """Give the column, or the field if it is mapped, that is the whole primary key."""
        column = self._mapping.key[0]
        if len(self._mapping.key) != 1 or column not in spelt or spelt[column] not in self._texts:
            raise ValueError("the key is not one text column")
        return self._mapping.columns[column].name if column in self._mapping.columns else spelt[column]

    def _find_instance(self, spelt: Mapping[str, str]) -> str | None:
        column = self._mapping.instance
        if column is None:
            return None
        if column not in spelt or spelt[column] not in self._texts or column not in self._mapping.columns:
            raise ValueError("the instance is not a mapped text column")
        return self._mapping.columns[column].name

    def _find_view(self, spelt: Mapping[str, str]) -> tuple[str | None, Test | None, tuple[tuple[str, str], ...]]:
        """Give what stands before the instance, its condition, and the fields of that with how `before` calls them.

        The first is None for the table's own view.
        """
        view, columns = self._mapping.view, self._mapping.columns
        if view is None:
            return None, None, ()
        if len(view.instance) > 1 or view.row:
            raise ValueError("the instance or the row is made of several columns")
        for name in view.when:
            if name not in spelt or columns[name].type not in _DIRECT or columns[name].codes is not None:
                raise ValueError("the condition is not on plain columns")
        when = tuple((columns[name].name, f"when_{index}") for index, name in enumerate(view.when))
        return view.prefix, condition(self._mapping, view), when

    def _envelope(self, converts: Mapping[str, Convert], spelt: Mapping[str, str], image: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a type made here
        shapes: dict[str, Any] = {}
        for column in converts:
            if column in spelt:
                shape = _SHAPES[_type_of(self._mapping, column)]
                is_number = type(image[spelt[column]]) is int and shape == str | None
                shapes[spelt[column]] = _Int64 | str | None if is_number else shape
        shapes |= dict.fromkeys(self._others, msgspec.Raw)
        # The row itself: only what is declared, as a dict; what is not declared is skipped by the parser.
        row = cast("Any", TypedDict)("row", shapes, total=False)
        instance = spelt.get(self._mapping.instance or "")
        before: Any = msgspec.Raw
        if instance is not None:
            names = {"instance": instance}
            if self._is_row_apart:
                names["row"] = spelt[self._mapping.key[0]]
            if self._mapping.view is not None:
                names |= {f"when_{index}": spelt[name] for index, name in enumerate(self._mapping.view.when)}
            fields = [(name, shapes[column], None) for name, column in names.items()]
            before = msgspec.defstruct("Before", fields, rename=names)
        return msgspec.defstruct(
            "WholeEnvelope",
            [
                ("op", Op), ("after", row | None, None), ("before", before | None, None),
                ("source", Source | None, None), ("payload", msgspec.Raw | None, None),
            ],
            gc=False,
        )  # fmt: skip

    def read_run(  # noqa: C901, PLR0912, PLR0915 - the hot path: one function, and names instead of attributes
        self, records: Iterable[Raw], *, topic: str, partition: int, high: int,
        odd: Callable[[Raw, int], Sequence[Change]],
    ) -> tuple[list[Change], int]:  # fmt: skip
        """Give the changes of a run of records, and the running maximum of their timestamps.

        What is not as usual goes to `odd`, with its time of arrival, and may tell none or several.
        """
        entity, decode, names, converts = self._mapping.entity, self._decode, self._names, self._converts
        renames, extra, constants, key, by = self._renames, self._extra, self._constants, self._key, self._instance
        fits = self._fits
        max_bytes, max_depth, prefix = self._max_bytes, self._max_depth, self._prefix
        unavailable, is_row_apart = self._unavailable, self._is_row_apart
        changes: list[Change] = []
        head = self._head
        add, instance, is_dressed = changes.append, "", bool(extra or constants or head is not None)
        for record in records:
            if record.timestamp > high:  # noqa: PLR1730 - no call
                high = record.timestamp
            value = record.value
            try:
                if value is None:
                    raise Odd
                if prefix and value.startswith(prefix) and value.endswith(b"}"):
                    value = value[len(prefix) : -1]
                if len(value) > max_bytes or value.count(b"{") >= max_depth:
                    raise Odd
                first = value.find(b"[")  # PostgreSQL's `sequence` holds one bracket
                if first >= 0 and value.find(b"[", first + 1) >= 0:
                    raise Odd
                if not value.isascii():
                    value.decode()  # the parser skips what it does not need without looking at its encoding
                envelope = decode(value)
                row, op, source = envelope.after, envelope.op, envelope.source
                if row is None or row.keys() != names or op == "d" or envelope.payload is not None:
                    raise Odd
                if unavailable in row.values():
                    raise Odd
                for name, convert in converts:
                    known = row[name]
                    if known is not None:
                        row[name] = convert(known)
                for name, field in renames:
                    row[field] = row.pop(name)
                row_key = row[key]
                if by is not None:
                    instance, before = row[by], envelope.before
                    if before is not None and op == "u":
                        if before.instance != instance and before.instance is not None:
                            raise Odd  # the row moved to another instance
                        if is_row_apart and before.row is not None and str(before.row) != row_key:
                            raise Odd  # its primary key changed
                    if not instance and (head is None or op == "u"):
                        raise Odd
                if not row_key:
                    raise Odd
            except _ODD:
                changes += odd(record, high)
                continue
            if is_dressed:
                if head is not None:
                    if op == "u" and self._is_moved(before, row):
                        changes += odd(record, high)
                        continue
                    if not instance or (fits is not None and not fits(row)):
                        continue  # it is not told here, and was not before
                    instance = head + instance
                for name in extra:
                    del row[name]
                row.update(constants)
            offset = record.offset
            position, order = source.lsn if source is not None else None, 0
            if op == "r" or type(position) is not int or not 0 <= position <= MOST_POSITION:
                position, order = position_of(source, op)
                if position is None:
                    position, order = arrival_place(high, partition, offset)
            add(Change(entity, instance, row_key, op, position, high, topic, partition, offset, row, "", 0, order))
        return changes, high

    def _is_moved(self, before: Any, row: Mapping[str, Any]) -> bool:  # noqa: ANN401 - a type made here
        """Tell whether an update may have brought a row into a view, or out of it."""
        if before is None:
            return self._fits is not None and not self._fits(row)
        return any(getattr(before, name) != row[field] for field, name in self._when)


def _has_codes(mapping: TableMapping, column: str) -> bool:
    return column in mapping.columns and mapping.columns[column].codes is not None


def _is_number_text(mapping: TableMapping, column: str, value: object) -> bool:
    """Tell a plain text column whose values come as numbers."""
    return type(value) is int and _type_of(mapping, column) == "text" and not _has_codes(mapping, column)


def _type_of(mapping: TableMapping, column: str) -> ColumnType:
    return mapping.columns[column].type if column in mapping.columns else "text"
