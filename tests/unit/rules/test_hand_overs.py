"""Hand-overs between networks (R-T24) that are over stay in state, which is why repeats of them are nothing new."""

from typing import Any

from tests.helpers.builders import World

MOST_BYTES = 260
"""Of one hand-over as the changelog keeps it, its key not counted: a million of them are a quarter of a gigabyte."""


def hand_over(world: World, number: str, at: str, **fields: Any) -> None:
    given = {"channel": "c", "from_sys": "SG186", "to_sys": "stop-restore", "rows": 3, "state": "sent", "ack_at": None}
    world.row("exchange", number, number, at=at, msg_no=number, **{**given, **fields})


def sent_and_acknowledged(world: World, number: str) -> None:
    sent = {"sent_at": "2026-03-02T09:00:00+08:00"}
    hand_over(world, number, "2026-03-02T09:00:00+08:00", **sent)
    world.until("2026-03-02T09:10:00+08:00")
    acked = "2026-03-02T09:10:01+08:00"
    hand_over(world, number, acked, state="acked", ack_at=acked, **sent)


def test_what_is_over_waits_for_no_clock_and_takes_little() -> None:
    world = World()
    for number in range(50):
        hand_over(world, f"c-{number:012d}", "2026-03-02T09:00:00+08:00", sent_at="2026-03-02T09:00:00+08:00")
    assert len(world.partition.timers) == 50
    for number in range(50):
        at = "2026-03-02T09:00:20+08:00"
        hand_over(world, f"c-{number:012d}", at, state="acked", sent_at="2026-03-02T09:00:00+08:00", ack_at=at)
    world.until("2026-03-03T09:00:00+08:00")
    world.restart()
    assert world.partition.timers == []
    assert world.alerts == []
    assert max(map(len, world.partition.instances.rows.values())) <= MOST_BYTES


def test_a_repeat_of_a_year_ago_tells_nobody_again() -> None:
    world = World()
    sent_and_acknowledged(world, "c-1")
    told = world.events("R-T24")
    assert [event for event in told if "raised" in event]
    world.until("2027-03-02T09:00:00+08:00")
    world.positions = 0  # the source's log is sent again
    sent_and_acknowledged(world, "c-1")
    assert world.events("R-T24") == told
