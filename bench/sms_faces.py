"""The gateway's side of the SMS protocols, as far as a stand-in needs it.

Written apart from the clients in `sinks.sms`, field by field from the specifications: an offset that is wrong
in one of the two shows at once.
"""

import hashlib
import struct

from bench.sms_face import PATIENT_TIME, SECRET, Kind, Said, field, text_of


class CmppFace:
    """CMPP 2.0 or 3.0."""

    busy, refused = 8, 6

    def __init__(self, version: int, *, report_bytes: int | None = None) -> None:
        """`report_bytes`: 60 or 71 in place of the version's own."""
        self._wide = version == 3  # noqa: PLR2004 - its name
        self._number = 32 if self._wide else 21
        self._wide_report = self._wide if report_bytes is None else report_bytes == 71  # noqa: PLR2004 - as said
        self._sequence = 0

    def read(self, frame: bytes) -> Said:
        """What a frame of the client's says."""
        command, sequence, body = int.from_bytes(frame[4:8]), frame[8:12], frame[12:]
        if command == 1:
            stamp = str(int.from_bytes(body[23:27])).rjust(10, "0").encode()
            proof = hashlib.md5(body[:6] + bytes(9) + SECRET.encode() + stamp, usedforsecurity=False).digest()
            return Said("login", sequence, is_right=proof == body[6:22], content=proof)
        if command == 4:  # noqa: PLR2004 - CMPP_SUBMIT
            return self._submitted(sequence, body)
        if command == 0x80000005:  # noqa: PLR2004 - CMPP_DELIVER_RESP
            return Said("answer", sequence, is_right=not any(body[8:]))
        kinds: dict[int, Kind] = {2: "logout", 8: "ping", 0x80000008: "pong"}
        return Said(kinds[command], sequence)

    def _submitted(self, sequence: bytes, body: bytes) -> Said:
        after_fee = 8 + 4 + 10 + 1 + self._number + self._wide
        udhi, coding = body[after_fee + 1], body[after_fee + 2]
        times = after_fee + 3 + 6 + 2 + 6
        source = times + 34
        mobile = source + 21 + 1
        length = mobile + self._number + self._wide
        assert coding == 8  # noqa: S101, PLR2004 - UCS-2
        assert len(body) == length + 1 + body[length] + (20 if self._wide else 8)  # noqa: S101
        return Said(
            "submit", sequence, mobile=text_of(body[mobile : mobile + self._number]),
            source=text_of(body[source : source + 21]), content=body[length + 1 : length + 1 + body[length]],
            has_header=bool(udhi), expires=text_of(body[times : times + 17]),
        )  # fmt: skip

    def login_answer(self, said: Said) -> bytes:
        """CMPP_CONNECT_RESP, which proves that the gateway knows the secret too."""
        status = (0 if said.is_right else 3).to_bytes(4 if self._wide else 1)
        proof = hashlib.md5(status + said.content + SECRET.encode(), usedforsecurity=False).digest()
        return self._frame(0x80000001, said.sequence, status + proof + (b"\x30" if self._wide else b"\x20"))

    def carrier_id(self, _said: Said, number: int) -> bytes:
        """Month, day, hour, minute, second, gateway, number: 8.4.3.2."""
        at = 3 << 60 | 2 << 55 | 9 << 50 | 30 << 44 | (number >> 16) % 60 << 38
        return (at | 1001 << 16 | number & 0xFFFF).to_bytes(8)

    def submit_answer(self, said: Said, result: int, carrier_id: bytes) -> bytes:
        """CMPP_SUBMIT_RESP."""
        return self._frame(0x80000004, said.sequence, carrier_id + result.to_bytes(4 if self._wide else 1))

    def plain_answer(self, said: Said) -> bytes:
        """CMPP_ACTIVE_TEST_RESP or CMPP_TERMINATE_RESP."""
        is_ping = said.kind == "ping"
        return self._frame(0x80000008 if is_ping else 0x80000002, said.sequence, b"\0" if is_ping else b"")

    def report(self, carrier_id: bytes, mobile: str, stat: str) -> bytes:
        """CMPP_DELIVER with Registered_Delivery 1."""
        number = field(mobile, 32 if self._wide_report else 21)
        content = carrier_id + field(stat, 7) + PATIENT_TIME * 2 + number + struct.pack(">I", 1)
        return self._deliver(bytes(8), mobile, "", content, flags=(0, 0, 1))

    def inbound(self, mobile: str, to: str, content: bytes, *, has_header: bool, number: int) -> bytes:
        """CMPP_DELIVER with Registered_Delivery 0."""
        return self._deliver(number.to_bytes(8), mobile, to, content, flags=(int(has_header), 8, 0))

    def _deliver(
        self, message_id: bytes, mobile: str, to: str, content: bytes, *, flags: tuple[int, int, int]
    ) -> bytes:
        udhi, coding, is_report = flags
        body = message_id + field(to, 21) + field("", 10) + bytes((0, udhi, coding)) + field(mobile, self._number)
        body += (b"\0" if self._wide else b"") + bytes((is_report, len(content))) + content
        self._sequence += 1
        return self._frame(5, self._sequence.to_bytes(4), body + bytes(20 if self._wide else 8))

    def ping(self) -> bytes:
        """CMPP_ACTIVE_TEST."""
        self._sequence += 1
        return self._frame(8, self._sequence.to_bytes(4), b"")

    @staticmethod
    def _frame(command: int, sequence: bytes, body: bytes) -> bytes:
        return struct.pack(">II", 12 + len(body), command) + sequence + body


