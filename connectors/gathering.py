"""Rows that belong together: one row, all that hangs on it, and what these rows point at, along the declared joins.

An application with its money, progress, notices and works; a residential district with its projects and how far they
are. Pure but for the `read` that it is given; called by `stagewatch sources join`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.relations import Relation, column_values, relations_of
from connectors.sources import SourceCatalog
from schemas import BEFORE_ALL, Change, TableMapping, Value, standing, supersedes

Read = Callable[[Iterable[TableMapping]], Iterator[tuple[TableMapping, Change]]]
"""Gives every change of some tables, those of a row in the order of its topic."""


@dataclass(slots=True)
class GatheredRow:
    """One row as it is now."""

    row: str
    fields: dict[str, Value]
    """By canonical name."""
    values: dict[str, str]
    """Its key and join columns, as text."""
    position: int = BEFORE_ALL
    is_deleted: bool = False
    order: int = 0
    said: int = 0


Rows = dict[str, dict[str, GatheredRow]]
"""Table to row to what it says."""


@dataclass(slots=True)
class Gathered:
    """What belongs together."""

    own: Rows = field(default_factory=dict)
    """The row that was asked for, and what hangs on it."""
    pointed_at: Rows = field(default_factory=dict)
    """What these rows point at: customer, district, package. Nothing that hangs on those."""


def gather(catalog: SourceCatalog, table: str, row: str, read: Read) -> Gathered:
    """Give what belongs to a row; nothing if the row is not there.

    Follows the joins from keys to the rows that name them, over any number of tables (an application, its projects,
    their nodes); a number has one meaning under one column name everywhere (domain.md 0.3). Reads each table once a
    step, and holds only the rows that belong.
    """
    relations = [each for each in relations_of(catalog) if each.table != each.target]
    reading = _Reading(catalog, relations, read)
    found = Gathered(reading.rows({table: {"": {row}}}))
    known: dict[str, set[str]] = {}
    while news := _identifiers(found.own, relations, known):
        for name, values in news.items():
            known.setdefault(name, set()).update(values)
        wanted = _children(relations, known, only={each.table for each in relations if each.target_column in news})
        for name, rows in reading.rows(wanted).items():
            found.own[name] = found.own.get(name, {}) | rows
    found.pointed_at = reading.rows(_parents(relations, found.own))
    for name, rows in found.own.items():
        found.pointed_at[name] = {key: each for key, each in found.pointed_at.get(name, {}).items() if key not in rows}
    return found


_Wanted = Mapping[str, Mapping[str, Collection[str]]]
"""Table to column to values, any of which makes a row wanted; column "" is the row's own key."""


def _identifiers(own: Rows, relations: list[Relation], known: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Give by column name the keys of the rows by which others name them, as far as they are not known."""
    found: dict[str, set[str]] = {}
    for each in relations:
        values = {row.values.get(each.target_column, "") for row in own.get(each.target, {}).values()}
        if news := values - known.get(each.target_column, set()) - {""}:
            found.setdefault(each.target_column, set()).update(news)
    return found


def _children(relations: list[Relation], known: Mapping[str, set[str]], *, only: Collection[str]) -> _Wanted:
    wanted: dict[str, dict[str, set[str]]] = {}
    for each in relations:
        if each.table in only and each.target_column in known:
            wanted.setdefault(each.table, {})[each.column] = known[each.target_column]
    return wanted


def _parents(relations: list[Relation], own: Rows) -> _Wanted:
    wanted: dict[str, dict[str, set[str]]] = {}
    for each in relations:
        values = {row.values.get(each.column, "") for row in own.get(each.table, {}).values()} - {""}
        if values:
            wanted.setdefault(each.target, {}).setdefault(each.target_column, set()).update(values)
    return wanted


class _Reading:
    """Finds wanted rows among all changes."""

    def __init__(self, catalog: SourceCatalog, relations: list[Relation], read: Read) -> None:
        self._mappings, self._read = catalog.mappings, read
        self._columns: dict[str, set[str]] = {}
        for each in relations:
            self._columns.setdefault(each.table, set()).add(each.column)
            self._columns.setdefault(each.target, set()).add(each.target_column)

    def rows(self, wanted: _Wanted) -> Rows:
        """Give the wanted rows as they are now."""
        found: Rows = {}
        for mapping, change in self._read(each for each in self._mappings if each.table in wanted):
            rows, said = found.setdefault(mapping.table, {}), self._row(mapping, change)
            known = rows.get(change.row)
            if known is not None:
                _take(known, change, said)
            elif _is_wanted(said, wanted[mapping.table]):
                rows[change.row] = said
        # A row may have gone, or belong to another by now.
        return {
            table: {key: row for key, row in rows.items() if not row.is_deleted and _is_wanted(row, wanted[table])}
            for table, rows in found.items()
        }

    def _row(self, mapping: TableMapping, change: Change) -> GatheredRow:
        values = column_values(mapping, sorted(self._columns.get(mapping.table, ())), change)
        return GatheredRow(change.row, dict(change.fields), values, change.position, change.op == "d", change.order)


def _take(known: GatheredRow, change: Change, said: GatheredRow) -> None:
    if not supersedes(change, known, is_later=True):
        return
    known.position, known.order, known.said = standing(change, known)
    known.is_deleted = said.is_deleted
    if not said.is_deleted:
        known.fields |= said.fields
        known.values |= said.values


def _is_wanted(row: GatheredRow, wanted: Mapping[str, Collection[str]]) -> bool:
    return any(row.row in values if name == "" else row.values.get(name) in values for name, values in wanted.items())
