from typing import Any

import pytest

from schemas.notice import Notice, Recipient
from sinks import Delivered, Mute, Outbox, OutboxPolicy, Refused, RetryAfter, State, Unknown, message_id
from tests.helpers.notices import CHANNELS, MOBILE, NOW, WANG, notice

SECOND = 1000
DAY = 86_400_000


def policy(**changes: object) -> OutboxPolicy:
    return OutboxPolicy(**({"channels": CHANNELS.channels, "mail_digest_s": 60} | changes))  # type: ignore[arg-type]


def filled(*notices: Notice, rules: OutboxPolicy | None = None) -> Outbox:
    outbox = Outbox(rules or policy())
    for each in notices:
        outbox.add(each, NOW)
    return outbox


def restarted(outbox: Outbox, changelog: dict[str, bytes], now: int, rules: OutboxPolicy | None = None) -> Outbox:
    heir = Outbox(rules or outbox.policy)
    for key, data in changelog.items():
        heir.load(key, data)
    heir.recover(now)
    return heir


def written(outbox: Outbox) -> dict[str, bytes]:
    return {key: data for key, data in outbox.take_changes() if data is not None}


def test_a_notice_is_due_at_once_and_only_once() -> None:
    outbox = filled(notice())
    (delivery,) = outbox.due(NOW)
    assert delivery.attempt == 1
    assert outbox.due(NOW + DAY) == []


def test_a_repeated_notice_changes_nothing() -> None:
    outbox = filled(notice())
    outbox.settle(outbox.due(NOW)[0], Delivered("r1"), NOW)
    outbox.take_changes()
    assert outbox.add(notice(text="again"), NOW + 5) is State.DELIVERED
    assert outbox.take_changes() == []
    assert outbox.due(NOW + 5) == []


def test_each_rung_recipient_and_channel_is_told_once() -> None:
    other = Recipient(no="M002", mobile="13900139000")
    notices = [notice("a1"), notice("a2"), notice("a1", recipient=other), notice("a1", channel="mail")]
    assert len(filled(*notices).due(NOW + 60 * SECOND)) == 4


def test_what_is_due_is_in_the_changes_before_anything_is_sent() -> None:
    outbox = filled(notice())
    outbox.take_changes()
    outbox.due(NOW)
    assert list(written(outbox)) == [notice().key]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"channel": "none"}, State.UNROUTABLE),
        ({"channel": "online"}, State.DELIVERED),
        ({"recipient": Recipient(no="M9")}, State.NO_CHANNEL),
        ({"recipient": Recipient(no="M9", mobile="call me")}, State.NO_CHANNEL),
        ({"channel": "mail", "recipient": Recipient(no="M9", mail="a@b\r\nRCPT TO:<x@y>")}, State.NO_CHANNEL),
    ],
)
def test_what_cannot_be_sent_is_recorded_and_waits_for_nothing(changes: dict[str, Any], expected: State) -> None:
    outbox = filled(notice(**changes))
    assert outbox.state_of(notice(**changes).key) is expected
    assert outbox.next_due() is None
    assert outbox.take_changes()


def test_a_channel_without_a_url_is_recorded_as_no_channel() -> None:
    outbox = filled(notice(), rules=OutboxPolicy())
    row = outbox.notification(notice().key)
    assert row is not None
    assert (row.state, row.reason) == ("no_channel", "no sms channel is set up")


def test_a_mute_silences_its_rule_in_its_unit_until_its_time() -> None:
    rules = policy(mutes=(Mute(until=NOW + SECOND, rule="R-T03", org_no="334*"),))
    outbox = filled(notice("a1"), notice("a2", rule="R-T04"), notice("a3", org_no="335"), rules=rules)
    outbox.add(notice("a4"), NOW + SECOND)
    states = [outbox.state_of(notice(alert).key) for alert in ("a1", "a2", "a3", "a4")]
    assert states == [State.MUTED, State.QUEUED, State.QUEUED, State.QUEUED]


def test_mails_to_one_person_wait_and_leave_as_one() -> None:
    outbox = filled(notice("a1", channel="mail"))
    outbox.add(notice("a2", channel="mail"), NOW + 50 * SECOND)
    assert outbox.due(NOW + 59 * SECOND) == []
    (digest,) = outbox.due(NOW + 60 * SECOND)
    assert [each.alert_id for each in digest.notices] == ["a1", "a2"]


def test_a_digest_is_bounded_and_the_rest_follows() -> None:
    notices = [notice(f"a{number}", channel="mail") for number in range(5)]
    outbox = filled(*notices, rules=policy(mail_digest_max=2))
    assert [len(each.notices) for each in outbox.due(NOW + 60 * SECOND)] == [2, 2, 1]


