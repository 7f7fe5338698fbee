"""A supervision task from its number to its end."""

import msgspec
import pytest

from rules import Strategies
from rules.durations import Duration
from rules.loop import Loop
from rules.loop.state import TaskState
from schemas import Outcome, Recipient
from tests.helpers.loops import (
    DAY,
    HOUR,
    MONDAY,
    People,
    alert,
    assigned,
    first_texts,
    happened,
    kinds,
    new_loop,
    number_of,
    said,
    shipped,
    states,
    survived,
    texts,
)

N1 = number_of()


def test_the_number_from_the_own_mobile_closes_once_and_is_answered_each_time() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.command(said("reply", text="已处理", by="+86 139-0000-0001"), "0-1")
    loop.command(said("reply", at=MONDAY + 2 * HOUR), "0-2")
    task = loop.cases["a1"].tasks[N1]
    assert (task.state, task.remark, task.replied_at) == (TaskState.CLOSED, "已处理", MONDAY + HOUR)
    assert kinds(loop) == ["closed"]
    assert texts(loop) == [f"督办{N1}已办结，谢谢。", f"督办{N1}此前已办结，无需再次回复。"]


def test_a_message_that_was_held_overnight_gives_its_full_time_to_reply() -> None:
    at_once, held = new_loop(), new_loop()
    for loop in (at_once, held):
        loop.assign(assigned(), MONDAY)
    due = held.cases["a1"].tasks[N1].reply_due
    held_for = 2 * HOUR
    at_once.outcome(Outcome(number=N1, state="delivered"), MONDAY + HOUR // 2)
    held.outcome(Outcome(number=N1, state="delivered"), MONDAY + held_for)
    assert at_once.cases["a1"].tasks[N1].reply_due == due
    assert held.cases["a1"].tasks[N1].reply_due > due
    after = new_loop()
    after.assign(assigned(), MONDAY)
    after.outcome(Outcome(number=N1, state="delivered"), due)  # it is overdue by then and has gone up: that stands
    assert after.cases["a1"].tasks[N1].reply_due == due


def test_nobody_is_late_whose_message_is_held_over_a_weekend() -> None:
    """It was overdue, and could become an anomaly, before anybody had been told."""
    loop, monday = new_loop(), MONDAY + 7 * DAY - HOUR
    friday_night = MONDAY + 4 * DAY + 13 * HOUR
    loop.assign(assigned(), friday_night)
    loop.outcome(Outcome(number=N1, state="held", until=monday), friday_night)
    task = loop.cases["a1"].tasks[N1]
    assert (task.state, task.reply_due) == (TaskState.SENT, monday + DAY)
    loop.advance(monday)
    loop.outcome(Outcome(number=N1, state="delivered", until=monday), monday + 60_000)
    assert (task.state, task.is_overdue, task.reply_due) == (TaskState.DELIVERED, False, monday + 60_000 + DAY)
    loop.advance(monday + 2 * DAY)
    assert task.is_overdue


def test_what_was_cancelled_by_hand_is_no_longer_on_its_way() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.outcome(Outcome(number=N1, state="cancelled"), MONDAY)
    assert states(loop) == {N1: "SEND_FAILED"}


@pytest.mark.parametrize("state", ["muted", "cancelled"])
def test_nobody_is_late_whose_message_was_muted_or_cancelled(state: str) -> None:
    loop, rows = new_loop(), dict[str, bytes]()
    loop.assign(assigned(), MONDAY)
    loop.outcome(Outcome(number=N1, state=state), MONDAY)
    for each in (loop, survived(loop, rows)):
        each.advance(MONDAY + 9 * DAY)
        task = each.cases["a1"].tasks[N1]
        assert (task.state, task.is_overdue, texts(each)) == (TaskState.SEND_FAILED, False, [])
        each.command(said("reply", at=MONDAY + 9 * DAY), "0-1")
        assert (task.state, task.is_overdue) == (TaskState.CLOSED, False)
        assert "逾期" not in texts(each)[0]


def test_who_a_muted_task_is_handed_over_to_has_the_full_time() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.outcome(Outcome(number=N1, state="muted"), MONDAY)
    loop.command(said("hand_over", at=MONDAY + 2 * DAY, by="M1", to="M2"), "0-1")
    task = loop.cases["a1"].tasks[N1]
    loop.advance(MONDAY + 3 * DAY - 1)
    assert (task.state, task.is_overdue, task.reply_due) == (TaskState.SENT, False, MONDAY + 3 * DAY)
    loop.advance(MONDAY + 3 * DAY)
    assert task.is_overdue


def changed(**fields: object) -> Strategies:
    entries = tuple(
        (each.model_copy(update=fields) if each.id == "supervision" else each, office)
        for each, office in shipped().entries
    )
    return Strategies(shipped().calendar, entries)


def test_who_sees_to_it_is_not_reminded_before_the_acknowledgement_is_over() -> None:
    loop = Loop(changed(remind_every=Duration("h", 2)), People())
    loop.assign(assigned(), MONDAY)
    loop.command(said("acknowledge", at=MONDAY + HOUR, by="M1"), "0-1")  # for eight hours
    loop.advance(MONDAY + 9 * HOUR - 1)
    assert texts(loop) == []
    loop.advance(MONDAY + 2 * DAY)
    assert "确认已到期" in texts(loop)[0]
    assert sum("未答复" in text for text in texts(loop)) >= 1


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_somebody_sees_to_becomes_an_anomaly_only_once_the_acknowledgement_is_over(*, is_answered: bool) -> None:
    loop = Loop(changed(overdue_becomes="connection"), People())
    loop.assign(msgspec.structs.replace(assigned(), anomaly="A3340101-0000000000000000"), MONDAY)
    loop.command(said("acknowledge", at=MONDAY + 23 * HOUR, by="M1"), "0-1")
    loop.advance(MONDAY + 31 * HOUR - 1)
    assert (states(loop), loop.todo.passed) == ({N1: TaskState.OVERDUE}, [])
    if is_answered:
        loop.command(said("reply", at=MONDAY + 30 * HOUR), "0-2")
    loop.advance(MONDAY + 31 * HOUR)
    assert states(loop) == {N1: TaskState.CLOSED if is_answered else TaskState.CONVERTED}
    assert len(loop.todo.passed) == (0 if is_answered else 1)


def sharing() -> Loop:
    """Give a loop in which two alerts' tasks have one number by chance."""
    loop = new_loop()
    for n, (alert_id, person) in enumerate((("a1", "M1"), ("a2", "M2"))):
        loop.assign(msgspec.structs.replace(assigned(alert_id, person), number=N1), MONDAY + n)
    return loop


def test_of_two_tasks_of_one_number_readers_see_the_one_that_a_command_is_about() -> None:
    loop = sharing()
    for no in ("M1", "M2"):
        view = loop.take_views()[N1]
        assert view is not None
        assert (view.person_no, view.state) == (no, TaskState.SENT)
        loop.command(said("close", by="U01", version=view.version), f"0-{no}")
    assert not any(task.is_open for case in loop.cases.values() for task in case.tasks.values())


def test_a_task_that_is_forgotten_does_not_hide_the_open_one_of_its_number() -> None:
    loop = sharing()
    loop.happened(happened("closed"), MONDAY + HOUR)
    loop.advance(MONDAY + 100 * DAY)
    view = loop.take_views()[N1]
    assert set(loop.cases) == {"a2"}
    assert view is not None
    assert (view.person_no, view.alert_id) == ("M2", "a2")


def test_another_mobile_closes_nothing_and_is_told_so() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.command(said("reply", by="13800000009"), "0-1")
    assert states(loop) == {N1: "SENT"}
    assert texts(loop) == [f"督办{N1}不是发给本号码的，未办结。请用接收督办短信的手机回复。"]
    assert loop.todo.notices[-1].recipient.mobile == "13800000009"


def test_a_number_that_nobody_has_is_answered_after_it_could_have_overtaken_its_task() -> None:
    loop = new_loop()
    loop.command(said("reply"), "0-1")
    assert texts(loop) == []
    loop.advance(MONDAY + 2 * HOUR)
    assert texts(loop) == [f"未找到督办号{N1}，未办结任何任务。请核对后重新回复。"]
    assert len(loop) == 0


def test_a_reply_that_overtook_its_task_closes_it() -> None:
    loop, rows = new_loop(), dict[str, bytes]()
    loop.command(said("reply", at=MONDAY + 10), "0-1")
    loop = survived(loop, rows)
    loop.assign(assigned(), MONDAY)
    assert states(loop) == {N1: "CLOSED"}


def test_a_late_reply_closes_and_stays_marked() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.advance(MONDAY + DAY)
    assert states(loop) == {N1: "OVERDUE"}
    loop.command(said("reply", at=MONDAY + DAY + 1), "0-1")
    task = loop.cases["a1"].tasks[N1]
    assert (task.state, task.is_overdue) == (TaskState.CLOSED, True)
    assert texts(loop) == [f"督办{N1}已办结（逾期答复）。"]


def test_a_reply_in_time_that_was_read_late_is_not_overdue() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.advance(MONDAY + DAY)
    loop.command(said("reply", at=MONDAY + DAY - 1), "0-1")
    assert not loop.cases["a1"].tasks[N1].is_overdue


def test_the_task_ends_when_the_data_show_it_done() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.happened(happened("closed"), MONDAY + HOUR)
    task = loop.cases["a1"].tasks[N1]
    assert (task.state, task.closed_by) == (TaskState.CLOSED, "data")
    loop.advance(MONDAY + 30 * DAY)
    assert (kinds(loop), texts(loop)) == ([], [])


def test_a_closed_task_whose_data_show_the_fault_again_is_open_again() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.happened(happened("closed"), MONDAY + HOUR)
    loop.happened(happened("reopened"), MONDAY + 2 * HOUR)
    assert states(loop) == {N1: "REOPENED"}
    assert loop.cases["a1"].tasks[N1].reply_due == MONDAY + 26 * HOUR


def test_what_became_of_the_message_is_where_the_task_stands() -> None:
    loop = new_loop()
    for alert_id, outcome in (("a1", "delivered"), ("a2", "refused"), ("a3", "unknown")):
        loop.assign(assigned(alert_id), MONDAY)
        loop.outcome(Outcome(number=number_of(alert_id), state=outcome), MONDAY)
    assert list(states(loop).values()) == ["DELIVERED", "SEND_FAILED", "SENT"]


def test_each_manager_of_a_line_has_a_task_and_their_parent_ends_with_the_last() -> None:
    loop = new_loop()
    for person in ("M1", "M2"):
        loop.assign(assigned(person=person, parent="P"), MONDAY)
    loop.command(said("close", by="U1"), "0-1")
    assert (loop.views["P"].state if loop.views["P"] else None, kinds(loop)) == ("OPEN", [])
    loop.command(said("close", by="U1", key=number_of("a1", "M2")), "0-2")
    assert (loop.views["P"].state if loop.views["P"] else None, kinds(loop)) == ("CLOSED", ["closed"])


def test_an_acknowledgement_that_runs_out_is_said_and_the_alert_is_open_again() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.command(said("acknowledge", by="M1"), "0-1")
    loop.advance(MONDAY + 9 * HOUR)
    assert kinds(loop) == ["acknowledged", "reopened"]
    assert "确认已到期" in texts(loop)[0]


def test_the_chain_is_that_of_the_time_when_the_task_was_made() -> None:
    loop, rows = new_loop(), dict[str, bytes]()
    loop.assign(assigned(), MONDAY)
    loop = survived(loop, rows)
    loop.advance(MONDAY + 5 * DAY)
    assert [notice.recipient.no for notice in loop.todo.notices] == ["U3340101", "U33401"]
    assert kinds(loop) == ["escalated", "escalated"]


def test_a_command_for_an_older_version_changes_nothing() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    seen = loop.cases["a1"].tasks[N1].version
    loop.command(said("close", by="U1", version=seen - 1), "0-1")
    assert states(loop) == {N1: "SENT"}
    loop.command(said("close", by="U1", version=seen), "0-2")
    assert states(loop) == {N1: "CLOSED"}


def test_who_it_is_handed_over_to_is_told_and_may_close_it() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.command(said("hand_over", by="M1", to="77"), "0-1")
    assert (loop.todo.notices[-1].recipient.no, "移交" in texts(loop)[0]) == ("77", True)
    loop.command(said("reply"), "0-2")
    assert states(loop) == {N1: "SENT"}
    assert texts(loop)[-1] == f"督办{N1}已移交他人，本次回复未办结。"
    loop.command(said("reply", by="13800000009"), "0-3")
    assert texts(loop)[-1] == f"督办{N1}不是发给本号码的，未办结。请用接收督办短信的手机回复。"
    loop.command(said("reply", by="13977"), "0-4")
    assert states(loop) == {N1: "CLOSED"}


def test_of_two_managers_of_one_alert_each_closes_the_own_task_with_the_own_number() -> None:
    loop = new_loop()
    for person in ("M1", "M2"):
        record = assigned(person=person, parent="")
        mobile = Recipient(no=person, mobile=f"1390000000{person[1]}")
        loop.assign(
            msgspec.structs.replace(record, notice=msgspec.structs.replace(record.notice, recipient=mobile)), MONDAY
        )
    case = loop.cases["a1"]
    one, other = case.tasks
    assert first_texts(loop) == [f"【业扩管控】告警办结回{number}" for number in (one, other)]
    assert case.parent not in {None, "", one, other}
    loop.command(said("reply", key=other), "0-1")
    assert (states(loop), "不是发给本号码" in texts(loop)[-1]) == ({one: "SENT", other: "SENT"}, True)
    loop.command(said("reply", key=one), "0-2")
    assert states(loop) == {one: "CLOSED", other: "SENT"}
    loop.command(said("reply", key=other, by="13900000002"), "0-3")
    assert states(loop) == {one: "CLOSED", other: "CLOSED"}


def test_who_was_told_by_an_older_version_keeps_the_number_and_is_not_told_again() -> None:
    loop = new_loop()
    number = number_of("elsewhere")
    loop.assign(msgspec.structs.replace(assigned(), number=number), MONDAY)
    assert (states(loop), loop.todo.notices) == ({number: "SENT"}, [])


def test_who_is_told_over_two_channels_has_one_task() -> None:
    loop, record = new_loop(), assigned()
    loop.assign(record, MONDAY)
    loop.assign(msgspec.structs.replace(record, notice=msgspec.structs.replace(record.notice, channel="mail")), MONDAY)
    assert [(notice.channel, notice.task) for notice in loop.todo.notices] == [("sms", N1), ("mail", N1)]
    assert states(loop) == {N1: "SENT"}


def test_the_sentence_for_several_tasks_says_where_each_number_is() -> None:
    loop, record = new_loop(), assigned()
    notice = msgspec.structs.replace(record.notice, group="g", group_text="{count}户：{list}。")
    loop.assign(msgspec.structs.replace(record, notice=notice), MONDAY)
    assert loop.todo.notices[0].group_text == "{count}户：{list}。办结回括号内编号"


def test_a_closed_task_is_forgotten_in_the_end() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.happened(happened("cleared"), MONDAY + HOUR)
    loop.advance(MONDAY + 91 * DAY)
    assert (len(loop), loop.views) == (0, {N1: None})


def test_what_no_strategy_names_is_no_task() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    record = assigned("a9")
    loop.assign(type(record)(number="1", event=alert("a9", rule="R-D03"), notice=record.notice), MONDAY)
    assert list(loop.cases) == ["a1"]


def test_texts_of_others_do_not_drive_out_what_happened_to_a_task() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    loop.command(said("acknowledge", by="M1"), "0-1")
    for n in range(100):
        loop.command(said("reply", by="13800000000", at=MONDAY + HOUR + n), f"0-{n + 2}")
    acts = [act.what for act in loop.cases["a1"].tasks[N1].acts]
    assert acts[:3] == ["CREATED", "SENT", "ACKNOWLEDGED"]
    assert set(acts[3:]) == {"REFUSED"}


def test_an_acknowledgement_that_comes_twice_counts_once() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    for n in range(2):
        loop.command(said("acknowledge", by="M1"), f"0-{n}")
        loop.advance(MONDAY + 9 * HOUR)
    assert kinds(loop) == ["acknowledged", "reopened"]


def two_managers() -> Loop:
    loop = new_loop()
    for person in ("M1", "M2"):
        loop.assign(assigned(person=person), MONDAY)
    return loop


def test_what_is_held_about_a_closed_task_is_withdrawn_while_another_manager_s_is_open() -> None:
    loop = two_managers()
    loop.command(said("close", by="U01"), "0-1")
    (wish,) = loop.take_todo().withdrawn
    assert (wish.instruction, wish.key, wish.to, wish.task) == ("withdraw", "a1", "M1", N1)
    assert wish.at == MONDAY + HOUR
    loop.command(said("close", key=number_of(person="M2"), by="U01"), "0-2")
    todo = loop.take_todo()  # the alert is closed: that withdraws whatever is held about it
    assert (todo.withdrawn, [event.event for event in todo.events]) == ([], ["closed"])


def test_who_was_told_higher_up_is_let_go_of_too() -> None:
    loop = two_managers()
    loop.advance(MONDAY + 3 * DAY)
    loop.take_todo()
    loop.command(said("close", by="U01", at=MONDAY + 3 * DAY), "0-1")
    assert [wish.to for wish in loop.take_todo().withdrawn] == ["M1", "U3340101", "U33401"]


def test_a_reply_whose_record_comes_again_neither_closes_a_reopened_task_nor_is_answered() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    first, second = said("reply"), said("reply", at=MONDAY + 2 * HOUR)
    loop.command(first, "0-1")
    loop.command(second, "0-2")
    loop.happened(happened("reopened"), MONDAY + 3 * HOUR)
    told = len(texts(loop))
    rows: dict[str, bytes] = {}
    other = survived(loop, rows)
    for place, command in enumerate((first, second)):
        loop.command(command, f"1-{place}")
        other.command(command, f"1-{place}")
    assert states(loop) == states(other) == {N1: TaskState.REOPENED}
    assert (len(texts(loop)), texts(other)) == (told, [])
    loop.command(said("reply", at=MONDAY + 4 * HOUR), "1-9")
    assert states(loop) == {N1: TaskState.CLOSED}


def test_another_mobile_s_reply_whose_record_comes_again_is_answered_once() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    for place in ("0-1", "0-2"):
        loop.command(said("reply", by="13800000009"), place)
    assert len(texts(loop)) == 1


def test_acknowledging_counts_as_often_as_the_strategy_says_and_anew_once_it_is_opened_again() -> None:
    loop = new_loop()
    loop.assign(assigned(), MONDAY)
    for hour in range(1, 7):
        loop.command(said("acknowledge", at=MONDAY + hour * HOUR, by="M1"), f"0-{hour}")
    task = loop.cases["a1"].tasks[N1]
    assert [act.what for act in task.acts].count("ACKNOWLEDGED") == 3
    assert [act.note for act in task.acts if act.what == "NOT_ACKNOWLEDGED"] == ["3 times are enough"]
    assert task.acknowledged_until == MONDAY + 11 * HOUR  # the third, at twelve, for eight hours
    loop.command(said("close", at=MONDAY + 7 * HOUR, by="U01"), "0-8")
    loop.happened(happened("reopened"), MONDAY + 8 * HOUR)
    loop.command(said("acknowledge", at=MONDAY + 9 * HOUR, by="M1"), "0-9")
    assert task.acknowledged_until == MONDAY + 17 * HOUR
