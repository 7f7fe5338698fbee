"""The rows of the outbox and the rules it lives by; used by the outbox and by whoever shows its rows."""

import hashlib
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Protocol

import msgspec

from schemas.notice import Channel, Notice
from sinks.delivery import Delivery
from sinks.routing import Mute
from sinks.store.rows import NotificationRow

_LONGEST_WISH_S = 3600.0  # a peer that asks for more is mistaken; people wait for the message


class State(StrEnum):
    """Where a notice stands. All but the first four are final."""

    QUEUED = "queued"
    HELD = "held"
    SENDING = "sending"
    RETRY = "retry"
    DELIVERED = "delivered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"
    NO_CHANNEL = "no_channel"
    UNROUTABLE = "unroutable"
    MUTED = "muted"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({State.QUEUED, State.HELD, State.SENDING, State.RETRY})
WAITING_STATES = OPEN_STATES - {State.SENDING}
RETRIED_STATES = frozenset({State.REFUSED, State.FAILED, State.UNKNOWN})
"""What a person may have sent once more; unknown by their own judgement, for it may have arrived."""


class Hours(Protocol):
    """When people may be told. Times are epoch ms."""

    def open_at(self, at: int) -> int:
        """Give `at`, or the end of the quiet hours that it lies in."""

    def tomorrow(self, at: int) -> int:
        """Give the next working morning after the day of `at`."""

    def day(self, at: int) -> str:
        """Give the local date."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What is held, and for whom not. Without it nothing is."""

    hours: Hours
    is_quiet_kept: bool = True
    """Quiet hours hold; else only the daily cap does."""
    daily_cap: int = 0
    """Most messages to one person over one channel on one day; 0: any number."""
    always: frozenset[str] = frozenset({"CRITICAL"})
    """Severities that are told at any hour, however many."""
    duty: frozenset[str] = frozenset()
    """Numbers of people who are told at any hour, however many."""
    channels: frozenset[Channel] = frozenset({"sms", "mail"})


class OutboxPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait, how often to try, what to keep quiet."""

    channels: frozenset[Channel] = frozenset()
    """Channels that have a sink; a notice for another one is recorded as `no_channel`."""
    idempotent: frozenset[Channel] = frozenset()
    """Channels whose peer drops a repeat of a `msg_id`: an unknown outcome is sent again. Default none:
    a gateway that does not would tell people twice."""
    mail_digest_s: float = 60
    """A mail waits this long for others to the same person, seconds; 0: no waiting. A minute gathers what
    one cause raises and delays nobody who reads mail."""
    mail_digest_max: int = 200
    """Most notices in one mail; the rest leave in the next. A longer table is not read."""
    group_wait_s: float = 2
    """Notices of one group wait this long for the rest of it, seconds: they leave the engine in one step."""
    first_delay_s: float = 5
    """Before the second attempt, seconds."""
    delay_factor: float = 3
    """Each further delay is this times the last: 8 attempts span half an hour, a gateway's restart."""
    longest_delay_s: float = 600
    """No delay is longer, seconds; a peer's own wish may be, up to an hour."""
    max_attempts: int = 8
    """Then the notice is `failed`."""
    keep_s: float = 7 * 86_400
    """How long a final row is kept to recognise repeats, seconds: as long as `stagewatch.changes` is."""
    mutes: tuple[Mute, ...] = ()
    """What is recorded as `muted` and not sent."""
    gather_s: float = 0
    """An SMS waits this long for others to the same person, seconds; 0: no waiting, but for those of its group."""
    inhibits: bool = False
    """What is below constrained equipment that has an alert of its own is recorded as `muted`, not sent."""
    holding: Holding | None = None
    """Quiet hours and the daily cap; None: nothing is held."""


class Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One notice and where it stands: a record of the outbox changelog (MessagePack)."""

    notice: Notice
    state: State
    added_at: int
    changed_at: int
    version: int = 0
    attempt: int = 0
    msg_id: str = ""
    next_at: int = 0
    receipt: str = ""
    reason: str = ""
    held_until: int = 0
    """When it is, or was, to be released; 0: it was never held."""
    left_at: int = 0
    """When its message left for the first time."""


def delay_ms(policy: OutboxPolicy, attempt: int, wish_s: float) -> int:
    """Give how long after an attempt the next one comes; `wish_s`: what the peer asked for."""
    # The exponent is bounded by max_attempts, which is a setting: keep the power a finite float.
    delay_s = policy.first_delay_s * policy.delay_factor ** min(attempt - 1, 64)
    return round(max(min(delay_s, policy.longest_delay_s), min(wish_s, _LONGEST_WISH_S)) * 1000)


def message_id(keys: Iterable[str]) -> str:
    """The `msg_id` of a message that stands for these notice keys: same keys, same id, in any order."""
    return hashlib.blake2b("\x1f".join(sorted(keys)).encode(), digest_size=16).hexdigest()


def notification_of(row: Row) -> NotificationRow:
    """The row as the store shows it."""
    notice = row.notice
    return NotificationRow(
        key=notice.key,
        alert_id=notice.alert_id,
        rule=notice.rule,
        severity=notice.severity,
        process=notice.process,
        instance=notice.instance,
        org_no=notice.org_no,
        recipient_no=notice.recipient.no,
        recipient_name=notice.recipient.name,
        channel=notice.channel,
        text=notice.text,
        is_late=notice.is_late,
        at=notice.at,
        due_at=notice.due_at,
        state=row.state.value,
        attempt=row.attempt,
        msg_id=row.msg_id,
        receipt=row.receipt,
        reason=row.reason,
        added_at=row.added_at,
        updated_at=row.changed_at,
        version=row.version,
    )


def in_order(rows: list[Row]) -> list[Row]:
    """Give rows in the order in which they came."""
    return sorted(rows, key=lambda row: (row.added_at, row.notice.at, row.notice.key))


def set_back(row: Row, now: int) -> None:
    """Move the times of a waiting row to a clock that is behind the one that wrote them."""
    ahead = row.changed_at - now
    if row.state in OPEN_STATES and ahead > 0:
        row.added_at, row.changed_at = min(row.added_at, now), now
        if row.state is not State.HELD:  # until a time of day
            row.next_at = max(row.next_at - ahead, 0)


def sent_since(rows: Iterable[Row], at: int, channels: Collection[Channel]) -> list[tuple[Delivery, str, int]]:
    """Give what left from `at` on (epoch ms) and may still be reported on, with receipt and time; one for a message."""
    sent = (State.DELIVERED, State.UNKNOWN)
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.msg_id and row.state in sent and row.changed_at >= at and row.notice.channel in channels:
            found.setdefault(row.msg_id, []).append(row)
    return [
        (Delivery(msg_id=msg_id, attempt=rows[0].attempt, notices=tuple(row.notice for row in in_order(rows))),
         rows[0].receipt, rows[0].changed_at)
        for msg_id, rows in found.items()
    ]  # fmt: skip
