"""A worker whose broker never answers ends, so that another with new connections can begin."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from schemas import Broken
from streams.ends import Answer, Ends
from streams.logic import SourcePartition

SOURCE = SourcePartition("cdc.a.x", 0)


class Silent:
    """A consumer that gets no answers after the first few."""

    def __init__(self, answers: int) -> None:
        self.answers = answers

    async def end_offsets(self, tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        if self.answers == 0:
            raise KafkaTimeoutError
        self.answers -= 1
        return dict.fromkeys(tps, 1)


def ask(answers: int, give_up_s: float, timeout_s: float) -> list[Answer]:
    heard: list[Answer] = []
    consumer: Any = Silent(answers)

    async def run() -> None:
        async with asyncio.timeout(timeout_s):
            await Ends().ask_for_ever(consumer, [SOURCE], [], heard.append, give_up_s=give_up_s)

    asyncio.run(run())
    return heard


def test_silence_ends_the_asking() -> None:
    with pytest.raises(Broken, match="has not answered"):
        ask(2, give_up_s=0.01, timeout_s=10)


def test_zero_asks_for_ever() -> None:
    with pytest.raises(TimeoutError):
        ask(0, give_up_s=0.0, timeout_s=0.6)


def skewed(now: list[float], *, counted: int = 5) -> Ends:
    """Give the ends after one answer, of a worker whose clock `now[0]` is the list's."""
    ends = Ends(now=lambda: now[0])
    ends.add(int(now[0] * 1000), {SOURCE: counted}, {})
    return ends


def test_a_record_written_after_a_question_that_claims_to_be_later_shows_how_far_this_clock_is_ahead() -> None:
    now = [1000.0]
    ends = skewed(now)
    usual = ends.written_by
    ends.note_uncounted(SOURCE, 5, 1_000_000 - 200)
    assert ends.written_by == 200
    ends.note_uncounted(SOURCE, 6, 1_000_000 - 100)
    assert ends.written_by == 200, "the largest of the last seconds holds"
    now[0] += 11
    assert ends.written_by == usual


def test_a_counted_record_may_be_as_old_as_it_likes() -> None:
    ends = skewed([1000.0])
    usual = ends.written_by
    ends.note_uncounted(SOURCE, 4, 0)
    ends.note_uncounted(SourcePartition("unknown", 0), 4, 0)
    assert ends.written_by == usual


def test_however_late_a_record_comes_timers_are_held_back_by_half_a_second_at_most() -> None:
    ends = skewed([1000.0])
    usual = ends.written_by
    ends.note_uncounted(SOURCE, 5, 1_000_000 - 1_500)
    assert ends.written_by == usual + 500


def test_history_tells_nothing_about_clocks() -> None:
    ends = skewed([1000.0])
    usual = ends.written_by
    ends.note_uncounted(SOURCE, 5, 0)
    assert ends.written_by == usual


def test_what_a_clock_said_that_was_ahead_does_not_stand_when_it_is_right_again() -> None:
    now = [1000.0]
    ends = skewed(now)
    now[0] += 3600
    ends.add(int(now[0] * 1000), {SOURCE: 6}, {})
    now[0] -= 3599
    ends.add(int(now[0] * 1000), {SOURCE: 7}, {})
    assert [(answer.asked_at, answer.ends[SOURCE]) for answer in ends.answers] == [(1_001_000, 7)]
    assert ends.latest is ends.answers[0]
