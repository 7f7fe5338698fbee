"""SMPP 3.4 by golden bytes: sections 4.1 to 4.11 and 5.3.2, field by field."""

import pytest

from sinks.sms.channel import Delivery
from sinks.sms.smpp import Smpp, SmppAccount
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


def wire() -> Smpp:
    return Smpp(SmppAccount(system_id="watch", secret="hunter2", access_number="10690001"))


def hexed(*fields: str) -> bytes:
    return bytes.fromhex("".join(fields))


def string(text: str) -> str:
    return text.encode().hex() + "00"


def frame(command: str, body: str, status: str = "00000000") -> bytes:
    return hexed(f"{16 + len(body) // 2:08x}", command, status, "00000007", body)


def deliver(esm_class: str, content: bytes, options: str = "", coding: str = "08") -> bytes:
    head = "000101" + string("8613800000001") + "0000" + string("106900014827") + esm_class + "000000000000"
    return frame("00000005", head + coding + "00" + f"{len(content):02x}" + content.hex() + options)


def test_a_login_as_a_transceiver() -> None:
    assert wire().login(7) == frame("00000009", string("watch") + string("hunter2") + "0034000000")


@pytest.mark.parametrize("total", [1, 2])
def test_a_submission(total: int) -> None:
    header = bytes((5, 0, 3, 0x2A, 2, 1)) if total > 1 else b""
    content = header + "到期".encode("utf-16-be")
    part = Outgoing("13800000001", "12", content, 1, total, 1_772_413_200_000)
    expected = frame(
        "00000004",
        "00" "0000" + string("1069000112") + "0001" + string("13800000001") + ("40" if total > 1 else "00") + "0000"
        "00" + string("260302090000032+") + "01" "00" "08" "00" + f"{len(content):02x}" + content.hex(),
    )  # fmt: skip
    assert wire().submit(7, part) == expected


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("00000000", Verdict.TAKEN),
        ("00000058", Verdict.BUSY),
        ("00000014", Verdict.BUSY),
        ("0000000b", Verdict.FOREIGN),
        ("00000045", Verdict.REFUSED),
        ("00000400", Verdict.REFUSED),  # a vendor's own
    ],
)
def test_the_answer_to_a_submission(status: str, verdict: Verdict) -> None:
    body = string("3f9a") if verdict is Verdict.TAKEN else ""
    expected = SubmitAnswered(7, verdict, int(status, 16), "3f9a" if body else "")
    assert wire().read(frame("80000004", body, status)) == expected


def test_a_nack_is_never_a_yes() -> None:
    assert wire().read(frame("80000000", "", "00000002")) == SubmitAnswered(7, Verdict.REFUSED, 2)
    assert wire().read(frame("80000000", "")) == SubmitAnswered(7, Verdict.REFUSED, 0)


WORDS = b"id:3f9a sub:001 dlvrd:001 submit date:2603020930 done date:2603020931 stat:%b err:000 text:x"


@pytest.mark.parametrize(
    ("stat", "delivery"),
    [("DELIVRD", Delivery.DELIVERED), ("EXPIRED", Delivery.EXPIRED), ("ACCEPTD", Delivery.PENDING),
     ("UNKNOWN", Delivery.PENDING), ("REJECTD", Delivery.FAILED)],
)  # fmt: skip
def test_a_receipt_in_words(stat: str, delivery: Delivery) -> None:
    event = wire().read(deliver("04", WORDS % stat.encode(), coding="00"))
    assert isinstance(event, Reported)
    assert event.report is not None
    assert (event.report.carrier_id, event.report.mobile, event.report.stat) == ("3f9a", "13800000001", stat)
    assert (event.report.delivery, event.report.done_at) == (delivery, 1_772_415_060_000)
    assert event.answer == frame("80000005", "00")


def test_a_receipt_in_options_alone() -> None:
    options = "001e0005" + string("3f9a") + "0427000105"
    event = wire().read(deliver("04", b"", options))
    assert isinstance(event, Reported)
    assert event.report is not None
    assert (event.report.carrier_id, event.report.stat, event.report.delivery) == ("3f9a", "UNDELIV", Delivery.FAILED)


def test_inbound_messages_also_in_the_payload_option() -> None:
    short = wire().read(deliver("00", "签收".encode("utf-16-be")))
    payload = wire().read(deliver("40", b"", "042400080500032a02014e00"))
    assert isinstance(short, Piece)
    assert isinstance(payload, Piece)
    assert (short.mobile, short.to, short.coding) == ("13800000001", "106900014827", 8)
    assert short.content.decode("utf-16-be") == "签收"
    assert (payload.has_header, payload.content) == (True, hexed("0500032a02014e00"))


def test_heartbeats_good_byes_and_what_is_unknown() -> None:
    smpp = wire()
    assert smpp.heartbeat(7) == frame("00000015", "")
    assert smpp.read(frame("00000015", "")) == Asked(frame("80000015", ""))
    assert smpp.read(frame("80000015", "")) == HeartbeatAnswered()
    assert smpp.logout(7) == frame("00000006", "")
    assert smpp.read(frame("00000006", "")) == Ended(frame("80000006", ""))
    assert smpp.read(frame("80000006", "")) == Ended()
    assert smpp.read(frame("00000103", "")) == Asked(frame("80000000", "", "00000003"))
    for bad in (frame("80000103", ""), frame("00000005", "00")):
        with pytest.raises(BadFrame):
            smpp.read(bad)


def test_a_refused_login_says_why() -> None:
    assert wire().read(frame("80000009", "", "0000000e")) == LoginAnswered(7, "login refused: status 0xe")
