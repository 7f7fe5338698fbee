"""How fast a carrier is written to, by a clock that the test holds."""

from sinks.sms.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_parts_leave_at_the_rate_and_after_a_rest_in_a_burst() -> None:
    clock = Clock()
    throttle = Throttle(10, burst=2, clock=clock)
    assert [round(throttle.reserve(), 3) for _ in range(4)] == [0, 0, 0.1, 0.2]
    clock.now += 0.2
    assert round(throttle.reserve(), 3) == 0.1
    clock.now += 60
    assert [round(throttle.reserve(), 3) for _ in range(3)] == [0, 0, 0.1]


def test_no_rate_is_no_wait() -> None:
    throttle = Throttle(0, clock=Clock())
    assert {throttle.reserve() for _ in range(1000)} == {0.0}


def test_over_an_hour_not_more_leaves_than_the_contract_allows() -> None:
    clock = Clock()
    throttle = Throttle(7, burst=7, clock=clock)
    sent = 0
    while clock.now < 3700:
        clock.now += throttle.reserve()
        sent += 1
    assert abs(sent - 7 * 3600 - 7) <= 1


def test_a_full_window_refused_at_once_makes_one_pause_and_each_further_refusal_a_longer_one() -> None:
    clock = Clock()
    throttle = Throttle(0, clock=clock)
    assert [throttle.busy() for _ in range(16)] == [0.25] * 16
    assert throttle.reserve() == 0.25
    pauses = []
    for _ in range(9):
        clock.now += throttle.reserve()
        pauses.append(throttle.busy())
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_the_pause_is_short_again_once_something_was_taken_after_it() -> None:
    clock = Clock()
    throttle = Throttle(0, clock=clock)
    throttle.busy()
    throttle.taken()  # an answer from before the pause proves nothing
    clock.now += 0.25
    assert throttle.busy() == 0.5
    clock.now += 0.5
    throttle.taken()
    assert throttle.busy() == 0.25
