"""Rows as JSON objects, for one captured table: checked field by field, and made into records.

Used by pull and push: what a web service sends must mean the same on both roads.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard, cast

from connectors.outside_rows import MOST_ROW_BYTES, is_text, milliseconds, moment_of, too_large, with_instance
from schemas import BadInput, Columns, Op, Origin, Road, RowForm, TableMapping, Value, iso

OP, SRC_TS = "_op", "_src_ts"
"""Fields beside the row's own: `d` deletes it; when it was true (ISO 8601, or epoch ms, as in the table's columns)."""
_OPS: dict[object, Op] = {None: "u", "c": "u", "u": "u", "r": "r", "d": "d"}


_MOST_SHOWN = 100
"""Letters of a value, and values, of a refused row that is too large to be shown whole."""
_TIMES = frozenset({"timestamp", "date"})


class FieldFault(NamedTuple):
    """What is wrong with a field; "" where it is the row itself."""

    field: str
    what: str


class Landed(NamedTuple):
    """One row as a record."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Shape:
    """Rows of one table on one road."""

    def __init__(self, mapping: TableMapping, road: Road, renames: Mapping[str, str] | None = None) -> None:
        """`renames`: field of the service to column of the table."""
        self.mapping, self.topic = mapping, mapping.topic
        self._form, self._road = RowForm(mapping), road
        self._names = {name: name for name in self._form.columns}
        self._names |= {field.lower(): column.lower() for field, column in (renames or {}).items()}
        self._times = [name for name, kind in self._form.columns.items() if kind in _TIMES]
        self._text_keys = [name for name in self._form.identity if self._form.columns[name] == "text"]

    @property
    def columns(self) -> list[str]:
        """What a row may have."""
        return list(self._form.columns)

    def unknown(self, row: Mapping[str, Any]) -> list[str]:
        """Give the fields that the table does not have; they are ignored."""
        return [name for name in row if name.lower() not in self._names and name not in (OP, SRC_TS)]

    def faults(self, row: object, *, now_ms: int) -> list[FieldFault]:
        """Give everything that is wrong with a row; empty if it can be taken. `now_ms`: when it came."""
        if not isinstance(row, dict):
            return [FieldFault("", "not an object with the row's columns")]
        columns, op = self._columns(row), row.get(OP)
        found = [FieldFault(OP, "one of c, u, r, d")] if not isinstance(op, str | None) or op not in _OPS else []
        found += [*self._twice(row), *self._misspelt(row), *self._unclear(columns)]
        found += [
            FieldFault(name, "half of a surrogate pair, and no text")
            for name, value in columns.items()
            if isinstance(value, str) and not is_text(value)
        ]
        try:
            self._moment(row, now_ms)
        except ValueError as error:
            found.append(FieldFault(SRC_TS, str(error)))
        found += [
            FieldFault(*fault) for fault in self._form.faults(columns) if op != "d" or fault[0] in self._form.needed
        ]
        if not found and (why := too_large(self._form, columns)) is not None:
            found.append(FieldFault("", why))
        if not found:
            try:
                self._form.row_key(columns)
            except BadInput as error:
                found.append(FieldFault("", str(error)))
        return found

    def _twice(self, row: Mapping[str, Any]) -> Iterator[FieldFault]:
        """Give the fields that name a column which another has named: which of them is right, nobody knows."""
        meant = {name: self._names[name.lower()] for name in row if name.lower() in self._names}
        named = Counter(meant.values())
        for name, column in meant.items():
            if named[column] > 1:
                yield FieldFault(name, "names a column that another field names")

    def _misspelt(self, row: Mapping[str, Any]) -> Iterator[FieldFault]:
        """Give the fields that are meant for what stands beside the row's own, and would be ignored."""
        for name in row:
            meant = name.lower()
            if meant in (OP, SRC_TS) and meant != name and meant not in self._names:
                yield FieldFault(name, f"write {meant}")

    def _unclear(self, columns: Columns) -> Iterator[FieldFault]:
        """Give what a decoder would take, and might take for something else."""
        for name in self._times:
            value = columns.get(name)
            if _is_number(value):
                try:
                    milliseconds(value)
                except ValueError as error:
                    yield FieldFault(name, f"{error} Write 2026-03-02T09:00:00+08:00")
        for name in self._text_keys:
            value = columns.get(name)
            if isinstance(value, bool | Decimal):
                yield FieldFault(name, "neither text nor a whole number, and tells a row from others")
            elif isinstance(value, str) and value != value.strip():
                yield FieldFault(name, "begins or ends with a blank, and would be another row than without")

    def landed(self, row: Mapping[str, Any], *, now_ms: int, batch: str, number: int = 0) -> Landed:
        """Make the record of a row without faults; `now_ms` as for `faults`, `number`: its place in the batch, from 1.

        One that does not say when it was true is ordered by the topic: `now_ms` is a clock's of ours, which need not
        agree with another node's. It must not be written twice.
        """
        columns, said = self._columns(row), self._moment(row, now_ms)
        origin = Origin(
            connector=f"stagewatch-{self._road}", src="web", src_ts=now_ms if said is None else said, batch=batch,
            row_no=number, by_arrival=said is None,
        )  # fmt: skip
        op = _OPS[row.get(OP)]
        return Landed(self._form.key(columns), self._form.record(op, columns, origin), origin.headers)

    def refused(self, row: object, faults: list[FieldFault], *, now_ms: int, batch: str) -> Landed:
        """Make a record of a row as it came, that a worker will refuse: so it becomes a dead letter as any other.

        What a worker would take, for it does not see the fault, gets the fault for its operation.
        """
        fields = row if isinstance(row, dict) else {}
        columns: Columns = {self._names.get(name.lower()) or name: value for name, value in fields.items()}
        origin = Origin(connector=f"stagewatch-{self._road}", src="web", src_ts=now_ms, batch=batch)
        op = "u"
        with suppress(BadInput):
            self._form.row_key(columns)
            op = "; ".join(f"{fault.field}: {fault.what}" for fault in faults)
        value = self._form.record(cast("Op", op), columns, origin)
        if len(value) > MOST_ROW_BYTES:  # no broker would take it whole, either
            columns = {name: _begin_of(cell) for name, cell in columns.items()}
            value = self._form.record(cast("Op", op), dict(list(columns.items())[:_MOST_SHOWN]), origin)
        return Landed(b"", value, origin.headers)

    def identity(self, row: object) -> object:
        """Give what tells a refused row from others: its columns but for times, which may be those of the asking."""
        if not isinstance(row, dict):
            return row
        types = self._form.columns
        return {name: value for name, value in self._columns(row).items() if types[name] not in _TIMES}

    def _columns(self, row: Mapping[str, Any]) -> Columns:
        columns = {self._names[name.lower()]: value for name, value in row.items() if name.lower() in self._names}
        for name in self._times:
            if _is_number(value := columns.get(name)):
                with suppress(ValueError):  # else it is a fault
                    columns[name] = iso(milliseconds(value))
        # Whose row is deleted must be said: it is looked for nowhere else.
        return columns if row.get(OP) == "d" else with_instance(self._form, columns)

    def moment(self, said: object, *, now_ms: int) -> int:
        """Give a time as epoch ms, read as the table's are. Raises ValueError."""
        return moment_of(self._form, said, now_ms=now_ms)

    def _moment(self, row: Mapping[str, Any], now_ms: int) -> int | None:
        said = row.get(SRC_TS)
        return None if said is None else self.moment(said, now_ms=now_ms)


def _begin_of(value: object) -> Value:
    """Give the first letters of a value."""
    return str(value)[:_MOST_SHOWN]


def _is_number(value: object) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
