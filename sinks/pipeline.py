"""Route, mute, deduplicate, send, record: the way of every notice out of one partition.

Two phases, so that nobody is told twice across a crash: `take` gives what is to be made durable, with the
rows about to be sent marked as `sending`; `committed` says that it is, and only then do they leave. Sends
run on their own and are settled by a later `turn`: nothing waits for a sink. One task at a time calls this.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from schemas.notice import Instruction, Notice
from sinks.delivery import Delivery
from sinks.outbox import Outbox
from sinks.outbox_rows import State
from sinks.senders import Senders
from sinks.sink import Outcome, Report
from sinks.store.rows import NotificationRow

_log = logging.getLogger(__name__)
_DRIFT_MS = 1000
_REPORTED_MS = 72 * 3_600_000  # carriers report for up to three days
_NOT_DELIVERED = frozenset({State.REFUSED, State.FAILED, State.UNKNOWN})

Changes = list[tuple[str, bytes | None]]
"""Rows for the outbox changelog: (key, row or None if it is removed)."""

Commit = Callable[[Changes], Awaitable[None]]
"""Makes changes durable; called only with changes. If it raises, the pipeline must not be used again."""


class Pipeline:
    """The notices of one partition on their way out. `now` is the wall clock, epoch ms."""

    def __init__(
        self, outbox: Outbox, senders: Senders, *, record: Callable[[Sequence[NotificationRow]], None]
    ) -> None:
        """`record` is told of every row that was committed; it must not block (the store is a read model)."""
        self._outbox = outbox
        self._senders = senders
        self._record = record
        self._marked: list[Delivery] = []  # as sending, in no commit yet
        self._taken: tuple[list[Delivery], list[NotificationRow], list[Report]] = ([], [], [])
        self._sends: dict[asyncio.Task[None], Delivery] = {}
        self._answers: deque[tuple[Delivery, Outcome]] = deque()
        self._reports: deque[Report] = deque()
        self._noted: list[Report] = []  # in no commit yet
        self._ended: list[str] = []
        self._turned_at = 0
        self.answered = asyncio.Event()
        """Set when a send ended: time for a `turn`, which clears it."""

    @property
    def in_flight(self) -> int:
        """The number of sends under way, or ended and not settled."""
        return len(self._sends) + len(self._answers)

    def is_due(self, now: int) -> bool:
        """Whether a `turn` would do something: an answer came, or something may leave and there is room."""
        if self._has_stepped_back(now):
            return True
        due = self._outbox.next_due(self._senders.room())
        return bool(self._answers or self._reports or self._ended) or (due is not None and due <= now)

    def recover(self, now: int) -> int:
        """Begin with the rows loaded into the outbox; the number whose outcome the last owner left open.

        Every row is recorded again: the last owner may have died before the store heard of it.
        """
        found = self._outbox.recover(now)
        if found:
            _log.warning("sends were under way when the last owner ended: notices=%d", found)
        self._record(self._outbox.notifications())
        self._senders.listen(self._hear)  # first: reports that came before this settle as soon as they are expected
        for delivery, receipt, at in self._outbox.sent_since(now - _REPORTED_MS, self._senders.reporting):
            self._senders.expect(delivery, receipt, at)
        return found

    def _hear(self, report: Report) -> bool:
        """Take a report on one of our messages in, for the next turn."""
        if not self._outbox.knows(report.msg_id):
            return False
        self._reports.append(report)
        self.answered.set()
        return True

    def alert_ended(self, alert_id: str) -> None:
        """Take in that an alert is over, for the next turn: what is held about it need not be told."""
        if self._outbox.holds(alert_id):
            self._ended.append(alert_id)

    def offer(self, notices: Iterable[Notice], now: int) -> None:
        """Take notices in; a repeat changes nothing."""
        for notice in notices:
            self._outbox.add(notice, now)

    def instruct(self, wish: Instruction, now: int) -> None:
        """Do what a person wants with a notice."""
        if not self._outbox.instruct(wish, now) and wish.instruction != "withdraw":  # most often nothing is held
            _log.warning("cannot be done as it stands: instruction=%s key=%s", wish.instruction, wish.key)

    def turn(self, now: int) -> None:
        """Settle what was answered, forget what is old, mark what may leave now."""
        self.answered.clear()
        if self._has_stepped_back(now):
            self._outbox.rewind(now)
        self._turned_at = now
        while self._answers:
            delivery, outcome = self._answers.popleft()
            self._outbox.settle(delivery, outcome, now)
            self._complain(delivery)
        for report in self._take_reports():
            self._note(report, now)
        while self._ended:
            self._outbox.cancel(self._ended.pop(), now)
        self._outbox.expire(now)
        for delivery in self._outbox.due(now, self._senders.room()):
            self._senders.reserve(delivery)
            self._marked.append(delivery)

    def _take_reports(self) -> list[Report]:
        """Give the reports that can be noted now; one that was faster than its message's answer waits for that."""
        under_way = {delivery.msg_id for delivery in self._sends.values()} if self._reports else set()
        found = [report for report in self._reports if report.msg_id not in under_way]
        self._reports = deque(report for report in self._reports if report.msg_id in under_way)
        return found

    def _note(self, report: Report, now: int) -> None:
        """Settle what a report settles; its peer hears that we have it once that is durable."""
        self._outbox.report(report.msg_id, report.outcome, now)
        if self._outbox.changes:  # of this report, or of the first if it is a repeat
            self._noted.append(report)
        elif self._taken[1]:
            self._taken[2].append(report)  # accepted with the commit that is under way
        else:
            report.accept()

    def _has_stepped_back(self, now: int) -> bool:
        """Whether the clock shows an earlier time than at the last turn, by more than a correction of its drift."""
        return now < self._turned_at - _DRIFT_MS

    def _complain(self, delivery: Delivery) -> None:
        """Say in the log, once per message, that somebody was not told for certain."""
        row = self._outbox.notification(delivery.notices[0].key)
        if row is not None and row.state in _NOT_DELIVERED:
            _log.warning(
                "not delivered: state=%s channel=%s msg_id=%s notices=%d attempts=%d reason=%s",
                *(row.state, row.channel, row.msg_id, len(delivery.notices), row.attempt, row.reason),
            )

    def take(self) -> Changes:
        """What is to be made durable now; may be empty. Call `committed` when it is, before the next `take`."""
        changes = self._outbox.take_changes()
        rows = [row for key, _ in changes if (row := self._outbox.notification(key)) is not None]
        self._taken, self._marked = (self._marked, rows, self._noted), []
        self._noted = []
        return changes

    def committed(self) -> None:
        """Record what was taken, and begin to send what it marked. Needs a running event loop."""
        (deliveries, rows, reports), self._taken = self._taken, ([], [], [])
        if rows:
            self._record(rows)
        for report in reports:
            report.accept()
        for delivery in deliveries:
            task = asyncio.create_task(self._send(delivery), name=f"send {delivery.msg_id}")
            self._sends[task] = delivery
            task.add_done_callback(self._end)

    async def _send(self, delivery: Delivery) -> None:
        outcome = await self._senders.send(delivery)
        self._answers.append((delivery, outcome))

    def _end(self, task: asyncio.Task[None]) -> None:
        # Also if it was cancelled before it began, when `Senders.send` never ran.
        self._senders.release(self._sends.pop(task))
        self.answered.set()

    async def pump(self, now: int, commit: Commit) -> None:
        """One whole turn: settle, mark, commit, begin to send. Does not wait for the sends."""
        self.turn(now)
        changes = self.take()
        if changes:
            await commit(changes)
        self.committed()

    async def finish(self, timeout_s: float) -> None:
        """Wait for the sends under way; a `turn` and a commit after it leave nothing unknown."""
        if self._sends:
            await asyncio.wait(list(self._sends), timeout=timeout_s)

    def close(self) -> int:
        """Begin nothing more and give all room back; the number of sends cut off.

        Those stay `sending` in the changelog; the next owner's `recover` settles them. May be called twice.
        """
        self._senders.forget(self._hear)
        for delivery in (*self._marked, *self._taken[0]):
            self._senders.release(delivery)
        self._marked, self._taken = [], ([], [], [])
        cut_off = [task for task in self._sends if task.cancel()]
        return len(cut_off)
