"""The inner side: applies batches in the order of their numbers, each once, and acknowledges them.

How far it has come is written in the same transaction as the records (`Inner.write`), and read back when it starts or
something failed (`Inner.take_over`); its own notes are a copy. Where Kafka has no transactions they are all there is:
the number is noted after Kafka has the records, and before it writes where the topics end. After a crash it looks there
for the records that stand already, and writes only those that are missing, in whatever batch they come.

It also keeps how far it has each partition of the other side: a sender that has lost its state reads everything again.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from connectors.relay.boxes import Box
from connectors.relay.envelope import Acknowledgement, Crossing, RelayedRecord, bare, seal, unseal
from schemas import BadInput

RELAY_HEADER = "stagewatch.relay"
"""On every relayed record: `channel/epoch/number/index/` and where and when it stood outside
(`topic:partition:offset:timestamp`)."""


class Inner(Protocol):
    """Where the receiver writes."""

    @property
    def is_exact(self) -> bool:
        """Whether records and progress stand together, or neither; known after `take_over`."""

    def take_over(self) -> Mapping[str, str] | None:
        """Shut out earlier receivers of the channel, and give the progress that was written last. Raises TryLater.

        None: nothing has failed since it was asked last, or there is none.
        """

    def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """Give where the topics end: `topic:partition` to offset. Raises TryLater."""

    def marks(self, ends: Mapping[str, int]) -> set[str]:
        """Give the relay headers of the records behind `ends`. Raises TryLater."""

    def width(self, topic: str) -> int:
        """Give how many partitions a topic has. Raises TryLater."""

    def write(self, records: Sequence[RelayedRecord], progress: Mapping[str, str]) -> None:
        """Write records and return when Kafka has them; those without a key into the partition that they name.

        Raises TryLater: then `take_over` tells whether they stand.
        """


class Applied(NamedTuple):
    """A batch that was applied."""

    epoch: int
    number: int
    rows: int
    entered_at: int
    """Its oldest record's time outside, epoch ms; without records, when it was sent."""
    sent_at: int
    received_at: int

    @property
    def lag_s(self) -> float:
        """How long the oldest entry was on its way, seconds (between the clocks of two networks)."""
        return max(0.0, (self.received_at - self.entered_at) / 1000)