class SgipFace:
    """SGIP 1.2. Reports and messages go over the client's own connection, as many gateways do it."""

    busy, refused = 11, 5
    node = 100210

    def __init__(self) -> None:
        self._count = 0

    def read(self, frame: bytes) -> Said:
        """What a frame of the client's says."""
        command, sequence, body = int.from_bytes(frame[4:8]), frame[8:20], frame[20:]
        if command == 1:
            return Said("login", sequence, is_right=text_of(body[17:33]) == SECRET and body[0] == 1)
        if command == 3:  # noqa: PLR2004 - Submit
            return self._submitted(sequence, body)
        if command & 0x7FFFFFFF in {4, 5}:
            return Said("answer", sequence, is_right=body[0] == 0)
        return Said("logout" if command == 2 else "pong", sequence)  # noqa: PLR2004 - Unbind

    def _submitted(self, sequence: bytes, body: bytes) -> Said:
        assert body[42] == 1  # noqa: S101 - one number
        expires, flags = 64 + 5 + 10 + 1 + 6 + 6 + 3, 64 + 31 + 32
        _report, _pid, udhi, coding, _type, length = struct.unpack_from(">BBBBBI", body, flags)
        content = body[flags + 9 : flags + 9 + length]
        assert coding == 8  # noqa: S101, PLR2004 - UCS-2
        assert len(body) == flags + 9 + length + 8  # noqa: S101
        mobile = text_of(body[43:64])
        assert mobile.startswith("86")  # noqa: S101 - or a real gateway answers 6
        return Said(
            "submit", sequence, mobile=mobile[2:], source=text_of(body[:21]), content=content, has_header=bool(udhi),
            expires=text_of(body[expires : expires + 16]),
        )  # fmt: skip

    def login_answer(self, said: Said) -> bytes:
        """Bind_Resp."""
        return self._frame(0x80000001, said.sequence, bytes((0 if said.is_right else 1,)) + bytes(8))

    def carrier_id(self, said: Said, _number: int) -> bytes:
        """The sequence of the submission itself."""
        return said.sequence

    def submit_answer(self, said: Said, result: int, _carrier_id: bytes) -> bytes:
        """Submit_Resp."""
        return self._frame(0x80000003, said.sequence, bytes((result,)) + bytes(8))

    def plain_answer(self, said: Said) -> bytes:
        """Unbind_Resp."""
        return self._frame(0x80000002, said.sequence, b"")

    def report(self, carrier_id: bytes, mobile: str, stat: str) -> bytes:
        """Report; state 0 or 2, and 25: cannot be reached."""
        state = b"\x00\x00" if stat == "DELIVRD" else b"\x02\x19"
        return self._frame(5, self._next(), carrier_id + b"\0" + field("86" + mobile, 21) + state + bytes(8))

    def inbound(self, mobile: str, to: str, content: bytes, *, has_header: bool, number: int) -> bytes:
        """Deliver."""
        body = field("86" + mobile, 21) + field(to, 21) + bytes((0, has_header, 8)) + len(content).to_bytes(4)
        sequence = struct.pack(">III", self.node, 302093000, number)
        return self._frame(4, sequence, body + content + bytes(8))

    def ping(self) -> bytes:
        """There is none; a command of another kind, which must be refused and not end the connection."""
        return self._frame(0x1000, self._next(), bytes(34))

    def _next(self) -> bytes:
        self._count += 1
        return struct.pack(">III", self.node, 302093000, self._count)

    @staticmethod
    def _frame(command: int, sequence: bytes, body: bytes) -> bytes:
        return struct.pack(">II", 20 + len(body), command) + sequence + body


