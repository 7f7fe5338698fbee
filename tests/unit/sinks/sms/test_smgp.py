"""SMGP 3.0 by golden bytes: V3.0.3 sections 5.2 and 6.2, field by field."""

import pytest

from sinks.sms.channel import Delivery
from sinks.sms.smgp import Smgp, SmgpAccount
from sinks.sms.wire import (
    Asked,
    BadFrame,
    Ended,
    HeartbeatAnswered,
    LoginAnswered,
    Outgoing,
    Piece,
    Reported,
    SubmitAnswered,
    Verdict,
)

MARCH_1 = 1_772_294_400.0
"""2026-03-01 00:00:00 in Beijing: the example of 6.2.4, 0x11F0E540."""
PROOF = "6e9e7df256c2d2bab28946766d08bb2e"
"""MD5 by `md5sum`: of account, seven zero bytes, secret and 0301000000."""
MESSAGE_ID = "01006101161700012345"
"""The example of 6.2.26."""


def wire() -> Smgp:
    account = SmgpAccount(client_id="901234", secret="hunter2", access_number="1181234", service_id="EPW")
    return Smgp(account, now=lambda: MARCH_1)


def hexed(*fields: str) -> bytes:
    return bytes.fromhex("".join(fields))


def padded(text: str, size: int) -> str:
    return text.encode().hex().ljust(2 * size, "0")


def test_a_login_for_both_ways() -> None:
    expected = hexed("0000002a", "00000001", "00000001", padded("901234", 8), PROOF, "02", "11f0e540", "30")
    assert wire().login(1) == expected


@pytest.mark.parametrize("total", [1, 2])
def test_a_submission_names_its_place_in_options_only_if_there_are_several(total: int) -> None:
    header = bytes((5, 0, 3, 0x2A, 2, 1)) if total > 1 else b""
    part = Outgoing("13800000001", "12", header + "到期".encode("utf-16-be"), 1, total, 1_772_413_200_000)
    options = "00020001010009000102000a000101" if total > 1 else ""
    expected = hexed(
        "00000097" if total == 1 else "000000ac", "00000002", "00000007",
        "06", "01", "01", padded("EPW", 10), "3030", "30" * 6, "30" * 6, "08", padded("260302090000032+", 17),
        padded("", 17), padded("118123412", 21), padded("", 21), "01", padded("13800000001", 21),
        f"{4 + len(header):02x}", header.hex(), "5230671f", padded("", 8), options,
    )  # fmt: skip
    assert wire().submit(7, part) == expected


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0, Verdict.TAKEN),
        (1, Verdict.BUSY),
        (74, Verdict.LATER),
        (75, Verdict.LATER),
        (58, Verdict.FOREIGN),
        (34, Verdict.REFUSED),
        (200, Verdict.REFUSED),
    ],
)
def test_the_answer_to_a_submission(code: int, verdict: Verdict) -> None:
    frame = hexed("0000001a", "80000002", "00000007", MESSAGE_ID, f"{code:08x}")
    assert wire().read(frame) == SubmitAnswered(7, verdict, code, MESSAGE_ID)


def deliver(is_report: int, content: bytes, options: str = "") -> bytes:
    body = hexed(
        MESSAGE_ID, f"{is_report:02x}", "00" if is_report else "08", padded("20260302093000", 14),
        padded("13800000001", 21), padded("118123412", 21), f"{len(content):02x}", content.hex(), padded("", 8),
        options,
    )  # fmt: skip
    return hexed(f"{12 + len(body):08x}", "00000003", "00000009") + body


@pytest.mark.parametrize(
    "words",
    [
        b" sub:001 dlvrd:001 Submit_date:2603020930 done_date:2603020931 stat:UNDELIV err:006 text:",
        b" sub:001 dlvrd:001 submit date:2603020930 done date:2603020931 stat:UNDELIV err:006 text:",
    ],
)
@pytest.mark.parametrize("message_id", [MESSAGE_ID, b" stat:DELI".hex(), "3a" * 10])
def test_a_report_whose_id_is_raw_bytes_whatever_they_look_like(words: bytes, message_id: str) -> None:
    event = wire().read(deliver(1, b"id:" + bytes.fromhex(message_id) + words + bytes(20)))
    assert isinstance(event, Reported)
    assert event.report is not None
    assert (event.report.carrier_id, event.report.mobile) == (message_id, "13800000001")
    assert (event.report.delivery, event.report.stat) == (Delivery.FAILED, "UNDELIV")
    assert (event.report.submitted_at, event.report.done_at) == (1_772_415_000_000, 1_772_415_060_000)
    assert event.answer == hexed("0000001a", "80000003", "00000009", MESSAGE_ID, "00000000")


@pytest.mark.parametrize(("options", "has_header"), [("", False), ("00010001000002000101", True), ("0002", False)])
def test_an_inbound_message(options: str, has_header: bool) -> None:  # noqa: FBT001 - a case
    event = wire().read(deliver(0, hexed("0500032a02014e00"), options))
    assert isinstance(event, Piece)
    assert (event.mobile, event.to, event.coding, event.has_header) == ("13800000001", "118123412", 8, has_header)
    assert event.carrier_id == MESSAGE_ID


def test_heartbeats_good_byes_and_what_is_unknown() -> None:
    smgp = wire()
    assert smgp.heartbeat(3) == hexed("0000000c", "00000004", "00000003")
    assert smgp.read(hexed("0000000c", "00000004", "00000003")) == Asked(hexed("0000000c", "80000004", "00000003"))
    assert smgp.read(hexed("0000000c", "80000004", "00000003")) == HeartbeatAnswered()
    assert smgp.logout(3) == hexed("0000000c", "00000006", "00000003")
    assert smgp.read(hexed("0000000c", "00000006", "00000003")) == Ended(hexed("0000000c", "80000006", "00000003"))
    assert smgp.read(hexed("0000000c", "80000006", "00000003")) == Ended()
    assert smgp.read(hexed("0000000c", "00000007", "00000003")) == Asked(hexed("0000000c", "80000007", "00000003"))
    for bad in ("80000007", "80000002", "00000003"):
        with pytest.raises(BadFrame):
            smgp.read(hexed("0000000c", bad, "00000003"))


def test_a_refused_login_says_why() -> None:
    frame = hexed("00000021", "80000001", "00000001", "00000015", "00" * 16, "30")
    assert wire().read(frame) == LoginAnswered(1, "login refused: status 21")
