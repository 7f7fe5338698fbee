"""SMGP 3.0, China Telecom's protocol (V3.0.3)."""

import hashlib
import struct
from collections.abc import Callable
from enum import IntEnum

import msgspec

from sinks.sms.wire import (
    UCS2,
    Asked,
    BadFrame,
    Counter,
    Ended,
    Event,
    HeartbeatAnswered,
    LoginAnswered,
    Outgoing,
    Piece,
    Reported,
    SubmitAnswered,
    Verdict,
    expiry,
    field,
    national,
    receipt,
    stamp,
    text_of,
)

_HEADER = struct.Struct(">III")
_ANSWER = 0x8000_0000
_VERSION = 0x30
_BOTH_WAYS = 2  # login mode: send and receive
_BETWEEN = b"\0" * 7  # account and secret, 6.2.2
_TP_UDHI, _PK_TOTAL, _PK_NUMBER = 0x0002, 0x0009, 0x000A
_VERDICTS = {
    0: Verdict.TAKEN,
    1: Verdict.BUSY,  # system busy
    2: Verdict.BUSY,  # too many connections
    39: Verdict.FOREIGN,  # routing
    47: Verdict.FOREIGN,  # wrong destination number
    58: Verdict.FOREIGN,  # no route matches
    74: Verdict.LATER,  # not at this hour
    75: Verdict.LATER,  # no more today
    76: Verdict.LATER,  # the account has run out: somebody will renew it
}


class _Command(IntEnum):
    LOGIN = 1
    SUBMIT = 2
    DELIVER = 3
    ACTIVE_TEST = 4
    EXIT = 6
    LOGIN_RESP = 0x8000_0001
    SUBMIT_RESP = 0x8000_0002
    ACTIVE_TEST_RESP = 0x8000_0004
    EXIT_RESP = 0x8000_0006


class SmgpAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What China Telecom gave us."""

    client_id: str
    """Up to eight characters."""
    secret: str
    access_number: str
    """With its 118 in front, where the gateway wants that (6.2.19)."""
    service_id: str = ""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"SmgpAccount({self.client_id})"


class Smgp:
    """The wire of one account."""

    name = "smgp"
    stays_open = True

    def __init__(self, account: SmgpAccount, *, now: Callable[[], float]) -> None:
        """`now` gives epoch seconds: the login is stamped with them."""
        self._account = account
        self._now = now
        self._counter = Counter()
        self._proofs: dict[int, bytes] = {}

    def sequence(self) -> int:
        """The next sequence number."""
        return self._counter.next()

    def carrier_id(self, _sequence: int) -> str:
        """Nothing: the gateway makes the id, and only its answer tells it."""
        return ""

    def login(self, sequence: int) -> bytes:
        """Login (5.2.2.1.1), for sending and receiving."""
        account, at = self._account, stamp(self._now())
        # The specification hashes the account as it is, not its field of eight bytes.
        proof = _md5(account.client_id.encode() + _BETWEEN + account.secret.encode() + at.encode())
        self._proofs[sequence] = proof
        tail = struct.pack(">BIB", _BOTH_WAYS, int(at), _VERSION)
        return _frame(_Command.LOGIN, sequence, field(account.client_id, 8) + proof + tail)

    def submit(self, sequence: int, part: Outgoing) -> bytes:
        """Submit (5.2.2.2.1), a report wanted, free of charge for the receiver.

        UCS-2, though 6.2.16 asks for GB18030: only so do all carriers cut a text alike, and gateways take both.
        """
        account = self._account
        body = b"".join((
            struct.pack(">BBB", 6, 1, 1), field(account.service_id, 10), b"00", b"0" * 6, b"0" * 6,
            bytes((UCS2,)), field(expiry(part.expires_at), 17), field("", 17),
            field(account.access_number + part.extension, 21), field("", 21), b"\x01", field(part.mobile, 21),
            bytes((len(part.content),)), part.content, bytes(8),
        ))  # fmt: skip
        if part.total > 1:
            places = ((_TP_UDHI, 1), (_PK_TOTAL, part.total), (_PK_NUMBER, part.number))
            body += b"".join(struct.pack(">HHB", tag, 1, value) for tag, value in places)
        return _frame(_Command.SUBMIT, sequence, body)

    def heartbeat(self, sequence: int) -> bytes:
        """Active_Test."""
        return _frame(_Command.ACTIVE_TEST, sequence, b"")

    def logout(self, sequence: int) -> bytes:
        """Exit."""
        return _frame(_Command.EXIT, sequence, b"")

    def read(self, frame: bytes) -> Event:
        """What a frame says. A request that we do not know is answered with nothing but its header."""
        try:
            _length, command, sequence = _HEADER.unpack_from(frame)
            return self._event(command, sequence, frame[_HEADER.size :])
        except (struct.error, IndexError) as error:
            raise BadFrame(f"SMGP: {error}") from error

    def _event(self, command: int, sequence: int, body: bytes) -> Event:  # noqa: PLR0911 - one for each command
        match command:
            case _Command.SUBMIT_RESP:
                message_id, code = struct.unpack_from(">10sI", body)
                return SubmitAnswered(sequence, _VERDICTS.get(code, Verdict.REFUSED), code, message_id.hex())
            case _Command.DELIVER:
                return _delivered(sequence, body)
            case _Command.ACTIVE_TEST:
                return Asked(_frame(_Command.ACTIVE_TEST_RESP, sequence, b""))
            case _Command.ACTIVE_TEST_RESP:
                return HeartbeatAnswered()
            case _Command.LOGIN_RESP:
                return self._logged_in(sequence, body)
            case _Command.EXIT:
                return Ended(_frame(_Command.EXIT_RESP, sequence, b""))
            case _Command.EXIT_RESP:
                return Ended()
            case _ if command & _ANSWER:
                raise BadFrame(f"SMGP: an answer that nobody asked for: {command:#x}")
            case _:
                return Asked(_frame(command | _ANSWER, sequence, b""))

    def _logged_in(self, sequence: int, body: bytes) -> LoginAnswered:
        status, given = struct.unpack_from(">I16s", body)
        if status:
            return LoginAnswered(sequence, f"login refused: status {status}")
        proof, secret = self._proofs.pop(sequence, b""), self._account.secret.encode()
        is_known = given in {_md5(bytes(size) + proof + secret) for size in (1, 4)}
        return LoginAnswered(sequence, doubt="" if is_known else "the gateway did not prove that it knows the secret")


def _delivered(sequence: int, body: bytes) -> Reported | Piece:
    """Deliver (5.2.2.3.1): a report or an inbound message."""
    message_id, is_report, coding, _at, source, to, length = struct.unpack_from(">10sBB14s21s21sB", body)
    content = body[69 : 69 + length]
    if len(content) < length:
        raise BadFrame("SMGP: a deliver that is shorter than it says")
    answer = _frame(_Command.DELIVER | _ANSWER, sequence, message_id + bytes(4))
    mobile = national(text_of(source))
    if is_report:
        # The id is ten raw bytes between the words, and may hold any value: cut it out before words are looked for.
        return Reported(receipt(content[3:13].hex(), mobile, content[13:]), answer)
    return Piece(
        carrier_id=message_id.hex(), mobile=mobile, to=text_of(to), content=content, coding=coding,
        has_header=_options(body[69 + length + 8 :]).get(_TP_UDHI) == b"\x01", answer=answer,
    )  # fmt: skip


def _options(data: bytes) -> dict[int, bytes]:
    """Optional fields by tag; what is cut off is left out."""
    found, at = {}, 0
    while at + 4 <= len(data):
        tag, length = struct.unpack_from(">HH", data, at)
        found[tag] = data[at + 4 : at + 4 + length]
        at += 4 + length
    return found


def _frame(command: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), command, sequence) + body


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()  # what the protocol asks for
