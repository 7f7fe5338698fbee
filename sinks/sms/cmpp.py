"""CMPP 2.0 and 3.0, China Mobile's protocol: QB-GF-028-2003 for 3.0, whose fields 2.0 has in other sizes.

The two differ in the version byte, in sizes of numbers (21 or 32) and of results (1 or 4 bytes), and in two
fields of a submission.
"""

import hashlib
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Literal

import msgspec

from sinks.sms.channel import DeliveryReport
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
    delivery_of,
    expiry,
    field,
    minute_of,
    national,
    stamp,
    text_of,
)

_HEADER = struct.Struct(">III")
_ANSWER = 0x8000_0000
_WRONG_COMMAND = 2
_VERDICTS = {
    0: Verdict.TAKEN,
    8: Verdict.BUSY,  # flow control
    9: Verdict.FOREIGN,  # this gateway does not serve the charged number
    13: Verdict.FOREIGN,  # wrong destination number
}
_LOGIN_FAULTS = {1: "message structure", 2: "source address", 3: "authentication", 4: "version too high"}
_BETWEEN = b"\0" * 9  # account and secret, 8.4.1.1


class _Command(IntEnum):
    CONNECT = 1
    TERMINATE = 2
    SUBMIT = 4
    DELIVER = 5
    ACTIVE_TEST = 8
    CONNECT_RESP = 0x8000_0001
    TERMINATE_RESP = 0x8000_0002
    SUBMIT_RESP = 0x8000_0004
    ACTIVE_TEST_RESP = 0x8000_0008


_REPORT_HEAD = struct.Struct(">8s7s10s10s")


class CmppAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What China Mobile gave us."""

    sp_id: str
    """Six digits: who logs in, and the source of every message."""
    secret: str
    access_number: str
    """What receivers see and answer to, e.g. `10690001`."""
    service_id: str = ""
    version: Literal[2, 3] = 2

    def __repr__(self) -> str:
        """Without the secret."""
        return f"CmppAccount({self.sp_id}, {self.version}.0)"


class Cmpp:
    """The wire of one account."""

    name = "cmpp"
    stays_open = True

    def __init__(self, account: CmppAccount, *, now: Callable[[], float]) -> None:
        """`now` gives epoch seconds: the login is stamped with them."""
        self._account = account
        self._now = now
        self._counter = Counter()
        self._proofs: dict[int, bytes] = {}
        self._is_3 = account.version == 3  # noqa: PLR2004 - its name
        self._result = struct.Struct(">I" if self._is_3 else ">B")
        self._number_size = 32 if self._is_3 else 21

    def sequence(self) -> int:
        """The next sequence number."""
        return self._counter.next()

    def carrier_id(self, _sequence: int) -> str:
        """Nothing: the gateway makes the id, and only its answer tells it."""
        return ""

    def login(self, sequence: int) -> bytes:
        """CMPP_CONNECT (8.4.1.1)."""
        at = stamp(self._now())
        source = field(self._account.sp_id, 6)
        proof = _md5(source + _BETWEEN + self._account.secret.encode() + at.encode())
        self._proofs[sequence] = proof
        return _frame(
            _Command.CONNECT, sequence, source + proof + struct.pack(">BI", self._account.version << 4, int(at))
        )

    def submit(self, sequence: int, part: Outgoing) -> bytes:
        """CMPP_SUBMIT (8.4.3.1), a report wanted, free of charge for the receiver."""
        account, has_header = self._account, part.total > 1
        sender = (b"\0", b"\0") if self._is_3 else (b"", b"")  # types of fee and destination number: real
        body = b"".join((
            struct.pack(">QBBBB", 0, part.total, part.number, 1, 0), field(account.service_id, 10),
            b"\x02", field("", self._number_size), sender[0],  # the service pays
            struct.pack(">BBB", 0, has_header, UCS2), field(account.sp_id, 6), b"01", field("0", 6),
            field(expiry(part.expires_at), 17), field("", 17), field(account.access_number + part.extension, 21),
            b"\x01", field(part.mobile, self._number_size), sender[1],
            struct.pack(">B", len(part.content)), part.content, field("", 20 if self._is_3 else 8),
        ))  # fmt: skip
        return _frame(_Command.SUBMIT, sequence, body)

    def heartbeat(self, sequence: int) -> bytes:
        """CMPP_ACTIVE_TEST."""
        return _frame(_Command.ACTIVE_TEST, sequence, b"")

    def logout(self, sequence: int) -> bytes:
        """CMPP_TERMINATE."""
        return _frame(_Command.TERMINATE, sequence, b"")

    def read(self, frame: bytes) -> Event:
        """What a frame says. A request that we do not know is answered with result 2, wrong command."""
        try:
            _length, command, sequence = _HEADER.unpack_from(frame)
            return self._event(command, sequence, frame[_HEADER.size :])
        except (struct.error, IndexError) as error:
            raise BadFrame(f"CMPP: {error}") from error

    def _event(self, command: int, sequence: int, body: bytes) -> Event:  # noqa: PLR0911 - one for each command
        match command:
            case _Command.SUBMIT_RESP:
                return self._answered(sequence, body)
            case _Command.DELIVER:
                return self._delivered(sequence, body)
            case _Command.ACTIVE_TEST:
                return Asked(_frame(_Command.ACTIVE_TEST | _ANSWER, sequence, b"\0"))
            case _Command.ACTIVE_TEST_RESP:
                return HeartbeatAnswered()
            case _Command.CONNECT_RESP:
                return self._logged_in(sequence, body)
            case _Command.TERMINATE:
                return Ended(_frame(_Command.TERMINATE | _ANSWER, sequence, b""))
            case _Command.TERMINATE_RESP:
                return Ended()
            case _ if command & _ANSWER:
                raise BadFrame(f"CMPP: an answer that nobody asked for: {command:#x}")
            case _:
                return Asked(_frame(command | _ANSWER, sequence, self._result.pack(_WRONG_COMMAND)))

    def _logged_in(self, sequence: int, body: bytes) -> LoginAnswered:
        # A 3.0 gateway may answer a login of a version that it does not speak in its own sizes: go by length.
        is_wide = len(body) >= 4 + 16 + 1
        status = int.from_bytes(body[: 4 if is_wide else 1])
        if status:
            return LoginAnswered(sequence, f"login refused: {_LOGIN_FAULTS.get(status, 'other fault')} ({status})")
        proof, given = self._proofs.pop(sequence, b""), body[4:20] if is_wide else body[1:17]
        secret = self._account.secret.encode()
        # Gateways hash the status in the size of either version, whichever they speak.
        is_known = given in {_md5(bytes(size) + proof + secret) for size in (1, 4)}
        return LoginAnswered(sequence, doubt="" if is_known else "the gateway did not prove that it knows the secret")

    def _answered(self, sequence: int, body: bytes) -> SubmitAnswered:
        (code,) = self._result.unpack_from(body, 8)
        return SubmitAnswered(sequence, _VERDICTS.get(code, Verdict.REFUSED), code, body[:8].hex())

    def _delivered(self, sequence: int, body: bytes) -> Reported | Piece:
        """CMPP_DELIVER (8.4.5.1): a report or an inbound message."""
        at = 8 + 21 + 10
        _pid, has_header, coding = struct.unpack_from(">BBB", body, at)
        source = body[at + 3 : at + 3 + self._number_size]
        at += 3 + self._number_size + self._is_3  # 3.0: the type of the number
        is_report, length = struct.unpack_from(">BB", body, at)
        content = body[at + 2 : at + 2 + length]
        if len(content) < length:
            raise BadFrame("CMPP: a deliver that is shorter than it says")
        answer = _frame(_Command.DELIVER | _ANSWER, sequence, body[:8] + self._result.pack(0))
        if is_report:
            return Reported(_report(content), answer)
        return Piece(
            carrier_id=body[:8].hex(), mobile=national(text_of(source)), to=text_of(body[8:29]), content=content,
            coding=coding, has_header=bool(has_header), answer=answer,
        )  # fmt: skip


def _report(content: bytes) -> DeliveryReport:
    """60 bytes in 2.0, 71 in 3.0; gateways send either in either, so its length decides, not the version."""
    number_size = 32 if len(content) >= 71 else 21  # noqa: PLR2004 - as said
    carrier_id, stat, submitted, done = _REPORT_HEAD.unpack_from(content)
    state = text_of(stat)
    return DeliveryReport(
        carrier_id=carrier_id.hex(),
        mobile=national(text_of(content[_REPORT_HEAD.size : _REPORT_HEAD.size + number_size])),
        delivery=delivery_of(state),
        stat=state,
        submitted_at=minute_of(text_of(submitted)),
        done_at=minute_of(text_of(done)),
    )


def _frame(command: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), command, sequence) + body


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()  # what the protocol asks for
