"""Reference data with the times at which it arrived: topology, managers, customers, list items.

One per worker, read by all its partitions. A look-up names the time of the asking partition's clock and
sees what had arrived by then, so that catching up judges what running live would have judged. Changes of
entities that judgements rest on are also *events* on a timeline, which each partition works off in order.
Pure: fed by `streams.reference` in the worker and directly in `replay`.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter
from typing import NamedTuple

from rules.believed import NOBODY, Believed, said_elsewhere
from rules.engine.deadlines import usable
from rules.engine.fusion import is_newer, place_of
from rules.state import Place
from schemas import BEFORE_ALL, Change, standing

Fields = Mapping[str, object]
"""A row's fields as rules read them."""
TOPOLOGY = frozenset({"cons_tg", "customer", "tg", "line", "bay", "bus", "subs"})
"""Entities that say where a metering point hangs: a change makes its energy be counted again."""
JUDGED = frozenset({"negative_item", "customer", "project_schedule", "tg"}) | TOPOLOGY
"""Entities whose changes make instances be judged again; the others only answer look-ups."""
_ONLY_COUNTED = TOPOLOGY - {"customer", "tg"}
"""Of these, a row that says what it said before tells nothing: whole tables are sent again every night."""


_NOWHERE = Place("", 0, 0)


class ReferenceEvent(NamedTuple):
    """Something that judgements rest on changed at `at` (epoch ms)."""

    at: int
    source: str
    """`topic:partition` of the record."""
    offset: int
    kind: str
    """`opened` and `closed` for list items, else `changed`."""
    entity: str
    key: str
    is_history: bool = False
    """It was so before the record arrived: the record came from a snapshot."""


class _History:
    """The versions of one reference row, by arrival; `None` fields: deleted."""

    __slots__ = ("order", "places", "position", "said", "times", "versions")

    def __init__(self) -> None:
        self.position, self.order, self.said = BEFORE_ALL, 0, 0
        self.places: list[Place] = []
        self.times: list[int] = []
        self.versions: list[Fields | None] = []

    @property
    def place(self) -> Place:
        """Where the newest version was read."""
        return self.places[-1] if self.places else _NOWHERE

    def at(self, time: int) -> Fields | None:
        times = self.times
        if times and times[-1] <= time:
            return self.versions[-1]
        index = bisect_right(times, time)
        return self.versions[index - 1] if index else None


