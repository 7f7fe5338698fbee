"""The watchdog barks when lag stands without progress, and only then."""

from streams.watchdog import Watchdog


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
