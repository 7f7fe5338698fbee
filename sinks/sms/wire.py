"""What a protocol is to the session engine: bytes to events and back. Pure, but for its counter of sequences.

`cmpp`, `sgip`, `smgp` and `smpp` implement `Wire`; `link` calls it. All four begin a frame with its whole
length in four bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Protocol

from schemas.errors import StagewatchError
from sinks.sms.channel import Delivery, DeliveryReport

BEIJING = timezone(timedelta(hours=8))
"""All carriers' clocks; China has no daylight saving time."""
UCS2, ASCII, BINARY, GB18030 = 8, 0, 4, 15
"""Codings, the same numbers in CMPP, SGIP and SMGP; SMPP has no GB18030."""
_LENGTH = 4
_LONGEST_FRAME = 65_536  # the longest legal one is some 2.5 KB (100 recipients); more is another protocol
_MINUTE_DIGITS = 10
_FINAL = {"DELIVRD": Delivery.DELIVERED, "EXPIRED": Delivery.EXPIRED}
_WORD = re.compile(rb"(submit[_ ]?date|done[_ ]?date|stat)\s*:\s*([^\s:]*)", re.IGNORECASE)
_NOT_FINAL = frozenset({"ACCEPTD", "ENROUTE", "UNKNOWN"})


class BadFrame(StagewatchError):
    """The peer sent what the protocol does not allow; the connection cannot be trusted any more."""


class Verdict(StrEnum):
    """What an answer to a submission means to us, whatever its code."""

    TAKEN = "taken"
    BUSY = "busy"
    """Flow control: wait a moment and send it again."""
    LATER = "later"
    """Not now: quiet hours, the day's quota, the account's time."""
    FOREIGN = "foreign"
    """The number belongs to another carrier."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One part on its way out."""

    mobile: str
    extension: str
    content: bytes
    """UCS-2, big-endian, behind its user data header if `total` > 1."""
    number: int
    total: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class LoginAnswered:
    """Our login was answered; `reason` is empty if we are in."""

    sequence: int
    reason: str = ""
    doubt: str = ""
    """We are in, but something about the gateway is odd."""


@dataclass(frozen=True, slots=True)
class SubmitAnswered:
    """A part was answered."""

    sequence: int
    verdict: Verdict
    code: int
    carrier_id: str = ""


@dataclass(frozen=True, slots=True)
class HeartbeatAnswered:
    """The peer is alive."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is answered at once: a heartbeat, or something that we do not know."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class LoginAsked:
    """The gateway logs in to us (SGIP)."""

    name: str
    secret: str
    answer: bytes
    refusal: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The peer is about to close the connection, or answers that we may."""

    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """A delivery report; `report` is None if it is of a kind that says nothing about a part of ours."""

    report: DeliveryReport | None
    answer: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an inbound message, or the whole of a short one."""

    carrier_id: str
    mobile: str
    to: str
    content: bytes
    coding: int
    has_header: bool
    answer: bytes


Event = LoginAnswered | SubmitAnswered | HeartbeatAnswered | Asked | LoginAsked | Ended | Reported | Piece


class Wire(Protocol):
    """One protocol with one account."""

    @property
    def name(self) -> str:
        """A bounded word: `cmpp`, `sgip`, `smgp`, `smpp`."""

    @property
    def stays_open(self) -> bool:
        """Whether heartbeats keep a connection while there is nothing to send; else it is closed."""

    def sequence(self) -> int:
        """A number for the next request; not used again for as long as an answer may come."""

    def login(self, sequence: int) -> bytes:
        """The request that opens a session."""

    def submit(self, sequence: int, part: Outgoing) -> bytes:
        """The request that hands a part over."""

    def carrier_id(self, sequence: int) -> str:
        """The carrier's name for a part that was not answered; empty if only the answer tells."""

    def heartbeat(self, sequence: int) -> bytes:
        """The request that asks whether the peer is alive; empty where the protocol has none."""

    def logout(self, sequence: int) -> bytes:
        """The request that ends a session."""

    def read(self, frame: bytes) -> Event:
        """What one whole frame says. Raises `BadFrame`."""


