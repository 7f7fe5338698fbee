"""Rows as JSON objects, for one captured table: checked field by field, and made into records.

Used by pull and push: what a web service sends must mean the same on both roads.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from schemas import BadInput, Columns, Op, Origin, Road, RowForm, TableMapping

OP, SRC_TS = "_op", "_src_ts"
"""Fields beside the row's own: `d` deletes it; when it was true (ISO 8601, or epoch ms)."""
_OPS: dict[object, Op] = {None: "u", "c": "u", "u": "u", "r": "r", "d": "d"}


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
        self.topic = mapping.topic
        self._form, self._road = RowForm(mapping), road
        self._names = {name: name for name in self._form.columns}
        self._names |= {field.lower(): column.lower() for field, column in (renames or {}).items()}

    @property
    def columns(self) -> list[str]:
        """What a row may have."""
        return list(self._form.columns)

    def unknown(self, row: Mapping[str, Any]) -> list[str]:
        """Give the fields that the table does not have; they are ignored."""
        return [name for name in row if name.lower() not in self._names and name not in (OP, SRC_TS)]

    def faults(self, row: object) -> list[FieldFault]:
        """Give everything that is wrong with a row; empty if it can be taken."""
        if not isinstance(row, dict):
            return [FieldFault("", "not an object with the row's columns")]
        columns, op = self._columns(row), row.get(OP)
        found = [FieldFault(OP, "one of c, u, r, d")] if not isinstance(op, str | None) or op not in _OPS else []
        try:
            self._moment(row, 0)
        except ValueError as error:
            found.append(FieldFault(SRC_TS, str(error)))
        found += [
            FieldFault(*fault) for fault in self._form.faults(columns) if op != "d" or fault[0] in self._form.needed
        ]
        if not found:
            try:
                self._form.row_key(columns)
            except BadInput as error:
                found.append(FieldFault("", str(error)))
        return found

    def landed(self, row: Mapping[str, Any], *, src_ts: int, batch: str) -> Landed:
        """Make the record of a row without faults. `src_ts` holds where the row does not say when it was true."""
        columns = self._columns(row)
        origin = Origin(connector=f"stagewatch-{self._road}", src="web", src_ts=self._moment(row, src_ts), batch=batch)
        op = _OPS[row.get(OP)]
        return Landed(self._form.key(columns), self._form.record(op, columns, origin), origin.headers)

    def refused(self, row: object, *, src_ts: int, batch: str) -> Landed:
        """Make a record of a row as it came, that a worker will refuse: so it becomes a dead letter as any other."""
        fields = row if isinstance(row, dict) else {}
        columns: Columns = {self._names.get(name.lower()) or name: value for name, value in fields.items()}
        origin = Origin(connector=f"stagewatch-{self._road}", src="web", src_ts=src_ts, batch=batch)
        return Landed(b"", self._form.record("u", columns, origin), origin.headers)

    def _columns(self, row: Mapping[str, Any]) -> Columns:
        return {self._names[name.lower()]: value for name, value in row.items() if name.lower() in self._names}

    def _moment(self, row: Mapping[str, Any], otherwise: int) -> int:
        said = row.get(SRC_TS)
        if said is None:
            return otherwise
        if isinstance(said, bool) or not isinstance(said, str | int | Decimal):
            raise ValueError("neither ISO 8601 nor epoch milliseconds")  # noqa: TRY004 - as for other cells
        return int(said) if isinstance(said, int | Decimal) else self._form.moment(said)
