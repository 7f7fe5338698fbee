"""S4-02: two users lock one order and one wins; a batch is unlocked at once; others see who holds what."""

import time

from tests.helpers.whole_system import PATIENCE_S, POLL_S, WholeSystem

ORDERS = ("S402-1", "S402-2", "S402-3")


def wait_for_orders(system: WholeSystem, *states: str) -> dict[str, str | None]:
    """Wait until the orders stand so; give who holds each."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = {each["number"]: each for each in system.ask("tasks", "list", "--kind", "order")}
        ours = [found[number] for number in ORDERS if number in found]
        if [each["state"] for each in ours] == list(states):
            return {each["number"]: each["person_no"] for each in ours}
        assert time.monotonic() < deadline, f"{ours}\n{system.worker.log_tail()}"
        time.sleep(POLL_S)


def test_s4_02_of_two_one_wins_a_batch_is_freed_and_others_see_the_holder(system: WholeSystem) -> None:
    system.done("commands", "send", "lock", ORDERS[0], "--by", "H1", "--version", "0")
    system.done("commands", "send", "lock", *ORDERS, "--by", "H2", "--version", "0")
    held = wait_for_orders(system, "LOCKED", "LOCKED", "LOCKED")
    assert held == {"S402-1": "H1", "S402-2": "H2", "S402-3": "H2"}
    mine = system.ask("tasks", "list", "--kind", "order", "--person", "H2")
    assert {each["number"] for each in mine} >= {"S402-2", "S402-3"}

    system.done("commands", "send", "unlock", *ORDERS, "--by", "H2", "--text", "班次结束")
    assert set(wait_for_orders(system, "PENDING", "PENDING", "PENDING").values()) == {None}
    (history,) = system.ask("tasks", "show", ORDERS[0])
    assert [(act["by"], act["what"]) for act in history["acts"]] == [("H1", "lock"), ("H2", "unlock")]