class SmgpFace:
    """SMGP 3.0."""

    busy, refused = 1, 34

    def __init__(self) -> None:
        self._sequence = 0

    def read(self, frame: bytes) -> Said:
        """What a frame of the client's says."""
        command, sequence, body = int.from_bytes(frame[4:8]), frame[8:12], frame[12:]
        if command == 1:
            stamp = str(int.from_bytes(body[25:29])).rjust(10, "0").encode()
            secret = bytes(7) + SECRET.encode() + stamp
            proof = hashlib.md5(body[:8].rstrip(b"\0") + secret, usedforsecurity=False).digest()
            is_right = proof == body[8:24] and body[24] == 2  # noqa: PLR2004 - both ways
            return Said("login", sequence, is_right=is_right, content=proof)
        if command == 2:  # noqa: PLR2004 - Submit
            return self._submitted(sequence, body)
        if command == 0x80000003:  # noqa: PLR2004 - Deliver_Resp
            return Said("answer", sequence, is_right=not any(body[10:]))
        kinds: dict[int, Kind] = {6: "logout", 4: "ping", 0x80000004: "pong"}
        return Said(kinds[command], sequence)

    def _submitted(self, sequence: bytes, body: bytes) -> Said:
        at = 3 + 10 + 2 + 6 + 6
        assert body[at] == 8  # noqa: S101, PLR2004 - UCS-2
        source, mobile = at + 1 + 34, at + 1 + 34 + 42 + 1
        length = body[mobile + 21]
        options = body[mobile + 22 + length + 8 :]
        has_header = b"\0\x02\0\x01\x01" in options
        content = body[mobile + 22 : mobile + 22 + length]
        if has_header:
            assert options[-10:] == b"\0\x09\0\x01%c\0\x0a\0\x01%c" % (content[4], content[5])  # noqa: S101
        return Said(
            "submit", sequence, mobile=text_of(body[mobile : mobile + 21]), source=text_of(body[source : source + 21]),
            content=content, has_header=has_header, expires=text_of(body[at + 1 : at + 18]),
        )  # fmt: skip

    def login_answer(self, said: Said) -> bytes:
        """Login_Resp, which proves that the gateway knows the secret too."""
        status = (0 if said.is_right else 21).to_bytes(4)
        proof = hashlib.md5(status + said.content + SECRET.encode(), usedforsecurity=False).digest()
        return self._frame(0x80000001, said.sequence, status + proof + b"\x30")

    def carrier_id(self, _said: Said, number: int) -> bytes:
        """Gateway, month to minute, number, in BCD (6.2.26): with bytes that look like words' ends."""
        return bytes.fromhex(f"01006103203a{number:08}")

    def submit_answer(self, said: Said, result: int, carrier_id: bytes) -> bytes:
        """Submit_Resp."""
        return self._frame(0x80000002, said.sequence, carrier_id + result.to_bytes(4))

    def plain_answer(self, said: Said) -> bytes:
        """Active_Test_Resp or Exit_Resp."""
        return self._frame(0x80000004 if said.kind == "ping" else 0x80000006, said.sequence, b"")

    def report(self, carrier_id: bytes, mobile: str, stat: str) -> bytes:
        """Deliver with IsReport 1, 122 bytes."""
        words = b" sub:001 dlvrd:001 Submit_date:%b done_date:%b stat:%b err:000 text:" % (
            PATIENT_TIME, PATIENT_TIME, stat.ljust(7).encode(),
        )  # fmt: skip
        return self._deliver(bytes(10), b"\x01\x00", (mobile, ""), b"id:" + carrier_id + words + bytes(20), b"")

    def inbound(self, mobile: str, to: str, content: bytes, *, has_header: bool, number: int) -> bytes:
        """Deliver with IsReport 0."""
        options = b"\0\x01\0\x01\0" + b"\0\x02\0\x01\x01" if has_header else b""
        return self._deliver(number.to_bytes(10), b"\x00\x08", (mobile, to), content, options)

    def _deliver(
        self, message_id: bytes, kind: bytes, numbers: tuple[str, str], content: bytes, options: bytes
    ) -> bytes:
        body = message_id + kind + b"20260302093000" + b"".join(field(number, 21) for number in numbers)
        self._sequence += 1
        sequence = self._sequence.to_bytes(4)
        return self._frame(3, sequence, body + bytes((len(content),)) + content + bytes(8) + options)

    def ping(self) -> bytes:
        """Active_Test."""
        self._sequence += 1
        return self._frame(4, self._sequence.to_bytes(4), b"")

    @staticmethod
    def _frame(command: int, sequence: bytes, body: bytes) -> bytes:
        return struct.pack(">II", 12 + len(body), command) + sequence + body


