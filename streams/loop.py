"""The loop's agent: tasks of those who were told, commands and replies, escalation, work orders, anomalies.

One partition owns a task from its number to its end, a work order by its own, and all anomalies of a unit. A command
that another partition owns is sent on through `stagewatch.loop`, in the transaction that moves past it. What the loop
concludes, its state and its positions go into one transaction.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from rules import Loop, Routing, Strategies, parts_of
from schemas import (
    AlertEvent,
    Assigned,
    BadInput,
    Broken,
    Command,
    Happened,
    Outcome,
    Raised,
    Raw,
    Refused,
    decode_command,
    decode_loop,
    encode_alert,
    encode_instruction,
    encode_notice,
    encode_task,
)
from streams.definitions import RuleBook
from streams.inbox import LoopInbox
from streams.letters import Letters
from streams.logic import Batch, Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from streams.partitioner import Partitioner
from streams.recovery import POSITION_KEY, check_rows
from streams.reference import ReferenceReader

LOOP_FORMAT = 1
"""Of what is in the changelog."""
GRACE_MS = 5_000
"""The clock fires so much later, and only after so long without input: what was written before a deadline counts
before it. Deadlines here are hours."""


class LoopPosition(msgspec.Struct, array_like=True, gc=False):
    """The last changelog record of every transaction."""

    positions: dict[str, int]
    """Where to read on, by topic."""
    rows: int
    format: int = LOOP_FORMAT


_encode_position = msgspec.msgpack.Encoder().encode
_decode_position = msgspec.msgpack.Decoder(LoopPosition).decode


class LoopTopics(msgspec.Struct, frozen=True):
    """Names of what the agent reads and writes."""

    inbox: str
    commands: str
    alerts: str
    notices: str
    tasks: str
    deadletters: str
    changelog: str


class LoopAgent:
    """Makes the logic of each partition; knows what all of them share."""

    name = "loop"
    interval_s = 0.1
    quick_s = 0.1
    """People wait for answers, not to the tenth of a second."""

    def __init__(  # noqa: PLR0913 - what a partition of it shares with the others
        self,
        book: RuleBook,
        *,
        out: LoopTopics,
        counts: Mapping[str, int],
        reference: ReferenceReader,
        metrics: Metrics,
        mail_domain: str = "stagewatch.local",
        is_exact: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.topics = frozenset({out.inbox, out.commands})
        self.book, self.out, self.changelog = book, out, out.changelog
        self.by_key = {t: Partitioner(counts[t]) for t in (out.alerts, out.notices, out.tasks, out.deadletters)}
        self.inbox = LoopInbox(out.inbox, counts[out.inbox])
        self.people = Routing(reference.reference, mail_domain=mail_domain)
        self.metrics, self.is_exact, self.now = metrics, is_exact, now
        self.owned: dict[int, Looping] = {}

    def open(self, lease: Lease) -> "Looping":
        """Make the logic of a partition just taken over."""
        looping = self.owned[lease.number] = Looping(self, lease)
        return looping

    def is_held(self, source: SourcePartition) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False

    def strategies(self) -> Strategies:
        """Give those in effect."""
        definitions = self.book.newest.definitions
        return definitions.strategies or Strategies(definitions.calendar)


class Looping:
    """One partition: its tasks and orders, and what is not yet written."""

    def __init__(self, agent: LoopAgent, lease: Lease) -> None:
        self._agent, self._number = agent, lease.number
        self.loop = Loop(agent.strategies(), agent.people, owner=lease.number, owners=agent.inbox.count)
        self._letters = Letters(agent.out.deadletters, agent.by_key[agent.out.deadletters], agent.metrics)
        self._forwards: list[tuple[int, Command]] = []
        self._kept: LoopPosition | None = None
        self._positions: dict[str, int] = {}
        self._moved: set[str] = set()
        self._busy_at = 0
        self._told: list[AlertEvent] = []

    def _now(self) -> int:
        return int(self._agent.now() * 1000)

    def _source(self, topic: str) -> SourcePartition:
        return SourcePartition(topic, self._number)

    # -- recovery

    def load(self, records: Sequence[Raw]) -> None:
        """Take rows and the position from the changelog."""
        for record in records:
            if record.key == POSITION_KEY:
                self._kept = _decode_position(record.value or b"")
            else:
                self.loop.load((record.key or b"").decode(), record.value)

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Check the state's positions against the committed ones. Raises Broken."""
        agent, kept = self._agent, self._kept
        if kept is not None and kept.format != LOOP_FORMAT:
            raise Broken(
                f"{agent.changelog} is of format {kept.format} and this version reads {LOOP_FORMAT}: run the version "
                "that wrote it, or begin anew with another application_id"
            )
        for topic in sorted(agent.topics):
            found = committed.get(self._source(topic))
            position = None if kept is None else kept.positions.get(topic)
            if agent.is_exact and found is not None and found.offset != position:
                raise Broken(f"{self._source(topic)}: committed {found.offset}, changelog says {position}")
            if position is None and found is not None:
                position = found.offset
            if position is not None:
                self._positions[topic] = position
        if agent.is_exact and kept is not None:
            check_rows(self._source(agent.changelog), len(self.loop), kept.rows)
        self.loop.recover()
        self._busy_at = self._now()
        return {self._source(topic): position for topic, position in self._positions.items()}

    # -- work

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:
        """Take what others tell, or commands."""
        self._use_newest()
        take = self._take_command if source.topic == self._agent.out.commands else self._take_told
        for record in records:
            take(source, record)
        self._positions[source.topic] = next_offset
        self._moved.add(source.topic)
        now = self._now()
        if records[-1].timestamp < now - GRACE_MS:  # behind: what comes next may be older than what falls due
            self._busy_at = now

    def _use_newest(self) -> None:
        strategies = self._agent.strategies()
        if strategies is not self.loop.strategies:
            self.loop.use(strategies)

    def _take_command(self, source: SourcePartition, record: Raw) -> None:
        try:
            command = decode_command(record.value or b"", record.timestamp)
        except BadInput as why:
            self._letters.add(source, [Refused(record, why)])
            return
        place = f"{source.partition}-{record.offset}"
        if command.kind != "reply":
            self._route(command, place)
            return
        parts, wrong = parts_of(command)
        for part in parts:
            self._route(part, place)
        for number in wrong:
            self.loop.refuse(command, number, place)
        if not parts and not wrong:
            self._agent.metrics.on_dropped("reply_without_number", 1)

    def _route(self, command: Command, place: str) -> None:
        for owner in self._agent.inbox.owners_of_command(command):
            if owner == self._number:
                self.loop.command(command, place)
            else:
                self._forwards.append((owner, command))

    def _take_told(self, source: SourcePartition, record: Raw) -> None:
        try:
            told = decode_loop(record.value or b"")
        except BadInput:
            self._agent.metrics.on_dropped("undecodable_loop_record", 1)
            return
        match told:
            case Assigned():
                self.loop.assign(told, record.timestamp)
            case Raised():
                self.loop.begin(told, record.timestamp)
            case Happened():
                self.loop.happened(told, record.timestamp)
            case Outcome():
                self.loop.outcome(told, record.timestamp)
            case Command():
                self.loop.command(told, f"on-{source.partition}-{record.offset}")

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:  # noqa: ARG002 - the protocol's
        """Something fell due, and nothing has come for a while that could have prevented it."""
        due, now = self.loop.next_due, self._now()
        return due is not None and due <= now - GRACE_MS and self._busy_at <= now - GRACE_MS

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:
        """Do what fell due."""
        if self.is_due(positions):
            self._use_newest()
            self.loop.advance(self._now() - GRACE_MS)

    def has_more(self) -> bool:
        """A batch is always taken whole."""
        return False

    # -- writing

    def is_dirty(self) -> bool:
        """Something was read or concluded."""
        return bool(self._moved) or self.is_urgent()

    def is_urgent(self) -> bool:
        """People wait for it."""
        return self.loop.has_news or bool(self._forwards or self._letters)

    def is_catching_up(self) -> bool:
        """Never: there is little to write."""
        return False

    def backlog(self) -> int:
        """Tasks and orders with news."""
        return len(self.loop.views)

    def take(self) -> Batch:
        """Events, notices, tasks, what is sent on; then the rows, last the position."""
        batch, out, todo = Batch(), self._agent.out, self.loop.take_todo()

        def write(topic: str, key: str, value: bytes | None) -> None:
            data, number = self._agent.by_key[topic].of(key)
            batch.writes.setdefault(SourcePartition(topic, number), []).append((data, value))

        for event in todo.events:
            write(out.alerts, event.instance, encode_alert(event))
        for notice in todo.notices:
            write(out.notices, notice.recipient.no, encode_notice(notice))
        for wish in todo.withdrawn:
            write(out.notices, wish.to, encode_instruction(wish))
        for number, view in self.loop.take_views().items():
            write(out.tasks, number, None if view is None else encode_task(view))
        for owner, command in self._forwards:
            self._agent.inbox.put(batch, owner, command.key, command)
        for number, record in todo.passed:
            self._agent.inbox.put(batch, self._agent.inbox.owner_of_key(number), number, record)
        self._letters.write(batch)
        rows: Records = [(key.encode(), value) for key, value in self.loop.take_rows()]
        rows.append((POSITION_KEY, _encode_position(LoopPosition(self._positions, len(self.loop)))))
        batch.writes[self._source(out.changelog)] = rows
        for topic in self._moved:
            batch.offsets[self._source(topic)] = Committed(self._positions[topic])
        self._forwards, self._moved, self._told = [], set(), todo.events
        return batch

    def on_committed(self) -> None:
        """Count what is now visible to others."""
        for event in self._told:
            self._agent.metrics.on_alert(event)
        self._told = []

    def close(self) -> None:
        """Nothing is shared but the list of what this worker owns."""
        if self._agent.owned.get(self._number) is self:
            del self._agent.owned[self._number]