def test_mails_to_a_person_whose_address_changed_do_not_share_a_digest() -> None:
    moved = Recipient(no=WANG.no, mail="new@example.com")
    outbox = filled(notice("a1", channel="mail"), notice("a2", channel="mail", recipient=moved))
    assert len(outbox.due(NOW + 60 * SECOND)) == 2


def test_a_group_leaves_as_one_message_two_seconds_after_its_first() -> None:
    outbox = filled(*(notice(f"a{number}", group="NL1", group_text="{count}") for number in range(3)))
    assert outbox.next_due() == NOW + 2 * SECOND
    (group,) = outbox.due(NOW + 2 * SECOND)
    assert len(group.notices) == 3


def test_groups_of_two_people_do_not_mix() -> None:
    other = Recipient(no="M002", mobile="13900139000")
    outbox = filled(notice("a1", group="NL1"), notice("a1", group="NL1", recipient=other))
    assert len(outbox.due(NOW + 2 * SECOND)) == 2


def test_no_more_leaves_than_there_is_room_for() -> None:
    outbox = filled(notice("a1"), notice("a2"), notice("a3", channel="mail"))
    assert len(outbox.due(NOW, {"sms": 1})) == 1
    assert [each.channel for each in outbox.due(NOW + 60 * SECOND, {"mail": 9})] == ["mail"]
    assert len(outbox.due(NOW, {"sms": 9})) == 1


def test_a_busy_peer_is_asked_again_later_and_later_under_the_same_id_and_then_no_more() -> None:
    outbox = filled(notice())
    now, delays, ids = NOW, [], set()
    for _ in range(8):
        (delivery,) = outbox.due(now)
        ids.add(delivery.msg_id)
        outbox.settle(delivery, RetryAfter(0, "busy"), now)
        due = outbox.next_due()
        if due is not None:
            delays.append((due - now) / SECOND)
            assert outbox.due(due - 1) == []
            now = due
    assert delays == [5, 15, 45, 135, 405, 600, 600]
    assert ids == {message_id([notice().key])}
    assert outbox.state_of(notice().key) is State.FAILED


def test_the_peers_wish_counts_if_it_is_longer_but_not_for_ever() -> None:
    for wish, delay in ((0.0, 5), (60.0, 60), (1e9, 3600)):
        outbox = filled(notice())
        outbox.settle(outbox.due(NOW)[0], RetryAfter(wish, "busy"), NOW)
        assert outbox.next_due() == NOW + delay * SECOND


def test_a_retried_group_is_not_joined_by_newcomers() -> None:
    outbox = filled(notice("a1", group="NL1"), notice("a2", group="NL1"))
    (first,) = outbox.due(NOW + 2 * SECOND)
    outbox.settle(first, RetryAfter(0, "busy"), NOW + 2 * SECOND)
    outbox.add(notice("a3", group="NL1"), NOW + 3 * SECOND)
    again, newcomer = sorted(outbox.due(NOW + 60 * SECOND), key=lambda each: -each.attempt)
    assert (again.msg_id, again.attempt, again.notices) == (first.msg_id, 2, first.notices)
    assert [each.alert_id for each in newcomer.notices] == ["a3"]


def test_a_refused_notice_is_not_tried_again_and_its_reason_shows_no_number() -> None:
    outbox = filled(notice())
    outbox.settle(outbox.due(NOW)[0], Refused(f"blocked +86 {MOBILE} for w@x.cn"), NOW)
    row = outbox.notification(notice().key)
    assert row is not None
    assert (row.state, row.reason) == ("refused", "blocked 861****01 for ***@***")
    assert outbox.next_due() is None


def test_after_a_crash_in_the_middle_of_a_send_the_outcome_is_unknown_and_nothing_is_sent_again() -> None:
    outbox = filled(notice())
    outbox.due(NOW)
    heir = restarted(outbox, written(outbox), NOW + SECOND)
    assert heir.state_of(notice().key) is State.UNKNOWN
    assert heir.next_due() is None
    assert written(heir)


def test_after_a_crash_an_idempotent_peer_is_asked_again_under_the_same_id() -> None:
    outbox = filled(notice(), rules=policy(idempotent=frozenset({"sms"})))
    (first,) = outbox.due(NOW)
    heir = restarted(outbox, written(outbox), NOW)
    (again,) = heir.due(NOW + 5 * SECOND)
    assert (again.msg_id, again.attempt) == (first.msg_id, 2)


def test_an_answer_to_an_attempt_that_was_given_up_changes_nothing() -> None:
    outbox = filled(notice(), rules=policy(idempotent=frozenset({"sms"})))
    (first,) = outbox.due(NOW)
    heir = restarted(outbox, written(outbox), NOW)
    heir.due(NOW + 5 * SECOND)
    heir.settle(first, Refused("late"), NOW + 6 * SECOND)
    assert heir.state_of(notice().key) is State.SENDING


