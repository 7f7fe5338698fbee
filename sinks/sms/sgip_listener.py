"""Where China Unicom's gateway connects to us (SGIP 3.1, login type 2): reports and inbound messages come here.

What is said goes to the channel that sends, which puts parts together and knows who is waiting.
"""

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Callable

import msgspec

from sinks.sms.link import LinkLost
from sinks.sms.wire import Asked, BadFrame, Ended, Event, Framer, LoginAsked, Piece, Reported, Wire

_log = logging.getLogger(__name__)
_READ_BYTES = 65_536
_IDLE_S = 300.0
"""A gateway that says nothing for so long is gone; it connects again when it has something."""


class SgipDoor(msgspec.Struct, frozen=True, kw_only=True):
    """Where we listen, and what the gateway has to say to get in."""

    host: str
    port: int = 8801
    """The specification's."""
    name: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"SgipDoor({self.host}, {self.port})"


class Caller:
    """One connection of the gateway's."""

    def __init__(self, wire: Wire, door: SgipDoor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._wire, self._door, self._reader, self._writer = wire, door, reader, writer
        self._framer = Framer()
        self._is_in = False

    def write_answer(self, answer: bytes) -> None:
        """Answer a request; nothing happens if the gateway has gone (it will ask again)."""
        if not self._writer.is_closing():
            self._writer.write(answer)

    async def listen(self, take: Callable[["Caller", Reported | Piece], None]) -> None:
        """Take in what it says until it goes. Raises `LinkLost`, `OSError` or `BadFrame`."""
        while True:
            async with asyncio.timeout(_IDLE_S):
                data = await self._reader.read(_READ_BYTES)
            if not data:
                raise LinkLost("closed by the gateway")
            for frame in self._framer.feed(data):
                event = self._wire.read(frame)
                if isinstance(event, Reported | Piece) and self._is_in:
                    take(self, event)
                else:
                    self._courtesy(event)

    def _courtesy(self, event: Event) -> None:
        match event:
            case LoginAsked(name, secret, answer, refusal):
                ours = f"{self._door.name}\0{self._door.secret}"
                self._is_in = hmac.compare_digest(f"{name}\0{secret}".encode(), ours.encode())
                self.write_answer(answer if self._is_in else refusal)
                if not self._is_in:
                    raise LinkLost("a caller with the wrong name or secret")
            case Asked(answer) if self._is_in:
                self.write_answer(answer)
            case Ended(answer):
                if answer is not None:
                    self.write_answer(answer)
                raise LinkLost("the gateway said good-bye")
            case _:
                raise LinkLost("a caller that did not log in")


class SgipListener:
    """The open port."""

    def __init__(self, wire: Wire, door: SgipDoor, take: Callable[[Caller, Reported | Piece], None]) -> None:
        self._wire, self._door, self._take = wire, door, take
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where it is to listen, as the URL says it."""
        return f"{self._door.host}:{self._door.port}"

    @property
    def port(self) -> int:
        """Where it listens; 0: nowhere."""
        return self._server.sockets[0].getsockname()[1] if self._server is not None else 0

    async def open(self) -> None:
        """Begin to listen. Raises `OSError` if the port is taken."""
        if self._server is None:
            self._server = await asyncio.start_server(self._called, self._door.host, self._door.port)

    async def close(self) -> None:
        """Stop listening and end all conversations; may be called twice and without `open`."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for caller in list(self._callers):
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._callers.add(task)
        task.add_done_callback(self._callers.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Caller(self._wire, self._door, reader, writer).listen(self._take)
        except (LinkLost, BadFrame, OSError) as error:
            _log.info("the gateway's connection ended: wire=%s reason=%s", self._wire.name, error)
        finally:
            with contextlib.suppress(OSError):
                writer.close()
