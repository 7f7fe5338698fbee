"""S2-09: each kind of text makes its request, a question is answered with the balance, subscriptions are kept.

The real way: frames of a carrier's gateway, a worker on real Kafka, the answer as frames to the gateway.
"""

import re

import pytest

from tests.helpers.customers import bill, customer, payment
from tests.helpers.tasks import late_application, manager, wait_for_task
from tests.helpers.texting import Texting
from tests.helpers.whole_system import ago, example

ACCOUNT = "3301000209"
NUMBER = re.compile(r"编号(Q\d+)")
LONG = "投诉：" + "电表转得太快，上门两次都没有人处理。" * 9


@pytest.fixture(scope="module", autouse=True)
def account(phones: Texting) -> None:
    """An account that owes something."""
    phones.system.capture("mkt", "mkt_cons", example("mkt", "mkt_cons", cons_no=ACCOUNT))
    owed = {"cons_no": ACCOUNT, "owed_amt": "86.50", "oldest_due_at": None, "penalty_amt": "1.50"}
    phones.system.capture("mkt", "arrears", owed)


def request_of(phones: Texting, mobile: str) -> dict[str, object]:
    """Give the request that a telephone was told the number of, as the product's own row has it."""
    number = NUMBER.search(phones.wait_for_answer(mobile, "已受理"))
    assert number is not None
    (row,) = [each for each in phones.rows("stagewatch.requests") if each["req_no"] == number[1]]
    found = phones.system.wait_for(number[1], lambda each: each["process"] == "customer_request")
    assert (found["status"], found["fields"]["req_type"]) == ("running", row["req_type"])
    return dict(row)


def test_s2_09_each_kind_of_text_makes_the_right_request(phones: Texting) -> None:
    texts = {
        "consult": "咨询峰谷电价怎么收", "suggest": "ＪＹ 增加营业厅窗口【李四】", "complain": LONG,
        "report": "jb 东门有人偷电", "repair": "家里没电了，快来",
    }  # fmt: skip
    for n, text in enumerate(texts.values()):
        phones.write(f"1380000210{n}", text)
    found = {kind: request_of(phones, f"1380000210{n}") for n, kind in enumerate(texts)}
    assert {kind: row["req_type"] for kind, row in found.items()} == {kind: kind for kind in texts}
    assert {kind for kind, row in found.items() if row["priority"] == "high"} == {"repair"}
    assert {kind for kind, row in found.items() if row["is_supervised"]} == {"complain"}
    assert {kind for kind, row in found.items() if row["is_restricted"]} == {"report"}
    assert str(found["complain"]["body"]).count("上门两次") == 9


def test_s2_09_a_question_is_answered_with_the_balance_also_if_it_is_delivered_twice(phones: Texting) -> None:
    accepted = phones.gateway.accepted
    frames = phones.write("13800002201", "ｄｆ３３０１ ０００２ ０９")
    answer = phones.wait_for_answer("13800002201", ACCOUNT)
    assert answer.endswith("电费88.00元，余额-88.00元。")
    phones.say(frames)
    phones.write("13800002201", "DF9999999999")
    phones.wait_for_answer("13800002201", "未找到户号9999999999")
    assert len(phones.answers("13800002201")) == 2
    phones.wait(lambda: phones.gateway.accepted >= accepted + 3)


def test_s2_09_subscribe_and_unsubscribe_work(phones: Texting) -> None:
    mobile = "13800002301"

    def kept() -> dict[str, str]:
        rows = phones.rows("stagewatch.subscriptions")
        return {row["kind"]: row["state"] for row in rows if row["mobile"] == mobile}

    for text, part, state in [
        (f"定制账单{ACCOUNT}", "已为户号3301000209定制账单", {"M06": "on"}),
        (f"DZYE {ACCOUNT} 50", "定制余额", {"M06": "on", "M05": "on"}),
        (f"退订账单 {ACCOUNT}", "已为户号3301000209退订账单", {"M06": "off", "M05": "on"}),
        ("ＴＤ", "已退订提醒类短信", {"M06": "off", "M05": "on", "*": "off"}),
    ]:
        phones.write(mobile, text)
        phones.wait_for_answer(mobile, part)
        assert kept() == state


def test_s2_09_an_ordered_bill_comes_and_a_declined_reminder_does_not(phones: Texting) -> None:
    orders, declines, takes = "13800002351", "13800002352", "13800002353"
    for mobile, cons_no in ((declines, "S209-D"), (takes, "S209-T")):
        customer(phones.system, cons_no, mobile)
    phones.write(declines, "退订")
    phones.wait_for_answer(declines, "已退订")
    phones.write(orders, f"定制账单{ACCOUNT}")
    phones.wait_for_answer(orders, "已为户号")
    bill(phones.system, ACCOUNT)
    assert "您定制的2026年2月账单" in phones.wait_for_answer(orders, "账单：")
    for cons_no in ("S209-D", "S209-T"):
        bill(phones.system, cons_no, issued_at=ago(days=40), due_at=ago(days=-3, seconds=-4))
    phones.wait_for_answer(takes, "前交费")
    payment(phones.system, "S209-D")
    phones.wait_for_answer(declines, "交费成功")
    assert not any("前交费" in text for text in phones.answers(declines))


def test_s2_09_what_is_unclear_gets_help_and_a_person_and_a_service_gets_nothing(phones: Texting) -> None:
    phones.write("10086", "投诉请拨10086")
    for _ in range(5):
        phones.write("13800002401", "自动回复：我在开会")
    phones.write("13800002401", "退订")
    phones.wait_for_answer("13800002401", "已退订提醒类短信")
    assert [text for text in phones.answers("13800002401") if "未能识别" in text] == [
        phones.wait_for_answer("13800002401", "未能识别")
    ] * 3
    others = [row for row in phones.rows("stagewatch.requests") if row["mobile"] in {"13800002401", "10086"}]
    assert [row["req_type"] for row in others] == ["other"] * 3


def test_s2_09_a_managers_reply_over_the_carrier_closes_the_task(phones: Texting) -> None:
    own = "13800002501"
    manager(phones.system, "TG-S209", "M-S209", own)
    late_application(phones.system, "S209-1", "TG-S209")
    number = wait_for_task(phones.system, "S209-1", lambda task: task["state"] == "DELIVERED")["number"]
    phones.write(own, f"{number} 报修已处理【王五】")
    closed = wait_for_task(phones.system, "S209-1", lambda task: task["state"] == "CLOSED")
    assert closed["remark"] == "报修已处理"
    phones.wait_for_answer(own, f"督办{number}已办结")
