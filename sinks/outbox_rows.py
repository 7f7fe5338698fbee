"""The rows of the outbox and the rules it lives by; used by the outbox and by whoever shows its rows."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from schemas.notice import Channel, Notice
from sinks.routing import Mute
from sinks.store.rows import NotificationRow


class State(StrEnum):
    """Where a notice stands. All but the first three are final."""

    QUEUED = "queued"
    SENDING = "sending"
    RETRY = "retry"
    DELIVERED = "delivered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"
    NO_CHANNEL = "no_channel"
    UNROUTABLE = "unroutable"
    MUTED = "muted"


OPEN_STATES = frozenset({State.QUEUED, State.SENDING, State.RETRY})


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
