"""One attempt to tell one person something: the notices that leave as one message."""

import msgspec

from schemas.notice import Channel, Notice, Recipient


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What `Outbox.due` hands out and `Outbox.settle` takes back. `notices` is never empty."""

    msg_id: str
    attempt: int
    """Counts from 1."""
    notices: tuple[Notice, ...]
    """Of one recipient and one channel, oldest first."""

    @property
    def channel(self) -> Channel:
        """The channel of all its notices."""
        return self.notices[0].channel

    @property
    def recipient(self) -> Recipient:
        """The recipient of all its notices, as the latest of them knows him."""
        return self.notices[-1].recipient

    def __repr__(self) -> str:
        """Without the recipient: a delivery in a traceback must not show a phone number."""
        return f"Delivery({self.msg_id}, {self.channel}, attempt {self.attempt}, {len(self.notices)} notices)"
