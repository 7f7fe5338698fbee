"""S2-06: a valid card by text is credited once and answered, a repeat is refused, its number is shown nowhere."""

import pytest

from stagewatch.topic_reader import read_topic
from tests.helpers.texting import Texting
from tests.helpers.whole_system import example

ACCOUNT, CARD, PASSWORD = "3301000206", "8800000000002061", "750318"
OTHER_TOPICS = ("requests", "recharges", "subscriptions", "notices", "commands", "alerts", "changes", "deadletters")


@pytest.fixture(scope="module", autouse=True)
def card(phones: Texting) -> None:
    """An account that owes something, and a card that was sold."""
    phones.system.capture("mkt", "mkt_cons", example("mkt", "mkt_cons", cons_no=ACCOUNT))
    owed = {"cons_no": ACCOUNT, "owed_amt": "30.00", "oldest_due_at": None, "penalty_amt": "0.00"}
    phones.system.capture("mkt", "arrears", owed)
    sold = {"card_no": CARD, "face_amt": "100.00", "sold_at": "2026-03-01T01:00:00Z", "state": "sold"}
    phones.system.capture("card", "card", sold)


def test_s2_06_a_valid_card_is_credited_once_and_answered_and_its_number_is_masked(phones: Texting) -> None:
    phones.write("13800002061", f"ＣＺ {CARD} {PASSWORD} {ACCOUNT}【王五】")
    phones.wait_for_answer("13800002061", "充值100.00元成功，余额70.00元")
    phones.write("13800002062", f"充值 {CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]} {PASSWORD} {ACCOUNT}")
    phones.wait_for_answer("13800002062", "卡号8800********2061已充值过")
    phones.write("13800002061", f"CZ 8800000000009999 {PASSWORD} {ACCOUNT}")
    phones.wait_for_answer("13800002061", "卡号8800********9999无法充值")

    (row,) = [each for each in phones.rows("stagewatch.recharges") if each["cons_no"] == ACCOUNT]
    assert (row["card_no"], row["amt"], row["channel"]) == ("8800********2061", "100.00", "SMS")
    found = phones.system.wait_for(row["recharge_no"], lambda each: each["process"] == "recharge_card")
    assert found["status"] == "over"

    for topic in OTHER_TOPICS:
        for record in read_topic(phones.system.bootstrap, f"stagewatch.{topic}"):
            assert CARD.encode() not in (record.value or b""), topic
            assert PASSWORD.encode() not in (record.value or b""), topic
    listed = phones.system.done("inbound", "list", "-o", "json")
    assert "充值" in listed or "CZ" in listed
    for shown in (listed, phones.system.worker.said, phones.system.done("notifications", "list", "-o", "json")):
        assert CARD not in shown
        assert PASSWORD not in shown
        assert "13800002061" not in shown
