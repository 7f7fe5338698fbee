"""SGIP 1.2, China Unicom's protocol.

Three things are unlike the others: the sequence number of 12 bytes is the message's name for good (node, time,
count); there is no heartbeat, an idle connection is simply closed; and the gateway connects to us to deliver
(`sgip_listener`).
"""

import struct
from collections.abc import Callable
from enum import IntEnum

import msgspec

from sinks.sms.channel import Delivery, DeliveryReport
from sinks.sms.wire import (
    UCS2,
    Asked,
    BadFrame,
    Counter,
    Ended,
    Event,
    LoginAnswered,
    LoginAsked,
    Outgoing,
    Piece,
    Reported,
    SubmitAnswered,
    Verdict,
    expiry,
    field,
    national,
    stamp,
    text_of,
)

_HEADER = struct.Struct(">II12s")
_ANSWER = 0x8000_0000
_OK, _BAD_LOGIN, _BAD_COMMAND = 0, 1, 7
_RESERVED = bytes(8)
_FROM_GATEWAY = 2
"""The login type of a gateway that connects to us."""
_VERDICTS = {
    0: Verdict.TAKEN,
    6: Verdict.FOREIGN,  # not a number of this carrier's
    11: Verdict.BUSY,  # the node's queue is full
    22: Verdict.FOREIGN,  # wrong route
    23: Verdict.FOREIGN,  # no route
    33: Verdict.BUSY,  # the centre's queue is full
}
_STATES = (Delivery.DELIVERED, Delivery.PENDING, Delivery.FAILED)


class _Command(IntEnum):
    BIND = 1
    UNBIND = 2
    SUBMIT = 3
    DELIVER = 4
    REPORT = 5
    BIND_RESP = 0x8000_0001
    UNBIND_RESP = 0x8000_0002
    SUBMIT_RESP = 0x8000_0003


class SgipAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What China Unicom gave us."""

    node: int
    """3, area code, company code: ten digits that no other node has."""
    name: str
    secret: str
    corp_id: str
    access_number: str
    service_type: str = ""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"SgipAccount({self.node})"


class Sgip:
    """The wire of one account, for the connection that we make and for the one that the gateway makes."""

    name = "sgip"
    stays_open = False

    def __init__(self, account: SgipAccount, *, now: Callable[[], float]) -> None:
        """`now` gives epoch seconds: part of every message's name."""
        self._account = account
        self._now = now
        self._counter = Counter()

    def sequence(self) -> int:
        """The next sequence number: 32 bits each of node, `mmddhhmmss` and count.

        After a restart the time is another one, so a name never comes twice within a year.
        """
        return self._account.node << 64 | int(stamp(self._now())) << 32 | self._counter.next()

    def carrier_id(self, sequence: int) -> str:
        """The sequence number itself, as `node-mmddhhmmss-count`."""
        return _name_of(sequence.to_bytes(12))

    def login(self, sequence: int) -> bytes:
        """Bind (4.2.3.1.1), as one who sends commands. The secret is in clear: that is the protocol."""
        account = self._account
        body = b"\x01" + field(account.name, 16) + field(account.secret, 16) + _RESERVED
        return _frame(_Command.BIND, sequence.to_bytes(12), body)

    def submit(self, sequence: int, part: Outgoing) -> bytes:
        """Submit (4.2.3.3.1), a report wanted in any case, at our cost."""
        account = self._account
        body = b"".join((
            field(account.access_number + part.extension, 21), b"0" * 21, b"\x01", field("86" + part.mobile, 21),
            field(account.corp_id, 5), field(account.service_type, 10), b"\x01", field("0", 6), field("0", 6),
            struct.pack(">BBB", 0, 2, 0),  # not collected, not caused by an inbound message, usual priority
            field(expiry(part.expires_at), 16), field("", 16),
            struct.pack(">BBBBBI", 1, 0, part.total > 1, UCS2, 0, len(part.content)), part.content, _RESERVED,
        ))  # fmt: skip
        return _frame(_Command.SUBMIT, sequence.to_bytes(12), body)

    def heartbeat(self, _sequence: int) -> bytes:
        """Nothing: the protocol has none."""
        return b""

    def logout(self, sequence: int) -> bytes:
        """Unbind."""
        return _frame(_Command.UNBIND, sequence.to_bytes(12), b"")

    def read(self, frame: bytes) -> Event:
        """What a frame says. A request that we do not know is answered with error 7, wrong command."""
        try:
            _length, command, sequence = _HEADER.unpack_from(frame)
            return _event(command, sequence, frame[_HEADER.size :])
        except (struct.error, IndexError) as error:
            raise BadFrame(f"SGIP: {error}") from error


