"""Route, mute, deduplicate, send, record: the way of every notice out of one partition.

Called by the notifying agent in `streams`, by one task at a time; also usable alone (tests, tools).
It never sends what was not committed as `sending`, and never waits for a sink: sends run on their own
and are settled by the next `pump`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from schemas.notice import Notice
from sinks.delivery import Delivery
from sinks.outbox import Outbox
from sinks.outbox_rows import State
from sinks.senders import Senders
from sinks.sink import Outcome
from sinks.store.rows import NotificationRow

_log = logging.getLogger(__name__)
_NOT_DELIVERED = frozenset({State.REFUSED, State.FAILED, State.UNKNOWN})

Changes = list[tuple[str, bytes | None]]
"""Rows for the outbox changelog: (key, row or None if it is removed)."""


class Pumped(msgspec.Struct, frozen=True):
    """What one `pump` did."""

    settled: int
    started: int


class Pipeline:
    """The notices of one partition on their way out. `now` is the wall clock, epoch ms."""

    def __init__(
        self,
        outbox: Outbox,
        senders: Senders,
        *,
        commit: Callable[[Changes], Awaitable[None]],
        record: Callable[[Sequence[NotificationRow]], None] = lambda _rows: None,
    ) -> None:
        """`commit` returns when the changes are durable; called only with changes, never twice at once.

        If it raises, the error passes through, nothing is sent, and this pipeline must not be used again.
        `record` is told of every row that was committed; it must not block (the store is a read model).
        """
        self._outbox = outbox
        self._senders = senders
        self._commit = commit
        self._record = record
        self._sends: set[asyncio.Task[None]] = set()
        self._answers: deque[tuple[Delivery, Outcome]] = deque()
        self.answered = asyncio.Event()
        """Set when a send ended: time for a `pump`, which clears it."""

    @property
    def in_flight(self) -> int:
        """The number of sends under way, or ended and not settled."""
        return len(self._sends) + len(self._answers)

    def next_due(self) -> int | None:
        """When `pump` will next have something to send; None: nothing waits. It may be past: no room."""
        return self._outbox.next_due()

    async def recover(self, now: int) -> int:
        """Begin with the rows loaded into the outbox; the number whose outcome the last owner left open.

        Every row is recorded again: the last owner may have died before the store heard of it.
        """
        found = self._outbox.recover(now)
        if found:
            _log.warning("sends were under way when the last owner ended: notices=%d", found)
        await self.flush()
        self._record(self._outbox.notifications())
        return found

    def offer(self, notices: Iterable[Notice], now: int) -> None:
        """Take notices in; a repeat changes nothing. `flush` or `pump` makes them durable."""
        for notice in notices:
            self._outbox.add(notice, now)

    async def flush(self) -> None:
        """Commit what changed since the last time, then record it."""
        changes = self._outbox.take_changes()
        if changes:
            await self._commit(changes)
            self._record([row for key, _ in changes if (row := self._outbox.notification(key)) is not None])

    async def pump(self, now: int) -> Pumped:
        """Settle what was answered, mark what is due, commit both, begin to send. Does not wait for sends."""
        self.answered.clear()
        settled = self._settle(now)
        self._outbox.expire(now)
        deliveries = self._outbox.due(now, self._senders.room())
        for delivery in deliveries:
            self._senders.reserve(delivery)
        try:
            await self.flush()
        except BaseException:
            for delivery in deliveries:
                self._senders.release(delivery)
            raise
        for delivery in deliveries:
            task = asyncio.create_task(self._send(delivery), name=f"send {delivery.msg_id}")
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)
        return Pumped(settled, len(deliveries))

    def _settle(self, now: int) -> int:
        settled = len(self._answers)
        while self._answers:
            delivery, outcome = self._answers.popleft()
            self._outbox.settle(delivery, outcome, now)
            self._complain(delivery)
        return settled

    def _complain(self, delivery: Delivery) -> None:
        """Say in the log, once per message, that somebody was not told for certain."""
        row = self._outbox.notification(delivery.notices[0].key)
        if row is not None and row.state in _NOT_DELIVERED:
            _log.warning(
                "not delivered: state=%s channel=%s msg_id=%s notices=%d attempts=%d reason=%s",
                *(row.state, row.channel, row.msg_id, len(delivery.notices), row.attempt, row.reason),
            )

    async def _send(self, delivery: Delivery) -> None:
        outcome = await self._senders.send(delivery)
        self._answers.append((delivery, outcome))
        self.answered.set()

    async def close(self, clock: Callable[[], int], *, grace_s: float) -> int:
        """Wait for the sends under way, settle and commit them; begin none. The number left open.

        Those are cancelled and stay `sending` in the changelog; the next owner's `recover` settles them.
        """
        if self._sends:
            await asyncio.wait(self._sends, timeout=grace_s)
        left_open = [task for task in self._sends if not task.done()]
        for task in left_open:
            task.cancel()
        await asyncio.gather(*left_open, return_exceptions=True)
        self._settle(clock())
        await self.flush()
        return len(left_open)