class SmppFace:
    """SMPP 3.4."""

    busy, refused = 0x58, 0x45

    def __init__(self) -> None:
        self._sequence = 0

    def read(self, frame: bytes) -> Said:
        """What a frame of the client's says."""
        command, sequence, body = int.from_bytes(frame[4:8]), frame[12:16], frame[16:]
        if command == 9:  # noqa: PLR2004 - bind_transceiver
            return Said("login", sequence, is_right=body.split(b"\0")[1] == SECRET.encode())
        if command == 4:  # noqa: PLR2004 - submit_sm
            return self._submitted(sequence, body)
        if command == 0x80000005:  # noqa: PLR2004 - deliver_sm_resp
            return Said("answer", sequence, is_right=not any(frame[8:12]))
        kinds: dict[int, Kind] = {6: "logout", 0x15: "ping", 0x80000015: "pong"}
        return Said(kinds[command], sequence)

    def _submitted(self, sequence: bytes, body: bytes) -> Said:
        source, _, rest = body[3:].partition(b"\0")
        mobile, _, rest = rest[2:].partition(b"\0")
        esm_class, (_schedule, expires, rest) = rest[0], rest[3:].split(b"\0", 2)
        assert rest[2] == 8  # noqa: S101, PLR2004 - UCS-2
        content = rest[5:]
        assert len(content) == rest[4]  # noqa: S101
        return Said(
            "submit", sequence, mobile=mobile.decode(), source=source.decode(), content=content,
            has_header=bool(esm_class & 0x40), expires=expires.decode(),
        )  # fmt: skip

    def login_answer(self, said: Said) -> bytes:
        """bind_transceiver_resp; 0x0E: wrong password."""
        return self._frame(0x80000009, said.sequence, b"standin\0", 0 if said.is_right else 0x0E)

    def carrier_id(self, _said: Said, number: int) -> bytes:
        """Anything that ends with a zero byte."""
        return f"m{number:08x}".encode()

    def submit_answer(self, said: Said, result: int, carrier_id: bytes) -> bytes:
        """submit_sm_resp, whose body is left out with a fault."""
        return self._frame(0x80000004, said.sequence, b"" if result else carrier_id + b"\0", result)

    def plain_answer(self, said: Said) -> bytes:
        """enquire_link_resp or unbind_resp."""
        return self._frame(0x80000015 if said.kind == "ping" else 0x80000006, said.sequence, b"")

    def report(self, carrier_id: bytes, mobile: str, stat: str) -> bytes:
        """deliver_sm with a receipt (appendix B)."""
        words = b"id:%b sub:001 dlvrd:001 submit date:%b done date:%b stat:%b err:000 text:x" % (
            carrier_id, PATIENT_TIME, PATIENT_TIME, stat.encode(),
        )  # fmt: skip
        return self._deliver((mobile, ""), words, 0x04, 0)

    def inbound(self, mobile: str, to: str, content: bytes, *, has_header: bool, number: int) -> bytes:
        """deliver_sm."""
        self._sequence = number - 1
        return self._deliver((mobile, to), content, 0x40 if has_header else 0, 8)

    def _deliver(self, numbers: tuple[str, str], content: bytes, esm_class: int, coding: int) -> bytes:
        body = b"\0" + b"".join(b"\x01\x01" + number.encode() + b"\0" for number in numbers)
        body += bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, coding, 0, len(content))) + content
        self._sequence += 1
        return self._frame(5, self._sequence.to_bytes(4), body)

    def ping(self) -> bytes:
        """enquire_link."""
        self._sequence += 1
        return self._frame(0x15, self._sequence.to_bytes(4), b"")

    @staticmethod
    def _frame(command: int, sequence: bytes, body: bytes, status: int = 0) -> bytes:
        return struct.pack(">III", 16 + len(body), command, status) + sequence + body