class Reference:
    """All reference rows of one worker."""

    def __init__(self, entities: frozenset[str], believed: Believed = NOBODY) -> None:
        """Begin empty; `believed`: in which fields rows of other sources count before an entity's own."""
        self.entities, self.believed = entities, believed
        self._beside = {
            each: names
            for each in entities
            if (names := tuple(sorted(n for n in entities if n.startswith(f"{each}@"))))
        }
        """Entities that several sources tell of, and what the rows of the others are called."""
        self._rows: dict[str, dict[str, _History]] = {entity: {} for entity in entities}
        self._links: dict[tuple[str, str], set[str]] = {}
        self._first: dict[str, int] = {}
        """Arrival of the first row of each entity, epoch ms."""
        self._timeline: list[ReferenceEvent] = []
        self._cursors: list[ReferenceCursor] = []
        self._is_sorted = True

    def add(self, change: Change) -> None:
        """Take in one change; in order within its source partition, in any order between them."""
        history = self._rows[change.entity].setdefault(change.row, _History())
        self._first[change.entity] = min(change.at, self._first.get(change.entity, NEVER))
        if not is_newer(change, history):
            return
        history.position, history.order, history.said = standing(change, history)
        before = history.versions[-1] if history.versions else None
        after = None if change.op == "d" else {**(before or {}), **change.fields}
        at = max(change.at, history.times[-1]) if history.times else change.at
        entity = change.entity.partition("@")[0]
        times = self._changing(entity, change.row, at) if entity in self._beside else ()
        counted = [self._counting(entity, change.row, time) for time in times]
        history.times.append(at)
        history.places.append(place_of(change))
        history.versions.append(after)
        self._link(change.entity, change.row, after)
        if entity in self._beside:
            self._link(entity, change.row, after)
            for time, was in zip(times, counted, strict=True) if entity in JUDGED else ():
                self._tell(change, entity, time, was, self._counting(entity, change.row, time))
        elif entity in JUDGED:
            self._tell(change, entity, at, before, after)

    def _changing(self, entity: str, key: str, at: int) -> list[int]:
        """Give when it changes from `at` on what counts of a row that several sources tell of."""
        histories = (self._rows[name].get(key) for name in (entity, *self._beside[entity]))
        return sorted({at, *(time for each in histories if each for time in each.times if time > at)})

    def _counting(self, entity: str, key: str, at: int) -> Fields | None:
        """Give what counted at `at` of a row that several sources tell of: its own, or else that of another source.

        In the fields in which another source is believed first, what that says.
        """
        history = self._rows[entity].get(key)
        own = history.at(at) if history else None
        if own is None and history is not None and history.times and history.times[0] <= at:
            return None  # deleted, by the source that the entity is believed of
        rows = {name: each.at(at) for name in self._beside[entity] if (each := self._rows[name].get(key))}
        base = own if own is not None else next((row for row in rows.values() if row is not None), None)
        order = self.believed.get(entity)
        if base is None or order is None or not rows:
            return base
        said = said_elsewhere(order, lambda name: [row] if (row := rows.get(name)) is not None else ())
        return {**base, **said} if said else base

    def get(self, entity: str, key: str, at: int) -> Fields | None:
        """Give the row as it was known at `at`, or None."""
        if entity in self._beside:
            return self._counting(entity, key, at)
        rows = self._rows.get(entity)
        history = rows.get(key) if rows else None
        return history.at(at) if history else None

    def place(self, entity: str, key: str, at: int) -> Place | None:
        """Give where the newest change of the row was read that was known at `at`, a delete too; None: no such."""
        for name in (entity, *self._beside.get(entity, ())):
            history = self._rows.get(name, {}).get(key)
            index = bisect_right(history.times, at) if history else 0
            if history and index:
                return history.places[index - 1]
        return None

    def of_day(self, entity: str, key: str, at: int, moment: int) -> Fields | None:
        """Give the row as it held at `moment`, as known at `at`, or None.

        Where rows say from when to when they hold, that counts; else what had arrived by the moment. What arrived
        first stands for the time before.
        """
        history = self._rows.get(entity, {}).get(key)
        count = bisect_right(history.times, at) if history else 0
        for index in range(count - 1, -1, -1):
            arrived, fields = (history.times[index], history.versions[index]) if history else (0, None)
            begin = usable(fields.get("valid_from")) if fields else None
            if begin is None and arrived > moment and index > 0:
                continue
            if fields is None:
                return None
            if begin is None or begin <= moment:
                end = usable(fields.get("valid_to"))
                return None if end is not None and end <= moment else fields
        return None

    def last_known(self, entity: str, key: str, at: int) -> Fields | None:
        """Give the row as it was known at `at`, or before it was deleted."""
        if entity in self._beside:
            times = [time for time in self._changing(entity, key, -NEVER) if time <= at]
            known = (self._counting(entity, key, time) for time in reversed(times))
            return next((fields for fields in known if fields is not None), None)
        history = self._rows.get(entity, {}).get(key)
        index = bisect_right(history.times, at) if history else 0
        versions = history.versions[:index] if history else []
        return next((fields for fields in reversed(versions) if fields is not None), None)

    def has_any(self, entity: str, at: int) -> bool:
        """Tell whether any row of an entity had arrived by `at`."""
        return self._first.get(entity, NEVER) <= at

    def linked(self, entity: str, field: str, value: str, at: int) -> list[tuple[str, Fields]]:
        """Give the rows of `entity` whose `field` was `value` at `at`, sorted by key."""
        found = []
        for key in sorted(self._links.get((f"{entity}.{field}", value), ())):
            fields = self.get(entity, key, at)
            if fields is not None and fields.get(field) == value:
                found.append((key, fields))
        return found

    def ever_linked(self, entity: str, field: str, value: str) -> Collection[str]:
        """Give the keys of the rows of `entity` whose `field` ever was `value`."""
        return self._links.get((f"{entity}.{field}", value), ())

    def cursor(self, clock: int, judged: dict[str, int]) -> ReferenceCursor:
        """Give a partition's view of the timeline: past events that it has not judged, and all to come."""
        self._sort()
        cursor = ReferenceCursor(self, bisect_right(self._timeline, clock, key=itemgetter(0)), judged)
        self._cursors.append(cursor)
        return cursor

    def release(self, cursor: ReferenceCursor) -> None:
        """Forget a cursor whose partition left."""
        self._cursors.remove(cursor)

    def timeline(self) -> list[ReferenceEvent]:
        """Give all events in order of time."""
        self._sort()
        return self._timeline

    def _sort(self) -> None:
        if not self._is_sorted:
            self._timeline.sort()
            self._is_sorted = True

    def _link(self, entity: str, key: str, fields: Fields | None) -> None:
        for field in LINKED.get(entity, ()):
            value = (fields or {}).get(field)
            if value is not None:
                self._links.setdefault((f"{entity}.{field}", str(value)), set()).add(key)

    def _tell(self, change: Change, entity: str, at: int, before: Fields | None, after: Fields | None) -> None:
        source = f"{change.topic}:{change.partition}"
        for time, kind in _happenings(entity, at, before, after):
            is_history = change.op == "r" and time == at
            self._insert(ReferenceEvent(time, source, change.offset, kind, entity, change.row, is_history))

    def _insert(self, event: ReferenceEvent) -> None:
        if not self._cursors:
            self._is_sorted = self._is_sorted and (not self._timeline or event >= self._timeline[-1])
            self._timeline.append(event)
            return
        self._sort()
        index = bisect_right(self._timeline, event)
        insort(self._timeline, event)
        for cursor in self._cursors:
            cursor.inserted(index, event)