def test_a_delivery_report_settles_what_is_unknown_and_corrects_what_did_not_arrive() -> None:
    outbox = filled(notice("a1"), notice("a2"))
    first, second = outbox.due(NOW)
    outbox.settle(first, Unknown("silence"), NOW)
    outbox.settle(second, Delivered("r"), NOW)
    assert outbox.report(first.msg_id, Delivered("DELIVRD"), NOW + DAY) == 1
    assert outbox.report(second.msg_id, Delivered("DELIVRD"), NOW + DAY) == 0
    assert outbox.report(second.msg_id, Refused("UNDELIV"), NOW + DAY) == 1
    assert outbox.report(second.msg_id, Delivered("DELIVRD"), NOW + DAY) == 0
    assert outbox.report("never heard of", Refused("UNDELIV"), NOW + DAY) == 0
    assert [outbox.state_of(notice(alert).key) for alert in ("a1", "a2")] == [State.DELIVERED, State.REFUSED]


def test_a_channel_that_was_taken_away_leaves_nothing_waiting_after_a_restart() -> None:
    outbox = filled(notice("a1"), notice("a2"), rules=policy(idempotent=frozenset({"sms"})))
    outbox.due(NOW, {"sms": 1})
    heir = restarted(outbox, written(outbox), NOW, OutboxPolicy(idempotent=frozenset({"sms"})))
    assert {heir.state_of(notice(alert).key) for alert in ("a1", "a2")} == {State.UNKNOWN, State.NO_CHANNEL}
    assert heir.next_due() is None


def test_waiting_goes_on_across_a_restart() -> None:
    outbox = filled(notice("a1", channel="mail"), notice("a2"))
    (sms,) = outbox.due(NOW)
    outbox.settle(sms, RetryAfter(30, "busy"), NOW)
    heir = restarted(outbox, written(outbox), NOW + SECOND)
    assert heir.next_due() == NOW + 30 * SECOND
    assert [each.channel for each in heir.due(NOW + 60 * SECOND)] == ["mail", "sms"]


def test_a_final_row_is_kept_for_its_time_and_then_forgotten() -> None:
    outbox = filled(notice())
    outbox.settle(outbox.due(NOW)[0], Delivered("r"), NOW)
    outbox.take_changes()
    assert outbox.expire(NOW + 7 * DAY - 1) == 0
    assert outbox.expire(NOW + 7 * DAY) == 1
    assert outbox.take_changes() == [(notice().key, None)]
    assert len(outbox) == 0


def test_a_row_that_a_report_settled_is_kept_from_then_on() -> None:
    outbox = filled(notice())
    (delivery,) = outbox.due(NOW)
    outbox.settle(delivery, Unknown("silence"), NOW)
    outbox.report(delivery.msg_id, Delivered("r"), NOW + DAY)
    assert outbox.expire(NOW + 7 * DAY) == 0
    assert outbox.expire(NOW + 8 * DAY) == 1


def test_a_row_survives_being_written_and_read() -> None:
    outbox = filled(notice("a1", is_late=True, group="g", group_text="t", channel="mail"))
    changelog = written(outbox)
    heir = restarted(outbox, changelog, NOW)
    assert heir.notifications() == outbox.notifications()
    heir.load("x", None)
    assert len(heir) == 1


HOUR = 3600 * SECOND


def waiting_for_an_hour_that_never_was(outbox: Outbox) -> None:
    """A retry and a mail, both begun while the clock was an hour ahead."""
    (delivery,) = outbox.due(NOW + HOUR)
    outbox.settle(delivery, RetryAfter(0, "busy"), NOW + HOUR)
    outbox.add(notice("a2", channel="mail"), NOW + HOUR)


def test_what_waits_leaves_in_time_after_the_clock_stepped_back() -> None:
    outbox = filled(notice())
    waiting_for_an_hour_that_never_was(outbox)
    outbox.rewind(NOW)
    assert outbox.due(NOW) == []
    assert [each.channel for each in outbox.due(NOW + 5 * SECOND)] == ["sms"]
    assert [each.channel for each in outbox.due(NOW + 60 * SECOND)] == ["mail"]


def test_what_waits_leaves_in_time_at_an_owner_whose_clock_is_behind() -> None:
    outbox = filled(notice())
    waiting_for_an_hour_that_never_was(outbox)
    heir = restarted(outbox, written(outbox), NOW)
    assert heir.due(NOW) == []
    assert {each.channel for each in heir.due(NOW + 60 * SECOND)} == {"sms", "mail"}


def test_a_rewind_without_a_step_changes_nothing() -> None:
    outbox = filled(notice(), notice("a2", channel="mail"))
    outbox.rewind(NOW)
    assert outbox.next_due() == NOW
    assert len(outbox.due(NOW)) == 1
    assert outbox.next_due() == NOW + 60 * SECOND