class Receiver:
    """One channel's inner side. `topics`: what may cross; a batch with another topic is set aside."""

    def __init__(  # noqa: PLR0913 - what it stands on
        self, channel: str, state: Path, forward: Box, back: Box, *, topics: frozenset[str], secret: str,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        state.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(state, timeout=0)
        self._db.executescript(_SET_UP)
        self._channel, self._forward, self._back, self._topics = channel, forward, back, topics
        self._secret, self._clock = secret, clock
        self.refused = 0
        """Batches that were set aside since the start."""

    def receive(self, inner: Inner) -> list[Applied]:
        """Apply what has come, as far as the numbers have no gap. Raises OSError and TryLater; call again then."""
        applied = []
        self._adopt(inner.take_over())
        for number in self._forward.numbers():
            if number > self.last_number + 1:
                break
            crossing = self._open(number)
            if crossing is None:
                continue
            if crossing.epoch > self._epoch and number > 1:
                continue  # it has overtaken the first of its epoch
            if (crossing.epoch, number) > (self._epoch, self.last_number) and self._follows(crossing):
                is_new_life = crossing.epoch > self._epoch
                applied.append(self._apply(crossing, inner))
                if is_new_life:
                    self._clear_away()
            else:
                # It came again, is of a life of the sender that is over, or its sender's state is a copy of an old one.
                self._acknowledge()
            self._forward.drop(number)
        return applied

    def _adopt(self, progress: Mapping[str, str] | None) -> None:
        """Go on from what stands in Kafka: our own notes may be lost, old, or one batch behind."""
        if progress is not None and (int(progress["epoch"]), _number(progress["last"])) >= (
            self._epoch, self.last_number,
        ):  # fmt: skip
            self._note(**progress)

    def _clear_away(self) -> None:
        """Drop what lies there of a life of the sender that is over: nothing will ever come before it."""
        for number in self._forward.numbers():
            crossing = self._open(number)
            if crossing is not None and crossing.epoch < self._epoch:
                self._forward.drop(number)

    def _follows(self, crossing: Crossing) -> bool:
        """Tell whether it comes behind the batch that was applied last, and not another one of the same number."""
        is_first = crossing.epoch > self._epoch or not crossing.previous
        return is_first or crossing.previous == int(self._fact("sent_at") or 0)

    def _open(self, number: int) -> Crossing | None:
        data = self._forward.take(number)
        if data is None:
            return None
        try:
            crossing = unseal(data, Crossing, channel=self._channel, secret=self._secret)
            self._check(crossing, number)
        except BadInput:
            # Never applied, never acknowledged: the sender puts the true one there again.
            self.refused += 1
            self._forward.set_aside(number)
            return None
        return crossing

    def _check(self, crossing: Crossing, number: int) -> None:
        """Raise `BadInput` for a number under another's name, and for topics that may not cross."""
        foreign = {record.topic for record in crossing.records} - self._topics
        if crossing.number != number or foreign:
            raise BadInput("not-allowed", f"number {crossing.number}, topics {sorted(foreign)}")

    def _apply(self, crossing: Crossing, inner: Inner) -> Applied:
        batch, lives = f"{self._channel}/{crossing.epoch}/{crossing.number}", _lives(crossing.records)
        known = self._known("known", lives)
        before = known if crossing.epoch > self._epoch else self._known("before", lives)
        new = {n: each for n, each in enumerate(crossing.records) if not _is_known(each, before.get(each.place))}
        half = {_in_life(each, lives) for each in self._half_written(new.values(), inner)}
        missing = [self._inside(each, f"{batch}/{n}", inner) for n, each in new.items() if each.identity not in half]
        now = int(self._clock() * 1000)
        known = known | _known_after(known, new.values())
        progress = {
            "epoch": str(crossing.epoch), "last": f"{crossing.number} {now}", "sent_at": str(crossing.sent_at),
            "known": json.dumps(known), "before": json.dumps(before), "widths": self._fact("widths") or "{}",
            "half": json.dumps(sorted(each for each in half if not _is_passed(each, known))),
        }  # fmt: skip
        inner.write(missing, progress)
        now = int(self._clock() * 1000)
        self._note(**progress | {"last": f"{crossing.number} {now}"}, begun="{}")
        self._acknowledge()
        entered = min((record.timestamp for record in crossing.records), default=crossing.sent_at)
        return Applied(crossing.epoch, crossing.number, len(crossing.records), entered, crossing.sent_at, now)

    def _half_written(self, records: Iterable[RelayedRecord], inner: Inner) -> set[str]:
        """Give the identities that stand in Kafka of batches that never ended, and note that another one begins.

        Where Kafka has transactions only those from before it had them are. A batch that was lost half-written comes
        again from a sender that has lost its state, cut elsewhere and under another number.
        """
        half = set[str](json.loads(self._fact("half") or "[]"))
        begun: dict[str, int] = json.loads(self._fact("begun") or "{}")
        if begun:
            half |= {mark.rpartition("/")[2] for mark in inner.marks(begun) if mark.startswith(f"{self._channel}/")}
        if inner.is_exact:
            return half
        topics = {record.topic for record in records} - {place.rpartition(":")[0] for place in begun}
        if topics:
            self._note(begun=json.dumps(begun | inner.ends(topics)))
        return half

    def _inside(self, record: RelayedRecord, mark: str, inner: Inner) -> RelayedRecord:
        """Give a record as it is to stand inside.

        What has no key stays together with what stood in the same partition outside, for only that says its order;
        also when the topic inside has grown since.
        """
        headers = [*record.headers, (RELAY_HEADER, f"{mark}/{record.identity}".encode())]
        partition = record.partition if record.key is not None else record.partition % self._width(record.topic, inner)
        return msgspec.structs.replace(record, headers=headers, partition=partition)

    def _width(self, topic: str, inner: Inner) -> int:
        """Give how many partitions a topic had when its first record without a key came; fewer if it was made anew."""
        widths: dict[str, int] = json.loads(self._fact("widths") or "{}")
        width = inner.width(topic)
        if width < widths.get(topic, width + 1):
            widths[topic] = width
            self._note(widths=json.dumps(widths))
        return widths[topic]

    def _acknowledge(self) -> None:
        number, received_at = map(int, (self._fact("last") or "0 0").split())
        sent_at = int(self._fact("sent_at") or 0)
        ack = Acknowledgement(self._channel, self._epoch, number, received_at, sent_at)
        self._back.put(number, seal(ack, self._secret))

    def _known(self, when: str, lives: Mapping[str, str]) -> "dict[str, Known]":
        """Give how far partitions were applied: `known`, or `before` the present epoch.

        What was noted before senders named the lives of their topics is of the one that comes first (`_lives`).
        """
        noted = {place: (offset, at) for place, (offset, at) in json.loads(self._fact(when) or "{}").items()}
        named = {lives[place]: known for place, known in noted.items() if place in lives}
        return {**named, **{place: known for place, known in noted.items() if place not in lives}}

    @property
    def _epoch(self) -> int:
        return int(self._fact("epoch") or 0)

    @property
    def last_number(self) -> int:
        """The number applied last in the sender's epoch; 0: none."""
        return _number(self._fact("last") or "0 0")

    def gap(self) -> list[int]:
        """Give the numbers that lie there and wait for one before them. Raises OSError, TryLater."""
        return [number for number in self._forward.numbers() if number > self.last_number + 1]

    def silence_s(self) -> float:
        """Give how long ago the last batch was sent: it grows while the link is cut; 0: nothing has come yet."""
        sent_at = self._fact("sent_at")
        return 0.0 if sent_at is None else max(0.0, self._clock() - int(sent_at) / 1000)

    def _note(self, **facts: str) -> None:
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))

    def _fact(self, name: str) -> str | None:
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def close(self) -> None:
        """Close the state."""
        self._db.close()


