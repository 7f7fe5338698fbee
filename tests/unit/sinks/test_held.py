"""Quiet hours, the daily cap, silences and inhibition: what waits, what never leaves, and what is seen of it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas import AlertEvent, Silence, decode_silence, encode_silence
from schemas.notice import Notice, Recipient
from schemas.report import ReportOrder
from sinks import Delivered, Holding, Outbox, OutboxPolicy, RetryAfter, Standing, State
from tests.helpers.notices import NOW, notice

SECOND, HOUR = 1000, 3_600_000
NIGHT = NOW + 14 * HOUR  # 23:00 in Shanghai, a Monday
MORNING = NOW + 23 * HOUR  # 08:00 on the Tuesday


WRITER = Recipient(no="reply:0-7", mobile="13800138001")
REPORT = ReportOrder(
    report="monthly", title="月报", org_no="33401", name="江山", period="2026-02", first="2026-02-01",
    last="2026-02-28", begin=0, end=0, indicators=(), units=(), anomalies="open", rows=1, link="",
)  # fmt: skip


class Hours:
    """Quiet from 22:00 to 08:00 on every day, in Shanghai."""

    def open_at(self, at: int) -> int:
        moment = datetime.fromtimestamp(at / 1000, ZoneInfo("Asia/Shanghai"))
        if 8 <= moment.hour < 22:
            return at
        return self.tomorrow(at) if moment.hour >= 22 else self._opens(moment)

    def tomorrow(self, at: int) -> int:
        return self._opens(datetime.fromtimestamp(at / 1000 + 86_400, ZoneInfo("Asia/Shanghai")))

    def day(self, at: int) -> str:
        return datetime.fromtimestamp(at / 1000, ZoneInfo("Asia/Shanghai")).date().isoformat()

    @staticmethod
    def _opens(moment: datetime) -> int:
        return round(moment.replace(hour=8, minute=0, second=0, microsecond=0).timestamp() * 1000)


def policy(holding: dict[str, Any] | None = None, **changes: Any) -> OutboxPolicy:
    chosen = None if holding is None else Holding(hours=Hours(), **holding)
    return OutboxPolicy(**({"channels": frozenset({"sms", "mail"}), "holding": chosen} | changes))


def outbox(holding: dict[str, Any] | None = None, standing: Standing | None = None, **changes: Any) -> Outbox:
    return Outbox(policy(holding, **changes), standing=standing)


def restarted(old: Outbox, now: int, rules: OutboxPolicy, standing: Standing | None = None) -> Outbox:
    heir = Outbox(rules, standing=standing)
    for row in old.notifications():
        heir.load(row.key, old.dump(row.key))
    heir.recover(now)
    return heir


def ended(alert: str, kind: Any = "closed") -> AlertEvent:
    return AlertEvent(
        alert_id=alert, event=kind, rule="R-T03", rule_version=1, severity="ALARM", process="hv_connection",
        instance="A1", stage=None, visit=None, raised_at=NOW, due_at=None, org_no=None, dept=None, person=None,
        object=None, text="", evidence=(),
    )  # fmt: skip


def shown(held: Outbox, alert: str = "a1") -> tuple[str, str]:
    row = held.notification(notice(alert).key)
    assert row is not None
    return row.state, row.reason


# -- quiet hours


def test_what_comes_at_night_is_held_and_leaves_in_the_morning_as_one_message() -> None:
    held = outbox({})
    assert [held.add(notice(f"a{number}"), NIGHT + number) for number in range(3)] == [State.HELD] * 3
    assert shown(held) == ("held", "quiet hours until 2026-03-03T00:00:00.000Z")
    assert held.next_due() == MORNING
    assert held.due(MORNING - 1) == []
    (message,) = held.due(MORNING)
    assert [each.alert_id for each in message.notices] == ["a0", "a1", "a2"]
    held.settle(message, Delivered("r"), MORNING)
    assert held.due(MORNING + HOUR) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "CRITICAL"},
        {"recipient": Recipient(no="DUTY", mobile="13900000009")},
        {"recipient": Recipient(no="reply:0-7", mobile="13900000009")},
        {"recipient": Recipient(no="inbound:0-7", mobile="13900000009")},
        {"report": REPORT, "channel": "mail"},
    ],
)
def test_the_gravest_those_on_duty_answers_and_reports_pass(changes: dict[str, Any]) -> None:
    held = outbox({"duty": frozenset({"DUTY"})}, mail_digest_s=0)
    assert held.add(notice(**changes), NIGHT) is State.QUEUED
    assert len(held.due(NIGHT)) == 1


def test_a_report_by_sms_waits_for_the_morning() -> None:
    held = outbox({})
    assert held.add(notice(report=REPORT), NIGHT) is State.HELD
    assert [len(message.notices) for message in held.due(MORNING)] == [1]


def test_a_channel_that_is_not_quiet_is_not_held() -> None:
    held = outbox({"channels": frozenset({"sms"})})
    assert held.add(notice(channel="mail"), NIGHT) is State.QUEUED


def test_what_waited_for_company_when_the_quiet_hours_began_is_held() -> None:
    held = outbox({}, mail_digest_s=60)
    evening = NIGHT - HOUR - 30 * SECOND
    held.add(notice(channel="mail"), evening)
    assert held.due(evening + 60 * SECOND) == []
    assert held.state_of(notice(channel="mail").key) is State.HELD
    assert len(held.due(MORNING)) == 1


def test_a_message_that_was_begun_is_tried_again_at_night() -> None:
    held = outbox({})
    evening = NIGHT - HOUR - SECOND
    held.add(notice(), evening)
    held.settle(held.due(evening)[0], RetryAfter(0, "busy"), evening)
    assert [each.attempt for each in held.due(evening + 5 * SECOND)] == [2]


def test_what_became_moot_is_cancelled_at_once_and_the_rest_leaves() -> None:
    standing = Standing()
    held = outbox({}, standing)
    for number in range(2):
        held.add(notice(f"a{number}"), NIGHT)
    assert held.holds("a0")
    standing.note(ended("a0"), NIGHT + HOUR)
    assert held.cancel("a0", NIGHT + HOUR) == 1
    assert shown(held, "a0") == ("cancelled", "its alert ended before it left")
    assert not held.holds("a0")
    (message,) = held.due(MORNING)
    assert [each.alert_id for each in message.notices] == ["a1"]


def test_what_ended_while_nobody_looked_is_cancelled_at_the_release() -> None:
    standing = Standing()
    held = outbox({}, standing)
    held.add(notice(), NIGHT)
    standing.note(ended("a1"), NIGHT + HOUR)
    assert held.due(MORNING) == []
    assert held.state_of(notice().key) is State.CANCELLED


def test_what_ended_and_is_there_again_is_told() -> None:
    standing = Standing()
    held = outbox({}, standing)
    held.add(notice(), NIGHT)
    standing.note(ended("a1"), NIGHT + HOUR)
    standing.note(ended("a1", "reopened"), NIGHT + 2 * HOUR)
    assert len(held.due(MORNING)) == 1


def test_what_says_that_it_is_there_again_is_told_though_news_of_the_end_comes_later() -> None:
    standing = Standing()
    held = outbox({}, standing)
    again = notice(rung="reopened-1:10000001")
    held.add(notice(), NIGHT)
    held.add(again, NIGHT + 2 * SECOND)
    standing.note(ended("a1"), NIGHT + SECOND)
    assert held.cancel("a1", NIGHT + 3 * SECOND) == 1
    standing.note(ended("a1", "reopened"), NIGHT + 2 * SECOND)
    assert [each.key for message in held.due(MORNING) for each in message.notices] == [again.key]


def test_what_ended_and_is_there_again_before_anything_was_done_about_it_is_told() -> None:
    standing = Standing()
    held = outbox({}, standing)
    held.add(notice(), NIGHT)
    standing.note(ended("a1"), NIGHT + SECOND)
    standing.note(ended("a1", "reopened"), NIGHT + 2 * SECOND)
    assert held.cancel("a1", NIGHT + 3 * SECOND) == 0
    assert len(held.due(MORNING)) == 1


def test_nothing_is_released_before_it_is_known_what_ended() -> None:
    standing = Standing(known_at=MORNING - 1)
    held = outbox({}, standing)
    held.add(notice(), NIGHT)
    held.take_changes()
    assert held.due(MORNING) == []
    assert held.take_changes() == []
    standing.known_at = MORNING
    assert len(held.due(MORNING + SECOND)) == 1


def test_holding_goes_on_across_a_restart_and_changes_no_row() -> None:
    held = outbox({})
    held.add(notice(), NIGHT)
    heir = restarted(held, NIGHT + HOUR, policy({}))
    assert heir.take_changes() == []
    assert (heir.next_due(), heir.holds("a1")) == (MORNING, True)
    assert len(heir.due(MORNING)) == 1


def test_what_ended_while_no_worker_ran_is_cancelled_at_the_start() -> None:
    held, standing = outbox({}), Standing()
    held.add(notice(), NIGHT)
    standing.note(ended("a1"), NIGHT + HOUR)
    assert restarted(held, MORNING, policy({}), standing).state_of(notice().key) is State.CANCELLED


def test_without_quiet_hours_after_a_restart_what_is_held_leaves() -> None:
    held = outbox({})
    held.add(notice(), NIGHT)
    assert len(restarted(held, NIGHT + HOUR, policy()).due(NIGHT + HOUR)) == 1


def test_a_clock_that_was_set_back_holds_nothing_longer_than_the_next_morning() -> None:
    held = outbox({})
    held.add(notice(), NIGHT + 240 * HOUR)
    held.rewind(NIGHT)
    assert held.next_due() == MORNING


# -- the daily cap


def test_beyond_the_cap_the_rest_of_the_day_is_one_message_in_the_morning() -> None:
    held = outbox({"is_quiet_kept": False, "daily_cap": 2})
    left = []
    for number in range(5):
        held.add(notice(f"a{number}"), NOW + number)
        left += held.due(NOW + number)
    assert [[each.alert_id for each in message.notices] for message in left] == [["a0"], ["a1"]]
    assert shown(held, "a2") == ("held", "daily cap of 2 messages, until 2026-03-03T00:00:00.000Z")
    held.add(notice("grave", severity="CRITICAL"), NOW + SECOND)
    assert len(held.due(NOW + SECOND)) == 1
    (digest,) = held.due(MORNING)
    assert [each.alert_id for each in digest.notices] == ["a2", "a3", "a4"]


def test_the_cap_is_per_person_and_channel_and_counts_on_across_a_restart() -> None:
    rules = {"is_quiet_kept": False, "daily_cap": 1}
    held = outbox(rules, mail_digest_s=0)
    held.add(notice("a1"), NOW)
    held.settle(held.due(NOW)[0], Delivered("r"), NOW)
    heir = restarted(held, NOW + SECOND, policy(rules, mail_digest_s=0))
    other = Recipient(no="M2", mobile="13900000002")
    states = [
        heir.add(each, NOW + SECOND)
        for each in (notice("a2"), notice("a2", recipient=other), notice("a2", channel="mail"))
    ]
    assert states == [State.HELD, State.QUEUED, State.QUEUED]


def test_a_cap_counts_messages_that_wait_together() -> None:
    held = outbox({"is_quiet_kept": False, "daily_cap": 2})
    for number in range(5):
        held.add(notice(f"a{number}"), NOW)
    assert len(held.due(NOW)) == 2
    assert held.next_due() == MORNING


# -- silences


def silence(**changes: Any) -> Silence:
    fields: dict[str, Any] = {
        "id": "s1", "owner": "H001", "at": NOW, "until": NOW + HOUR, "reason": "检修", "rule": "R-T03",
    }  # fmt: skip
    return Silence(**(fields | changes))


def test_a_silence_mutes_what_it_names_while_it_lasts_and_says_whose_it_is() -> None:
    standing = Standing()
    standing.put(silence())
    told = outbox(standing=standing)
    states = [
        told.add(each, at)
        for each, at in (
            (notice("a1"), NOW), (notice("a2", rule="R-T04"), NOW), (notice("a3"), NOW + HOUR),
            (notice("a4", recipient=WRITER), NOW),
        )
    ]  # fmt: skip
    assert states == [State.MUTED, State.QUEUED, State.QUEUED, State.QUEUED]
    assert shown(told) == ("muted", "silence s1 of H001 until 2026-03-02T02:00:00.000Z: 检修")


def test_a_silence_that_was_ended_silences_no_more() -> None:
    standing = Standing()
    standing.put(silence())
    standing.put(silence(until=NOW + SECOND, ended_by="H002"))
    assert outbox(standing=standing).add(notice(), NOW + SECOND) is State.QUEUED


def test_what_is_held_is_silenced_at_its_release() -> None:
    standing = Standing()
    held = outbox({}, standing)
    held.add(notice(), NIGHT)
    standing.put(silence(until=MORNING + HOUR))
    assert held.due(MORNING) == []
    assert held.state_of(notice().key) is State.MUTED


@pytest.mark.parametrize(
    ("named", "matches"),
    [
        ({"rule": "R-T*"}, True),
        ({"rule": "R-N*"}, False),
        ({"rule": None, "org_no": "334*"}, True),
        ({"rule": None, "object_no": "T1"}, True),
        ({"rule": None, "process": "hv_connection", "instance": "APP-a1"}, True),
        ({"rule": None, "process": "hv_connection", "instance": "APP-a2"}, False),
        ({"rule": None}, False),
    ],
)
def test_a_silence_matches_by_all_that_it_names(named: dict[str, Any], *, matches: bool) -> None:
    assert silence(**named).matches(notice(object_no="T1"), NOW) is matches


def test_a_silence_survives_being_written_and_read() -> None:
    for each in (silence(), silence(org_no="1*", object_no="T", process="p", instance="i", ended_by="H2")):
        assert decode_silence(encode_silence(each)) == each


def test_what_was_over_long_ago_is_forgotten() -> None:
    standing = Standing()
    for number in range(3):
        standing.note(ended(f"a{number}"), NOW + number)
        standing.put(silence(id=f"s{number}", until=NOW + number))
    standing.forget(NOW + 2)
    assert [standing.is_moot(notice(f"a{number}")) for number in range(3)] == [False, False, True]
    assert list(standing.silences) == ["s2"]


# -- inhibition and gathering


def test_what_is_below_constrained_equipment_is_muted_if_that_is_wanted() -> None:
    below: Notice = notice(below="main_subs S1")
    assert outbox().add(below, NOW) is State.QUEUED
    muting = outbox(inhibits=True)
    assert muting.add(below, NOW) is State.MUTED
    assert shown(muting) == ("muted", "inhibited: main_subs S1 above it is constrained, too")


def test_what_one_person_is_told_within_a_window_is_one_message() -> None:
    told = outbox(gather_s=60)
    told.add(notice("a1"), NOW)
    told.add(notice("a2", group="NL1"), NOW + 30 * SECOND)
    told.add(notice("a3", recipient=WRITER), NOW)
    assert len(told.due(NOW)) == 1
    (gathered,) = told.due(NOW + 60 * SECOND)
    assert [each.alert_id for each in gathered.notices] == ["a1", "a2"]
