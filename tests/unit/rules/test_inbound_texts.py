"""What a text means: each kind of request by word and by menu code, questions, subscriptions, cards, and the rest."""

import re
from decimal import Decimal

import pytest

from rules.inbound.texts import (
    CardText,
    Meaning,
    Query,
    Subscription,
    TaskReply,
    Unclear,
    Wish,
    read_text,
    without_cards,
)
from rules.loop.task_numbers import task_number

CARD = "8800000000001290"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("咨询一下峰谷电价怎么收", "consult"), ("ZX 峰谷电价", "consult"), ("建议增加营业厅窗口", "suggest"),
        ("jy增加窗口", "suggest"), ("我要投诉，电表转得太快", "complain"), ("ＴＳ电表", "complain"),
        ("举报东门有人偷电", "report"), ("JB 偷电", "report"), ("家里没电了，快来报修", "repair"), ("bx", "repair"),
        ("【张三】投诉报修没人来", "complain"),
    ],
)  # fmt: skip
def test_each_kind_of_request_is_known_by_its_word_or_its_menu_code(text: str, kind: str) -> None:
    found = read_text(text, is_staff=False)
    assert isinstance(found, Wish)
    assert found.kind == kind


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("DF3301000129", Query("3301000129")), ("ｄｆ３３０１０００１２９", Query("3301000129")),
        ("df 3301 0001 29【李四】", Query("3301000129")), ("查询余额 户号3301000129。", Query("3301000129")),
        ("DF", Query("")), ("DF没有号", Unclear()), ("DFX3301000129", Unclear()),
        ("TD", Subscription("*", is_on=False)), (" ０００0 ", Subscription("*", is_on=False)),
        ("退订", Subscription("*", is_on=False)), ("定制", Subscription("*", is_on=True)),
        ("DZZD3301000129", Subscription("M06", is_on=True, account="3301000129")),
        ("定制余额 3301000129 50元", Subscription("M05", is_on=True, account="3301000129", limit=Decimal(50))),
        ("退订账单户号3301000129", Subscription("M06", is_on=False, account="3301000129")),
        ("TDYE 3301000129", Subscription("M05", is_on=False, account="3301000129")),
        ("定制账单", Subscription("M06", is_on=True)),
        ("你好", Unclear()), ("", Unclear()), ("TDX", Unclear()), ("48392017 好的", TaskReply()),
    ],
)  # fmt: skip
def test_questions_and_subscriptions_are_read_as_people_type_them(text: str, meaning: Meaning) -> None:
    assert read_text(text, is_staff=False) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (f"CZ {CARD} 483920 3301000129", CardText(CARD, "483920", "3301000129")),
        ("充值8800 0000 0000 1290，483920，3301000129【王五】", CardText(CARD, "483920", "3301000129")),
        (f"ｃｚ#{CARD}#3301000129", CardText(CARD, "", "3301000129")),
        (f"CZ {CARD}", CardText()), ("充值怎么办", CardText()), ("CZ 12345 483920 3301000129", CardText()),
    ],
)  # fmt: skip
def test_a_card_is_its_number_its_password_and_an_account(text: str, meaning: Meaning) -> None:
    assert read_text(text, is_staff=False) == meaning


def test_eight_digits_are_a_task_for_staff_and_a_telephone_number_in_a_customers_request() -> None:
    text = "没电的已处理88123456"
    assert read_text(text, is_staff=True) == TaskReply()
    assert isinstance(read_text(text, is_staff=False), Wish)


@pytest.mark.parametrize("text", [f"CZ {CARD} 483920 3301000129", f"咨询卡号{CARD}密码483920", "充值 483920"])
def test_neither_number_nor_password_of_a_card_is_shown(text: str) -> None:
    shown = without_cards(text)
    assert CARD not in shown
    assert "483920" not in shown
    assert CARD not in repr(read_text(text, is_staff=False))


def test_other_digits_of_a_request_are_kept() -> None:
    assert without_cards("报修，请打0570-88123456") == "报修,请打0570-88123456"


@pytest.mark.parametrize("is_staff", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        f"CZ {CARD} 12345678 3301000129", "CZ 8800 0000 0000 1290 483920 3301000129",
        "CZ 880012341290 12345678 3301000129",
    ],
)  # fmt: skip
def test_a_card_is_a_card_for_everybody(text: str, *, is_staff: bool) -> None:
    found = read_text(text, is_staff=is_staff)
    assert isinstance(found, CardText)
    assert found.account == "3301000129"


@pytest.mark.parametrize("is_staff", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "8800 0000 0000 1290 12345678 3301000129", f"{CARD}，12345678，3301000129", "8800-0000-0000-1290 483920",
        f"12345678 {CARD}", f"密码12345678卡号{CARD}",
    ],
)  # fmt: skip
def test_what_looks_like_a_card_is_no_reply_to_a_task_and_is_not_shown(text: str, *, is_staff: bool) -> None:
    assert not isinstance(read_text(text, is_staff=is_staff), TaskReply)
    for shown in (without_cards(text), without_cards(text, is_reply=True)):
        assert re.search("[0-9]{4}", shown) is None


@pytest.mark.parametrize("text", ["报修 33010012 没电", "投诉 20261121 停电", "bx 33010001跳闸"])
def test_staff_may_ask_for_something_too(text: str) -> None:
    assert isinstance(read_text(text, is_staff=True), Wish)
    assert read_text("DF 33010001", is_staff=True) == Query("33010001")


def test_a_reply_keeps_the_numbers_of_tasks_and_no_longer_number() -> None:
    one, other = task_number("a1", "M1", owner=0, owners=1), task_number("a2", "M1", owner=0, owners=1)
    for text in (f"{one} {other}", f"{one} 申请332600001234已办", f"申请332600001234已办,{one}", f"报修处理 {one}"):
        assert read_text(text, is_staff=True) == TaskReply()
    assert without_cards(f"{one} {other}", is_reply=True) == f"{one} {other}"
    assert without_cards(f"{one} 申请332600001234已办", is_reply=True) == f"{one} 申请************已办"
