"""Virtual time: an event loop that never waits, and clocks that the world moves.

Tasks of the product (sends under way) run on it; the loop's time is the world's, not the machine's.
"""

import asyncio
from asyncio.base_events import BaseEventLoop
from typing import Any


class _NoSelector:
    """Nothing is ever waited for: the world's coroutine always has a next step."""

    def select(self, timeout: float | None) -> list[Any]:
        return []


class VirtualLoop(BaseEventLoop):
    """An event loop whose time is set from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self._selector = _NoSelector()

    def time(self) -> float:
        return self.now_ms / 1000

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""


class WallClock:
    """What one machine believes the time is: the world's, put off by `step_ms`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.step_ms = 0

    def __call__(self) -> float:
        """Give epoch seconds."""
        return (self._loop.now_ms + self.step_ms) / 1000

    def ms(self) -> int:
        """Give epoch ms."""
        return self._loop.now_ms + self.step_ms


async def breathe() -> None:
    """Let the tasks under way do their next step."""
    await asyncio.sleep(0)
