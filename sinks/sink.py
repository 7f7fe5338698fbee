"""What every destination of messages is to the pipeline: one protocol, three results.

Every sink file implements `Sink`; the pipeline calls it and nobody else does. A sink never retries,
never groups and never decides who is told: it hands one message to one peer and says what became of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from schemas.errors import StagewatchError
from schemas.notice import Channel, Notice, Recipient


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a mail."""

    name: str
    kind: str
    """Its media type: `image/png`."""
    data: bytes
    cid: str = ""
    """Content-ID by which the HTML shows it in its place; empty: an attachment."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One text for one person over one channel, standing for one or more notices."""

    msg_id: str
    """Idempotency key: the same in every attempt to deliver the same notices; 32 hexadecimal digits."""
    channel: Channel
    recipient: Recipient
    address: str
    """Where it goes: digits of a mobile number, or a mail address."""
    text: str
    """What an SMS says; the plain-text part of a mail."""
    subject: str = ""
    html: str = ""
    parts: tuple[Part, ...] = ()
    topic: str = ""
    """What a mail belongs to for its readers' rules; empty: alerts."""
    notices: tuple[Notice, ...] = ()

    def __repr__(self) -> str:
        """The id and the channel only: a message in a traceback must not show a phone number."""
        return f"Message({self.msg_id}, {self.channel}, {len(self.notices)} notices)"


class Delivered(msgspec.Struct, frozen=True, tag=True):
    """The peer took the message over; `receipt` is its own name for it, may be empty."""

    receipt: str


class RetryAfter(msgspec.Struct, frozen=True, tag=True):
    """The peer certainly did not take it; try again. `seconds` is the peer's wish, 0: it named none."""

    seconds: float
    reason: str


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The peer will never take this message."""

    reason: str


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """It left, and no answer came: it may or may not have arrived. Made by the pipeline, not by a sink."""

    reason: str


Result = Delivered | RetryAfter | Refused
Outcome = Result | Unknown


class Bounce(NamedTuple):
    """What a mail that came back says of a message of ours."""

    msg_id: str
    outcome: Outcome


class OutcomeUnknown(StagewatchError):
    """Raised by `Sink.send` when the connection ended after the message was written.

    An exception, not a fourth result: no peer ever answers it. Sending again may tell somebody twice,
    so the outbox decides (`OutboxPolicy.idempotent`).
    """


class SinkSettingError(StagewatchError):
    """A sink's URL cannot be used; the message names the setting and the fault, never the URL's secret."""


class Sink(Protocol):
    """One way out. Used by many tasks of one event loop at once."""

    @property
    def name(self) -> str:
        """A bounded word for logs and metrics, e.g. `mail-smtp`."""

    @property
    def channel(self) -> Channel:
        """The notices it carries."""

    @property
    def timeout_s(self) -> float:
        """The longest one `send` may take; the pipeline cuts it off a little later and calls it unknown."""

    async def send(self, message: Message) -> Result:
        """Hand over one message and say what became of it.

        Raises:
            OutcomeUnknown: the message was written and no answer came.
        """

    async def close(self) -> None:
        """Give back sockets; may be called twice and without any `send` before."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a peer said about a message after its `send` had ended."""

    msg_id: str
    outcome: Outcome
    accept: Callable[[], None]
    """Tells the peer that we have it; call it once the outcome is durable. May be called again."""
    is_shared: bool = False
    """Other workers are told of it, too: who does not know the message leaves it to them."""


@runtime_checkable
class Roads(Protocol):
    """What a sink with several roads is beside a `Sink`: each road has room of its own, and reports come back."""

    on_report: Callable[[Report], None]
    """Called in the running loop; must not block."""

    def road_of(self, address: str) -> str:
        """The road that a message to this address takes at first."""

    def roads_up(self) -> Mapping[str, bool]:
        """All roads, and whether something may leave over each now."""

    def expect(self, message: Message, receipt: str, at: int) -> None:
        """Wait for reports on a message of before a restart; `receipt` is empty if its outcome is unknown."""