def _number(last: str) -> int:
    """Give the number of a fact `last`: it, and when it was applied."""
    return int(last.split(maxsplit=1)[0])


def _lives(records: Iterable[RelayedRecord]) -> dict[str, str]:
    """Give of each `topic:partition` the first place whose topic's life is named."""
    return {bare(each.place): each.place for each in reversed(list(records)) if each.incarnation}


def _in_life(identity: str, lives: Mapping[str, str]) -> str:
    """Give an identity that names no life of its topic as of the one that comes first."""
    place, offset, at = identity.rsplit(":", 2)
    return f"{lives.get(place, place)}:{offset}:{at}"


Known = tuple[int, int]
"""Of a partition outside: the newest offset that was applied, and the newest timestamp."""


def _is_known(record: RelayedRecord, known: Known | None) -> bool:
    """Tell whether a record was applied in an earlier epoch.

    A topic outside that was lost and made anew counts from 0. It is another place, if the broker gives topics ids. If
    not, only the time tells: its records are newer, while no clock goes back.
    """
    return known is not None and record.offset <= known[0] and record.timestamp <= known[1]


def _known_after(known: Mapping[str, Known], records: Iterable[RelayedRecord]) -> dict[str, Known]:
    found: dict[str, Known] = {}
    for record in records:
        _, at = found.get(record.place) or known.get(record.place) or (0, 0)
        found[record.place] = record.offset, max(at, record.timestamp)
    return found


def _is_passed(identity: str, known: Mapping[str, Known]) -> bool:
    """Tell whether what stands half-written has come again since, or never will."""
    place, offset, at = identity.rsplit(":", 2)
    newest = known.get(place)
    return newest is not None and int(offset) <= newest[0] and int(at) <= newest[1]


_SET_UP = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
