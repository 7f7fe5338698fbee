"""The outer side: reads what is entered, numbers it, and keeps it until the other side has acknowledged it.

Reading position, number and batch are kept in one SQLite transaction before anything is put on the way. So a crash
leaves no gap and no second number for the same records, and what a device loses is put there again. A state that is
lost begins a new epoch: everything is read again, and the receiver leaves out what it has. So does a state that was put
back from a copy, once an acknowledgement shows it: of a number not given yet, or of another batch under its number.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec

from connectors.relay.boxes import Box
from connectors.relay.envelope import (
    MOST_RAW_BYTES,
    MOST_RECORDS,
    Acknowledgement,
    Crossing,
    RelayedRecord,
    bare,
    seal,
    unseal,
)
from connectors.relay.outward import Outward, Withheld
from schemas import BadInput

Positions = dict[str, int]
"""Place (`RelayedRecord.place`) to the next offset to read."""


Withhold = Callable[[RelayedRecord, Withheld], None]


class Read(NamedTuple):
    """Records that were read, in order within a partition, and where reading goes on after them."""

    records: Sequence[RelayedRecord]
    positions: Positions
    deleted: Mapping[str, int] = MappingProxyType({})
    """`topic:partition` to how many records at most the broker had deleted before they were read."""

    def first(self, most_bytes: int) -> "Read":
        """Give its beginning, up to so many bytes; at least one record."""
        size = 0
        for number, record in enumerate(self.records):
            size += record.size
            if size > most_bytes and number:
                left = {rest.place: rest.offset for rest in reversed(self.records[number:])}
                return self._replace(records=self.records[:number], positions={**self.positions, **left})
        return self


class Reader(Protocol):
    """Where the sender reads what is entered."""

    def read(self, positions: Mapping[str, int], most: int) -> Read:
        """Give up to `most` records after `positions`; may be empty. Raises TryLater."""


class Pending(NamedTuple):
    """A batch that has not been acknowledged."""

    epoch: int
    number: int
    rows: int
    entered_at: int
    """Its oldest record's time outside, epoch ms."""
    sent_at: int
    tries: int


class Acked(NamedTuple):
    """A batch that has been applied on the other side."""

    epoch: int
    number: int
    rows: int
    entered_at: int
    sent_at: int
    acked_at: int
    """By the receiver's clock."""


