"""What comes of texts: one answer each, requests with numbers, cards credited once, and an end to every answer loop."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from rules import MESSAGE_KINDS, Clerk, Reference, Routing, Wording
from rules.inbound.cards import card_digest, password_digest
from rules.inbound.clerk import MOST_ANSWERS, MOST_CARDS, MOST_HELPS, MOST_REPLIES, Done
from schemas import Change, Recharge, Text, Value
from tests.helpers.builders import shipped
from tests.helpers.loops import DAY, MONDAY

MOBILE, STAFF, ACCOUNT, CARD = "13800000129", "13900000001", "3301000129", "8800000000001290"
ENTITIES = frozenset({"customer", "card", "arrears", "sms_subscription", "customer_manager", "tg_manager"})


def row(entity: str, key: str, **fields: Value) -> Change:
    return Change(
        entity=entity, instance="", row=key, op="c", at=MONDAY - DAY, position=1, fields=fields, topic=entity,
        partition=0, offset=0,
    )  # fmt: skip


def office(*rows: Change, entities: frozenset[str] = ENTITIES) -> Clerk:
    """Give a clerk who knows one account, one card and one manager."""
    reference = Reference(entities)
    known = [
        row("customer", ACCOUNT, cons_type="resident"),
        row("card", CARD, face_amt=Decimal(100), sold_at=MONDAY - DAY, state="sold"),
        row("customer_manager", "M1", mobile=STAFF),
    ]
    for each in [*known, *rows]:
        if each.entity in entities:
            reference.add(each)
    definitions = shipped()
    wording = Wording(definitions.templates, definitions.calendar)
    return Clerk(reference, wording, number=1, count=4)


def said(text: str, *, mobile: str = MOBILE, name: str = "mobile:1", at: int = MONDAY) -> Text:
    return Text(id=name, mobile=mobile, to="10690001", text=text, at=at, road="mobile")


def answers(clerk: Clerk, *texts: Text) -> list[str]:
    for text in texts:
        clerk.take(text)
    return [notice.text for notice in clerk.take_done().notices]


def done_of(clerk: Clerk, *texts: Text) -> Done:
    for text in texts:
        clerk.take(text)
    return clerk.take_done()


def columns(done: Done, names: Iterable[str]) -> list[tuple[Value, ...]]:
    return [tuple(values[name] for name in names) for _, _, _, values in done.rows]


def credited(clerk: Clerk, text: str, *, name: str = "mobile:1", mobile: str = MOBILE) -> Done:
    """Send a card text and take it where the card is owned: here, too."""
    sent = done_of(clerk, said(text, name=name, mobile=mobile))
    for _, wanted in sent.forwards:
        clerk.recharge(wanted)
    return clerk.take_done()


def test_a_complaint_is_supervised_a_report_restricted_and_a_repair_urgent() -> None:
    clerk = office()
    done = done_of(
        clerk,
        said("投诉电表", name="1"),
        said("举报偷电", name="2"),
        said("报修没电", name="3"),
        said("咨询", name="4"),
    )
    names = ("req_type", "is_supervised", "is_restricted", "priority", "finished_at")
    assert columns(done, names) == [
        ("complain", True, False, "normal", None), ("report", False, True, "normal", None),
        ("repair", False, False, "high", None), ("consult", False, False, "normal", None),
    ]  # fmt: skip
    numbers = [key for _, key, _, _ in done.rows]
    assert numbers == ["Q2026030200001", "Q2026030200005", "Q2026030200009", "Q2026030200013"]
    assert [notice.text for notice in done.notices] == [f"【国网电力】您的诉求已受理，编号{each}。" for each in numbers]
    assert {notice.recipient.mobile for notice in done.notices} == {MOBILE}


def test_a_text_that_is_delivered_again_is_answered_once_and_the_same_words_later_are_a_new_text() -> None:
    clerk = office()
    assert len(answers(clerk, said("投诉"), said("投诉"))) == 1
    unnamed = [said("投诉", name="", at=MONDAY + each) for each in (0, 60_000, DAY)]
    assert len(answers(clerk, *unnamed)) == 2


def test_a_question_is_answered_with_what_is_owed_and_the_balance() -> None:
    clerk = office(row("arrears", ACCOUNT, owed_amt=Decimal("86.50"), penalty_amt=Decimal("1.5")))
    done = done_of(clerk, said(f"DF{ACCOUNT}"))
    assert [notice.text for notice in done.notices] == [
        "【国网电力】户号3301000129，2026年3月电费88.00元，余额-88.00元。"
    ]
    assert columns(done, ("req_type", "cons_no")) == [("query", ACCOUNT)]
    assert columns(done, ("finished_at",)) != [(None,)]


def test_who_owes_nothing_is_told_so_and_unknown_accounts_are_not_made_up() -> None:
    assert "电费0.00元" in answers(office(), said(f"DF{ACCOUNT}"))[0]
    assert answers(office(), said("DF3301999999")) == ["【国网电力】未找到户号3301999999，请核对后重新发送。"]


def test_a_question_that_nobody_can_answer_goes_to_a_person() -> None:
    done = done_of(office(entities=ENTITIES - {"arrears"}), said(f"DF{ACCOUNT}"))
    assert columns(done, ("req_type", "finished_at")) == [("query", None)]
    assert "转人工" in done.notices[0].text


def test_a_card_is_credited_once_and_shown_masked() -> None:
    clerk = office(row("arrears", ACCOUNT, owed_amt=Decimal(30)))
    first = credited(clerk, f"CZ {CARD} 483920 {ACCOUNT}")
    assert [notice.text for notice in first.notices] == ["【国网电力】充值100.00元成功，余额70.00元。"]
    names = ("card_no", "cons_no", "amt", "channel")
    assert columns(first, names) == [("8800********1290", ACCOUNT, "100", "SMS")]
    second = credited(clerk, f"CZ {CARD} 483920 {ACCOUNT}", name="mobile:2", mobile="13800000130")
    assert (second.rows, [notice.text for notice in second.notices]) == (
        [], ["【国网电力】卡号8800********1290已充值过，不能重复使用。"]
    )  # fmt: skip


def test_a_spent_card_stays_spent_over_a_restart() -> None:
    clerk = office()
    credited(clerk, f"CZ {CARD} {ACCOUNT}")
    again = office()
    for key, data in clerk.take_rows():
        again.load(key, data)
    assert len(again) == len(clerk) == 3
    assert credited(again, f"CZ {CARD} {ACCOUNT}", name="mobile:2").rows == []


@pytest.mark.parametrize(
    "card",
    [
        {"state": "void"}, {"state": None}, {"sold_at": None}, {"face_amt": Decimal(0)},
        {"password_digest": password_digest(CARD, "111111")},
    ],
)  # fmt: skip
def test_a_card_that_may_not_be_credited_is_refused(card: dict[str, Value]) -> None:
    fields: dict[str, Value] = {"face_amt": Decimal(100), "sold_at": MONDAY - DAY, "state": "sold"}
    newer = newer_than_the_first(row("card", CARD, **(fields | card)))
    done = credited(office(newer), f"CZ {CARD} 483920 {ACCOUNT}")
    assert (done.rows, "卡号或密码不正确" in done.notices[0].text) == ([], True)


def newer_than_the_first(change: Change) -> Change:
    """Give a change behind the first of its row."""
    return Change(
        entity=change.entity, instance="", row=change.row, op="u", at=change.at, position=2, fields=change.fields,
        topic=change.topic, partition=0, offset=1,
    )  # fmt: skip


def test_the_right_password_is_taken_and_a_wrong_account_spends_nothing() -> None:
    fields: dict[str, Value] = {"password_digest": password_digest(CARD, "483920")}
    clerk = office(newer_than_the_first(row("card", CARD, **fields)))
    assert credited(clerk, f"CZ {CARD} 483920 3301999999").rows == []
    assert len(credited(clerk, f"CZ {CARD} 483920 {ACCOUNT}", name="mobile:2").rows) == 1


def test_numbers_of_cards_cannot_be_guessed_from_one_mobile() -> None:
    clerk = office()
    texts = [said(f"CZ 88000000000{n:05} {ACCOUNT}", name=f"{n}") for n in range(MOST_CARDS + 3)]
    assert len(done_of(clerk, *texts).forwards) == MOST_CARDS


def test_who_declines_is_told_only_what_everybody_must_know_until_it_is_ordered_again() -> None:
    clerk = office()
    ((topic, key, at, values),) = done_of(clerk, said("TD")).rows
    assert (topic, values["state"], values["kind"]) == ("subscriptions", "off", "*")
    reference = Reference(ENTITIES)
    reference.add(row("sms_subscription", key, state="off"))
    people = Routing(reference, mail_domain="x")
    customer = {"cons_no": ACCOUNT, "mobile": MOBILE}
    told = {kind for kind in MESSAGE_KINDS if people.inform(("customer",), kind, customer, at)}
    assert MESSAGE_KINDS.keys() - told == {"M01", "M02", "M05", "M06", "M17"}
    ((_, again, _, resumed),) = done_of(clerk, said("定制", name="mobile:2")).rows
    assert (again, resumed["state"]) == (key, "on")


def test_a_subscription_names_its_account_and_its_limit() -> None:
    clerk = office()
    done = done_of(clerk, said(f"定制余额{ACCOUNT} 50", name="1"), said(f"退订余额{ACCOUNT}", name="2"))
    names = ("sub_no", "kind", "cons_no", "limit_amt", "state")
    key = f"{MOBILE}|M05|{ACCOUNT}"
    assert columns(done, names) == [(key, "M05", ACCOUNT, "50", "on"), (key, "M05", ACCOUNT, None, "off")]
    assert answers(clerk, said("定制账单", name="3")) == ["【国网电力】请在定制或退订内容后加户号，如DZZD3301000129。"]


def test_a_managers_reply_goes_to_the_loop_as_it_stands() -> None:
    clerk = office()
    done = done_of(clerk, said("４８３９２０１７ 报修已处理【王五】", mobile=STAFF))
    (command,) = done.commands
    assert (command.kind, command.by, command.text) == ("reply", STAFF, "４８３９２０１７ 报修已处理【王五】")
    assert done.notices == []


def test_two_machines_that_answer_one_another_come_to_an_end() -> None:
    clerk = office()
    unclear = done_of(clerk, *(said("自动回复：我在开会", name=f"a{n}") for n in range(100)))
    assert (len(unclear.notices), columns(unclear, ("req_type",))) == (MOST_HELPS, [("other",)] * MOST_HELPS)
    asked = answers(clerk, *(said("投诉", name=f"b{n}") for n in range(100)))
    assert len(asked) == MOST_ANSWERS - MOST_HELPS
    replies = done_of(clerk, *(said("48392017", name=f"c{n}", mobile=STAFF) for n in range(MOST_REPLIES + 9)))
    assert len(replies.commands) == MOST_REPLIES
    assert len(answers(clerk, said("投诉", name="d", at=MONDAY + DAY))) == 1


@pytest.mark.parametrize("service", ["10086", "106900010001", "95598", "01082345678"])
def test_services_are_never_answered(service: str) -> None:
    done = done_of(office(), said("投诉请拨10086", mobile=service))
    assert (done.notices, done.rows) == ([], [])


def test_who_has_not_written_for_days_is_forgotten() -> None:
    clerk = office()
    clerk.take(said("投诉"))
    clerk.take_rows()
    clerk.take(said("投诉", mobile=STAFF, at=MONDAY + 4 * DAY))
    assert dict(clerk.take_rows())[f"from:{MOBILE}"] is None


def test_nothing_secret_is_in_a_representation() -> None:
    assert CARD not in repr(Recharge(id="1", mobile=MOBILE, card_no=CARD, cons_no=ACCOUNT, at=0))
    assert MOBILE not in repr(said("x"))
    assert CARD not in card_digest(CARD)


@pytest.mark.parametrize("mobile", [STAFF, MOBILE])
@pytest.mark.parametrize("start", ["CZ ", "", "卡号", "88123456 "])
@pytest.mark.parametrize("card", [CARD, "8800 0000 0000 1290", "8800-0000-0000-1290"])
def test_a_card_stands_nowhere_in_what_is_written(mobile: str, start: str, card: str) -> None:
    done = done_of(office(), said(f"{start}{card} 12345678 {ACCOUNT}", mobile=mobile))
    assert done.commands == []
    shown = repr((done.notices, done.rows))
    assert not any(each in shown for each in (CARD, card, "12345678"))
    assert len(done.forwards) == (start == "CZ ")
