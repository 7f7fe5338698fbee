"""The rows of one instance as rules about rows see them, and what such rules find.

Read-only and made anew for each judgement. Values are those of `schemas.Value`: decimals are `Decimal`, times epoch
ms, a date the end of that local day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from rules.state import Instance, Place, Row, Visit
from rules.workdays import WorkCalendar
from schemas import Severity, Value, from_wire

Fields = Mapping[str, Value]


def number(value: Value) -> Decimal | None:
    """Give a field's number; None for null, text and truth values."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)


class Surroundings(Protocol):
    """What a rule may ask beyond the instance: reference data as known at the partition's clock."""

    clock: int

    def reference(self, entity: str, key: str) -> Mapping[str, object] | None:
        """Give a reference row."""

    def reference_place(self, entity: str, key: str) -> Place | None:
        """Give where a reference row was read."""

    def linked(self, entity: str, field: str, value: str) -> list[tuple[str, Mapping[str, object]]]:
        """Give the reference rows whose field has the value, sorted by key."""

    def has_any(self, entity: str) -> bool:
        """Tell whether any row of the entity has arrived."""


class SubjectRow(NamedTuple):
    """One row that a rule looks at."""

    key: str | None
    """The row's primary key; None: the instance itself."""
    fields: Fields
    place: Place | None


class Finding(NamedTuple):
    """What one rule says of one row (or of the instance), whether the time has come or not."""

    subject: str | None
    rungs: tuple[tuple[Severity, int | None], ...]
    """When each severity is reached; None: as soon as it is known."""
    deadline: int | None = None
    since: int | None = None
    ended_at: int | None = None
    """When its ground is over (may lie ahead); None: it goes on."""
    detail: str = ""
    dept: str | None = None
    places: tuple[Place, ...] = ()
    """Where the rows were read that it rests on, its own first."""
    further: tuple[Callable[[], Iterable[Place | None]], ...] = ()
    """Give more of them, once there is something to say; None: of a row that is not known."""
    stage: str | None = None
    visit: int | None = None
    """The visit that it is about, of rules that look at stages."""


class Found(NamedTuple):
    """What a computation found."""

    detail: str = ""
    """In words for the sentence, in Chinese."""
    due: int | None = None
    """It counts from this time on; None: at once. Only of a computation that is timed."""
    places: tuple[Place, ...] = ()
    """Further rows that it rests on."""


class Asked(NamedTuple):
    """Another rule that a computation rests on, as it judges the same instances."""

    code: str
    title: str
    each: str | None
    """Entity of the rows that it is about; None: the instance itself."""
    find: Callable[[Rows, SubjectRow], Found | None]
    """What it finds about one of these rows; None too for a row that is none of its."""


class Rows:
    """An instance's rows by entity."""

    def __init__(self, instance: Instance, entity: str, around: Surroundings, calendar: WorkCalendar) -> None:
        """Take the instance, the entity of its own row, and whom to ask beyond it."""
        self.instance = instance
        self.calendar = calendar
        self.around = around
        self._entity = entity
        self._grouped: dict[str, list[tuple[str, Row]]] | None = None
        self._known: dict[str, list[SubjectRow]] = {}
        self._main: SubjectRow | None = None

    @property
    def main(self) -> SubjectRow | None:
        """The instance's own row; None: it is not known, or deleted."""
        row = self.instance.main
        if self._main is None and row is not None and not row.is_deleted:
            self._main = SubjectRow(None, from_wire(row.fields), row.place)
        return self._main

    @property
    def org_no(self) -> str:
        """Code of the unit that the instance is of, by its own row or where its district is; "" if nothing tells it."""
        own = self.main.fields if self.main else {}
        found = own.get("org_no") or (self.look_up("tg", own.get("tg_no")) or {}).get("org_no")
        return str(found or "")

    @property
    def visits(self) -> Iterator[Visit]:
        """The visits of its stages, without deleted ones."""
        return (visit for visit in self.instance.visits if not visit.is_deleted)

    @property
    def clock(self) -> int:
        """The time of the look-ups. A computation gives `Found.due` instead of comparing a time with it."""
        return self.around.clock

    def of(self, entity: str) -> list[SubjectRow]:
        """Give the rows of an entity, its own row's too, without deleted ones, sorted by key."""
        known = self._known.get(entity)
        if known is None:
            rows = self._group().get(entity, [])
            known = [SubjectRow(key, from_wire(row.fields), row.place) for key, row in rows if not row.is_deleted]
            if entity == self._entity and self.main is not None:
                known.append(self.main)
            self._known[entity] = known
        return known

    def where(self, keeps: Mapping[str, Callable[[Fields], bool]]) -> Rows:
        """Give the same rows, of these entities only those whose fields pass."""
        some = Rows(self.instance, self._entity, self.around, self.calendar)
        some._known = {name: [row for row in self.of(name) if test(row.fields)] for name, test in keeps.items()}
        return some

    def as_told(self) -> Rows:
        """Give the same rows, the instance's own as its source tells it, whoever else is believed in some field."""
        own = self.instance.main
        if own is None or own.told is None or own.is_deleted:
            return self
        told = Rows(self.instance, self._entity, self.around, self.calendar)
        told._main = SubjectRow(None, from_wire(own.told), own.place)
        return told

    def holds(self, entity: str, key: str) -> bool:
        """Tell whether a row is in the instance's state, deleted or not."""
        return f"{entity}:{key}" in (self.instance.others or ())

    def look_up(self, entity: str, key: object) -> Fields | None:
        """Give a row of reference data as it was known at the clock; None too for a null key."""
        return None if key is None else self.around.reference(entity, str(key))  # type: ignore[return-value]

    def place(self, entity: str, key: object) -> Place | None:
        """Give where a row of reference data was read as it was known at the clock."""
        return None if key is None else self.around.reference_place(entity, str(key))

    def linked(self, entity: str, field: str, value: object) -> list[tuple[str, Fields]]:
        """Give the reference rows whose field had the value at the clock, sorted by key; none for a null value."""
        return [] if value is None else self.around.linked(entity, field, str(value))  # type: ignore[return-value]

    def has_any(self, entity: str) -> bool:
        """Tell whether any reference row of the entity had arrived at the clock: whether such a source feeds at all."""
        return self.around.has_any(entity)

    def _group(self) -> dict[str, list[tuple[str, Row]]]:
        if self._grouped is None:
            self._grouped = {}
            for name in sorted(self.instance.others or ()):
                entity, _, key = name.partition(":")
                self._grouped.setdefault(entity, []).append((key, self.instance.others[name]))  # type: ignore[index]
        return self._grouped
