"""The auditor against a real loop and a real outbox: silent while both work, and it says where either stopped."""

from collections.abc import Callable, Collection, Iterable

import msgspec
import pytest

from rules.loop import Loop
from rules.loop.anomaly import AnomalyState
from schemas import Notice, Outcome, TaskView
from sinks import Delivered, Outbox, OutboxPolicy
from sinks.store import NotificationRow
from stagewatch.chain_audit import Stopped, audit
from tests.helpers.anomalies import brought_to
from tests.helpers.loops import DAY, HOUR, MOBILE, MONDAY, assigned, happened, new_loop, number_of, said, shipped

MINUTE = 60_000


def reachable(notice: Notice) -> Notice:
    """Give a notice to somebody who has a mobile."""
    return msgspec.structs.replace(notice, recipient=msgspec.structs.replace(notice.recipient, mobile=MOBILE))


class Chain:
    """What the loop does in time, and the messages that it asks for."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.outbox = loop, Outbox(OutboxPolicy(channels=frozenset({"sms"})))
        self.views: dict[str, TaskView] = {}

    def work(
        self, now: int, *, loses: Callable[[str], bool] = lambda _rung: False, loses_to: Collection[str] = ()
    ) -> None:
        """Bring everything to `now`; notices whose rung `loses` says, or to somebody, are lost on their way."""
        self.loop.advance(now)
        for notice in self.loop.take_todo().notices:
            if not loses(notice.rung) and notice.recipient.no not in loses_to:
                self.outbox.add(reachable(notice), now)
        for delivery in self.outbox.due(now):
            self.outbox.settle(delivery, Delivered("r"), now)
            for notice in (notice for notice in delivery.notices if notice.task):
                told = Outcome(number=notice.task, state="delivered", to=notice.recipient.no)
                self.loop.outcome(told, now)
        self.views |= {number: view for number, view in self.loop.take_views().items() if view is not None}

    def audit(self, now: int, rows: Iterable[NotificationRow] | None = None) -> list[Stopped]:
        return audit(self.views.values(), list(rows or self.outbox.notifications()), shipped(), now)

    def kinds(self, now: int) -> list[str]:
        return [each.kind for each in self.audit(now)]


class Supervised(Chain):
    """One alert, from its message to the end of its task's chain."""

    def __init__(self) -> None:
        super().__init__(new_loop())
        self.loop.assign(assigned(), MONDAY)
        self.number = number_of()


def acknowledged(loop: Loop) -> None:
    loop.command(said("acknowledge", at=MONDAY + 26 * HOUR, by="M1"), "0-1")


def closed_and_back(loop: Loop) -> None:
    loop.happened(happened("closed"), MONDAY + 26 * HOUR)
    loop.happened(happened("reopened"), MONDAY + 50 * HOUR)


def handed_over(loop: Loop) -> None:
    loop.command(said("hand_over", at=MONDAY + 26 * HOUR, by="M1", to="M2"), "0-1")


@pytest.mark.parametrize("event", [None, acknowledged, closed_and_back, handed_over])
def test_while_the_loop_works_there_is_nothing_to_report(event: Callable[[Loop], None] | None) -> None:
    chain = Supervised()
    for hours in range(14 * 24):
        now = MONDAY + hours * HOUR
        chain.work(now)
        if event is not None and hours == 26:
            event(chain.loop)
        assert chain.audit(now) == []
    (task,) = chain.views.values()
    assert task.state == "ESCALATED"


@pytest.mark.parametrize(
    ("stopped_after", "asked_after", "kind"),
    [
        (HOUR, 24 * HOUR + 11 * MINUTE, ["not_overdue"]),
        (24 * HOUR, 26 * HOUR + 11 * MINUTE, ["no_step"]),
        (24 * HOUR, 26 * HOUR + 9 * MINUTE, []),
        (26 * HOUR, 3 * DAY, ["no_step"]),
    ],
)
def test_a_loop_that_stands_still_is_found_ten_minutes_later(
    stopped_after: int, asked_after: int, kind: list[str]
) -> None:
    chain = Supervised()
    for at in range(MONDAY, MONDAY + stopped_after + 1, HOUR):
        chain.work(at)
    assert chain.kinds(MONDAY + asked_after) == kind


