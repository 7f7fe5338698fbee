"""Sees to it that each notice is sent once, across a crash too. A pure state machine: no I/O, no clock.

The notifying agent in `streams` has one per partition and keeps its rows in a changelog. Two phases:

1. `due` marks rows as `sending`; the caller writes `take_changes()` to the changelog and only then sends;
2. `settle` notes what became of it; the caller writes the changes again.

A process that dies between the two leaves rows `sending`: nobody knows whether they left. `recover`
makes them `unknown`, which is final until a delivery report comes (`report`), or sends them again under
the same `msg_id` where the peer drops repeats of one (`OutboxPolicy.idempotent`).

                  ┌──────────────► refused
    queued ► sending ► delivered ──┤ (report: did not arrive)
     ▲▲         ├──► unknown ◄─────┘ (report: delivered, refused or retry)
     │└─ retry ◄┴──► failed          never sent: no_channel, unroutable, muted
    held ► cancelled                 held by quiet hours or the daily cap; cancelled: its alert ended meanwhile
"""

import heapq
from collections.abc import Callable, Collection, Mapping
from typing import assert_never

import msgspec

from schemas.notice import Channel, Instruction, Notice
from sinks.buckets import Buckets
from sinks.delivery import Delivery
from sinks.gathering import bucket_of, leaves_at
from sinks.holding import Hold, SentToday, held, muted
from sinks.masking import masked
from sinks.outbox_rows import (
    OPEN_STATES,
    RETRIED_STATES,
    WAITING_STATES,
    OutboxPolicy,
    Row,
    State,
    delay_ms,
    in_order,
    message_id,
    notification_of,
    sent_since,
    set_back,
)
from sinks.routing import address_of, is_muted
from sinks.sink import Delivered, Outcome, Refused, RetryAfter, Unknown
from sinks.standing import Standing
from sinks.store.rows import NotificationRow

_MS = 1000
_SOON_MS = 1000
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Row)


