"""What a carrier's gateway is to the rest of the room: one protocol, whichever wire is behind it.

Whoever routes and keeps the outbox calls `SmsChannel`; it never sends anything twice by itself. A part whose
answer did not come is *unknown*, and stays so until an answer, a report or the outbox's policy settles it.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, assert_never

import msgspec

from sinks.sink import Delivered, Outcome, Refused, RetryAfter, Unknown


class Sms(msgspec.Struct, frozen=True, kw_only=True):
    """One text for one mobile, however many parts it takes on the wire."""

    msg_id: str
    """The outbox's key; it never goes over the wire (no protocol but HTTP has room for it)."""
    mobile: str
    """11 digits in China, without a country code."""
    text: str
    extension: str = ""
    """Digits after the access number: a reply comes back to them."""
    expires_at: int | None = None
    """Epoch ms after which the carrier must not deliver it any more; None: the carrier's own time."""

    def __repr__(self) -> str:
        """The id only: a text or a number has no place in a traceback."""
        return f"Sms({self.msg_id})"


class Fate(StrEnum):
    """What became of a part, as far as the submission tells."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """It was written, no answer came."""
    UNSENT = "unsent"
    """The carrier certainly has not taken it."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a submission; `number` counts from 1."""

    number: int
    fate: Fate
    carrier_id: str = ""
    """The carrier's name for it, which reports repeat. SGIP has it even if the fate is unknown."""
    reason: str = ""
    is_foreign: bool = False
    """Refused because the number is not this carrier's: another one may take it."""
    wish_s: float = 0.0
    """Unsent, and the carrier wants to be left alone for so long."""


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an SMS; `parts` is never empty, in order."""

    parts: tuple[Part, ...]

    @property
    def fate(self) -> Fate:
        """The worst of the parts. A message some parts of which left is never unsent: sending would repeat them."""
        fates = {part.fate for part in self.parts}
        if len(fates) == 1:
            return next(iter(fates))
        return Fate.REFUSED if Fate.REFUSED in fates else Fate.UNKNOWN

    @property
    def is_foreign(self) -> bool:
        """Whether another carrier may be tried: no part was taken, none may have been."""
        return all(part.fate is Fate.REFUSED and part.is_foreign for part in self.parts)

    @property
    def carrier_ids(self) -> tuple[str, ...]:
        """The carrier's names for the parts, in order; empty where there is none."""
        return tuple(part.carrier_id for part in self.parts)

    def outcome(self) -> Outcome:
        """The same in the words of the outbox; the receipt is the carrier's ids, joined by commas."""
        reason = next((part.reason for part in self.parts if part.fate is not Fate.TAKEN), "")
        match self.fate:
            case Fate.TAKEN:
                return Delivered(",".join(self.carrier_ids))
            case Fate.UNSENT:
                return RetryAfter(max(part.wish_s for part in self.parts), reason)
            case Fate.REFUSED:
                return Refused(reason)
            case Fate.UNKNOWN:
                return Unknown(reason)
            case _ as never:
                assert_never(never)


class Delivery(StrEnum):
    """What a delivery report says."""

    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    PENDING = "pending"
    """Not final: accepted, on its way, or the carrier itself does not know."""


class DeliveryReport(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier's word on one part. It may come before the answer to the submission, late, and twice."""

    carrier_id: str
    mobile: str
    delivery: Delivery
    stat: str
    """The carrier's own code, e.g. `DELIVRD` or `MA:0001`."""
    submitted_at: int | None = None
    """Epoch ms, precise to the minute; None: not told."""
    done_at: int | None = None
    msg_id: str = ""
    """Our own name for the message, of which it is then all parts' (HTTP); other protocols have no room for it."""

    def __repr__(self) -> str:
        """Without the number."""
        return f"DeliveryReport({self.carrier_id}, {self.stat})"


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote to one of our numbers, put together from its parts."""

    carrier_id: str
    """Of its first part; the same if the gateway delivers it again. Empty in SMPP, which has no name for it."""
    mobile: str
    """Who wrote; without a country code."""
    to: str
    """The access number with whatever digits the sender left on it."""
    text: str
    is_whole: bool = True
    """Not: parts are missing that did not come in time."""

    def __repr__(self) -> str:
        """Without number and text."""
        return f"Inbound({self.carrier_id})"


class LateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a part that had been called unknown."""

    msg_id: str
    part: Part


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something that came from the carrier. Without `accept` the gateway will send it again."""

    item: DeliveryReport | Inbound | LateAnswer
    accept: Callable[[], None]
    """Tells the gateway that we have it; call it once the item is durable. May be called again, or too late.

    Of a long inbound message only the last part waits for this: after a crash it comes again alone, as a torso.
    """


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel is; `fault` is why the last connection could not be made or ended, empty if none did."""

    links: int
    """Logged in now."""
    in_flight: int
    """Parts that wait for an answer."""
    fault: str = ""
    window: int = 0
    """Parts that may wait for an answer at once over all connections; 0: any number."""
    throttled: int = 0
    """Answers so far that meant flow control: not now, no room."""
    is_idle: bool = False
    """No connection because there was nothing to send (SGIP closes idle ones); the next message opens one."""

    @property
    def is_up(self) -> bool:
        """Whether something may leave now, as far as we know."""
        return self.links > 0 or self.is_idle


class SmsChannel(Protocol):
    """One road to one carrier. Used by many tasks of one event loop at once."""

    @property
    def name(self) -> str:
        """A bounded word for logs and metrics, e.g. `cmpp`."""

    @property
    def state(self) -> ChannelState:
        """How it is now."""

    async def connect(self) -> None:
        """Begin to keep the connection; returns after the first attempt, whatever came of it (`state` tells)."""

    async def submit(self, sms: Sms) -> Submission:
        """Hand one SMS over. Raises nothing but cancellation, after which the fate is unknown."""

    def arrivals(self) -> AsyncIterator[Arrival]:
        """Reports, inbound messages and late answers, until `close`. One reader."""

    async def close(self) -> None:
        """Say good-bye; what is under way becomes unknown. May be called twice and without `connect`."""
