"""The demo's counts can be other than zero: an alert or a message dropped or doubled shows."""

from collections import Counter

import pytest

from stagewatch.demo.messages import Expected, FoundAlert, Message, received_messages
from stagewatch.demo.recount import Firing, Firings, Key
from stagewatch.demo.tally import Verdict, compare, percentile
from stagewatch.receivers import ReceivedMail, ReceivedSms

KEYS = [
    Key("R-T03", severity, "hv_connection", f"3326{n:08d}", "SURVEY", 1)
    for n in (1, 2)
    for severity in ("WARN", "ALARM")
]
FIRINGS: Firings = {key: Firing(1000 + n, 2000, by_arrival=True) for n, key in enumerate(KEYS)}
ALERTS = [FoundAlert(key, f"id{n}", f"text {n}", None, 1000, 1050) for n, key in enumerate(KEYS)]
SMS = Message("sms", "13800000000", "text 0")
MAIL = Message("mail", "m@example.com", "id1")


def verdict(
    alerts: list[FoundAlert] = ALERTS,
    received: Counter[Message] | None = None,
    may: Counter[Message] | None = None,
    letters: tuple[int, int] = (1, 1),
) -> Verdict:
    expected = Expected(Counter([SMS, MAIL]), may or Counter())
    got = Counter([SMS, MAIL]) if received is None else received
    return compare(FIRINGS, alerts, (expected, got), settled_until=1500, letters=letters)


def counts(found: Verdict) -> tuple[int, int, int]:
    return found.lost, found.duplicates, found.unexpected


def test_all_there_once_is_clean() -> None:
    assert verdict() == Verdict(0, 0, 0, ())
    assert verdict().is_clean


@pytest.mark.parametrize("index", range(4))
def test_a_dropped_alert_is_lost(index: int) -> None:
    found = verdict([*ALERTS[:index], *ALERTS[index + 1 :]])
    assert counts(found) == (1, 0, 0)
    assert KEYS[index].instance in found.faults[0]


def test_a_doubled_alert_is_a_duplicate() -> None:
    assert counts(verdict([*ALERTS, ALERTS[2], ALERTS[2]])) == (0, 2, 0)


def test_an_alert_that_nobody_expects_is_unexpected() -> None:
    stranger = FoundAlert(KEYS[0]._replace(instance="332600000099"), "id9", "", None, 0, 0)
    assert counts(verdict([*ALERTS, stranger])) == (0, 0, 1)


@pytest.mark.parametrize("message", [SMS, MAIL])
def test_a_dropped_message_is_lost(message: Message) -> None:
    assert counts(verdict(received=Counter({SMS, MAIL} - {message}))) == (1, 0, 0)


@pytest.mark.parametrize("message", [SMS, MAIL])
def test_a_doubled_message_is_a_duplicate(message: Message) -> None:
    assert counts(verdict(received=Counter([SMS, MAIL, message]))) == (0, 1, 0)


def test_a_message_to_somebody_else_is_lost_and_unexpected() -> None:
    other = SMS._replace(address="13900000000")
    assert counts(verdict(received=Counter([MAIL, other]))) == (1, 0, 1)


def test_what_may_be_told_is_neither_lost_nor_unexpected_but_can_be_told_twice() -> None:
    extra = Message("sms", "13700000000", "text 3")
    assert verdict(may=Counter([extra])).is_clean
    assert verdict(may=Counter([extra]), received=Counter([SMS, MAIL, extra])).is_clean
    assert counts(verdict(may=Counter([extra]), received=Counter([SMS, MAIL, extra, extra]))) == (0, 1, 0)


def test_dead_letters_are_counted_too() -> None:
    assert counts(verdict(letters=(2, 1))) == (1, 0, 0)
    assert counts(verdict(letters=(2, 3))) == (0, 1, 0)


def test_what_fires_after_the_end_may_be_missing() -> None:
    late = {**FIRINGS, KEYS[0]._replace(visit=2): Firing(1501, 1501, by_arrival=False)}
    expected = Expected(Counter(), Counter())
    assert compare(late, ALERTS, (expected, Counter()), settled_until=1500).is_clean


def test_a_message_about_many_applications_is_one_for_each() -> None:
    text = "【业扩管控】告警：设备公变T0007列入负面清单，影响在途申请2户：332600000001、332600000002。请逐户处理。"
    received = received_messages([], [ReceivedSms(msg_id="m", mobile="138", text=text)])
    assert received == Counter([Message("sms", "138", f"T0007:33260000000{n}") for n in (1, 2)])


def test_the_number_to_answer_with_is_no_part_of_what_is_told() -> None:
    listed = "【业扩管控】告警：设备公变T0007列入负面清单，影响在途申请1户：332600000001（12345674）。办结回括号内编号"
    texts = [ReceivedSms(msg_id="m", mobile="138", text=text) for text in ("申请1已超期。办结回12345674", listed)]
    assert received_messages([], texts) == Counter(
        [Message("sms", "138", "申请1已超期。"), Message("sms", "138", "T0007:332600000001")]
    )


def test_a_message_about_one_application_is_read_the_same_way() -> None:
    text = "【业扩管控】告警：设备线路L00列入负面清单，影响在途申请332600000180（3340101）。"
    received = received_messages([], [ReceivedSms(msg_id="m", mobile="138", text=text)])
    assert received == Counter([Message("sms", "138", "L00:332600000180")])


def test_a_mail_counts_once_for_each_alert_in_it() -> None:
    mail = ReceivedMail(msg_id="m", recipient="a@b", subject="", text="", html="", alert_ids=("x", "y"))
    rows = [Message("mail", "a@b", alert_id) for alert_id in ("x", "y")]
    assert received_messages([mail, mail], []) == Counter(rows * 2)


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentile([], 0.5) is None
    assert percentile([7], 0.99) == 7
    assert percentile(list(range(1, 101)), 0.5) == 50
    assert percentile(list(range(1, 101)), 0.99) == 99