def test_a_message_up_the_chain_that_got_lost_is_found() -> None:
    chain = Supervised()
    for at in range(MONDAY, MONDAY + 4 * DAY, HOUR):
        chain.work(at, loses=lambda rung: rung.startswith("escalated-0-2"))
    (found,) = chain.audit(MONDAY + 4 * DAY)
    assert (found.kind, found.text) == ("not_told", "U3340101 was to be told of it and was not")


@pytest.mark.parametrize("state", ["no_channel", "unroutable", "refused", "failed"])
def test_a_step_up_that_reached_nobody_is_found(state: str) -> None:
    chain = Supervised()
    for at in range(MONDAY, MONDAY + 4 * DAY, HOUR):
        chain.work(at)
    sent = chain.outbox.notifications()
    rows = [msgspec.structs.replace(row, state=state) if ":escalated-0-2" in row.key else row for row in sent]
    (found,) = chain.audit(MONDAY + 4 * DAY, rows)
    assert (found.kind, found.text) == ("not_told", f"U3340101 was to be told of it and was not: {state}")


def test_a_task_that_did_not_hear_of_its_message_is_found() -> None:
    chain = Supervised()
    chain.work(MONDAY)
    task = chain.views[chain.number]
    chain.views[chain.number] = msgspec.structs.replace(task, state="SENT")
    assert chain.kinds(MONDAY + HOUR) == ["unheard"]


def test_who_was_told_and_has_no_task_is_found() -> None:
    chain = Supervised()
    chain.work(MONDAY)
    chain.views.clear()
    assert chain.kinds(MONDAY + 5 * MINUTE) == []
    assert chain.kinds(MONDAY + HOUR) == ["no_task"]


def two_managers() -> Chain:
    chain = Chain(new_loop())
    for person in ("M1", "M2"):
        chain.loop.assign(assigned(person=person, parent=""), MONDAY)
    return chain


def test_of_two_managers_the_one_who_was_never_told_is_found() -> None:
    chain = two_managers()
    chain.work(MONDAY, loses_to={"M2"})
    assert chain.audit(MONDAY + 5 * MINUTE) == []
    (found,) = chain.audit(MONDAY + HOUR)
    assert (found.kind, found.person, found.number) == ("not_told", "M2", number_of(person="M2"))
    assert found.text == "M2 was to be told of it and was not"


@pytest.mark.parametrize("state", ["no_channel", "refused", "failed"])
def test_of_two_managers_the_one_whom_the_message_did_not_reach_is_found_until_a_later_one_does(state: str) -> None:
    chain = two_managers()
    chain.work(MONDAY)
    sent = chain.outbox.notifications()
    rows = [msgspec.structs.replace(row, state=state) if row.recipient_no == "M2" else row for row in sent]
    (found,) = chain.audit(MONDAY + HOUR, rows)
    assert (found.kind, found.text) == ("not_told", f"M2 was to be told of it and was not: {state}")
    other = msgspec.structs.replace(rows[0], recipient_no="M2", key=f"a1:M2:sms:reminder-0-1:{found.number}")
    assert chain.audit(MONDAY + HOUR, [*rows, other]) == []


def test_of_two_managers_the_one_who_has_no_task_is_found() -> None:
    chain = two_managers()
    chain.work(MONDAY)
    del chain.views[number_of(person="M2")]
    (found,) = chain.audit(MONDAY + HOUR)
    assert (found.kind, found.person, found.text) == ("no_task", "M2", "M2 was told and they have no task")


def test_whose_task_was_handed_to_a_colleague_misses_none() -> None:
    chain = two_managers()
    chain.work(MONDAY)
    chain.loop.command(said("hand_over", by="M1", to="M2"), "0-1")
    chain.work(MONDAY + HOUR)
    assert chain.audit(MONDAY + 2 * HOUR) == []


def test_whom_a_task_was_handed_to_and_who_was_not_told_of_it_is_found() -> None:
    chain = Supervised()
    chain.work(MONDAY)
    chain.loop.command(said("hand_over", by="M1", to="M2"), "0-1")
    chain.work(MONDAY + HOUR, loses_to={"M2"})
    (found,) = chain.audit(MONDAY + 2 * HOUR)
    assert (found.kind, found.person, found.since) == ("not_told", "M2", MONDAY + HOUR)


