"""Which waiting notices leave together, and when at the earliest. Pure; used by the outbox only."""

from schemas.notice import Notice
from sinks.buckets import BucketId
from sinks.holding import is_answer
from sinks.outbox_rows import OutboxPolicy, Row, State
from sinks.routing import address_of

_MS = 1000


def bucket_of(row: Row, policy: OutboxPolicy) -> BucketId:
    """Name what a waiting row leaves with: one message, or a mail, to one address of one person."""
    notice = row.notice
    if row.msg_id:
        return ("again", row.msg_id)  # a message is never regrouped: its peer may know it by its id
    person = (notice.recipient.no, address_of(notice) or "")
    if row.state is State.HELD:
        return ("held", *person)
    if notice.channel == "mail":
        return ("digest", *person)
    if _gathers(notice, policy):
        return ("window", *person)
    if notice.group is not None:
        return ("group", *person, notice.group)
    return ("one", notice.key)


def leaves_at(row: Row, policy: OutboxPolicy) -> int:
    """Give when a waiting row may leave at the earliest, epoch ms."""
    notice = row.notice
    if row.msg_id or row.state is State.HELD:
        return row.next_at
    if notice.channel == "mail":
        return row.added_at + round(policy.mail_digest_s * _MS)
    if _gathers(notice, policy):
        return row.added_at + round(policy.gather_s * _MS)
    if notice.group is not None:
        return row.added_at + round(policy.group_wait_s * _MS)
    return row.added_at


def _gathers(notice: Notice, policy: OutboxPolicy) -> bool:
    """Whether it waits for whatever else the same person is to be told; an answer waits for nothing."""
    return policy.gather_s > 0 and notice.channel == "sms" and not is_answer(notice)
