"""Rows as JSON objects, for one captured table: checked field by field, and made into records.

Used by pull and push: what a web service sends must mean the same on both roads.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from connectors.outside_rows import moment_of, with_instance
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

    def faults(self, row: object, *, now_ms: int) -> list[FieldFault]:
        """Give everything that is wrong with a row; empty if it can be taken. `now_ms`: when it came."""
        if not isinstance(row, dict):
            return [FieldFault("", "not an object with the row's columns")]
        columns, op = self._columns(row), row.get(OP)
        found = [FieldFault(OP, "one of c, u, r, d")] if not isinstance(op, str | None) or op not in _OPS else []
        found += self._twice(row)
        try:
            self._moment(row, now_ms)
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

    def _twice(self, row: Mapping[str, Any]) -> Iterator[FieldFault]:
        """Give the fields that name a column which another has named: which of them is right, nobody knows."""
        meant = {name: self._names[name.lower()] for name in row if name.lower() in self._names}
        named = Counter(meant.values())
        for name, column in meant.items():
            if named[column] > 1:
                yield FieldFault(name, "names a column that another field names")

    def landed(self, row: Mapping[str, Any], *, src_ts: int, now_ms: int, batch: str) -> Landed:
        """Make the record of a row without faults; `now_ms` as for `faults`.

        `src_ts` holds where the row does not say when it was true. As `now_ms` it is a clock's of ours, which need not
        agree with another node's: the log orders such rows. It is an earlier one for what was sent before, and may
        stand in Kafka already.
        """
        columns, said = self._columns(row), self._moment(row, now_ms)
        true_at = src_ts if said is None else said
        origin = Origin(
            connector=f"stagewatch-{self._road}", src="web", src_ts=true_at, batch=batch,
            by_arrival=said is None and src_ts == now_ms,
        )  # fmt: skip
        op = _OPS[row.get(OP)]
        return Landed(self._form.key(columns), self._form.record(op, columns, origin), origin.headers)

    def refused(self, row: object, *, src_ts: int, batch: str) -> Landed:
        """Make a record of a row as it came, that a worker will refuse: so it becomes a dead letter as any other."""
        fields = row if isinstance(row, dict) else {}
        columns: Columns = {self._names.get(name.lower()) or name: value for name, value in fields.items()}
        origin = Origin(connector=f"stagewatch-{self._road}", src="web", src_ts=src_ts, batch=batch)
        return Landed(b"", self._form.record("u", columns, origin), origin.headers)

    def _columns(self, row: Mapping[str, Any]) -> Columns:
        columns = {self._names[name.lower()]: value for name, value in row.items() if name.lower() in self._names}
        # Whose row is deleted must be said: it is looked for nowhere else.
        return columns if row.get(OP) == "d" else with_instance(self._form, columns)

    def moment(self, said: object, *, now_ms: int) -> int:
        """Give a time as epoch ms, read as the table's are. Raises ValueError."""
        return moment_of(self._form, said, now_ms=now_ms)

    def _moment(self, row: Mapping[str, Any], now_ms: int) -> int | None:
        said = row.get(SRC_TS)
        return None if said is None else self.moment(said, now_ms=now_ms)
