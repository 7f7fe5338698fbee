"""What the engine keeps for one partition beside its instances: clock, timers, indexes, cursor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappush
from typing import TYPE_CHECKING, Any

from rules.engine.instances import Instances
from rules.reference import NEVER, Reference, ReferenceCursor
from rules.state import Instance, Place, RulesMark
from schemas import AlertEvent, Change, IndicatorDelta, Notice, Number

if TYPE_CHECKING:
    from rules.engine.take_up import TakeUp

NO_GRIDS: Mapping[str, int] = {}
SPARE_TIMERS = 1_000
"""So many stale timers are nothing, however few instances there are."""
Part = tuple[str, str, str, str, Number, Number]
"""What one thing contributes to an indicator: indicator, org_no, date, dims, numerator, denominator."""


@dataclass(slots=True)
class Step:
    """What is to be done after a step: things to write."""

    alerts: list[AlertEvent] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    """Of the work under way; empty when a call of the engine returns."""
    rows: dict[str, bytes] = field(default_factory=dict)
    """Instances that changed, as the changelog gets them."""
    votes: list[Change] = field(default_factory=list)
    """Changes for other instances, to be written to `stagewatch.changes`; topic "" marks them."""
    dropped: int = 0
    """Changes that said nothing new (repeats, older than what is known)."""
    sums: dict[tuple[str | int, ...], list[Any]] = field(default_factory=dict)
    """Differences of indicators, summed: by indicator, org_no, date and dims (and moment) the numerator, denominator,
    last time."""
    grids: Mapping[str, int] = field(default_factory=lambda: NO_GRIDS)
    """Indicators that are judged, with the time (ms) within which differences may be told as one."""

    @property
    def deltas(self) -> list[IndicatorDelta]:
        """The differences that are not nothing."""
        sums = self.sums.items()
        return [IndicatorDelta(*key[:4], *found) for key, found in sums if found[0] or found[1]]  # type: ignore[arg-type]

    def count(self, before: Iterable[Part], after: Iterable[Part], at: int) -> None:
        """Add what things contribute now, less what they contributed before."""
        sums, grids = self.sums, self.grids
        for sign, parts in ((-1, before), (1, after)):
            for code, org, day, dims, numerator, denominator in parts:
                key: tuple[str | int, ...] = (code, org, day, dims)
                if code in grids:
                    key = (*key, -(-at // grids[code]))
                found = sums.get(key)
                if found is None:
                    found = sums[key] = [0, 0, at]
                found[0] += sign * numerator
                found[1] += sign * denominator
                found[2] = at


class Partition:
    """The state of one partition. Made by `Engine.new_partition`; only the engine changes it."""

    def __init__(self, number: int, reference: Reference) -> None:
        self.number = number
        self.clock = 0
        """Epoch ms; never runs backwards."""
        self.notify_from = 0
        self.live_from = 0
        self.is_history = False
        """The change being judged came from a snapshot."""
        self.instances = Instances()
        self.judged: dict[str, int] = {}
        self.cursor: ReferenceCursor | None = None
        self.timers: list[tuple[int, str]] = []
        self.rules = RulesMark()
        """The rules that it judges by."""
        self.take_up: TakeUp | None = None
        """While other rules are being taken up: how far that has come."""
        self._reference = reference
        self._index: dict[str, str | dict[str, None]] = {}
        """Instances under a key of reference data: one, or several as a dict's keys (half a set's memory)."""
        self._rows: dict[tuple[str, str], tuple[str, ...]] | None = None

    # -- what judgements ask

    def reference(self, entity: str, key: str) -> dict[str, object] | None:
        """Give a reference row as known at the partition's clock."""
        return self._reference.get(entity, key, self.clock)  # type: ignore[return-value]

    def reference_place(self, entity: str, key: str) -> Place | None:
        """Give where the reference row was read that was known at the partition's clock."""
        return self._reference.place(entity, key, self.clock)

    def linked(self, entity: str, field: str, value: str) -> list[tuple[str, Mapping[str, object]]]:
        """Give the reference rows whose field had the value at the partition's clock, sorted by key."""
        return self._reference.linked(entity, field, value, self.clock)

    def has_any(self, entity: str) -> bool:
        """Tell whether any reference row of the entity had arrived by the partition's clock."""
        return self._reference.has_any(entity, self.clock)

    def reference_of_day(self, entity: str, key: str, moment: int) -> dict[str, object] | None:
        """Give a reference row as it held at a moment, as known at the partition's clock."""
        return self._reference.of_day(entity, key, self.clock, moment)  # type: ignore[return-value]

    # -- timers

    def schedule(self, instance: Instance) -> None:
        """Put the instance's next due time into the heap, unless an earlier entry stands for it."""
        due = instance.due
        for visit in instance.visits:
            if visit.due is not None and (due is None or visit.due < due):
                due = visit.due
        if due is None:
            instance.scheduled = None
        elif instance.scheduled != due:
            instance.scheduled = due
            heappush(self.timers, (due, instance.key))

    def next_due(self) -> int:
        """Give when the next timer or reference event is due; `NEVER` if none."""
        timer = self.timers[0][0] if self.timers else NEVER
        return min(timer, self.cursor.due if self.cursor else NEVER)

    # -- indexes

    def index(self, instance: Instance, keys: tuple[str, ...]) -> None:
        """Make the instance findable under these keys and no others."""
        if instance.index == keys:
            return
        for key in set(instance.index).difference(keys):
            found = self._index.pop(key)
            if isinstance(found, dict) and len(found) > 1:
                found.pop(instance.key, None)
                self._index[key] = found
        self._add(instance.key, set(keys).difference(instance.index))
        instance.index = keys

    def _add(self, name: str, keys: Iterable[str]) -> None:
        for key in keys:
            found = self._index.get(key)
            if found is None:
                self._index[key] = name
            elif isinstance(found, dict):
                found[name] = None
            else:
                self._index[key] = {found: None, name: None}

    def rebuild(self) -> None:
        """Make timers and indexes from the instances that were loaded."""
        for key, head in self.instances.heads():
            if head.scheduled is not None:
                self.timers.append((head.scheduled, key))
            if head.index:
                self._add(key, head.index)
        heapify(self.timers)

    def drop_stale_timers(self) -> None:
        """Make the heap anew once most of it stands for nothing any more: stages that ended in time leave theirs.

        Call between steps, when no instance is open.
        """
        if len(self.timers) > 2 * len(self.instances.rows) + SPARE_TIMERS:
            self.timers[:] = [(h.scheduled, key) for key, h in self.instances.heads() if h.scheduled is not None]
            heapify(self.timers)

    def found(self, keys: Iterable[str]) -> list[Instance]:
        """Give the instances under any of the keys, to be changed, sorted by their own key."""
        names: set[str] = set()
        for key in keys:
            found = self._index.get(key, ())
            names.update(found if isinstance(found, dict) else (found,) if found else ())
        opened = (self.instances.open(name) for name in sorted(names))
        return [instance for instance in opened if instance is not None]

    def holders(self, entity: str, row: str) -> tuple[str, ...]:
        """Give the keys of the instances that hold a row, of which several may be told; for deletes that name none.

        The index is made on the first question: such deletes are rare, most partitions never ask.
        """
        if self._rows is None:
            self._rows = {}
            for instance in self.instances.values():
                self.learn_rows(instance)
        return self._rows.get((entity, row), ())

    def learn_rows(self, instance: Instance) -> None:
        """Keep the index of rows up to date, if there is one."""
        if self._rows is None:
            return
        for visit in instance.visits:
            self._learn_row(("visit", visit.row), instance.key)
        for name in instance.others or ():
            entity, _, row = name.partition(":")
            self._learn_row((entity, row), instance.key)

    def _learn_row(self, row: tuple[str, str], key: str) -> None:
        if self._rows is not None and key not in (known := self._rows.get(row, ())):
            self._rows[row] = (*known, key)
