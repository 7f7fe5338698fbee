"""One connection to a gateway: its window, its heartbeat, and which answer belongs to which part.

`carrier` opens links and decides about sending again; a link never does. It reads no wall clock and knows no
texts: parts go in, answers and arrivals come out.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from schemas.errors import StagewatchError
from sinks.sms.wire import (
    Asked,
    BadFrame,
    Ended,
    Event,
    Framer,
    HeartbeatAnswered,
    LoginAnswered,
    LoginAsked,
    Outgoing,
    Piece,
    Reported,
    SubmitAnswered,
    Wire,
)

_log = logging.getLogger(__name__)
_READ_BYTES = 65_536
_MOST_LATE = 10_000  # unanswered parts remembered per connection, should their answers come after all


class LinkLost(StagewatchError):
    """The connection ended, or was found dead; the text says how."""


class LoginRefused(LinkLost):
    """The gateway does not let us in; trying again soon will not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times and sizes of a connection. The defaults suit CMPP and SMGP, whose window is 16 by specification."""

    window: int = 16
    """Parts that may wait for an answer at once."""
    answer_s: float = 60.0
    """T: a part that is not answered by then is unknown; a heartbeat that is not, missed."""
    idle_s: float = 30.0
    """C: silence after which the peer is asked whether it lives. The specification's 3 minutes let messages run
    into a dead connection for as long; SGIP gateways close after 60 s."""
    heartbeats: int = 3
    """N: missed heartbeats after which the connection is dead."""
    connect_s: float = 10.0
    """To connect, and again to be let in."""
    first_delay_s: float = 1.0
    """Between the end of a connection and the next attempt; doubled at each failure."""
    longest_delay_s: float = 60.0
    assembly_s: float = 120.0
    """A long inbound message may take so long to come."""


@dataclass(slots=True)
class _Waiting:
    tag: object
    written_at: float
    answer: asyncio.Future[SubmitAnswered | None]


@dataclass(frozen=True, slots=True)
class Sent:
    """A part that was written."""

    sequence: int
    answer: asyncio.Future[SubmitAnswered | None]
    """None: no answer came in time, or the connection ended."""


Arrived = Callable[["Link", Reported | Piece], None]
Answered = Callable[[object, SubmitAnswered], None]


class Link:
    """A connection after the TCP handshake. `log_in`, then `run` until it raises `LinkLost`."""

    def __init__(self, wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pace: Pace) -> None:
        self._wire, self._reader, self._writer, self._pace = wire, reader, writer, pace
        self._framer = Framer()
        self._frames: deque[bytes] = deque()
        self._unwritten: list[bytes] = []
        self._fault: BadFrame | None = None  # behind the frames
        self._clock = asyncio.get_running_loop().time
        self._window = asyncio.Semaphore(pace.window)
        self._waiting: dict[int, _Waiting] = {}
        self._late: OrderedDict[int, object] = OrderedDict()
        self._heard_at = self._clock()
        self._sent_at = self._heard_at
        self._missed = 0
        self._asked_at: float | None = None
        self._why = "closed by the gateway"
        self.is_open = True

    @property
    def in_flight(self) -> int:
        """The parts that wait for an answer."""
        return len(self._waiting)

    async def log_in(self) -> str:
        """Open the session; gives what is odd about the gateway, empty if nothing is. Raises `LinkLost`."""
        sequence = self._wire.sequence()
        self._write(self._wire.login(sequence))
        try:
            async with asyncio.timeout(self._pace.connect_s):
                while not isinstance(event := await self._next(), LoginAnswered):
                    if isinstance(event, Ended):
                        raise LinkLost("closed by the gateway at login")
        except TimeoutError:
            raise LinkLost("the login was not answered") from None
        if event.reason:
            raise LoginRefused(event.reason)
        return event.doubt

    async def run(self, arrived: Arrived, answered: Answered) -> None:
        """Read until the connection ends, which it always says by `LinkLost`.

        `arrived` gets reports and inbound parts, `answered` answers that came too late; neither may block.
        """
        watch = asyncio.create_task(self._watch())
        try:
            while True:
                self._take(await self._next(), arrived, answered)
        finally:
            watch.cancel()
            self.abort()

    async def begin(self, part: Outgoing, tag: object) -> "Sent | None":
        """Write a part as soon as the window has room; None if the connection ended before, so it never left.

        `tag` names the part for an answer that comes too late.
        """
        await self._window.acquire()
        if not self.is_open:
            self._window.release()
            return None
        sequence, now = self._wire.sequence(), self._clock()
        answer: asyncio.Future[SubmitAnswered | None] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda _: self._leave(sequence))
        self._waiting[sequence] = _Waiting(tag, now, answer)
        # Not drained: a window of parts is a few kilobytes, and whether they left only the answer tells.
        self._write(self._wire.submit(sequence, part))
        return Sent(sequence, answer)

    def write_answer(self, answer: bytes) -> None:
        """Answer a request of the gateway; nothing happens if the connection has ended (it will ask again)."""
        if self.is_open:
            self._write(answer)

    async def log_out(self) -> None:
        """Say good-bye and close, without waiting for an answer. What still waits becomes unknown."""
        if not self.is_open:
            return
        self._write(self._wire.logout(self._wire.sequence()))
        self._flush()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):  # courtesy, not a promise
                await self._writer.drain()
        self._end("closed by us")
        self._writer.close()

    def abort(self, why: str = "closed by us") -> None:
        """Close at once, whatever is still to be written. What waits becomes unknown. May be called again."""
        self._end(why)
        self._writer.transport.abort()

    def _end(self, why: str) -> None:
        if self.is_open:
            self.is_open, self._why = False, why
        for each in list(self._waiting.values()):
            if not each.answer.done():
                each.answer.set_result(None)

    def _leave(self, sequence: int) -> None:
        """Give a part's room in the window back, answered or not."""
        waiting = self._waiting.pop(sequence, None)
        self._window.release()
        if waiting is not None and (waiting.answer.cancelled() or waiting.answer.result() is None):
            self._late[sequence] = waiting.tag
            if len(self._late) > _MOST_LATE:
                self._late.popitem(last=False)

    def _write(self, data: bytes) -> None:
        """Write with whatever else this turn of the loop writes: under load a system call is what costs most."""
        self._sent_at = self._clock()
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unwritten.append(data)

    def _flush(self) -> None:
        data, self._unwritten = b"".join(self._unwritten), []
        if data and self.is_open:
            self._writer.write(data)

    async def _next(self) -> Event:
        """The next thing that the gateway says; raises `LinkLost` at the end. Nothing that came before is lost."""
        try:
            while not self._frames:
                if self._fault is not None:
                    raise self._fault
                await self._hear()
            return self._wire.read(self._frames.popleft())
        except OSError as error:
            raise LinkLost(f"connection lost: {type(error).__name__}") from None
        except BadFrame as error:
            raise LinkLost(f"not understood: {error}") from None

    async def _hear(self) -> None:
        data = await self._reader.read(_READ_BYTES)
        if not data:
            raise LinkLost(self._why)
        self._heard_at, self._missed, self._asked_at = self._clock(), 0, None
        try:
            self._frames.extend(self._framer.feed(data))
        except BadFrame as error:
            self._fault = error

    def _take(self, event: Event, arrived: Arrived, answered: Answered) -> None:
        match event:
            case SubmitAnswered():
                self._settle(event, answered)
            case Reported() | Piece():
                arrived(self, event)
            case Asked(answer) | LoginAsked(refusal=answer):
                self._write(answer)
            case Ended(answer):
                if answer is not None:
                    self._write(answer)
                    self._flush()
                raise LinkLost("the gateway said good-bye")
            case HeartbeatAnswered() | LoginAnswered():
                pass
            case _ as never:
                assert_never(never)

    def _settle(self, event: SubmitAnswered, answered: Answered) -> None:
        waiting = self._waiting.get(event.sequence)
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(event)
        elif (tag := self._late.pop(event.sequence, None)) is not None:
            answered(tag, event)
        # Else an answer came twice, or to nothing: the first one counts.

    async def _watch(self) -> None:
        """Ask a silent peer whether it lives, call unanswered parts unknown, close what is dead."""
        pace = self._pace
        while True:
            await asyncio.sleep(min(pace.answer_s, pace.idle_s) / 10)
            now = self._clock()
            if self._has_unanswered(now) or self._missed >= pace.heartbeats:
                _log.warning("connection is dead: wire=%s in_flight=%d", self._wire.name, self.in_flight)
                self.abort("no answer: the connection is dead")
                return
            if self._wire.stays_open:
                self._ask(now)
            elif not self._waiting and now - max(self._heard_at, self._sent_at) >= pace.idle_s:
                await self.log_out()
                return

    def _has_unanswered(self, now: float) -> bool:
        """Give up on parts that waited too long; whether nothing at all was heard since one of them was written."""
        is_dead = False
        for each in list(self._waiting.values()):
            if now - each.written_at < self._pace.answer_s:
                break  # in the order of writing
            is_dead = is_dead or self._heard_at <= each.written_at
            if not each.answer.done():
                each.answer.set_result(None)
        return is_dead

    def _ask(self, now: float) -> None:
        """Send a heartbeat into silence, and count those that were not answered in time."""
        if self._asked_at is not None and now - self._asked_at >= self._pace.answer_s:
            self._missed, self._asked_at = self._missed + 1, None
        is_silent = now - self._heard_at >= self._pace.idle_s
        if self._asked_at is None and is_silent and self._missed < self._pace.heartbeats:
            self._asked_at = now
            self._write(self._wire.heartbeat(self._wire.sequence()))
