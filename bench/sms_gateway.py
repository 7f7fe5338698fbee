"""A stand-in for a carrier's gateway: takes submissions, answers, reports; and misbehaves as it is told.

Used by `bench sms`, where it always behaves, and by the tests, which decide of every submission what the
gateway makes of it. Never part of a worker.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

from bench.server_process import HOST
from bench.sms_face import Face, Said

When = Literal["before", "after", "twice", "elsewhere"]
"""When a report comes: before the submission's answer, after it, twice after it, after it over another connection."""
PATIENCE_S = 5.0
"""For a test that waits for something that never comes."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What the gateway makes of one submission."""

    result: int | None = 0
    """The answer's code; None: no answer at all."""
    is_taken: bool = True
    """Whether the phone gets it, whatever the answer says."""
    report: When | None = "after"
    stat: str = "DELIVRD"
    dies: Literal["before", "after"] | None = None
    """Close the connection in place of the answer, or right after it."""


TAKE = Reaction()


@dataclass(slots=True)
class Visit:
    """One connection of a client's."""

    writer: asyncio.StreamWriter
    unanswered: int = 0
    """Submissions that were read and not answered."""
    came: list[Said] = field(default_factory=list)
    """Submissions, if they are kept."""


@dataclass(slots=True)
class Gateway:
    """Listens on a free port of 127.0.0.1 inside the running loop, from `async with` on."""

    face: Face
    react: Callable[[Said], Reaction] = lambda _said: TAKE
    port: int = 0
    submissions: list[Said] = field(default_factory=list)
    """All that came, also what was refused."""
    phones: list[Said] = field(default_factory=list)
    """What receivers have."""
    accepted: int = 0
    """Reports and inbound messages whose taking over the client has confirmed."""
    most_unanswered: int = 0
    """The largest window that the client used."""
    logins: int = 0
    pings: int = 0
    """Heartbeats of the client's."""
    pongs: int = 0
    """Its answers to ours."""
    keeps: bool = True
    """Whether submissions are kept, not only counted; a benchmark's millions are not."""
    greeting: bytes = b""
    """What stands right behind the answer to a login, in the same packet."""
    is_mute: bool = False
    """Hold still: read nothing more, answer nothing, do not close."""
    window: int | None = None
    """More than so many without an answer on one connection are refused for lack of room; None: any number."""
    delay_s: float = 0.0
    """Between a submission and its answer."""
    holds: bool = False
    """Keep answers back until `release`."""
    count: int = 0
    visits: list[Visit] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _held: list[Callable[[], None]] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._visited, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop(self) -> None:
        """Close all connections without a word."""
        for visit in self.visits:
            visit.writer.transport.abort()
        self.visits.clear()

    def release(self) -> None:
        """Send the answers that were kept back."""
        held, self._held[:] = self._held[:], []
        for each in held:
            each()

    def say(self, frame: bytes) -> None:
        """Write something of its own accord to the client that came last."""
        self.visits[-1].writer.write(frame)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something has become true of this gateway."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server makes one
        self._tasks.add(task)
        visit = Visit(writer)
        self.visits.append(visit)
        try:
            await self._listen(reader, visit)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(ValueError):
                self.visits.remove(visit)
            writer.close()
            self.changed.set()

    async def _listen(self, reader: asyncio.StreamReader, visit: Visit) -> None:
        while True:
            head = await reader.readexactly(4)
            frame = head + await reader.readexactly(int.from_bytes(head) - 4)
            if self.is_mute:
                await asyncio.Event().wait()
            said = self.face.read(frame)
            self._take(said, visit)
            self.changed.set()
            if said.kind == "logout":
                return

    def _take(self, said: Said, visit: Visit) -> None:
        match said.kind:
            case "login":
                self.logins += said.is_right
                visit.writer.write(self.face.login_answer(said) + self.greeting)
            case "submit":
                self._submitted(said, visit)
            case "ping" | "logout":
                self.pings += said.kind == "ping"
                visit.writer.write(self.face.plain_answer(said))
            case "answer":
                self.accepted += said.is_right
            case "pong":
                self.pongs += 1

    def _submitted(self, said: Said, visit: Visit) -> None:
        self.count += 1
        visit.unanswered += 1
        self.most_unanswered = max(self.most_unanswered, visit.unanswered)
        is_over = self.window is not None and visit.unanswered > self.window
        reaction = Reaction(self.face.busy, is_taken=False, report=None) if is_over else self.react(said)
        if self.keeps:
            self.submissions.append(said)
            visit.came.append(said)
            if reaction.is_taken:
                self.phones.append(said)
        carrier_id = self.face.carrier_id(said, self.count)

        def answer() -> None:
            self._answer(said, reaction, carrier_id, visit)

        if self.holds:
            self._held.append(answer)
        elif self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, answer)
        else:
            answer()

    def _answer(self, said: Said, reaction: Reaction, carrier_id: bytes, visit: Visit) -> None:
        report = self.face.report(carrier_id, said.mobile, reaction.stat) if reaction.report else b""
        write = visit.writer.write
        if reaction.report == "before":
            write(report)
        if reaction.dies == "before":
            visit.writer.transport.abort()
            return
        if reaction.result is not None:
            visit.unanswered -= 1
            write(self.face.submit_answer(said, reaction.result, carrier_id))
        if reaction.report in {"after", "twice"}:
            write(report * (2 if reaction.report == "twice" else 1))
        if reaction.report == "elsewhere":
            next((each for each in self.visits if each is not visit), visit).writer.write(report)
        if reaction.dies == "after":
            visit.writer.close()
