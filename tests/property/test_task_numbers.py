"""Numbers of tasks: none is given out twice while it counts, and a reply closes the task that its message named."""

import re

from hypothesis import given
from hypothesis import strategies as st

from rules.loop import Loop, task_number
from rules.loop.opening import GivenNumbers, new_task
from rules.loop.state import Case
from tests.helpers.loops import HOUR, MONDAY, People, alert, assigned, happened, keep, said, shipped

OWNERS = 8
FEW = 166_666
"""Owners of whom each has sixty numbers: they meet all the time."""


def case_of(alert_id: str, number: str) -> Case:
    strategy = shipped().find("R-T03", "ALARM")
    assert strategy is not None
    task = new_task(assigned(alert_id), number, strategy, People(), at=MONDAY)
    return Case(event=alert(alert_id), strategy="supervision", tasks={number: task})


def test_of_200_000_tasks_no_two_have_one_number_although_their_hashes_meet() -> None:
    case, seen, met = case_of("a", "0"), set[str](), 0
    (task,) = case.tasks.values()
    for owner in range(OWNERS):
        given_out = GivenNumbers(owner, OWNERS)
        for n in range(200_000 // OWNERS):
            number = given_out.new(f"a{n}", "M1")
            met += owner == 0 and number != task_number(f"a{n}", "M1", owner=owner, owners=OWNERS)
            seen.add(number)
            case.tasks = {number: task}
            given_out.keep(case)
    assert len(seen) == 200_000
    assert met > 100, "nothing met, so nothing is shown"


def test_a_number_is_free_again_once_its_task_is_forgotten() -> None:
    given_out = GivenNumbers(0, 1)
    number = given_out.new("a1", "M1")
    case = case_of("a1", number)
    given_out.keep(case)
    assert given_out.new("a1", "M1") != number
    assert list(given_out.forget(case)) == [number]
    assert given_out.new("a1", "M1") == number


def few_numbers() -> Loop:
    return Loop(shipped(), People(), owner=3, owners=FEW)


def taken_over(loop: Loop, rows: dict[str, bytes]) -> Loop:
    """Give the loop as another worker finds it."""
    keep(loop, rows)
    other = few_numbers()
    for key, data in rows.items():
        other.load(key, data)
    other.recover()
    return other


def named_by(loop: Loop) -> str:
    """Give the number in the message that was just asked for."""
    (notice,) = loop.take_todo().notices
    found = re.search(r"办结回(\d{8})$", notice.text)
    assert found is not None
    assert notice.task == found[1]
    return found[1]


@given(
    st.permutations(range(24)),
    st.lists(st.sampled_from(["tell", "tell", "reply", "crash", "end"]), min_size=24, max_size=72),
)
def test_every_reply_closes_exactly_the_task_that_its_message_named(order: list[int], steps: list[str]) -> None:
    """All tasks are one mobile's: only the number tells them apart."""
    loop, rows, named, at = few_numbers(), dict[str, bytes](), dict[str, str](), MONDAY
    untold, replied = [f"a{n}" for n in order], set[str]()
    for step in steps:
        at += 1000
        if step == "tell" and untold:
            alert_id = untold.pop()
            loop.assign(assigned(alert_id, parent=""), at)
            named[alert_id] = named_by(loop)
        elif step == "crash":
            loop = taken_over(loop, rows)
        elif waiting := sorted(named.keys() - replied):
            alert_id = waiting[len(waiting) // 2]
            if step == "reply":
                loop.command(said("reply", at=at, text=named[alert_id], key=named[alert_id]), f"0-{at}")
            else:
                loop.happened(happened("closed", alert_id), at)
            replied.add(alert_id)
        closed = {key for key, case in loop.cases.items() if not any(t.is_open for t in case.tasks.values())}
        assert closed == replied
        parents = {case.parent for case in loop.cases.values()}
        assert len(parents | set(named.values())) == 2 * len(named)
        loop.take_todo()


@given(st.lists(st.sampled_from(["a1", "a2", "a3"]), max_size=12), st.booleans())
def test_a_record_that_comes_again_names_the_same_number(told: list[str], crashes: bool) -> None:  # noqa: FBT001
    loop, rows, named = few_numbers(), dict[str, bytes](), dict[str, str]()
    for alert_id in told:
        loop.assign(assigned(alert_id), MONDAY)
        assert named.setdefault(alert_id, number := named_by(loop)) == number
        if crashes:
            loop = taken_over(loop, rows)
    assert len(loop.cases) == len(set(told))


def test_where_all_numbers_are_taken_people_are_told_all_the_same() -> None:
    loop = few_numbers()
    for n in range(65):
        loop.assign(assigned(f"a{n}"), MONDAY + n)
        named_by(loop)
    assert len({number for case in loop.cases.values() for number in case.tasks}) == 60
    number = next(iter(loop.cases["a64"].tasks))
    loop.command(said("reply", at=MONDAY + HOUR, key=number), "0-1")
    closed = [key for key, case in loop.cases.items() if not case.tasks.get(number) or not case.tasks[number].is_open]
    assert len(closed) == len([case for case in loop.cases.values() if number not in case.tasks]) + 1
