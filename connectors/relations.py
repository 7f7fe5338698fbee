"""The relation catalogue: which column of which table holds the key of which other, and how many rows find theirs.

Pure. Fed with decoded changes by `stagewatch sources relations`; holds the join columns of every row, nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from connectors.sources import SourceCatalog
from schemas import BEFORE_ALL, Change, TableMapping, Value, standing, supersedes


@dataclass(frozen=True, slots=True)
class Relation:
    """A column that holds the key of another table."""

    table: str
    column: str
    target: str
    target_column: str


@dataclass(frozen=True, slots=True)
class MatchRate:
    """How many of the rows that name a key find it."""

    relation: Relation
    rows: int
    """Rows whose column is not empty."""
    matched: int

    @property
    def rate(self) -> float | None:
        """The share that finds its key; None without rows."""
        return self.matched / self.rows if self.rows else None


def relations_of(catalog: SourceCatalog) -> list[Relation]:
    """Give every declared relation whose target is declared too, in the order of the declarations."""
    keys = {name.lower(): model.key for file in catalog.files for name, model in file.model.tables.items()}
    return [
        Relation(name.lower(), column.lower(), target.lower(), _target_column(column, keys[target.lower()]).lower())
        for file in catalog.files
        for name, model in file.model.tables.items()
        for column, target in model.joins.items()
        if target.lower() in keys
    ]


def _target_column(column: str, key: list[str]) -> str:
    """Give the column of the target that is meant: its key, or of a longer key the part of the same name."""
    return key[0] if len(key) == 1 else column


class _Row(NamedTuple):
    """A row as it is now (`schemas.Standing`)."""

    position: int
    order: int
    said: int
    values: dict[str, str]


_UNKNOWN = _Row(BEFORE_ALL, 0, 0, {})


class Matching:
    """Counts, over the rows as they are now, how many find their keys."""

    def __init__(self, catalog: SourceCatalog) -> None:
        self.relations = relations_of(catalog)
        wanted: dict[str, set[str]] = {}
        for each in self.relations:
            wanted.setdefault(each.table, set()).add(each.column)
            wanted.setdefault(each.target, set()).add(each.target_column)
        self._wanted = {table: sorted(columns) for table, columns in wanted.items()}
        self._rows: dict[str, dict[str, _Row]] = {table: {} for table in wanted}

    def add(self, mapping: TableMapping, change: Change) -> None:
        """Take in one change; those of a row in any order, but rows from outside the capture in the topic's."""
        columns = self._wanted.get(mapping.table)
        if columns is None:
            return
        rows = self._rows[mapping.table]
        known = rows.get(change.row, _UNKNOWN)
        if not supersedes(change, known, is_later=True):
            return
        values = {} if change.op == "d" else {**known.values, **column_values(mapping, columns, change)}
        rows[change.row] = _Row(*standing(change, known), values)

    def rates(self) -> Iterator[MatchRate]:
        """Give the match rate of every relation."""
        for each in self.relations:
            held = (row.values for row in self._rows[each.target].values())
            targets = {values[each.target_column] for values in held if each.target_column in values}
            named = [row.values[each.column] for row in self._rows[each.table].values() if row.values.get(each.column)]
            yield MatchRate(each, len(named), sum(value in targets for value in named))


def column_values(mapping: TableMapping, columns: list[str], change: Change) -> dict[str, str]:
    """Give the columns of a row, of those named, that a change tells, as text; "" for null."""
    found = {}
    parts = change.row.split("|") if len(mapping.key) > 1 else [change.row]
    for name in columns:
        field = mapping.columns[name].name if name in mapping.columns else name
        if field in change.fields:
            found[name] = _text(change.fields[field])
        elif name in mapping.key and len(parts) == len(mapping.key):
            found[name] = parts[mapping.key.index(name)]
    return found


def _text(value: Value) -> str:
    return "" if value is None else str(value)