class Outbox:
    """The notices of one partition. `now` is epoch ms everywhere. Not thread-safe."""

    def __init__(
        self, policy: OutboxPolicy, *, lane_of: Callable[[Notice], str] | None = None, standing: Standing | None = None
    ) -> None:
        """`lane_of`: what notices wait apart by; by default their channel. `standing`: what is known beside them."""
        self.policy = policy
        self._standing = standing or Standing()
        self._sent = SentToday(policy.holding)
        self._held: dict[str, set[str]] = {}
        self._lane_of = lane_of or (lambda notice: notice.channel)
        self._rows: dict[str, Row] = {}
        self._waiting: dict[str, Buckets] = {}
        self._members: dict[str, list[str]] = {}
        self._final: list[tuple[int, str]] = []
        self._dirty: dict[str, None] = {}

    def __len__(self) -> int:
        """The number of rows, final ones included."""
        return len(self._rows)

    def state_of(self, key: str) -> State | None:
        """Where the notice with this key stands; None if it is not known (any more)."""
        row = self._rows.get(key)
        return None if row is None else row.state

    def add(self, notice: Notice, now: int) -> State:
        """Take a notice in and say where it stands; one that is already known changes nothing."""
        known = self._rows.get(notice.key)
        if known is not None:
            return known.state
        state, reason = self._admit(notice, now)
        row = self._rows[notice.key] = Row(notice=notice, state=state, added_at=now, changed_at=now, reason=reason)
        wait = self._wait_of(row, now) if state is State.QUEUED else None
        if wait is None:
            self._put(row, state, now)
        else:
            self._hold(row, wait, now)
        return row.state

    def _admit(self, notice: Notice, now: int) -> tuple[State, str]:
        """Route, then mute (architecture, section 1)."""
        if notice.channel == "none":
            return State.UNROUTABLE, "nobody is responsible"
        if notice.channel != "online" and notice.channel not in self.policy.channels:
            return State.NO_CHANNEL, f"no {notice.channel} channel is set up"
        if address_of(notice) is None:
            return State.NO_CHANNEL, f"the recipient has no usable {notice.channel} address"
        reason = muted(notice, self._standing, now, inhibits=self.policy.inhibits)
        if reason or is_muted(notice, self.policy.mutes, now):
            return State.MUTED, reason
        if notice.channel == "online":
            return State.DELIVERED, "listed"  # the list that people read is made of these very rows
        return State.QUEUED, ""

    def due(self, now: int, room: Mapping[str, int] | None = None) -> list[Delivery]:
        """Mark what may leave now as `sending` and give it back, by lane, the earliest first.

        Write the changes to the changelog before sending any of it. `room` says how many messages each
        lane can take now (absent: none); None: any number.
        """
        deliveries: list[Delivery] = []
        for lane, buckets in sorted(self._waiting.items()):
            left = len(self._rows) if room is None else room.get(lane, 0)
            most = self.policy.mail_digest_max if lane.startswith("mail") else len(self._rows)
            while left > 0 and (keys := buckets.pop(now, most)) is not None:
                rows = [row for key in keys if (row := self._rows.get(key)) and row.state in WAITING_STATES]
                leaving = [row for row in rows if self._may_leave(row, now)]
                if leaving:
                    deliveries.append(self._start(leaving, now))
                    left -= 1
        return deliveries

    def _may_leave(self, row: Row, now: int) -> bool:
        """Ask again what was asked when it came: hours have changed since, silences, and whether it matters still."""
        if row.msg_id:
            return True  # its message was begun: its peer may know it
        if row.state is State.HELD:
            if self._standing.is_moot(row.notice):
                self._cancel(row, now)
                return False
            if self._standing.known_at < row.held_until:  # news of what has ended is still on its way
                row.next_at = now + _SOON_MS
                self._index(row)
                return False
            row.reason = muted(row.notice, self._standing, now, inhibits=self.policy.inhibits)
            if row.reason:
                self._put(row, State.MUTED, now)
                return False
        wait = self._wait_of(row, now)
        if wait is not None:
            self._hold(row, wait, now)
        return wait is None

    def _wait_of(self, row: Row, now: int) -> Hold | None:
        sent_today = self._sent.of(row.notice, now, self._rows.values())
        return held(row.notice, self.policy.holding, now, sent_today=sent_today)

    def _hold(self, row: Row, wait: Hold, now: int) -> None:
        row.held_until, row.next_at, row.reason = wait.until, wait.until, wait.reason
        self._put(row, State.HELD, now)

    def _cancel(self, row: Row, now: int, reason: str = "its alert ended before it left") -> None:
        row.reason = reason
        self._put(row, State.CANCELLED, now)

    def holds(self, alert_id: str) -> bool:
        """Whether a notice about this alert is held."""
        return alert_id in self._held

    def cancel(self, alert_id: str, now: int) -> int:
        """The alert ended: what was held about it by then need not be told. How many notices."""
        held_rows = [self._rows[key] for key in sorted(self._held.get(alert_id, ()))]
        rows = [row for row in held_rows if self._standing.is_moot(row.notice, row.added_at)]
        for row in rows:
            self._cancel(row, now)
        return len(rows)

    def _start(self, rows: list[Row], now: int) -> Delivery:
        rows = in_order(rows)
        msg_id = rows[0].msg_id or message_id(row.notice.key for row in rows)
        self._members[msg_id] = [row.notice.key for row in rows]
        attempt = 1 + max(row.attempt for row in rows)
        if not rows[0].left_at:
            self._sent.add(rows[0].notice)
        for row in rows:
            row.msg_id, row.attempt, row.reason, row.left_at = msg_id, attempt, "", row.left_at or now
            self._put(row, State.SENDING, now)
        return Delivery(msg_id=msg_id, attempt=attempt, notices=tuple(row.notice for row in rows))

    def settle(self, delivery: Delivery, outcome: Outcome, now: int) -> None:
        """Note what became of a delivery; one that is no longer `sending` in this attempt stays as it is."""
        for notice in delivery.notices:
            row = self._rows.get(notice.key)
            if row is not None and (row.state, row.attempt) == (State.SENDING, delivery.attempt):
                self._apply(row, outcome, now)

    def instruct(self, wish: Instruction, now: int) -> int:
        """Do what a person wants with a notice, if it can be done where it stands. How many rows it changed.

        Cancelled is what has not left; tried again what did not arrive, with its message. News counts as a report.
        """
        if wish.instruction == "withdraw":
            return self._withdraw(wish, now)
        row = self._rows.get(wish.key)
        if wish.instruction in {"refuse", "confirm"}:
            learnt = Refused(wish.reason) if wish.instruction == "refuse" else Delivered(wish.reason)
            return self.report(row.msg_id, learnt, now) if row is not None and row.msg_id else 0
        states = WAITING_STATES if wish.instruction == "cancel" else RETRIED_STATES
        if row is None or row.state not in states:
            return 0
        found = [row]
        if wish.instruction == "retry" and row.msg_id:
            others = (self._rows.get(key) for key in self._members.get(row.msg_id, ()))
            found = [each for each in others if each is not None and each.state in states]
        for each in found:
            each.reason, each.next_at = f"{wish.instruction} by {wish.by}: {wish.reason}", now
            self._put(each, State.CANCELLED if wish.instruction == "cancel" else State.RETRY, now)
        return len(found)

    def _withdraw(self, wish: Instruction, now: int) -> int:
        """Cancel what is held for one person about one task; what was asked for later stays."""
        rows = [self._rows[key] for key in sorted(self._held.get(wish.key, ()))]
        found = [row for row in rows if row.notice.recipient.no == wish.to and row.notice.at <= wish.at]
        found = [row for row in found if row.notice.is_about(wish.task)]
        for row in found:
            self._cancel(row, now, wish.reason)
        return len(found)

    def report(self, msg_id: str, outcome: Outcome, now: int) -> int:
        """Note a carrier's delivery report: settles what is `unknown`, and what was taken but did not arrive.

        The number of rows that it changed.
        """
        rows = [row for key in self._members.get(msg_id, ()) if (row := self._rows.get(key)) is not None]
        open_to_it = {State.UNKNOWN, State.DELIVERED} if isinstance(outcome, Refused) else {State.UNKNOWN}
        unsettled = [row for row in rows if row.state in open_to_it]
        for row in unsettled:
            self._apply(row, outcome, now)
        return len(unsettled)

    def knows(self, msg_id: str) -> bool:
        """Whether a message of this id left, or was about to leave, from here."""
        return msg_id in self._members

    def sent_since(self, at: int, channels: Collection[Channel]) -> list[tuple[Delivery, str, int]]:
        """What left from `at` on (epoch ms) over some channels and may still be reported on, with receipt and time."""
        return sent_since(self._rows.values(), at, channels)

    def recover(self, now: int) -> int:
        """Begin to live with the rows that were loaded; settle what the last owner left `sending`. How many.

        What waits for a channel that has no sink any more becomes `no_channel`, so that nothing waits.
        """
        found = 0
        for key, row in self._rows.items():
            if row.msg_id:
                self._members.setdefault(row.msg_id, []).append(key)
            if row.state is State.SENDING:
                self._apply(row, Unknown("the process ended while it was sent"), now)
                found += 1
            elif row.state in OPEN_STATES and row.notice.channel not in self.policy.channels:
                row.reason = f"no {row.notice.channel} channel is set up"
                self._put(row, State.NO_CHANNEL, now)
            else:
                self._go_on(row, now)
        return found

    def rewind(self, now: int) -> None:
        """Bring forward what waits for a time that only a wrong clock had reached; call when the clock stepped back.

        Otherwise a notice would wait as long as the clock was ahead.
        """
        self._waiting = {}
        for row in self._rows.values():
            if row.state in WAITING_STATES:
                self._go_on(row, now)

    def _go_on(self, row: Row, now: int) -> None:
        """Wait on after a restart, or by a clock that was set back; what was held, as the settings now say."""
        set_back(row, now)
        if row.state is State.HELD:
            if self._standing.is_moot(row.notice):
                self._cancel(row, now)
                return
            wait = self._wait_of(row, now)
            if wait is None:
                row.held_until = row.next_at = min(row.held_until, now)
            elif wait.until != row.held_until:
                self._hold(row, wait, now)
                return
        self._index(row)

    def _apply(self, row: Row, outcome: Outcome, now: int) -> None:
        match outcome:
            case Delivered(receipt):
                row.receipt = receipt
                self._put(row, State.DELIVERED, now)
            case Refused(reason):
                row.reason = masked(reason)
                self._put(row, State.REFUSED, now)
            case RetryAfter(seconds, reason):
                row.reason = masked(reason)
                self._try_again(row, seconds, State.FAILED, now)
            case Unknown(reason):
                row.reason = masked(reason)
                if row.notice.channel in self.policy.idempotent & self.policy.channels:
                    self._try_again(row, 0, State.UNKNOWN, now)
                else:
                    self._put(row, State.UNKNOWN, now)
            case _:
                assert_never(outcome)

    def _try_again(self, row: Row, wish_s: float, otherwise: State, now: int) -> None:
        if row.attempt >= self.policy.max_attempts:
            self._put(row, otherwise, now)
            return
        row.next_at = now + delay_ms(self.policy, row.attempt, wish_s)
        self._put(row, State.RETRY, now)

    def _put(self, row: Row, state: State, now: int) -> None:
        """Move a row to a state: the only place where one changes."""
        row.state, row.changed_at = state, now
        row.version += 1
        self._dirty[row.notice.key] = None
        self._index(row)

    def _index(self, row: Row) -> None:
        key, state = row.notice.key, row.state
        if state is State.HELD:
            self._held.setdefault(row.notice.alert_id, set()).add(key)
        elif row.held_until and (others := self._held.get(row.notice.alert_id)) is not None:
            others.discard(key)
            if not others:
                del self._held[row.notice.alert_id]
        if state not in OPEN_STATES:
            heapq.heappush(self._final, (self._expires_at(row), key))
        elif state is not State.SENDING and row.notice.channel in self.policy.channels:
            self._waiting.setdefault(self._lane_of(row.notice), Buckets()).put(
                bucket_of(row, self.policy), key, leaves_at(row, self.policy)
            )

    def next_due(self, room: Mapping[str, int] | None = None) -> int | None:
        """When `due` will next have something for this room, epoch ms; None: nothing waits."""
        waiting = (buckets for lane, buckets in self._waiting.items() if room is None or room.get(lane, 0) > 0)
        return min((at for buckets in waiting if (at := buckets.next_at()) is not None), default=None)

    def expire(self, now: int) -> int:
        """Forget final rows that were kept long enough. How many."""
        forgotten = 0
        while self._final and self._final[0][0] <= now:
            expires_at, key = heapq.heappop(self._final)
            row = self._rows.get(key)
            # A report may have settled the row again since: it then has a later entry of its own.
            if row is None or row.state in OPEN_STATES or self._expires_at(row) != expires_at:
                continue
            del self._rows[key]
            self._members.pop(row.msg_id, None)
            self._dirty[key] = None
            forgotten += 1
        return forgotten

    def _expires_at(self, row: Row) -> int:
        return row.changed_at + round(self.policy.keep_s * _MS)

    @property
    def changes(self) -> int:
        """How many rows changed since the last `take_changes`."""
        return len(self._dirty)

    def take_changes(self) -> list[tuple[str, bytes | None]]:
        """The changed rows since the last call, for the changelog: (key, row or None if it was removed).

        They count as written from then on: if writing fails, this outbox must not live on.
        """
        changes = [(key, self.dump(key)) for key in self._dirty]
        self._dirty.clear()
        return changes

    def dump(self, key: str) -> bytes | None:
        """The row in the changelog's format; None if there is none."""
        row = self._rows.get(key)
        return None if row is None else _encoder.encode(row)

    def load(self, key: str, data: bytes | None) -> None:
        """Put a row back from the changelog; the last one for a key counts. Call `recover` once after the last."""
        if data is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = _decoder.decode(data)

    def notification(self, key: str) -> NotificationRow | None:
        """The row as the store shows it; None if there is none."""
        row = self._rows.get(key)
        return None if row is None else notification_of(row)

    def told_task(self, key: str) -> Row | None:
        """The row with this key, if it opened a task and is settled or held; else None."""
        row = self._rows.get(key)
        return row if row and row.notice.task and row.state not in OPEN_STATES - {State.HELD} else None

    def notifications(self) -> list[NotificationRow]:
        """Every row as the store shows it."""
        return [notification_of(row) for row in self._rows.values()]