def test_a_task_that_did_not_hear_of_the_message_to_whom_it_was_handed_is_found() -> None:
    chain = Supervised()
    chain.work(MONDAY)
    chain.loop.command(said("hand_over", by="M1", to="M2"), "0-1")
    chain.work(MONDAY + HOUR)
    chain.work(MONDAY + HOUR)
    assert chain.views[chain.number].state == "DELIVERED"
    assert chain.audit(MONDAY + 2 * HOUR) == []
    chain.views[chain.number] = msgspec.structs.replace(chain.views[chain.number], state="SENT")
    assert chain.kinds(MONDAY + 2 * HOUR) == ["unheard"]


def test_who_was_told_on_one_step_and_not_on_the_next_is_found() -> None:
    """The same person on two steps: of an alert that came back, too."""
    chain = Supervised()
    for at in range(MONDAY, MONDAY + 2 * DAY, HOUR):
        chain.work(at)
    closed_and_back(chain.loop)
    for at in range(MONDAY + 2 * DAY, MONDAY + 6 * DAY, HOUR):
        chain.work(at, loses=lambda rung: rung.startswith("escalated-1-2"))
    found = chain.audit(MONDAY + 6 * DAY)
    assert [(each.kind, each.text) for each in found] == [("not_told", "U3340101 was to be told of it and was not")]


def test_a_message_that_stays_where_it_is_is_found() -> None:
    chain = Supervised()
    chain.work(MONDAY)
    (row,) = chain.outbox.notifications()
    stuck = msgspec.structs.replace(row, state="queued")
    assert chain.audit(MONDAY + HOUR, [stuck]) == []
    (found,) = chain.audit(MONDAY + HOUR + 1, [stuck])
    assert (found.kind, found.text) == ("stuck", "sms to M1 is still queued")


class Work(Chain):
    """An anomaly that was dispatched and that nobody rectifies, with the messages of its chain."""

    def __init__(self) -> None:
        super().__init__(new_loop())
        self.number = brought_to(self.loop, AnomalyState.DISPATCHED).number


def test_while_the_chain_of_a_work_order_goes_on_there_is_nothing_to_report() -> None:
    work = Work()
    for hours in range(14 * 24):
        work.work(MONDAY + hours * HOUR)
        assert work.audit(MONDAY + hours * HOUR) == []
    assert work.views[work.number].is_overdue


@pytest.mark.parametrize(
    ("stopped_after", "asked_after", "kind"),
    [
        (3 * DAY, 3 * DAY + 15 * HOUR, []),
        (3 * DAY, 3 * DAY + 15 * HOUR + 11 * MINUTE, ["not_overdue"]),
        (3 * DAY + 15 * HOUR, 4 * DAY + 2 * HOUR, ["no_step"]),
        (4 * DAY + 2 * HOUR, 5 * DAY, ["no_step"]),
    ],
)
def test_the_chain_of_a_work_order_that_stands_still_is_found(
    stopped_after: int, asked_after: int, kind: list[str]
) -> None:
    work = Work()
    for at in range(MONDAY, MONDAY + stopped_after + 1, HOUR):
        work.work(at)
    assert [each.kind for each in work.audit(MONDAY + asked_after)] == kind


def test_a_message_about_overdue_work_that_got_lost_is_found() -> None:
    work = Work()
    for at in range(MONDAY, MONDAY + 9 * DAY, HOUR):
        work.work(at, loses=lambda rung: rung.startswith("escalated-0-2"))
    (found,) = work.audit(MONDAY + 9 * DAY)
    assert (found.kind, found.number) == ("not_told", work.number)


def test_what_became_an_anomaly_needs_no_task() -> None:
    chain = Supervised()
    chain.work(MONDAY)
    (view,) = chain.views.values()
    chain.views = {"A": msgspec.structs.replace(view, kind="anomaly", state="RAISED")}
    assert chain.kinds(MONDAY + HOUR) == []


@pytest.mark.parametrize(
    ("reason", "asked_after", "kind"),
    [("inhibited: main_subs S1", HOUR, []), ("silence", HOUR, ["no_task"]), ("", 91 * DAY, [])],
)
def test_no_task_is_missed_below_equipment_nor_after_it_was_forgotten(
    reason: str, asked_after: int, kind: list[str]
) -> None:
    chain = Supervised()
    chain.work(MONDAY)
    chain.views.clear()
    (row,) = chain.outbox.notifications()
    row = msgspec.structs.replace(row, reason=reason)
    assert [each.kind for each in chain.audit(MONDAY + asked_after, [row])] == kind
