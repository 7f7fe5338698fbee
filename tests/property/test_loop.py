"""Whatever is repeated, and however the topics overtake one another: the same end, and a number closes once."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rules.loop import Loop
from schemas import Command
from tests.helpers.loops import HOUR, MONDAY, assigned, happened, kinds, new_loop, number_of, said, states, survived

ALERTS = ("a1", "a2", "a3")


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[tuple[str, int]], list[Command], list[int]]:
    """Give what the data say in their order, commands in theirs, and how the two are interleaved."""
    told = [(alert_id, step) for alert_id in ALERTS for step in range(draw(st.integers(1, 2)))]
    numbers = st.sampled_from([number_of(alert_id) for alert_id in ALERTS])
    senders = st.sampled_from(["13900000001", "13800000009"])
    commands = [
        said("reply", key=draw(numbers), by=draw(senders), at=MONDAY + i + 1) for i in range(draw(st.integers(0, 6)))
    ]
    return told, commands, draw(st.lists(st.integers(0, 1), max_size=20))


def live(told: list[tuple[str, int]], commands: list[Command], turns: list[int], *, crashes: bool) -> tuple[Loop, int]:
    """Live one life; give the loop and how often a task was closed by a reply."""
    loop, rows, closed = new_loop(), dict[str, bytes](), 0
    waiting: list[list[object]] = [list(told), list(commands)]
    for turn in [*turns, *[0] * len(told), *[1] * len(commands)]:
        if not waiting[turn]:
            continue
        step = waiting[turn].pop(0)
        if isinstance(step, Command):
            loop.command(step, "0-0")
        elif isinstance(step, tuple):
            alert_id, number = step
            at = MONDAY + 100
            loop.assign(assigned(alert_id), at) if number == 0 else loop.happened(happened("closed", alert_id), at)
        closed += Counter(kinds(loop))["closed"]
        loop.take_todo()
        if crashes:
            loop = survived(loop, rows)
    return loop, closed


@given(lives())
def test_any_interleaving_gives_the_same_end(life: tuple[list[tuple[str, int]], list[Command], list[int]]) -> None:
    told, commands, turns = life
    straight, _ = live(told, commands, [], crashes=False)
    mixed, _ = live(told, commands, turns, crashes=False)
    assert states(mixed) == states(straight)


@given(lives(), st.data())
def test_repeats_change_nothing_and_a_number_closes_once(
    life: tuple[list[tuple[str, int]], list[Command], list[int]], data: st.DataObject
) -> None:
    told, commands, turns = life
    once, _ = live(told, commands, turns, crashes=False)
    repeated = [each for each in commands for _ in range(data.draw(st.integers(1, 3)))]
    again, closed = live(told, repeated, turns, crashes=False)
    assert states(again) == states(once)
    assert closed <= len(ALERTS)


@given(lives())
def test_a_take_over_between_any_two_steps_changes_nothing(
    life: tuple[list[tuple[str, int]], list[Command], list[int]],
) -> None:
    told, commands, turns = life
    quiet, closed = live(told, commands, turns, crashes=False)
    shaken, closed_too = live(told, commands, turns, crashes=True)
    assert (states(shaken), closed_too) == (states(quiet), closed)
    quiet.advance(MONDAY + 2 * HOUR)
    shaken.advance(MONDAY + 2 * HOUR)
    assert states(shaken) == states(quiet)
