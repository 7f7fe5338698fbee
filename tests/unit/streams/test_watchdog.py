"""The watchdog barks when lag stands without progress, and only then."""

import threading
from queue import Queue

from streams.watchdog import LastResort, Watchdog


def test_lag_without_progress_is_a_stall_after_the_time() -> None:
    dog = Watchdog(stall_s=60)
    assert not dog.is_stalled(lag=10, progress=1, now=0)
    assert not dog.is_stalled(lag=11, progress=1, now=1)
    assert not dog.is_stalled(lag=12, progress=1, now=60)
    assert dog.is_stalled(lag=12, progress=1, now=61)


def test_progress_or_an_end_of_the_lag_resets_it() -> None:
    dog = Watchdog(stall_s=60)
    dog.is_stalled(lag=10, progress=1, now=0)
    dog.is_stalled(lag=10, progress=1, now=1)
    assert not dog.is_stalled(lag=10, progress=2, now=62)
    assert not dog.is_stalled(lag=0, progress=2, now=200)
    assert not dog.is_stalled(lag=5, progress=2, now=201)


def test_zero_turns_it_off() -> None:
    dog = Watchdog(stall_s=0)
    assert not any(dog.is_stalled(lag=10, progress=1, now=now) for now in range(0, 10_000, 100))


def test_the_last_resort_leaves_when_the_orderly_end_does_not_come() -> None:
    left: Queue[int] = Queue()
    LastResort(leave=left.put).arm(70, after_s=0.01)
    assert left.get(timeout=10) == 70


def test_the_last_resort_does_nothing_after_an_orderly_end() -> None:
    left: Queue[int] = Queue()
    resort = LastResort(leave=left.put)
    resort.disarm()  # it may not have been armed at all
    resort.arm(70, after_s=60)
    resort.disarm()
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for timer in timers:
        timer.join(10)
    assert not any(timer.is_alive() for timer in timers)
    assert left.empty()
