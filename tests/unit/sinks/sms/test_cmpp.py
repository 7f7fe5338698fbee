"""CMPP by golden bytes: QB-GF-028-2003 sections 8.4.1 to 8.4.6, field by field."""

import pytest

from sinks.sms.channel import Delivery
from sinks.sms.cmpp import Cmpp, CmppAccount
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
"""2026-03-01 00:00:00 in Beijing; the specifications' example, 0x11F0E540 as a number."""
LOGIN_PROOF = "5008065a5eb4650ef16d65a2dcf6c3ca"
STATUS_PROOFS = {1: "ff06dba5b68165696572488639b77c63", 4: "9058628c2c09c1e97ffb1448933c3100"}
"""MD5 by `md5sum`: of account, nine zero bytes, secret and 0301000000; of status, that, and secret."""


def wire(version: int = 2) -> Cmpp:
    account = CmppAccount(
        sp_id="901234", secret="hunter2", access_number="10690001", service_id="EPW", version=2 if version == 2 else 3
    )
    return Cmpp(account, now=lambda: MARCH_1)


def part(number: int = 1, total: int = 1) -> Outgoing:
    header = bytes((5, 0, 3, 0x2A, total, number)) if total > 1 else b""
    return Outgoing("13800000001", "12", header + "到期".encode("utf-16-be"), number, total, 1_772_413_200_000)


def hexed(*fields: str) -> bytes:
    return bytes.fromhex("".join(fields))


def padded(text: str, size: int) -> str:
    return text.encode().hex().ljust(2 * size, "0")


@pytest.mark.parametrize(("version", "byte"), [(2, "20"), (3, "30")])
def test_a_login_proves_the_secret_without_telling_it(version: int, byte: str) -> None:
    frame = wire(version).login(1)
    assert frame == hexed("00000027", "00000001", "00000001", padded("901234", 6), LOGIN_PROOF, byte, "11f0e540")


def test_a_submission_of_2_0() -> None:
    expected = hexed(
        "000000a3", "00000004", "00000007",
        "0000000000000000", "01", "01", "01", "00", padded("EPW", 10), "02", padded("", 21), "00", "00", "08",
        padded("901234", 6), padded("01", 2), padded("0", 6), padded("260302090000032+", 17), padded("", 17),
        padded("1069000112", 21), "01", padded("13800000001", 21), "04", "5230671f", padded("", 8),
    )  # fmt: skip
    assert wire().submit(7, part()) == expected


def test_a_part_of_several_in_3_0() -> None:
    expected = hexed(
        "000000cd", "00000004", "00000007",
        "0000000000000000", "03", "02", "01", "00", padded("EPW", 10), "02", padded("", 32), "00", "00", "01", "08",
        padded("901234", 6), padded("01", 2), padded("0", 6), padded("260302090000032+", 17), padded("", 17),
        padded("1069000112", 21), "01", padded("13800000001", 32), "00", "0a", "0500032a03025230671f", padded("", 20),
    )  # fmt: skip
    assert wire(3).submit(7, part(2, 3)) == expected


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(0, Verdict.TAKEN), (8, Verdict.BUSY), (9, Verdict.FOREIGN), (13, Verdict.FOREIGN), (1, Verdict.REFUSED)],
)
@pytest.mark.parametrize("version", [2, 3])
def test_the_answer_to_a_submission(version: int, code: int, verdict: Verdict) -> None:
    size = 1 if version == 2 else 4
    frame = hexed(f"{20 + size:08x}", "80000004", "00000007", "3125e00003e90001", f"{code:0{2 * size}x}")
    assert wire(version).read(frame) == SubmitAnswered(7, verdict, code, "3125e00003e90001")


REPORT_2_0 = hexed(
    "00000091", "00000005", "00000009", "0000000000000063", padded("1069000112", 21), padded("EPW", 10), "00", "00",
    "00", padded("13800000001", 21), "01", "3c",  # 60 bytes
    "3125e00003e90001", padded("DELIVRD", 7), padded("2603020930", 10), padded("2603020931", 10),
    padded("13800000001", 21), "00000005", padded("", 8),
)  # fmt: skip


def test_a_report_of_60_bytes() -> None:
    event = wire().read(REPORT_2_0)
    assert isinstance(event, Reported)
    assert event.report is not None
    assert (event.report.carrier_id, event.report.mobile) == ("3125e00003e90001", "13800000001")
    assert (event.report.delivery, event.report.stat) == (Delivery.DELIVERED, "DELIVRD")
    assert (event.report.submitted_at, event.report.done_at) == (1_772_415_000_000, 1_772_415_060_000)
    assert event.answer == hexed("00000015", "80000005", "00000009", "0000000000000063", "00")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("size", [60, 71])