def _event(command: int, sequence: bytes, body: bytes) -> Event:  # noqa: PLR0911 - one for each command
    match command:
        case _Command.SUBMIT_RESP:
            verdict = _VERDICTS.get(body[0], Verdict.REFUSED)
            return SubmitAnswered(int.from_bytes(sequence), verdict, body[0], _name_of(sequence))
        case _Command.REPORT:
            return _reported(sequence, body)
        case _Command.DELIVER:
            return _delivered(sequence, body)
        case _Command.BIND_RESP:
            return LoginAnswered(int.from_bytes(sequence), f"login refused: error {body[0]}" if body[0] else "")
        case _Command.BIND:
            return _login_asked(sequence, body)
        case _Command.UNBIND:
            return Ended(_frame(_Command.UNBIND_RESP, sequence, b""))
        case _Command.UNBIND_RESP:
            return Ended()
        case _ if command & _ANSWER:
            raise BadFrame(f"SGIP: an answer that nobody asked for: {command:#x}")
        case _:
            return Asked(_answer(command, sequence, _BAD_COMMAND))


def _login_asked(sequence: bytes, body: bytes) -> LoginAsked:
    refusal = _answer(_Command.BIND, sequence, _BAD_LOGIN)
    answer = _answer(_Command.BIND, sequence, _OK) if body[0] == _FROM_GATEWAY else refusal
    return LoginAsked(text_of(body[1:17]), text_of(body[17:33]), answer, refusal)


def _reported(sequence: bytes, body: bytes) -> Reported:
    """Report (4.2.3.5.1)."""
    name, kind, number, state, error = struct.unpack_from(">12sB21sBB", body)
    answer = _answer(_Command.REPORT, sequence, _OK)
    if kind:  # about an inbound message that one gateway handed to another
        return Reported(None, answer)
    delivery = _STATES[state] if state < len(_STATES) else Delivery.PENDING
    stat = f"{state}:{error}" if error else str(state)
    return Reported(
        DeliveryReport(carrier_id=_name_of(name), mobile=national(text_of(number)), delivery=delivery, stat=stat),
        answer,
    )


def _delivered(sequence: bytes, body: bytes) -> Piece:
    """Deliver (4.2.3.4.1)."""
    number, to, _pid, has_header, coding, length = struct.unpack_from(">21s21sBBBI", body)
    content = body[49 : 49 + length]
    if len(content) < length:
        raise BadFrame("SGIP: a deliver that is shorter than it says")
    return Piece(
        carrier_id=_name_of(sequence), mobile=national(text_of(number)), to=text_of(to), content=content,
        coding=coding, has_header=bool(has_header), answer=_answer(_Command.DELIVER, sequence, _OK),
    )  # fmt: skip


def _name_of(sequence: bytes) -> str:
    node, at, count = struct.unpack(">III", sequence)
    return f"{node}-{at:010}-{count}"


def _answer(command: int, sequence: bytes, result: int) -> bytes:
    return _frame(command | _ANSWER, sequence, bytes((result,)) + _RESERVED)


def _frame(command: int, sequence: bytes, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), command, sequence) + body
