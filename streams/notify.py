"""The notifying agent: notices in, messages out, each once.

Two phases, across a crash too: what is due is committed as `sending`, then sent, then the result is committed.
A row found `sending` at recovery may or may not have left: the outbox marks it unknown. Sending runs beside
the stream; nothing waits for a slow gateway.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from schemas import BadInput, Raw
from schemas.codec import decode_instruction, decode_notice
from sinks import Outbox, OutboxPolicy, Pipeline, Senders, Standing
from sinks.store import NotificationRow
from streams.inbox import LoopInbox
from streams.logic import Batch, Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from streams.recovery import POSITION_KEY, LogPosition, Recovered, decode_position, recovered_position

Record = Callable[[Sequence[NotificationRow]], None]


_encode_position = msgspec.msgpack.Encoder().encode


class NotifyAgent:
    """Makes the logic of each partition of the notices; all share the senders."""

    name = "notify"
    interval_s = 0.1
    quick_s = 0.2
    """A message waits longer for company; alerts need the broker more."""

    def __init__(  # noqa: PLR0913 - what a partition of it shares with the others
        self,
        senders: Senders,
        policy: OutboxPolicy,
        *,
        notices: str,
        changelog: str,
        metrics: Metrics,
        record: Record,
        is_exact: bool = True,
        now: Callable[[], float] = time.time,
        inbox: LoopInbox | None = None,
        standing: Standing | None = None,
    ) -> None:
        self.inbox, self.standing = inbox, standing or Standing()
        self.topics = frozenset({notices})
        self.notices, self.changelog = notices, changelog
        self.senders, self.policy, self.metrics, self.record, self.now = senders, policy, metrics, record, now
        self.is_exact = is_exact
        self.owned: dict[int, Notifying] = {}

    def open(self, lease: Lease) -> "Notifying":
        """Make the logic of a partition just taken over."""
        notifying = self.owned[lease.number] = Notifying(self, lease)
        return notifying

    def is_held(self, source: SourcePartition) -> bool:  # noqa: ARG002 - the protocol's
        """Never: the outbox is how notices wait."""
        return False


class Notifying:
    """One partition of the notices: its outbox, and its way out."""

    def __init__(self, agent: NotifyAgent, lease: Lease) -> None:
        self._agent = agent
        self._number = lease.number
        self._source = SourcePartition(agent.notices, lease.number)
        self.outbox = Outbox(agent.policy, lane_of=agent.senders.lane_of, standing=agent.standing)
        self._pipeline = Pipeline(self.outbox, agent.senders, record=self._record)
        agent.standing.listeners.append(self._pipeline.alert_ended)
        self._kept: LogPosition | None = None
        self._position: int | None = None
        self._moved = False
        self._is_recovered = False

    def _now(self) -> int:
        return int(self._agent.now() * 1000)

    def _record(self, rows: Sequence[NotificationRow]) -> None:
        """Tell the store; what the last owner had counted is not counted again."""
        self._agent.record(rows)
        if self._is_recovered:
            self._agent.metrics.on_notifications(rows)

    # -- recovery

    def load(self, records: Sequence[Raw]) -> None:
        """Take outbox rows and the position from the changelog."""
        for record in records:
            if record.key == POSITION_KEY:
                self._kept = decode_position(record.value or b"")
            else:
                self.outbox.load((record.key or b"").decode(), record.value)

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Settle what the last owner left half sent; record every row: it may have died before the store heard."""
        agent = self._agent
        log = SourcePartition(agent.changelog, self._number)
        self._position = recovered_position(
            self._source, committed, self._kept, Recovered(log, len(self.outbox)), is_exact=agent.is_exact
        )
        self._pipeline.recover(self._now())
        self._is_recovered = True
        return {} if self._position is None else {self._source: self._position}

    # -- work

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:  # noqa: ARG002
        """Take notices into the outbox; a repeat changes nothing."""
        now = self._now()
        for record in records:
            try:
                self._pipeline.offer([decode_notice(record.value or b"")], now)
            except BadInput:
                self._instruct(record, now)
        self._position, self._moved = next_offset, True
        self._pipeline.turn(now)

    def _instruct(self, record: Raw, now: int) -> None:
        """Do what a person wants done with a notice; anything else is none of ours."""
        try:
            self._pipeline.instruct(decode_instruction(record.value or b""), now)
        except BadInput:
            self._agent.metrics.on_dropped("undecodable_notice", 1)

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:  # noqa: ARG002 - the protocol's
        """An answer came, or something may leave and there is room for it."""
        return self.outbox.changes > 0 or self._pipeline.is_due(self._now())

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:  # noqa: ARG002 - the protocol's
        """Settle answers and start what is due."""
        self._pipeline.turn(self._now())

    def has_more(self) -> bool:
        """A batch is always taken whole."""
        return False

    # -- writing

    def is_dirty(self) -> bool:
        """Something was read or changed."""
        return self._moved or self.outbox.changes > 0

    def is_urgent(self) -> bool:
        """Messages wait for it."""
        return self.outbox.changes > 0

    def is_catching_up(self) -> bool:
        """Never: there is little to write."""
        return False

    def backlog(self) -> int:
        """Rows not yet written."""
        return self.outbox.changes

    def take(self) -> Batch:
        """The rows that changed, then the position."""
        batch = Batch()
        rows: Records = [(key.encode(), value) for key, value in self._pipeline.take()]
        self._report(batch, rows)
        if self._position is not None:
            rows.append((POSITION_KEY, _encode_position(LogPosition(self._position, len(self.outbox)))))
            if self._moved:
                batch.offsets[self._source] = Committed(self._position)
        batch.writes[SourcePartition(self._agent.changelog, self._number)] = rows
        self._moved = False
        return batch

    def _report(self, batch: Batch, rows: Records) -> None:
        """Tell the loop what became of the messages that opened tasks: settled, or held until when."""
        inbox = self._agent.inbox
        for key, _ in rows if inbox is not None else ():
            row = self.outbox.told_task((key or b"").decode())
            if inbox is not None and row is not None:
                inbox.report(batch, row.notice, row.state, row.held_until)

    def on_committed(self) -> None:
        """Send what is now durably marked as being sent, and tell the store."""
        self._pipeline.committed()

    async def finish(self, timeout_s: float) -> None:
        """Wait for sends under way, so that a clean stop leaves nothing unknown; their answers wait for a tick."""
        await self._pipeline.finish(timeout_s)

    def close(self) -> None:
        """Another owner will find what was under way as unknown; let go of what was not begun."""
        self._pipeline.close()
        if self._pipeline.alert_ended in self._agent.standing.listeners:
            self._agent.standing.listeners.remove(self._pipeline.alert_ended)
        if self._agent.owned.get(self._number) is self:
            del self._agent.owned[self._number]
