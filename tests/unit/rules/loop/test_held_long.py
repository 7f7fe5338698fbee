"""Messages of the long loop that are held overnight: told though the data recovered, and not told once it is done."""

from rules.loop.anomaly import AnomalyState
from schemas import Happened
from sinks import State
from tests.helpers.anomalies import ANALYST, HAND, LEADER, brought_to, of_kind, say
from tests.helpers.evenings import EVENING, MORNING, Evening
from tests.helpers.loops import DAY, HOUR, new_loop


def state_of(evening: Evening, person: str) -> list[tuple[str, str]]:
    rows = [row for row in evening.outbox.notifications() if row.recipient_no == person]
    return [(row.state, row.reason) for row in rows]


def test_a_leader_is_asked_in_the_morning_though_the_data_recovered_before() -> None:
    evening = Evening(new_loop())
    anomaly = brought_to(evening.loop, AnomalyState.RECTIFIED)
    cleared = of_kind(anomaly.event, "cleared")
    evening.loop.happened(Happened(event=cleared), EVENING)
    evening.standing.note(cleared, EVENING)
    say(evening.loop, anomaly, "forward", ANALYST, at=EVENING + HOUR)
    evening.work(EVENING + HOUR)
    evening.outbox.cancel(anomaly.event.alert_id, EVENING + HOUR)
    evening.work(MORNING)
    (text,) = evening.told_of(LEADER)
    assert f"异常{anomaly.number}已整改，请审批" in text


def test_a_leader_who_decided_in_the_evening_is_not_asked_in_the_morning() -> None:
    evening = Evening(new_loop())
    anomaly = brought_to(evening.loop, AnomalyState.RECTIFIED)
    say(evening.loop, anomaly, "forward", ANALYST, at=EVENING)
    evening.work(EVENING)
    say(evening.loop, anomaly, "approve", LEADER, at=EVENING + HOUR)
    evening.work(EVENING + HOUR)
    evening.work(MORNING)
    assert evening.told_of(LEADER) == []
    assert state_of(evening, LEADER) == [
        (State.CANCELLED, f"approve of {anomaly.number} came before it left"),
    ]  # fmt: skip


def test_nobody_above_hears_in_the_morning_of_work_that_was_done_at_night() -> None:
    evening = Evening(new_loop())
    anomaly = brought_to(evening.loop, AnomalyState.FED_BACK)
    evening.loop.take_todo()
    evening.hours.opens = EVENING + 9 * DAY  # holidays
    evening.loop.advance(EVENING + 6 * DAY)
    evening.work(EVENING + 6 * DAY)
    above = {row.recipient_no for row in evening.outbox.notifications() if "escalated" in row.key}
    assert above
    order, at = anomaly.facts.order, EVENING + 7 * DAY
    say(evening.loop, anomaly, "lock", HAND, at=at)
    say(evening.loop, anomaly, "rectify", HAND, at=at + HOUR)
    evening.work(at + HOUR)
    for person in above:
        assert state_of(evening, person) == [(State.CANCELLED, f"rectify of {order} came before it left")]