def test_the_form_of_a_report_goes_by_its_length_not_by_the_version(version: int, size: int) -> None:
    number = size - 39
    content = hexed(
        "3125e00003e90001", padded("MA:0001", 7), padded("2603020930", 10), padded("2603020931", 10),
        padded("8613800000001", number), "00000005",
    )  # fmt: skip
    head = hexed("0000000000000063", padded("1069000112", 21), padded("", 10), "000000")
    source = hexed(padded("8613800000001", 21)) if version == 2 else hexed(padded("8613800000001", 32), "00")
    body = head + source + bytes((1, size)) + content + bytes(8 if version == 2 else 20)
    event = wire(version).read(hexed(f"{12 + len(body):08x}", "00000005", "00000009") + body)
    assert isinstance(event, Reported)
    assert event.report is not None
    assert (event.report.mobile, event.report.delivery, event.report.stat) == (
        "13800000001", Delivery.FAILED, "MA:0001"
    )  # fmt: skip


def test_an_inbound_message() -> None:
    body = hexed(
        "0000000000000064", padded("106900014827", 21), padded("EPW", 10), "00", "01", "08", padded("13900000002", 21),
        "00", "08", "0500032a0201" "4e00", padded("", 8),
    )  # fmt: skip
    event = wire().read(hexed(f"{12 + len(body):08x}", "00000005", "0000000a") + body)
    assert isinstance(event, Piece)
    assert (event.mobile, event.to, event.coding, event.has_header) == ("13900000002", "106900014827", 8, True)
    assert event.content == hexed("0500032a02014e00")
    assert event.answer == hexed("00000015", "80000005", "0000000a", "0000000000000064", "00")


def test_heartbeats_and_good_byes() -> None:
    cmpp = wire()
    assert cmpp.heartbeat(3) == hexed("0000000c", "00000008", "00000003")
    assert cmpp.read(hexed("0000000c", "00000008", "00000003")) == Asked(
        hexed("0000000d", "80000008", "00000003", "00")
    )
    assert cmpp.read(hexed("0000000d", "80000008", "00000003", "00")) == HeartbeatAnswered()
    assert cmpp.logout(4) == hexed("0000000c", "00000002", "00000004")
    assert cmpp.read(hexed("0000000c", "00000002", "00000004")) == Ended(hexed("0000000c", "80000002", "00000004"))
    assert cmpp.read(hexed("0000000c", "80000002", "00000004")) == Ended()


def test_an_unknown_request_is_answered_and_an_unknown_answer_is_not_understood() -> None:
    assert wire().read(hexed("0000000c", "000000ff", "00000003")) == Asked(
        hexed("0000000d", "800000ff", "00000003", "02")
    )
    with pytest.raises(BadFrame):
        wire().read(hexed("0000000c", "800000ff", "00000003"))


@pytest.mark.parametrize("length", range(13, len(REPORT_2_0)))
def test_a_frame_that_is_cut_off_is_not_understood_or_says_less(length: int) -> None:
    try:
        event = wire().read(REPORT_2_0[:length])
    except BadFrame:
        return
    assert length >= len(REPORT_2_0) - 8  # only the reserve is missing
    assert isinstance(event, Reported)


@pytest.mark.parametrize("hashed", [1, 4])
@pytest.mark.parametrize("version", [2, 3])
def test_a_gateway_that_hashes_its_status_in_the_other_size_is_believed(version: int, hashed: int) -> None:
    cmpp = wire(version)
    cmpp.login(1)
    status = "00" if version == 2 else "00000000"
    body = hexed(status, STATUS_PROOFS[hashed], f"{version}0")
    event = cmpp.read(hexed(f"{12 + len(body):08x}", "80000001", "00000001") + body)
    assert event == LoginAnswered(1)


def test_a_gateway_that_does_not_prove_itself_is_odd_and_a_refusal_says_why() -> None:
    cmpp = wire()
    cmpp.login(1)
    odd = cmpp.read(hexed("0000001e", "80000001", "00000001", "00", "00" * 16, "20"))
    assert isinstance(odd, LoginAnswered)
    assert (odd.reason, bool(odd.doubt)) == ("", True)
    refused = cmpp.read(hexed("0000001e", "80000001", "00000001", "03", "00" * 16, "20"))
    assert isinstance(refused, LoginAnswered)
    assert refused.reason == "login refused: authentication (3)"


def test_no_secret_shows_in_an_account() -> None:
    account = CmppAccount(sp_id="901234", secret="hunter2", access_number="1")
    assert "hunter2" not in repr(account)
