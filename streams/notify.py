"""The notifying agent: notices in, messages out, each once.

Two phases, across a crash too: what is due is committed as `sending`, then sent, then the result is committed.
A row found `sending` at recovery may or may not have left: the outbox marks it unknown. Sending runs beside
the stream; nothing waits for a slow gateway.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from schemas import BadInput
from schemas.codec import decode_notice
from sinks import Delivery, Outbox, OutboxPolicy, Outcome, Senders
from sinks.store import NotificationRow
from streams.logic import Batch, Committed, Lease, Raw, Records, SourcePartition
from streams.metrics import Metrics
from streams.totals import recovered_position

POSITION_KEY = b"\x00position"
_encode = msgspec.msgpack.Encoder().encode
_decode_position = msgspec.msgpack.Decoder(int).decode

Record = Callable[[Sequence[NotificationRow]], None]


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
    ) -> None:
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
    """One partition of the notices: its outbox, and the sends under way."""

    def __init__(self, agent: NotifyAgent, lease: Lease) -> None:
        self._agent = agent
        self._number = lease.number
        self._source = SourcePartition(agent.notices, lease.number)
        self.outbox = Outbox(agent.policy)
        self._position: int | None = None
        self._moved = False
        self._changes: list[tuple[str, bytes | None]] = []
        self._rows: dict[str, NotificationRow] = {}
        self._due: list[Delivery] = []  # marked as sending, not yet in a transaction
        self._taken: tuple[list[Delivery], list[NotificationRow]] = ([], [])
        self._sends: set[asyncio.Task[None]] = set()
        self._answers: deque[tuple[Delivery, Outcome]] = deque()
        self._is_closed = False

    def _now(self) -> int:
        return int(self._agent.now() * 1000)

    # -- recovery

    def load(self, records: Sequence[Raw]) -> None:
        """Take outbox rows and the position from the changelog."""
        for record in records:
            if record.key == POSITION_KEY:
                self._position = _decode_position(record.value or b"")
            else:
                self.outbox.load((record.key or b"").decode(), record.value)

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Settle what the last owner left half sent; record every row: it may have died before the store heard."""
        agent = self._agent
        self._position = recovered_position(self._source, committed, self._position, is_exact=agent.is_exact)
        self.outbox.recover(self._now())
        self._collect()
        agent.record(self.outbox.notifications())
        return {} if self._position is None else {self._source: self._position}

    # -- work

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:  # noqa: ARG002
        """Take notices into the outbox; a repeat changes nothing."""
        now = self._now()
        for record in records:
            try:
                self.outbox.add(decode_notice(record.value or b""), now)
            except BadInput:
                self._agent.metrics.on_dropped("undecodable_notice", 1)
        self._position, self._moved = next_offset, True
        self._work_off(now)

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:  # noqa: ARG002 - the protocol's
        """An answer came, or something may leave and there is room for it."""
        if self._answers or self._changes:
            return True
        due = self.outbox.next_due()
        return due is not None and due <= self._now() and any(n > 0 for n in self._agent.senders.room().values())

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:  # noqa: ARG002 - the protocol's
        """Settle answers and start what is due."""
        self._work_off(self._now())

    def _work_off(self, now: int) -> None:
        while self._answers:
            delivery, outcome = self._answers.popleft()
            self.outbox.settle(delivery, outcome, now)
        self.outbox.expire(now)
        senders = self._agent.senders
        for delivery in self.outbox.due(now, senders.room()):
            senders.reserve(delivery)
            self._due.append(delivery)
        self._collect()

    def _collect(self) -> None:
        """Keep what changed until the next transaction; rows as they are now, for the store."""
        changes = self.outbox.take_changes()
        self._changes += changes
        for key, _ in changes:
            row = self.outbox.notification(key)
            if row is not None:
                self._rows[key] = row

    def has_more(self) -> bool:
        """A batch is always taken whole."""
        return False

    # -- writing

    def is_dirty(self) -> bool:
        """Something was read or changed."""
        return self._moved or bool(self._changes)

    def is_urgent(self) -> bool:
        """Messages wait for it."""
        return bool(self._changes)

    def backlog(self) -> int:
        """Rows not yet written."""
        return len(self._changes)

    def take(self) -> Batch:
        """The rows that changed, then the position."""
        batch = Batch()
        rows: Records = [(key.encode(), value) for key, value in dict(self._changes).items()]
        if self._position is not None:
            rows.append((POSITION_KEY, _encode(self._position)))
            if self._moved:
                batch.offsets[self._source] = Committed(self._position)
        batch.writes[SourcePartition(self._agent.changelog, self._number)] = rows
        self._taken = (self._due, list(self._rows.values()))
        self._due, self._rows, self._changes, self._moved = [], {}, [], False
        return batch

    def on_committed(self) -> None:
        """Send what is now durably marked as being sent, and tell the store."""
        deliveries, rows = self._taken
        self._taken = ([], [])
        self._agent.record(rows)
        self._agent.metrics.on_notifications(rows)
        for delivery in deliveries:
            task = asyncio.ensure_future(self._send(delivery))
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)

    async def _send(self, delivery: Delivery) -> None:
        outcome = await self._agent.senders.send(delivery)
        if not self._is_closed:
            self._answers.append((delivery, outcome))

    async def finish(self, timeout_s: float) -> None:
        """Wait for sends under way, so that a clean stop leaves nothing unknown; their answers wait for a tick."""
        if self._sends:
            await asyncio.wait(self._sends, timeout=timeout_s)

    def close(self) -> None:
        """Another owner will find what was under way as unknown; let go of what was not begun."""
        self._is_closed = True
        for delivery in self._due:
            self._agent.senders.release(delivery)
        for task in self._sends:
            task.cancel()
        if self._agent.owned.get(self._number) is self:
            del self._agent.owned[self._number]
