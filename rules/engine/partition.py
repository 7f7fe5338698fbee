"""What the engine keeps for one partition beside its instances: clock, timers, indexes, cursor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappush

from rules.reference import NEVER, Reference, ReferenceCursor
from rules.state import Instance
from schemas import AlertEvent, Change, IndicatorDelta, Notice


@dataclass(slots=True)
class Step:
    """What is to be done after a step: things to write, and keys of instances that changed."""

    alerts: list[AlertEvent] = field(default_factory=list)
    deltas: list[IndicatorDelta] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    votes: list[Change] = field(default_factory=list)
    """Changes for other instances, to be written to `stagewatch.changes`; topic "" marks them."""
    dropped: int = 0
    """Changes that said nothing new (repeats, older than what is known)."""


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
        self.instances: dict[str, Instance] = {}
        self.judged: dict[str, int] = {}
        self.cursor: ReferenceCursor | None = None
        self.timers: list[tuple[int, str]] = []
        self._reference = reference
        self._index: dict[str, set[str]] = {}
        self._indexed: dict[str, tuple[str, ...]] = {}
        self._rows: dict[tuple[str, str], str] | None = None

    # -- what judgements ask

    def reference(self, entity: str, key: str) -> dict[str, object] | None:
        """Give a reference row as known at the partition's clock."""
        return self._reference.get(entity, key, self.clock)  # type: ignore[return-value]

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
        before = self._indexed.get(instance.key, ())
        if before == keys:
            return
        for key in before:
            if key not in keys:
                self._index[key].discard(instance.key)
        for key in keys:
            self._index.setdefault(key, set()).add(instance.key)
        if keys:
            self._indexed[instance.key] = keys
        else:
            self._indexed.pop(instance.key, None)

    def found(self, keys: Iterable[str]) -> list[Instance]:
        """Give the instances under any of the keys, sorted by their own key."""
        names = set().union(*(self._index.get(key, ()) for key in keys))
        return [self.instances[name] for name in sorted(names) if name in self.instances]

    def holder(self, entity: str, row: str) -> str | None:
        """Give the key of the instance that holds a row; for deletes that do not name it.

        The index is made on the first question: such deletes are rare, most partitions never ask.
        """
        if self._rows is None:
            self._rows = {}
            for instance in self.instances.values():
                self.learn_rows(instance)
        return self._rows.get((entity, row))

    def learn_rows(self, instance: Instance) -> None:
        """Keep the index of rows up to date, if there is one."""
        if self._rows is None:
            return
        for visit in instance.visits:
            self._rows["visit", visit.row] = instance.key
        for name in instance.others or ():
            entity, _, row = name.partition(":")
            self._rows[entity, row] = instance.key
