"""A gateway for short messages or mails that refuses, hangs, and dies before or after it took a message.

`taken` is what people really got: the one truth that a crash of ours does not touch.
"""

import asyncio
import random
from collections import Counter

from schemas.notice import Channel
from sinks import Delivered, Message, OutcomeUnknown, Refused, Result, RetryAfter

GOOD = "delivered"
OUTCOMES = (
    GOOD, "slow", "refused", "busy", "hangs untaken", "hangs taken", "dies untaken", "dies taken", "fails",
)  # fmt: skip
SLOW_S = 3.0
FOR_EVER_S = 1e9


class Gateway:
    """One channel's peer, shared by all workers of a world."""

    timeout_s = 10.0

    def __init__(self, channel: Channel, rng: random.Random, outcomes: tuple[str, ...], *, drops_repeats: bool) -> None:
        self.channel = channel
        self.name = f"simulated-{channel}"
        self.outcomes = outcomes
        self.drops_repeats = drops_repeats
        """It takes a message of the same id once."""
        self.taken: Counter[str] = Counter()
        """Messages that reached a person, by the key of the notice."""
        self.drawn: Counter[str] = Counter()
        self._rng = rng
        self._ids: set[str] = set()
        self._refused: set[str] = set()

    async def send(self, message: Message) -> Result:
        outcome = self._rng.choice(self.outcomes)
        self.drawn[outcome] += 1
        return await self._send(message, outcome)

    async def _send(self, message: Message, outcome: str) -> Result:
        if self.drops_repeats and message.msg_id in self._ids and outcome == "refused":
            outcome = GOOD  # it says of a message that it has that it has it
        if self.drops_repeats and message.msg_id in self._refused and outcome in {GOOD, "slow"}:
            outcome = "refused"  # and so does one that refused it
        if outcome == "refused":
            self._refused.add(message.msg_id)
        if outcome == "slow":
            await self._travel(message)
        if outcome in {GOOD, "slow"} or outcome.endswith(" taken"):
            self._take(message)
        if outcome.startswith("dies"):
            raise OutcomeUnknown("connection lost")
        if outcome.startswith("hangs"):
            await asyncio.sleep(FOR_EVER_S)
        return await self._answer(outcome)

    @staticmethod
    async def _answer(outcome: str) -> Result:
        match outcome:
            case "refused":
                return Refused("no such number")
            case "busy":
                return RetryAfter(1, "busy")
            case "fails":
                raise ZeroDivisionError
            case _:
                if outcome == "slow":
                    await asyncio.sleep(SLOW_S)
                return Delivered("receipt")

    async def _travel(self, message: Message) -> None:
        """The message is on its way; if the sender dies meanwhile it may arrive all the same."""
        try:
            await asyncio.sleep(SLOW_S)
        except asyncio.CancelledError:
            if self._rng.random() < 0.5:
                self._take(message)
            raise

    def _take(self, message: Message) -> None:
        if self.drops_repeats and message.msg_id in self._ids | self._refused:
            return  # an earlier one of the same id that comes after its repeat was refused is refused as well
        self._ids.add(message.msg_id)
        self.taken.update(notice.key for notice in message.notices)

    async def close(self) -> None:
        """Nothing is held."""
