"""A TCP proxy between workers and what they talk to: the network, and how it fails.

Runs in a thread of its own. What it does wrong can be changed at any time and holds for connections that are
open as well as for new ones. Bytes are never changed, only late, held back, or cut off with their connection.
"""

import asyncio
import random
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TypeVar

from bench.server_process import HOST, free_ports

_START_S = 60.0  # a local port is bound in milliseconds; a machine that is laden has other cares
_CHUNK = 64 << 10
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Weather:
    """What the line does to every chunk of bytes, in each direction."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Added to the delay, evenly spread from nothing to this."""
    bytes_per_s: float = 0.0
    """0: as fast as it goes."""
    cut_odds: float = 0.0
    """How likely a chunk is cut in the middle, and its connection with it."""
    is_black_hole: bool = False
    """Nothing passes and nobody is told: bytes wait for better times, as TCP's retransmissions do."""
    is_refusing: bool = False
    """New connections are closed at once."""


FAIR = Weather()
BLACK_HOLE = Weather(is_black_hole=True)


class Proxy:
    """Listens on a port of 127.0.0.1 and passes on to another. Use as a context manager."""

    def __init__(self, target_port: int, *, seed: int = 0) -> None:
        self.target_port = target_port
        self.port = free_ports(1)[0]
        self.cuts = 0
        """Connections cut so far."""
        self._rng = random.Random(seed)
        self._weather = FAIR
        self._links: set[asyncio.Task[Any]] = set()
        self._lost: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="Proxy", daemon=True)

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{HOST}:{self.port}"

    def become(self, weather: Weather) -> None:
        """Change the weather; it holds when this returns."""
        self._run(self._become(weather))

    def forget(self) -> int:
        """Lose every open connection without a word to either side, as a router that was restarted; how many.

        New ones are not concerned.
        """
        return self._run(self._forget())

    def cut(self) -> int:
        """Abort every open connection, as a firewall that was restarted; how many."""
        return self._run(self._cut())

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._serve())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        future: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(_START_S)

    async def _serve(self) -> None:
        self._changed = asyncio.Event()
        self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def _stop(self) -> None:
        self._server.close()
        while rest := asyncio.all_tasks() - {asyncio.current_task()}:  # links, and who was accepted a moment ago
            for task in rest:
                task.cancel()
            await asyncio.wait(rest)

    async def _become(self, weather: Weather) -> None:
        self._weather = weather
        self._changed.set()  # wakes whoever waits in a black hole
        self._changed = asyncio.Event()

    async def _cut(self) -> int:
        links = [link for link in self._links if not link.done()]
        for link in links:
            link.cancel()
        if links:
            await asyncio.wait(links)
        self.cuts += len(links)
        return len(links)

    async def _forget(self) -> int:
        before = len(self._lost)
        self._lost |= self._links
        return len(self._lost) - before

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        try:
            await self._pass_black_hole(link)
            if not self._weather.is_refusing:
                await self._link(link, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # a cut, or one side gone: the other learns of it now
        finally:
            self._links.discard(link)
            self._lost.discard(link)
            writer.transport.abort()

    async def _link(self, link: asyncio.Task[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self.target_port)
        ways = ((reader, back), (there, writer))
        pumps = [asyncio.ensure_future(self._pump(link, *way)) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            back.transport.abort()

    async def _pump(self, link: asyncio.Task[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on until one side ends or the line is cut."""
        while chunk := await reader.read(_CHUNK):
            weather = self._weather
            delay_s = weather.delay_s + weather.jitter_s * self._rng.random()
            if weather.bytes_per_s:
                delay_s += len(chunk) / weather.bytes_per_s
            if delay_s:
                await asyncio.sleep(delay_s)
            await self._pass_black_hole(link)
            if weather.cut_odds and self._rng.random() < weather.cut_odds:
                writer.write(chunk[: len(chunk) // 2])
                self.cuts += 1
                with suppress(OSError, TimeoutError):
                    await asyncio.wait_for(writer.drain(), 1.0)
                return
            writer.write(chunk)
            await writer.drain()

    async def _pass_black_hole(self, link: asyncio.Task[Any]) -> None:
        while self._weather.is_black_hole or link in self._lost:
            await self._changed.wait()


def slow(delay_s: float, jitter_s: float, cut_odds: float = 0.0) -> Weather:
    """A slow line, that may cut as well."""
    return replace(FAIR, delay_s=delay_s, jitter_s=jitter_s, cut_odds=cut_odds)