class Framer:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the frames that are whole now. Raises `BadFrame`."""
        self._held += data
        begin = 0
        while len(self._held) - begin >= _LENGTH:
            length = int.from_bytes(self._held[begin : begin + _LENGTH])
            if not 2 * _LENGTH < length <= _LONGEST_FRAME:
                raise BadFrame("a frame of a length that none has")
            if len(self._held) - begin < length:
                break
            yield bytes(self._held[begin : begin + length])
            begin += length
        del self._held[:begin]


class Counter:
    """Sequence numbers of 32 bits, from 1; 0 is what some gateways answer malformed requests with."""

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def next(self) -> int:
        """The next one."""
        self._last = self._last % 0xFFFF_FFFF + 1
        return self._last


def field(text: str, size: int) -> bytes:
    """A fixed field of octets: ASCII, cut at its size, filled with zero bytes."""
    return text.encode("ascii", "replace")[:size].ljust(size, b"\0")


def text_of(data: bytes) -> str:
    """What a fixed field says: up to its first zero byte, without the blanks that some gateways fill with."""
    return data.partition(b"\0")[0].decode("ascii", "replace").strip()


def national(number: str) -> str:
    """A mobile number without China's code, as we know people's."""
    digits = number.removeprefix("+")
    return digits[2:] if len(digits) == 13 and digits.startswith("861") else digits  # noqa: PLR2004 - 86 and 11 digits


def delivery_of(stat: str) -> Delivery:
    """What a seven-letter state means; codes of gateways (`MA:0001`) are failures."""
    if stat in _NOT_FINAL:
        return Delivery.PENDING
    return _FINAL.get(stat, Delivery.FAILED)


def minute_of(digits: str) -> int | None:
    """Epoch ms of `YYMMDDHHMM`, Beijing time; None if it is none. Not `strptime`: every report has two."""
    if len(digits) < _MINUTE_DIGITS or not (digits.isascii() and digits[:_MINUTE_DIGITS].isdigit()):
        return None
    year, month, day, hour, minute = (int(digits[at : at + 2]) for at in range(0, _MINUTE_DIGITS, 2))
    try:
        return round(datetime(2000 + year, month, day, hour, minute, tzinfo=BEIJING).timestamp() * 1000)
    except ValueError:
        return None


def receipt(carrier_id: str, mobile: str, text: bytes) -> DeliveryReport:
    """What a report in words says, `... submit date:2603020930 done date:... stat:DELIVRD err:000 ...`.

    SMGP 3.0 and SMPP 3.4 (appendix B) have the same; gateways differ in blanks, underscores and capitals.
    """
    found = {name.lower().replace(b" ", b"_"): value.decode("ascii", "replace") for name, value in _WORD.findall(text)}
    stat = found.get(b"stat", "").upper()
    return DeliveryReport(
        carrier_id=carrier_id,
        mobile=mobile,
        delivery=delivery_of(stat or "UNKNOWN"),
        stat=stat,
        submitted_at=minute_of(found.get(b"submit_date", "")),
        done_at=minute_of(found.get(b"done_date", "")),
    )


def stamp(now: float) -> str:
    """`MMDDHHMMSS` in Beijing, of epoch seconds."""
    return f"{datetime.fromtimestamp(now, BEIJING):%m%d%H%M%S}"


def expiry(at: int | None) -> str:
    """A time as SMPP 3.3 has it, `YYMMDDhhmmsstnnp`; 032+ says Beijing in quarters of an hour. Empty: none."""
    if at is None:
        return ""
    return f"{datetime.fromtimestamp(at / 1000, UTC).astimezone(BEIJING):%y%m%d%H%M%S}032+"
