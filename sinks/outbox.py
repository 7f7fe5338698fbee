"""Sees to it that each notice is sent once, across a crash too. A pure state machine: no I/O, no clock.

The notifying agent in `streams` has one per partition and keeps its rows in a changelog. Two phases:

1. `due` marks rows as `sending`; the caller writes `take_changes()` to the changelog and only then sends;
2. `settle` notes what became of it; the caller writes the changes again.

A process that dies between the two leaves rows `sending`: nobody knows whether they left. `recover`
makes them `unknown`, which is final until a delivery report comes (`report`), or sends them again under
the same `msg_id` where the peer drops repeats of one (`OutboxPolicy.idempotent`).

                  ┌──────────────► refused
    queued ► sending ► delivered ──┤ (report: did not arrive)
      ▲         ├──► unknown ◄─────┘ (report: delivered, refused or retry)
      └─ retry ◄┴──► failed          never sent: no_channel, unroutable, muted
"""

import heapq
from collections.abc import Callable, Collection, Mapping
from typing import assert_never

import msgspec

from schemas.notice import Channel, Notice
from sinks.buckets import BucketId, Buckets
from sinks.delivery import Delivery
from sinks.masking import masked
from sinks.outbox_rows import OPEN_STATES, OutboxPolicy, Row, State, message_id, notification_of
from sinks.routing import address_of, is_muted
from sinks.sink import Delivered, Outcome, Refused, RetryAfter, Unknown
from sinks.store.rows import NotificationRow

_MS = 1000
_LONGEST_WISH_S = 3600.0  # a peer that asks for more is mistaken; people wait for the message
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Row)


class Outbox:
    """The notices of one partition. `now` is epoch ms everywhere. Not thread-safe."""

    def __init__(self, policy: OutboxPolicy, *, lane_of: Callable[[Notice], str] | None = None) -> None:
        """`lane_of`: what notices wait apart by; by default their channel."""
        self.policy = policy
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
        row = Row(notice=notice, state=state, added_at=now, changed_at=now, reason=reason)
        self._rows[notice.key] = row
        self._put(row, state, now)
        return state

    def _admit(self, notice: Notice, now: int) -> tuple[State, str]:
        """Route, then mute (architecture, section 1)."""
        if notice.channel == "none":
            return State.UNROUTABLE, "nobody is responsible"
        if notice.channel != "online" and notice.channel not in self.policy.channels:
            return State.NO_CHANNEL, f"no {notice.channel} channel is set up"
        if address_of(notice) is None:
            return State.NO_CHANNEL, f"the recipient has no usable {notice.channel} address"
        if is_muted(notice, self.policy.mutes, now):
            return State.MUTED, ""
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
            limit = len(self._rows) if room is None else room.get(lane, 0)
            gathered = buckets.pop_due(now, limit, self.policy.mail_digest_max)
            deliveries.extend(self._start([self._rows[key] for key in keys], now) for keys in gathered)
        return deliveries

    def _start(self, rows: list[Row], now: int) -> Delivery:
        rows = _in_order(rows)
        msg_id = rows[0].msg_id or message_id(row.notice.key for row in rows)
        self._members[msg_id] = [row.notice.key for row in rows]
        attempt = 1 + max(row.attempt for row in rows)
        for row in rows:
            row.msg_id, row.attempt, row.reason = msg_id, attempt, ""
            self._put(row, State.SENDING, now)
        return Delivery(msg_id=msg_id, attempt=attempt, notices=tuple(row.notice for row in rows))

    def settle(self, delivery: Delivery, outcome: Outcome, now: int) -> None:
        """Note what became of a delivery; one that is no longer `sending` in this attempt stays as it is."""
        for notice in delivery.notices:
            row = self._rows.get(notice.key)
            if row is not None and (row.state, row.attempt) == (State.SENDING, delivery.attempt):
                self._apply(row, outcome, now)

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
        sent = (State.DELIVERED, State.UNKNOWN)
        found: dict[str, list[Row]] = {}
        for row in self._rows.values():
            if row.msg_id and row.state in sent and row.changed_at >= at and row.notice.channel in channels:
                found.setdefault(row.msg_id, []).append(row)
        return [
            (Delivery(msg_id=msg_id, attempt=rows[0].attempt, notices=tuple(row.notice for row in _in_order(rows))),
             rows[0].receipt, rows[0].changed_at)
            for msg_id, rows in found.items()
        ]  # fmt: skip

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
                _set_back(row, now)
                self._index(row)
        return found

    def rewind(self, now: int) -> None:
        """Bring forward what waits for a time that only a wrong clock had reached; call when the clock stepped back.

        Otherwise a notice would wait as long as the clock was ahead.
        """
        self._waiting = {}
        for row in self._rows.values():
            if row.state in OPEN_STATES and row.state is not State.SENDING:
                _set_back(row, now)
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
        # The exponent is bounded by max_attempts, which is a setting: keep the power a finite float.
        delay_s = self.policy.first_delay_s * self.policy.delay_factor ** min(row.attempt - 1, 64)
        delay_s = max(min(delay_s, self.policy.longest_delay_s), min(wish_s, _LONGEST_WISH_S))
        row.next_at = now + round(delay_s * _MS)
        self._put(row, State.RETRY, now)

    def _put(self, row: Row, state: State, now: int) -> None:
        """Move a row to a state: the only place where one changes."""
        row.state, row.changed_at = state, now
        row.version += 1
        self._dirty[row.notice.key] = None
        self._index(row)

    def _index(self, row: Row) -> None:
        key, state = row.notice.key, row.state
        if state not in OPEN_STATES:
            heapq.heappush(self._final, (self._expires_at(row), key))
        elif state is not State.SENDING and row.notice.channel in self.policy.channels:
            self._waiting.setdefault(self._lane_of(row.notice), Buckets()).put(
                self._bucket_of(row), key, self._leaves_at(row)
            )

    @staticmethod
    def _bucket_of(row: Row) -> BucketId:
        notice = row.notice
        if row.msg_id:
            return ("again", row.msg_id)  # a message is never regrouped: its peer may know it by its id
        person = (notice.recipient.no, address_of(notice) or "")
        if notice.channel == "mail":
            return ("digest", *person)
        if notice.group is not None:
            return ("group", *person, notice.group)
        return ("one", notice.key)

    def _leaves_at(self, row: Row) -> int:
        if row.msg_id:
            return row.next_at
        if row.notice.channel == "mail":
            return row.added_at + round(self.policy.mail_digest_s * _MS)
        if row.notice.group is not None:
            return row.added_at + round(self.policy.group_wait_s * _MS)
        return row.added_at

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

    def settled_task(self, key: str) -> tuple[Notice, State] | None:
        """The notice with this key and its state, if it opened a task and is settled; else None."""
        row = self._rows.get(key)
        return (row.notice, row.state) if row and row.notice.task and row.state not in OPEN_STATES else None

    def notifications(self) -> list[NotificationRow]:
        """Every row as the store shows it."""
        return [notification_of(row) for row in self._rows.values()]


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.added_at, row.notice.at, row.notice.key))


def _set_back(row: Row, now: int) -> None:
    """Move the times of a waiting row to a clock that is behind the one that wrote them."""
    ahead = row.changed_at - now
    if row.state in OPEN_STATES and ahead > 0:
        row.added_at, row.changed_at = min(row.added_at, now), now
        row.next_at = max(row.next_at - ahead, 0)