class Sender:
    """One channel's outer side. Not for two processes at once: the second finds the state locked."""

    def __init__(  # noqa: PLR0913 - what it stands on
        self, channel: str, state: Path, forward: Box, back: Box, *, secret: str, clock: Callable[[], float],
        outward: Mapping[str, Outward] | None = None,
    ) -> None:  # fmt: skip
        """`clock`: epoch seconds. `outward`: by topic what may leave of its rows; a topic without one leaves whole."""
        state.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(state, timeout=0)
        self._db.executescript(_SET_UP)
        self._channel, self._forward, self._back = channel, forward, back
        self._secret, self._clock, self._outward = secret, clock, outward or {}
        if self._fact("epoch") is None:
            self._begin(int(clock() * 1000))

    def collect(self, reader: Reader, withhold: Withhold, *, heartbeat_s: float = 10.0) -> int | None:
        """Read what is new into the next batch; gives its number, None if there was nothing to say. Raises TryLater.

        `withhold` is told of each record that must not leave, before its place is passed.

        Without records a batch is made every `heartbeat_s`, while none is under way: so the other side can tell
        silence from a cut link.
        """
        read = reader.read(self._positions(), MOST_RECORDS).first(MOST_RAW_BYTES)
        records = [passed for record in read.records if (passed := self._passed(record, withhold)) is not None]
        now = int(self._clock() * 1000)
        if not records and (self.pending() or now - self._last_sent() < heartbeat_s * 1000):
            if read.positions:
                with self._db:
                    self._keep(read)
            return None
        number = self._last_number() + 1
        sent_at = max(now, self._last_sent() + 1)  # no two batches of an epoch say the same
        previous = self._last_sent() if number > 1 else 0
        with self._db:
            self._keep(read)
            self._add(Crossing(self._channel, self._epoch, number, sent_at, records, previous))
            self._db.execute("INSERT OR REPLACE INTO facts VALUES ('last', ?)", (f"{number} {sent_at}",))
        return number

    def _add(self, crossing: Crossing) -> None:
        """Keep a batch until it is acknowledged; inside a transaction."""
        entered = min((record.timestamp for record in crossing.records), default=crossing.sent_at)
        row = crossing.number, len(crossing.records), entered, crossing.sent_at, seal(crossing, self._secret)
        self._db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, 0, ?, 0)", row)

    def _passed(self, record: RelayedRecord, withhold: Withhold) -> RelayedRecord | None:
        outward = self._outward.get(record.topic)
        if outward is None:
            return record
        try:
            return outward.passed(record)
        except Withheld as error:
            withhold(record, error)
            return None

    def send(self, *, again_after_s: float = 30.0) -> list[int]:
        """Put on the way what is not there and has not been acknowledged; gives the numbers. Raises OSError, TryLater.

        A batch that was put there longer than `again_after_s` ago and has vanished without an acknowledgement was
        lost by the device, and goes again.
        """
        now, sent = int(self._clock() * 1000), []
        lying = set(self._forward.numbers())
        query = "SELECT number, data, put_at FROM batches ORDER BY number"
        for number, data, put_at in self._db.execute(query).fetchall():
            if number in lying or now - put_at < again_after_s * 1000:
                continue
            self._forward.put(number, data)
            with self._db:
                self._db.execute("UPDATE batches SET put_at = ?, tries = tries + 1 WHERE number = ?", (now, number))
            sent.append(number)
        return sent

    def settle(self) -> list[Acked]:
        """Take in acknowledgements; gives the batches that are done, in order. Raises OSError, TryLater."""
        highest: Acknowledgement | None = None
        for number in self._back.numbers():
            data = self._back.take(number)
            if data is None:
                continue
            try:
                ack = unseal(data, Acknowledgement, channel=self._channel, secret=self._secret)
            except BadInput:
                self._back.set_aside(number)
                continue
            if ack.epoch > self._epoch or (ack.epoch == self._epoch and self._is_of_another_life(ack)):
                self._begin(ack.epoch + 1)
                highest = None
            if ack.epoch == self._epoch and (highest is None or ack.number > highest.number):
                highest = ack
            self._back.drop(number)
        if highest is None:
            return []
        query = "SELECT number, rows, entered_at, sent_at FROM batches WHERE number <= ? ORDER BY number"
        done = [
            Acked(self._epoch, number, rows, entered_at, sent_at, highest.received_at)
            for number, rows, entered_at, sent_at in self._db.execute(query, (highest.number,))
        ]
        with self._db:
            self._db.execute("DELETE FROM batches WHERE number <= ?", (highest.number,))
        for acked in done:
            self._forward.drop(acked.number)
        return done

    def _is_of_another_life(self, ack: Acknowledgement) -> bool:
        """Tell whether what was acknowledged was never sent by the life that this state knows."""
        if ack.number > self._last_number():
            return True
        query = "SELECT sent_at FROM batches WHERE number = ?"
        found = self._db.execute(query, (ack.number,)).fetchone()
        return bool(found and ack.sent_at and found[0] != ack.sent_at)

    def _begin(self, epoch: int) -> None:
        """Count in a new epoch, from 1; what was numbered in an older one, and the receiver takes for that, goes again.

        Epochs are times. The receiver knows a later one if this machine's clock has gone back since the state was
        lost; or this state is a copy, and what came behind it has been applied. It leaves out what it has of ours.
        """
        pending = self._db.execute("SELECT number, data, sent_at FROM batches ORDER BY number").fetchall()
        with self._db:
            self._db.execute("DELETE FROM batches")
            previous = 0
            for number, (before, data, sent_at) in enumerate(pending, 1):
                crossing = unseal(data, Crossing, channel=self._channel, secret=self._secret)
                self._add(msgspec.structs.replace(crossing, epoch=epoch, number=number, previous=previous))
                self._forward.drop(before)
                previous = sent_at
            facts = {"epoch": str(epoch), "last": f"{len(pending)} {self._last_sent()}"}
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))

    @property
    def _epoch(self) -> int:
        return int(self._fact("epoch") or 0)

    def pending(self) -> list[Pending]:
        """Give what has not been acknowledged, in order."""
        query = "SELECT number, rows, entered_at, sent_at, tries FROM batches ORDER BY number"
        return [Pending(self._epoch, *row) for row in self._db.execute(query)]

    def lag_s(self) -> float:
        """Give how old the oldest entry is that has not been acknowledged; 0: all have."""
        entered = [pending.entered_at for pending in self.pending() if pending.rows]
        return max(0.0, self._clock() - min(entered) / 1000) if entered else 0.0

    def deleted(self) -> dict[str, int]:
        """Give by `topic:partition` how many records at most were deleted outside before they were read, ever."""
        return {place: int(count) for place, count in json.loads(self._fact("deleted") or "{}").items()}

    def _positions(self) -> Positions:
        return {place: int(offset) for place, offset in json.loads(self._fact("positions") or "{}").items()}

    def made_anew(self) -> dict[str, int]:
        """Give by topic how often it was made anew outside: what of the one before had not been read does not cross."""
        return {topic: int(count) for topic, count in json.loads(self._fact("anew") or "{}").items()}

    def _keep(self, read: Read) -> None:
        named = {bare(place) for place in read.positions}
        before = self._positions()
        others = {place: offset for place, offset in before.items() if bare(place) not in named}
        facts = [("positions", {**others, **read.positions})]
        if anew := _made_anew(before, read.positions):
            known = self.made_anew()
            facts.append(("anew", known | {topic: known.get(topic, 0) + 1 for topic in anew}))
        if read.deleted:
            known = self.deleted()
            facts.append(("deleted", known | {place: known.get(place, 0) + n for place, n in read.deleted.items()}))
        rows = [(name, json.dumps(fact)) for name, fact in facts]
        self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def _last_number(self) -> int:
        return int((self._fact("last") or "0 0").split()[0])

    def _last_sent(self) -> int:
        return int((self._fact("last") or "0 0").split()[1])

    def _fact(self, name: str) -> str | None:
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def close(self) -> None:
        """Keep and close the state."""
        self._db.commit()
        self._db.close()


def _made_anew(before: Mapping[str, int], after: Mapping[str, int]) -> set[str]:
    """Give the topics of which positions in another life are known."""
    lives = {bare(place): place for place in before if place != bare(place)}
    changed = {bare(place) for place in after if lives.get(bare(place), place) != place}
    return {place.rpartition(":")[0] for place in changed}


_SET_UP = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL; -- a number that was given must never be given again
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY, rows INTEGER, entered_at INTEGER, sent_at INTEGER, put_at INTEGER, data BLOB,
    tries INTEGER NOT NULL DEFAULT 0
);
"""
