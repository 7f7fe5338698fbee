"""Work orders: of two one wins, and nobody approves their own work."""

from rules.loop import Loop
from schemas import CommandKind
from tests.helpers.loops import DAY, HOUR, MONDAY, new_loop, number_of, said, states


def do(loop: Loop, kind: CommandKind, by: str, *, at: int = MONDAY, version: int | None = None, text: str = "") -> str:
    loop.command(said(kind, key="WO1", by=by, at=at, version=version, text=text), "0-0")
    return states(loop).get("WO1", "")


def test_of_two_that_lock_an_order_the_first_holds_it() -> None:
    loop = new_loop()
    assert do(loop, "lock", "A", version=0) == "LOCKED:A"
    assert do(loop, "lock", "B", version=0) == "LOCKED:A"


def test_somebody_elses_lock_opens_with_a_reason_only() -> None:
    loop = new_loop()
    do(loop, "lock", "A")
    assert do(loop, "unlock", "B") == "LOCKED:A"
    assert do(loop, "unlock", "B", text="A is on leave") == "PENDING:"


def test_a_lock_runs_out_after_four_hours() -> None:
    loop = new_loop()
    do(loop, "lock", "A")
    loop.advance(MONDAY + 4 * HOUR)
    assert states(loop) == {"WO1": "PENDING:"}


def test_a_late_command_meets_a_lock_that_has_run_out_even_before_the_clock_came_to_it() -> None:
    loop = new_loop()
    do(loop, "lock", "A")
    assert do(loop, "lock", "B", at=MONDAY + 4 * HOUR) == "LOCKED:B"


def test_only_who_holds_an_order_works_on_it_and_another_approves() -> None:
    loop = new_loop()
    do(loop, "lock", "A")
    assert do(loop, "finish", "B") == "LOCKED:A"
    assert do(loop, "feed_back", "A", text="meter sealed") == "LOCKED:A"
    assert do(loop, "finish", "A") == "DONE:"
    assert do(loop, "approve", "A") == "DONE:"
    assert do(loop, "approve", "L") == "APPROVED:"
    assert [act.what for act in loop.orders["WO1"].acts] == ["lock", "feed_back", "finish", "approve"]


def test_a_rejected_order_waits_again() -> None:
    loop = new_loop()
    do(loop, "lock", "A")
    do(loop, "finish", "A")
    assert do(loop, "reject", "L", text="photo missing") == "PENDING:"


def test_an_order_that_nobody_has_touched_for_long_leaves_the_memory() -> None:
    loop = new_loop()
    do(loop, "lock", "A")
    loop.advance(MONDAY + 4 * HOUR)
    loop.take_views()
    loop.advance(MONDAY + 4 * HOUR + 90 * DAY - 1)
    assert states(loop) == {"WO1": "PENDING:"}
    assert do(loop, "lock", "A", at=MONDAY + 90 * DAY) == "LOCKED:A"
    loop.advance(MONDAY + 200 * DAY)
    assert (len(loop), loop.take_views()) == (0, {"WO1": None})


def test_an_order_named_like_a_task_is_handed_over_by_who_holds_it() -> None:
    loop, number = new_loop(), number_of()
    loop.command(said("lock", key=number, by="H007"), "0-1")
    loop.command(said("hand_over", key=number, by="H007", to="H008", at=MONDAY + 2 * HOUR), "0-2")
    assert states(loop) == {number: "LOCKED:H008"}
