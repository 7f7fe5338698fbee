"""A task or a work order goes to another person: the old one is not told any more, the new one is told once."""

import msgspec
import pytest

from rules.loop.anomaly import AnomalyState
from rules.loop.state import TaskState
from schemas import Outcome, Recipient
from sinks import State
from tests.helpers.anomalies import ANALYST, HAND, LEADER, brought_to, say
from tests.helpers.evenings import EVENING, MORNING, Evening
from tests.helpers.loops import DAY, HOUR, MONDAY, assigned, new_loop, number_of, said, states, survived

N1 = number_of()


def test_what_is_held_for_who_hands_a_task_over_is_cancelled_and_the_new_person_is_told_once() -> None:
    evening = Evening(new_loop())
    evening.loop.assign(assigned(), EVENING)
    evening.work(EVENING)
    for place in ("0-1", "0-2"):  # its record comes twice
        evening.loop.command(said("hand_over", at=EVENING + HOUR, by="U1", to="M2"), place)
        evening.work(EVENING + HOUR)
    (cancelled,) = [row for row in evening.outbox.notifications() if row.recipient_no == "M1"]
    assert (cancelled.state, cancelled.reason) == (
        State.CANCELLED, f"task {N1} was handed over to M2 before it left",
    )  # fmt: skip
    evening.work(MORNING)
    assert evening.told_of("M1") == []
    (text,) = evening.told_of("M2")
    assert f"督办{N1}已移交给您" in text


def test_whose_message_is_held_till_morning_has_the_full_time_from_then_though_another_was_told_by_day() -> None:
    evening = Evening(new_loop())
    task_due = MONDAY + DAY
    evening.loop.assign(assigned(), MONDAY)
    evening.loop.outcome(Outcome(number=N1, state="delivered", to="M1"), MONDAY)
    evening.loop.command(said("hand_over", at=EVENING + HOUR, by="M1", to="M2"), "0-1")
    evening.work(EVENING + HOUR)
    task = evening.loop.cases["a1"].tasks[N1]
    assert (task.state, task.reply_due) == (TaskState.SENT, MORNING + DAY)
    assert task.reply_due > task_due
    evening.loop.outcome(Outcome(number=N1, state="cancelled", to="M1"), MORNING)
    evening.loop.outcome(Outcome(number=N1, state="cancelled"), MORNING)
    assert states(evening.loop) == {N1: "SENT"}, "what becomes of the old person's message is nothing to the new one"
    evening.loop.outcome(Outcome(number=N1, state="delivered", to="M2"), MORNING)
    assert (task.state, task.reply_due) == (TaskState.DELIVERED, MORNING + DAY)


@pytest.mark.parametrize("after", [2 * HOUR, 20 * HOUR])
def test_handing_over_by_day_gives_no_more_time(after: int) -> None:
    loop, rows = new_loop(), dict[str, bytes]()
    loop.assign(assigned(), MONDAY)
    loop.outcome(Outcome(number=N1, state="delivered", to="M1"), MONDAY)
    loop.command(said("hand_over", at=MONDAY + after, by="M1", to="M2"), "0-1")
    for each in (loop, survived(loop, rows)):
        each.outcome(Outcome(number=N1, state="delivered", to="M2"), MONDAY + after + 60_000)
        task = each.cases["a1"].tasks[N1]
        assert (task.state, task.reply_due) == (TaskState.DELIVERED, MONDAY + DAY)


def test_a_message_that_fails_after_a_muted_one_was_handed_over_goes_up_like_any_other() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.outcome(Outcome(number=N1, state="muted", to="M1"), MONDAY)
    loop.command(said("hand_over", at=MONDAY + HOUR, by="U1", to="M2"), "0-1")
    loop.outcome(Outcome(number=N1, state="failed", to="M2"), MONDAY + HOUR)
    task = loop.cases["a1"].tasks[N1]
    assert (task.state, task.is_untold) == (TaskState.SEND_FAILED, False)
    loop.advance(MONDAY + 4 * DAY)
    assert (task.state, task.is_overdue) == (TaskState.ESCALATED, True)


def test_a_task_that_nobody_could_be_found_for_begins_with_whom_it_is_handed_to() -> None:
    loop = new_loop()
    record = assigned(person="org:3340101")
    nobody = msgspec.structs.replace(record.notice, recipient=Recipient(no="org:3340101"), channel="none")
    loop.assign(msgspec.structs.replace(record, notice=nobody), MONDAY)
    (number,) = loop.cases["a1"].tasks
    loop.command(said("hand_over", key=number, at=MONDAY + HOUR, by="U1", to="M2"), "0-1")
    task = loop.cases["a1"].tasks[number]
    assert (task.state, task.channel, task.reply_due) == (TaskState.SENT, "sms", MONDAY + HOUR + DAY)
    loop.advance(MONDAY + 2 * DAY)
    assert task.is_overdue


def test_whose_work_order_it_becomes_is_told_and_what_is_held_for_the_old_holder_is_cancelled() -> None:
    loop = new_loop()
    evening, anomaly = Evening(loop), brought_to(loop, AnomalyState.FORWARDED)
    loop.take_todo()
    say(loop, anomaly, "reject", LEADER, at=EVENING)
    evening.work(EVENING)
    say(loop, anomaly, "lock", HAND, at=EVENING + HOUR)
    handed = {"to": "H2", "at": EVENING + 2 * HOUR}
    for _ in range(2):
        say(loop, anomaly, "hand_over", HAND, **handed)
        evening.work(EVENING + 2 * HOUR)
    evening.work(MORNING)
    assert evening.told_of(HAND) == []
    (text,) = evening.told_of("H2")
    assert f"异常{anomaly.number}的工单{anomaly.facts.order}已移交给您" in text
    (cancelled,) = [row for row in evening.outbox.notifications() if row.recipient_no == HAND]
    assert cancelled.reason == f"work order {anomaly.facts.order} was handed over to H2 before it left"


def test_who_does_not_hold_an_order_hands_over_and_cancels_nothing() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.CHECKING)
    loop.take_todo()
    say(loop, anomaly, "hand_over", ANALYST, at=MONDAY + 2 * HOUR)
    todo = loop.take_todo()
    assert (todo.notices, todo.withdrawn) == ([], [])
