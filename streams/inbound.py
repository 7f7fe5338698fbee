"""The inbound agent: texts in; answers, requests, credits and replies to tasks out, each once.

A text's owner is the partition of the mobile that wrote it, a card's the partition of the card: what another
partition owns is sent on through `stagewatch.inbound`, in the transaction that moves past the text.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import msgspec

from rules import Clerk, Wording
from schemas import (
    BadInput,
    Broken,
    Origin,
    Raw,
    Recharge,
    Text,
    decode_inbound,
    encode_command,
    encode_inbound,
    encode_ingested,
    encode_notice,
)
from streams.definitions import RuleBook
from streams.logic import Batch, Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from streams.partitioner import Partitioner
from streams.recovery import POSITION_KEY, LogPosition, Recovered, decode_position, recovered_position
from streams.reference import ReferenceReader
from streams.topics import TopicNames

_encode_position = msgspec.msgpack.Encoder().encode


class InboundTopics(msgspec.Struct, frozen=True):
    """Names of what the agent reads and writes."""

    inbound: str
    commands: str
    notices: str
    requests: str
    recharges: str
    subscriptions: str
    changelog: str

    @classmethod
    def of(cls, names: TopicNames) -> Self:
        """Give those of an application."""
        written = (names.commands, names.notices, names.requests, names.recharges, names.subscriptions)
        return cls(names.inbound, *written, names.changelog("inbound"))


class InboundAgent:
    """Makes the logic of each partition; knows what all of them share."""

    name = "inbound"
    interval_s = 0.1
    quick_s = 0.1
    """People wait for answers, not to the tenth of a second."""

    def __init__(  # noqa: PLR0913 - what a partition of it shares with the others
        self,
        book: RuleBook,
        *,
        out: InboundTopics,
        counts: Mapping[str, int],
        reference: ReferenceReader,
        metrics: Metrics,
        is_exact: bool = True,
    ) -> None:
        self.topics = frozenset({out.inbound})
        self.book, self.out, self.changelog = book, out, out.changelog
        written = (out.inbound, out.commands, out.notices, out.requests, out.recharges, out.subscriptions)
        self.by_key = {topic: Partitioner(counts[topic]) for topic in written}
        self.reference, self.metrics, self.is_exact = reference.reference, metrics, is_exact

    def open(self, lease: Lease) -> "Answering":
        """Make the logic of a partition just taken over."""
        return Answering(self, lease)

    def is_held(self, source: SourcePartition) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False


class Answering:
    """One partition of the inbound topic: its clerk, and what is not yet written."""

    def __init__(self, agent: InboundAgent, lease: Lease) -> None:
        self._agent, self._number = agent, lease.number
        self._source = SourcePartition(agent.out.inbound, lease.number)
        self._definitions = agent.book.newest.definitions
        count = agent.by_key[agent.out.inbound].count
        self.clerk = Clerk(agent.reference, self._wording(), number=lease.number, count=count)
        self._kept: LogPosition | None = None
        self._position: int | None = None
        self._moved = False

    def _wording(self) -> Wording:
        made_of = self._definitions
        return Wording(made_of.templates, made_of.calendar, own=made_of.own_templates)

    # -- recovery

    def load(self, records: Sequence[Raw]) -> None:
        """Take rows and the position from the changelog."""
        for record in records:
            if record.key == POSITION_KEY:
                self._kept = decode_position(record.value or b"")
            else:
                self.clerk.load((record.key or b"").decode(), record.value)

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Check the state's position against the committed one. Raises Broken."""
        log = SourcePartition(self._agent.changelog, self._number)
        self._position = recovered_position(
            self._source, committed, self._kept, Recovered(log, len(self.clerk)), is_exact=self._agent.is_exact
        )
        return {} if self._position is None else {self._source: self._position}

    # -- work

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:  # noqa: ARG002
        """Take texts, and cards that others sent on."""
        newest = self._agent.book.newest.definitions
        if newest is not self._definitions:
            self._definitions = newest
            self.clerk.wording = self._wording()
        for record in records:
            try:
                told = decode_inbound(record.value or b"")
            except BadInput:  # no dead letter: what is in it may be a card's password
                self._agent.metrics.on_dropped("undecodable_inbound", 1)
                continue
            match told:
                case Text():
                    self.clerk.take(told)
                case Recharge():
                    self.clerk.recharge(told)
        self._position, self._moved = next_offset, True

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:  # noqa: ARG002 - the protocol's
        """Never: nothing here waits for a time."""
        return False

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:
        """Nothing."""

    def has_more(self) -> bool:
        """A batch is always taken whole."""
        return False

    # -- writing

    def is_dirty(self) -> bool:
        """Something was read."""
        return self._moved

    def is_urgent(self) -> bool:
        """People wait for it."""
        return self._moved

    def is_catching_up(self) -> bool:
        """Never: there is little to write."""
        return False

    def backlog(self) -> int:
        """Answers that are not written yet."""
        return len(self.clerk.done.notices)

    def take(self) -> Batch:
        """Answers, replies, requests, what is sent on; then the rows, last the position."""
        batch, out, done = Batch(), self._agent.out, self.clerk.take_done()

        def write(topic: str, key: str, value: bytes) -> None:
            data, number = self._agent.by_key[topic].of(key)
            batch.writes.setdefault(SourcePartition(topic, number), []).append((data, value))

        for notice in done.notices:
            write(out.notices, notice.recipient.no, encode_notice(notice))
        for command in done.commands:
            write(out.commands, command.key, encode_command(command))
        for digest, wanted in done.forwards:
            write(out.inbound, digest, encode_inbound(wanted))
        for kind, key, at, row in done.rows:
            origin = Origin(connector="stagewatch-inbound", src="own", src_ts=at)
            write(self._topic(kind), key, encode_ingested("c", row, origin))
        for reason, count in done.passed.items():
            self._agent.metrics.on_dropped(reason, count)
        rows: Records = [(key.encode(), value) for key, value in self.clerk.take_rows()]
        if self._position is None:
            raise Broken(f"{self._source}: nothing was read, and there is something to write")
        rows.append((POSITION_KEY, _encode_position(LogPosition(self._position, len(self.clerk)))))
        batch.writes[SourcePartition(out.changelog, self._number)] = rows
        batch.offsets[self._source] = Committed(self._position)
        self._moved = False
        return batch

    def _topic(self, kind: str) -> str:
        topics = {
            "requests": self._agent.out.requests,
            "recharges": self._agent.out.recharges,
            "subscriptions": self._agent.out.subscriptions,
        }
        return topics[kind]

    def on_committed(self) -> None:
        """Nothing is told before it is written."""

    def close(self) -> None:
        """Nothing is shared with the worker."""
