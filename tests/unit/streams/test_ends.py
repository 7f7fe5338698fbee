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
