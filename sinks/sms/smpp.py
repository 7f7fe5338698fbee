"""SMPP 3.4. Its two large units are read and written by `smpp34`; the rest is a header with a string or none.

Its own client is not used: it says neither whether a part had been written when a connection ended nor which
part an answer belongs to that came too late, and on both stands that nobody is told twice.
"""

import struct
from enum import IntEnum

import msgspec
import smpp34

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
    national,
    receipt,
)

_HEADER = struct.Struct(">IIII")
_ANSWER = 0x8000_0000
_VERSION = 0x34
_UDHI, _RECEIPT, _TYPE = 0x40, 0x04, 0x3C
"""Of `esm_class`: a user data header; a delivery receipt, among the bits that say what a unit is (5.2.12)."""
_VERDICTS = {
    0: Verdict.TAKEN,
    0x0B: Verdict.FOREIGN,  # ESME_RINVDSTADR
    0x14: Verdict.BUSY,  # ESME_RMSGQFUL
    0x58: Verdict.BUSY,  # ESME_RTHROTTLED
}
_WRONG_COMMAND = 3  # ESME_RINVCMDID
_RECEIPTED_ID, _PAYLOAD, _MESSAGE_STATE = 0x001E, 0x0424, 0x0427
_ID_WORD = b"id:"
_STATES = {
    1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD"
}  # fmt: skip
"""Of the optional field message_state (5.2.28)."""


class _Command(IntEnum):
    NACK = 0x8000_0000
    SUBMIT = 4
    SUBMIT_RESP = 0x8000_0004
    DELIVER = 5
    DELIVER_RESP = 0x8000_0005
    UNBIND = 6
    UNBIND_RESP = 0x8000_0006
    BIND = 9
    BIND_RESP = 0x8000_0009
    ENQUIRE = 0x15
    ENQUIRE_RESP = 0x8000_0015


class SmppAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What the carrier or aggregator gave us."""

    system_id: str
    secret: str
    """At most eight characters."""
    access_number: str
    system_type: str = ""
    ton: int = 0
    npi: int = 1
    """Of destinations: as they are written in the country, ISDN numbers."""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"SmppAccount({self.system_id})"


class Smpp:
    """The wire of one account, bound as a transceiver."""

    name = "smpp"
    stays_open = True

    def __init__(self, account: SmppAccount) -> None:
        self._account = account
        self._counter = Counter()

    def sequence(self) -> int:
        """The next sequence number, 1 to 0x7FFFFFFF (5.1.4)."""
        return (self._counter.next() - 1) % 0x7FFF_FFFF + 1

    def carrier_id(self, _sequence: int) -> str:
        """Nothing: only the answer tells the message_id."""
        return ""

    def login(self, sequence: int) -> bytes:
        """bind_transceiver."""
        account = self._account
        words = (account.system_id, account.secret, account.system_type)
        body = b"".join(word.encode("ascii", "replace") + b"\0" for word in words)
        return _frame(_Command.BIND, sequence, body + bytes((_VERSION, 0, 0, 0)))

    def submit(self, sequence: int, part: Outgoing) -> bytes:
        """submit_sm, a receipt wanted."""
        account = self._account
        return smpp34.SubmitSm(
            account.access_number + part.extension, part.mobile, part.content, dest_addr_ton=account.ton,
            dest_addr_npi=account.npi, esm_class=_UDHI if part.total > 1 else 0,
            validity_period=expiry(part.expires_at), registered_delivery=1, data_coding=UCS2,
            sequence_number=sequence,
        ).encode()  # fmt: skip

    def heartbeat(self, sequence: int) -> bytes:
        """enquire_link."""
        return _frame(_Command.ENQUIRE, sequence)

    def logout(self, sequence: int) -> bytes:
        """Unbind."""
        return _frame(_Command.UNBIND, sequence)

    def read(self, frame: bytes) -> Event:
        """What a frame says. A request that we do not know is answered by generic_nack, wrong command."""
        try:
            _length, command, status, sequence = _HEADER.unpack_from(frame)
            if command == _Command.DELIVER:
                return _delivered(frame)
        except (struct.error, smpp34.SmppError) as error:
            raise BadFrame(f"SMPP: {error}") from error
        return _event(command, status, sequence, frame[_HEADER.size :])


def _event(command: int, status: int, sequence: int, body: bytes) -> Event:  # noqa: PLR0911 - one for each command
    match command:
        case _Command.SUBMIT_RESP | _Command.NACK:
            verdict = _VERDICTS.get(status, Verdict.REFUSED)
            message_id = body.partition(b"\0")[0].decode("latin-1")
            if command == _Command.NACK and verdict is Verdict.TAKEN:
                verdict = Verdict.REFUSED
            return SubmitAnswered(sequence, verdict, status, message_id)
        case _Command.ENQUIRE:
            return Asked(_frame(_Command.ENQUIRE_RESP, sequence))
        case _Command.ENQUIRE_RESP:
            return HeartbeatAnswered()
        case _Command.BIND_RESP:
            return LoginAnswered(sequence, f"login refused: status {status:#x}" if status else "")
        case _Command.UNBIND:
            return Ended(_frame(_Command.UNBIND_RESP, sequence))
        case _Command.UNBIND_RESP:
            return Ended()
        case _ if command & _ANSWER:
            raise BadFrame(f"SMPP: an answer that nobody asked for: {command:#x}")
        case _:
            return Asked(_HEADER.pack(_HEADER.size, _Command.NACK, _WRONG_COMMAND, sequence))


def _delivered(frame: bytes) -> Reported | Piece:
    """deliver_sm: a receipt, or an inbound message."""
    unit = smpp34.decode(frame)
    if not isinstance(unit, smpp34.DeliverSm):
        raise BadFrame("SMPP: a deliver_sm that is none")
    options = {option.tag: option.value for option in unit.tlvs}
    content = unit.short_message or options.get(_PAYLOAD, b"")
    answer = _frame(_Command.DELIVER_RESP, unit.sequence_number, b"\0")
    if unit.esm_class & _TYPE == _RECEIPT:
        return Reported(receipt(*_receipt_words(unit, options, content)), answer)
    return Piece(
        carrier_id="", mobile=national(unit.source_addr), to=unit.destination_addr,
        content=content, coding=unit.data_coding, has_header=bool(unit.esm_class & _UDHI), answer=answer,
    )  # fmt: skip


def _receipt_words(unit: smpp34.DeliverSm, options: dict[int, bytes], content: bytes) -> tuple[str, str, bytes]:
    """Carrier's id, mobile and words of a receipt; the optional fields, where they are, over the words."""
    message_id = options.get(_RECEIPTED_ID, b"").rstrip(b"\0")
    if not message_id:
        message_id = content.partition(_ID_WORD)[2].partition(b" ")[0]
    state = options.get(_MESSAGE_STATE, b"")
    words = content
    if b"stat:" not in content.lower() and state:
        words += b" stat:" + _STATES.get(state[0], "UNKNOWN").encode()
    return message_id.decode("latin-1"), national(unit.source_addr), words


def _frame(command: int, sequence: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), command, 0, sequence) + body
