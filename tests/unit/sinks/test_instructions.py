"""What a person wants done with a notice: cancelled before it left, tried once more after it did not arrive."""

import pytest

from schemas import Instruction
from schemas.notice import Recipient
from sinks import Delivered, Holding, Outbox, OutboxPolicy, Refused, RetryAfter, State, Unknown
from sinks.sink import Outcome
from tests.helpers.notices import NOW, notice

POLICY = OutboxPolicy(channels=frozenset({"sms"}), max_attempts=2)


def wish(what: str, alert: str = "a1") -> Instruction:
    return Instruction(instruction=what, key=notice(alert).key, by="H001", reason="误报")  # type: ignore[arg-type]


def filled(*alerts: str, group: str | None = None) -> Outbox:
    outbox = Outbox(POLICY)
    for alert in alerts:
        outbox.add(notice(alert, group=group), NOW)
    return outbox


def test_what_waits_is_cancelled_and_says_by_whom() -> None:
    outbox = filled("a1", "a2")
    assert outbox.instruct(wish("cancel"), NOW) == 1
    row = outbox.notification(notice("a1").key)
    assert row is not None
    assert (row.state, row.reason) == ("cancelled", "cancel by H001: 误报")
    assert [each.alert_id for message in outbox.due(NOW) for each in message.notices] == ["a2"]


def test_what_waits_for_its_next_attempt_is_cancelled() -> None:
    outbox = filled("a1")
    outbox.settle(outbox.due(NOW)[0], RetryAfter(0, "busy"), NOW)
    assert outbox.instruct(wish("cancel"), NOW) == 1
    assert outbox.due(NOW + 3_600_000) == []


def test_what_has_left_or_is_not_known_is_not_cancelled() -> None:
    outbox = filled("a1")
    (message,) = outbox.due(NOW)
    assert outbox.instruct(wish("cancel"), NOW) == 0
    outbox.settle(message, Delivered("r"), NOW)
    assert [outbox.instruct(wish(what), NOW) for what in ("cancel", "retry")] == [0, 0]
    assert outbox.instruct(wish("retry", "a2"), NOW) == 0


@pytest.mark.parametrize("outcome", [Refused("no"), Unknown("silence")])
def test_what_did_not_arrive_is_sent_once_more_for_all_under_the_same_id(outcome: Outcome) -> None:
    outbox = filled("a1", "a2", group="NL1")
    (first,) = outbox.due(NOW + 2000)
    outbox.settle(first, outcome, NOW + 2000)
    assert outbox.instruct(wish("retry"), NOW + 3000) == 2
    (again,) = outbox.due(NOW + 3000)
    assert (again.msg_id, again.notices, again.attempt) == (first.msg_id, first.notices, 2)
    outbox.settle(again, Delivered("r"), NOW + 3000)
    assert outbox.state_of(notice("a1").key) is State.DELIVERED


def test_what_failed_has_one_more_attempt() -> None:
    outbox = filled("a1")
    for at in (NOW, NOW + 60_000):
        outbox.settle(outbox.due(at)[0], RetryAfter(0, "busy"), at)
    assert outbox.state_of(notice("a1").key) is State.FAILED
    outbox.instruct(wish("retry"), NOW + 120_000)
    outbox.settle(outbox.due(NOW + 120_000)[0], RetryAfter(0, "busy"), NOW + 120_000)
    assert outbox.state_of(notice("a1").key) is State.FAILED


@pytest.mark.parametrize(
    ("outcome", "what", "state"),
    [
        (Delivered("r"), "refuse", State.REFUSED),
        (Unknown("silence"), "refuse", State.REFUSED),
        (Unknown("silence"), "confirm", State.DELIVERED),
        (Refused("no"), "confirm", State.REFUSED),
    ],
)
def test_what_somebody_learnt_of_a_message_counts_as_a_report_for_all_that_it_stood_for(
    outcome: Outcome, what: str, state: State
) -> None:
    outbox = filled("a1", "a2", group="NL1")
    (message,) = outbox.due(NOW + 2000)
    outbox.settle(message, outcome, NOW + 2000)
    outbox.instruct(wish(what), NOW + 3000)
    assert {outbox.state_of(notice(alert).key) for alert in ("a1", "a2")} == {state}


def test_nothing_can_be_learnt_of_what_has_not_left() -> None:
    outbox = filled("a1")
    assert [outbox.instruct(wish(what), NOW) for what in ("refuse", "confirm")] == [0, 0]
    assert outbox.state_of(notice("a1").key) is State.QUEUED


def test_what_is_held_about_a_task_that_is_over_is_withdrawn_from_its_person_alone() -> None:
    outbox, other = held_by_night(), Recipient(no="M002", mobile="13800138002")
    opening = notice("a1", task="10000001")
    reminder = notice("a1", rung="reminder-0-1:10000001", at=NOW + 1)
    of_another = notice("a1", rung="reminder-0-1:10000002")
    of_other_person = notice("a1", rung="escalated-0-1:10000001", recipient=other)
    later = notice("a1", rung="reopened-1:10000001", at=NOW + 10)
    for each in (opening, reminder, of_another, of_other_person, later):
        assert outbox.add(each, NOW) is State.HELD
    assert outbox.instruct(withdrawn("10000001", to="M001", at=NOW + 5), NOW + 20) == 2
    found = {each.key: outbox.state_of(each.key) for each in (opening, reminder, of_another, of_other_person, later)}
    assert [key for key, state in found.items() if state is State.CANCELLED] == [opening.key, reminder.key]
    row = outbox.notification(reminder.key)
    assert row is not None
    assert row.reason == "task 10000001 was over before it left"
    assert outbox.instruct(withdrawn("10000001", to="M001", at=NOW + 5), NOW + 30) == 0


def withdrawn(task: str, *, to: str, at: int) -> Instruction:
    reason = f"task {task} was over before it left"
    return Instruction(instruction="withdraw", key="a1", by="clock", to=to, task=task, at=at, reason=reason)


def held_by_night() -> Outbox:
    class Night:
        def open_at(self, at: int) -> int:
            return max(at, NOW + 3_600_000)

        def tomorrow(self, at: int) -> int:
            return at + 86_400_000

        def day(self, at: int) -> str:
            return "2026-03-02"

    return Outbox(OutboxPolicy(channels=frozenset({"sms"}), holding=Holding(hours=Night())))