LINKED = {
    "negative_item": ("tg_no", "trans_no", "line_no", "subs_no", "bus_no"),
    "bus": ("subs_no",),
    "bay": ("bus_no",),
    "line": ("bay_no",),
    "tg": ("trans_no", "line_no"),
    "cons_tg": ("tg_no", "line_no"),
    "customer": ("tg_no", "line_no"),
    "stakeholder": ("org_no", "role", "app_no", "mobile", "person_no"),
    "customer_manager": ("mobile",),
    "tg_manager": ("mobile",),
    "sms_subscription": ("cons_no",),
    "org": ("parent_org_no",),
    "meter_install": ("meter_no",),
}
"""Fields by which rows are looked up besides their key."""


def is_open(item: Fields | None, at: int) -> bool:
    """True if a list item is published and not cleared at `at`."""
    if item is None:
        return False
    published, cleared = usable(item.get("published_at")), usable(item.get("cleared_at"))
    return published is not None and published <= at and not (cleared is not None and cleared <= at)


def _happenings(entity: str, at: int, before: Fields | None, after: Fields | None) -> Iterator[tuple[int, str]]:
    if entity != "negative_item":
        if before != after or entity not in _ONLY_COUNTED:
            yield at, "changed"
        return
    was, now = is_open(before, at), is_open(after, at)
    if was != now:
        yield at, "opened" if now else "closed"
    elif before != after:  # also of one that is not open: when it was cleared says whether another came back
        yield at, "changed"
    for field, kind in (("published_at", "opened"), ("cleared_at", "closed")):
        time = usable((after or {}).get(field))
        if time is not None and time > at:
            yield time, kind


NEVER = 1 << 62
"""Later than every time, epoch ms."""


class ReferenceCursor:
    """How far one partition has worked off the timeline."""

    __slots__ = ("_late", "_reference", "due", "index", "judged")

    def __init__(self, reference: Reference, index: int, judged: dict[str, int]) -> None:
        self._reference = reference
        self.index = index
        self.judged = judged
        events = reference.timeline()
        self._late = deque(e for e in events[:index] if e.offset >= judged.get(e.source, 0))
        self.due = NEVER
        """When the next event is due, epoch ms; `NEVER` if there is none."""
        self._look_ahead()

    def inserted(self, index: int, event: ReferenceEvent) -> None:
        """The timeline grew at `index`: what lies behind us is judged late."""
        if index < self.index:
            self.index += 1
            self._late.append(event)
        self._look_ahead()

    def pop(self) -> ReferenceEvent:
        """Give the next event; it counts as judged from then on. Only if `due` is not `NEVER`."""
        if self._late:
            event = self._late.popleft()
        else:
            event = self._reference.timeline()[self.index]
            self.index += 1
        if event.offset >= self.judged.get(event.source, 0):
            self.judged[event.source] = event.offset + 1
        self._look_ahead()
        return event

    def _look_ahead(self) -> None:
        events = self._reference.timeline()
        if self._late:
            self.due = self._late[0].at
        else:
            self.due = events[self.index].at if self.index < len(events) else NEVER
