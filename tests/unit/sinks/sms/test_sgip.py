"""SGIP 1.2 by golden bytes: sections 3.4, 4.2.2 and 4.2.3, field by field."""

import pytest

from sinks.sms.channel import Delivery, DeliveryReport
from sinks.sms.sgip import Sgip, SgipAccount
from sinks.sms.wire import (
    Asked,
    BadFrame,
    Ended,
    LoginAnswered,
    LoginAsked,
    Outgoing,
    Piece,
    Reported,
    SubmitAnswered,
    Verdict,
)

NOVEMBER_20 = 1_795_177_945.0
"""2026-11-20 20:32:25 in Beijing: the example of 3.4, 1120203225."""
SEQUENCE = f"{3025000001:08x}{1120203225:08x}00000001"
ANSWER = "00" + "00" * 8


def wire() -> Sgip:
    account = SgipAccount(
        node=3_025_000_001, name="333", secret="hunter2", corp_id="00001", access_number="10690001", service_type="EPW"
    )
    return Sgip(account, now=lambda: NOVEMBER_20)


def hexed(*fields: str) -> bytes:
    return bytes.fromhex("".join(fields))


def padded(text: str, size: int) -> str:
    return text.encode().hex().ljust(2 * size, "0")


def test_a_sequence_is_node_time_and_count_and_names_the_message() -> None:
    sgip = wire()
    sequence = sgip.sequence()
    assert sequence.to_bytes(12).hex() == SEQUENCE
    assert sgip.carrier_id(sequence) == "3025000001-1120203225-1"


def test_a_login_as_one_who_sends_commands() -> None:
    expected = hexed("0000003d", "00000001", SEQUENCE, "01", padded("333", 16), padded("hunter2", 16), padded("", 8))
    assert wire().login(int(SEQUENCE, 16)) == expected


def test_a_part_of_several() -> None:
    content = bytes((5, 0, 3, 0x2A, 2, 1)) + "到期".encode("utf-16-be")
    part = Outgoing("13800000001", "12", content, 1, 2, 1_772_413_200_000)
    expected = hexed(
        "000000ae", "00000003", SEQUENCE,
        padded("1069000112", 21), "30" * 21, "01", padded("8613800000001", 21), padded("00001", 5), padded("EPW", 10),
        "01", padded("0", 6), padded("0", 6), "00", "02", "00", padded("260302090000032+", 16), padded("", 16),
        "01", "00", "01", "08", "00", "0000000a", "0500032a02015230671f", padded("", 8),
    )  # fmt: skip
    assert wire().submit(int(SEQUENCE, 16), part) == expected


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(0, Verdict.TAKEN), (11, Verdict.BUSY), (33, Verdict.BUSY), (6, Verdict.FOREIGN), (5, Verdict.REFUSED)],
)
def test_the_answer_to_a_submission_names_it_by_its_sequence(code: int, verdict: Verdict) -> None:
    frame = hexed("0000001d", "80000003", SEQUENCE, f"{code:02x}", padded("", 8))
    assert wire().read(frame) == SubmitAnswered(int(SEQUENCE, 16), verdict, code, "3025000001-1120203225-1")


@pytest.mark.parametrize(
    ("state", "error", "delivery", "stat"),
    [
        (0, 0, Delivery.DELIVERED, "0"),
        (1, 0, Delivery.PENDING, "1"),
        (2, 25, Delivery.FAILED, "2:25"),
        (9, 0, Delivery.PENDING, "9"),
    ],
)
def test_a_report(state: int, error: int, delivery: Delivery, stat: str) -> None:
    own = f"{100210:08x}{302093000:08x}00000005"
    frame = hexed(
        "00000040", "00000005", own,
        SEQUENCE, "00", padded("8613800000001", 21), f"{state:02x}", f"{error:02x}", padded("", 8),
    )  # fmt: skip
    assert wire().read(frame) == Reported(
        DeliveryReport(carrier_id="3025000001-1120203225-1", mobile="13800000001", delivery=delivery, stat=stat),
        hexed("0000001d", "80000005", own, ANSWER),
    )


def test_a_report_on_what_gateways_hand_to_one_another_is_answered_and_says_nothing() -> None:
    frame = hexed("00000040", "00000005", SEQUENCE, SEQUENCE, "01", padded("86138", 21), "0000", padded("", 8))
    event = wire().read(frame)
    assert isinstance(event, Reported)
    assert event.report is None


def test_an_inbound_message_in_gb18030() -> None:
    own = f"{100210:08x}{302093000:08x}00000006"
    text = "签收".encode("gb18030").hex()
    frame = hexed(
        "0000004d", "00000004", own,
        padded("8613900000002", 21), padded("106900014827", 21), "00", "00", "0f", "00000004", text, padded("", 8),
    )  # fmt: skip
    event = wire().read(frame)
    assert isinstance(event, Piece)
    assert (event.mobile, event.to, event.coding, event.has_header) == ("13900000002", "106900014827", 15, False)
    assert event.content.decode("gb18030") == "签收"
    assert event.carrier_id == "100210-0302093000-6"
    assert event.answer == hexed("0000001d", "80000004", own, ANSWER)


@pytest.mark.parametrize("login_type", [1, 2])
def test_only_a_gateway_may_log_in_to_us(login_type: int) -> None:
    frame = hexed(
        "0000003d", "00000001", SEQUENCE, f"{login_type:02x}", padded("smg", 16), padded("s", 16), padded("", 8)
    )
    event = wire().read(frame)
    assert isinstance(event, LoginAsked)
    assert (event.name, event.secret) == ("smg", "s")
    assert (event.answer != event.refusal) == (login_type == 2)
    assert event.refusal == hexed("0000001d", "80000001", SEQUENCE, "01", padded("", 8))


def test_logins_and_good_byes_and_what_is_unknown() -> None:
    sgip, number = wire(), int(SEQUENCE, 16)
    assert sgip.read(hexed("0000001d", "80000001", SEQUENCE, ANSWER)) == LoginAnswered(number)
    assert sgip.read(hexed("0000001d", "80000001", SEQUENCE, "01", padded("", 8))) == LoginAnswered(
        number, "login refused: error 1"
    )
    assert sgip.logout(number) == hexed("00000014", "00000002", SEQUENCE)
    assert sgip.read(hexed("00000014", "00000002", SEQUENCE)) == Ended(hexed("00000014", "80000002", SEQUENCE))
    assert sgip.read(hexed("00000014", "80000002", SEQUENCE)) == Ended()
    assert sgip.read(hexed("00000014", "00001000", SEQUENCE)) == Asked(
        hexed("0000001d", "80001000", SEQUENCE, "07", padded("", 8))
    )
    for bad in ("80001000", "80000003", "00000005"):
        with pytest.raises(BadFrame):
            sgip.read(hexed("00000014", bad, SEQUENCE))
