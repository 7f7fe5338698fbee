"""A channel to one carrier over one of the wires: keeps its connections, paces, sends again what surely was not taken.

The one engine behind CMPP, SGIP, SMGP and SMPP. What it never does: send a part again whose answer did not
come, or one part of a message over another connection than the rest.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

import msgspec

from sinks.masking import masked
from sinks.sms.channel import Arrival, ChannelState, DeliveryReport, Fate, Inbound, LateAnswer, Part, Sms, Submission
from sinks.sms.link import Link, LinkLost, LoginRefused, Pace, Sent
from sinks.sms.parts import NO_SIGNATURE, Assembly, References, Signature, content_of, split
from sinks.sms.throttle import Throttle
from sinks.sms.wire import Outgoing, Piece, Reported, SubmitAnswered, Verdict, Wire

_log = logging.getLogger(__name__)
_SETTLED_S = 10.0
"""A connection that lived so long was a good one: the next attempt begins with the shortest delay again."""
_LATER_S = 900.0
"""What a carrier that says "not at this hour" or "no more today" is left alone for."""


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How a carrier is to be treated, beside its connection's pace."""

    rate: float = 0.0
    """Parts a second that the contract allows; 0: no limit but the window."""
    burst: float = 1.0
    connections: int = 1
    signature: Signature = NO_SIGNATURE
    busy_retries: int = 5
    """How often a part that the carrier had no room for is sent again before the outbox has to wait: 8 s in all."""
    pause_s: float = 0.25
    """The first pause of those; each further one is twice as long."""
    wait_s: float = 5.0
    """How long a submission waits for a connection."""


class Answerer(Protocol):
    """A connection over which a gateway asked something."""

    def write_answer(self, answer: bytes) -> None:
        """Answer it; nothing happens if the connection has ended."""


@dataclass(frozen=True, slots=True)
class _Tag:
    msg_id: str
    number: int


class CarrierChannel:
    """An `SmsChannel` over a wire."""

    def __init__(
        self, wire: Wire, address: tuple[str, int], *, habits: Habits, pace: Pace, now: Callable[[], float]
    ) -> None:
        """`address`: host and port of the gateway. `now`: epoch seconds. Call inside the running loop."""
        self.name = wire.name
        self._wire, self._address, self._habits, self._pace = wire, address, habits, pace
        self._clock = asyncio.get_running_loop().time
        self._throttle = Throttle(habits.rate, burst=habits.burst, pause_s=habits.pause_s, clock=self._clock)
        self._references = References(int(now()))
        self._assembly = Assembly(pace.assembly_s)
        self._arrivals: asyncio.Queue[Arrival | None] = asyncio.Queue()
        self._links: dict[Link, asyncio.Lock] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()  # a connection was made, or an attempt failed
        self._wanted = asyncio.Event()  # somebody wants to send over a wire that is closed when idle
        self._works: set[asyncio.Future[Submission]] = set()
        self._fault = ""
        self._is_idle = False
        self._is_closed = False

    @property
    def state(self) -> ChannelState:
        """Its connections, and why the last one ended."""
        in_flight = sum(link.in_flight for link in self._links)
        return ChannelState(
            links=len(self._links), in_flight=in_flight, window=self._pace.window * len(self._links),
            throttled=self._throttle.refusals, fault=self._fault, is_idle=self._is_idle and not self._links,
        )  # fmt: skip

    async def connect(self) -> None:
        """Begin to keep the connections; returns after the first attempt, whatever came of it."""
        if self._keepers or self._is_closed:
            return
        self._wanted.set()
        self._changed.clear()
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(self._habits.connections)]
        self._keepers.append(asyncio.create_task(self._give_up_assembling()))
        await self._changed.wait()

    async def close(self) -> None:
        """Say good-bye and end; `arrivals` ends too."""
        if self._is_closed:
            return
        self._is_closed, self._is_idle = True, False
        for link in list(self._links):
            await link.log_out()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._changed.set()
        self._arrivals.put_nowait(None)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """Reports, inbound messages and late answers, until `close`."""
        while (arrival := await self._arrivals.get()) is not None:
            yield arrival

    async def submit(self, sms: Sms) -> Submission:
        """Hand one SMS over, all its parts over one connection. If it is cancelled, what comes out arrives later."""
        work = asyncio.ensure_future(self._submit(sms))
        self._works.add(work)
        work.add_done_callback(self._works.discard)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(lambda done: self._tell_late(sms.msg_id, done))
            raise

    async def _submit(self, sms: Sms) -> Submission:
        parts = self._outgoing(sms)
        link = await self._link()
        if link is None:
            return Submission(parts=tuple(_unsent(part, self._fault or "no connection") for part in parts))
        sent: list[Sent | None] = []
        async with self._links.get(link, asyncio.Lock()):  # parts of one message stand side by side
            for part in parts:
                sent.append(await self._begin(link, part, _Tag(sms.msg_id, part.number)))  # noqa: PERF401 - in turn
        settled = [
            await self._settled(link, part, each, _Tag(sms.msg_id, part.number))
            for part, each in zip(parts, sent, strict=True)
        ]
        return Submission(parts=tuple(settled))

    def _tell_late(self, msg_id: str, done: asyncio.Future[Submission]) -> None:
        """Nobody waits for a submission any more: tell what its answers said with the other arrivals."""
        if not done.cancelled():
            for part in done.result().parts:
                if part.fate is not Fate.UNKNOWN:
                    self._arrive(LateAnswer(msg_id=msg_id, part=part))

    def _outgoing(self, sms: Sms) -> list[Outgoing]:
        texts = split(sms.text, self._habits.signature)
        total = len(texts)
        reference = self._references.next(sms.mobile) if total > 1 else 0
        return [
            Outgoing(
                mobile=sms.mobile, extension=sms.extension, content=content_of(text, reference, number, total),
                number=number, total=total, expires_at=sms.expires_at,
            )
            for number, text in enumerate(texts, 1)
        ]  # fmt: skip

    async def _link(self) -> Link | None:
        """The connection with the fewest parts under way, made if need be; None: there is none in time."""
        if not self._links:
            self._wanted.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._habits.wait_s):
                    await self._linked()
        return min(self._links, key=lambda link: link.in_flight, default=None)

    async def _linked(self) -> None:
        while not self._links and not self._is_closed:
            self._changed.clear()
            await self._changed.wait()

    async def _begin(self, link: Link, part: Outgoing, tag: _Tag) -> Sent | None:
        wait_s = self._throttle.reserve()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return await link.begin(part, tag)

    async def _settled(self, link: Link, part: Outgoing, sent: Sent | None, tag: _Tag) -> Part:
        """What became of a part; one for which there was no room is sent again, over the same connection."""
        busy = 0
        while sent is not None:
            answer = await sent.answer
            if answer is None:
                return Part(
                    number=part.number, fate=Fate.UNKNOWN, carrier_id=self._wire.carrier_id(sent.sequence),
                    reason=f"{self.name}: no answer",
                )  # fmt: skip
            if answer.verdict is not Verdict.BUSY:
                self._throttle.taken()
                return self._judged(part.number, answer)
            pause_s = self._throttle.busy()
            if busy == self._habits.busy_retries:
                return _unsent(part, f"{self.name}: no room (result {answer.code})", pause_s)
            busy += 1
            await asyncio.sleep(pause_s)
            sent = await self._begin(link, part, tag)
        return _unsent(part, "the connection ended before it left")

    def _judged(self, number: int, answer: SubmitAnswered) -> Part:
        reason = f"{self.name}: result {answer.code}"
        match answer.verdict:
            case Verdict.TAKEN:
                return Part(number=number, fate=Fate.TAKEN, carrier_id=answer.carrier_id)
            case Verdict.REFUSED | Verdict.FOREIGN:
                is_foreign = answer.verdict is Verdict.FOREIGN
                return Part(number=number, fate=Fate.REFUSED, reason=reason, is_foreign=is_foreign)
            case Verdict.LATER:
                return Part(number=number, fate=Fate.UNSENT, reason=reason, wish_s=_LATER_S)
            case Verdict.BUSY:
                return Part(number=number, fate=Fate.UNSENT, reason=reason)
            case _ as never:
                assert_never(never)

    async def _keep(self) -> None:
        """Keep one connection: make it, live with it, make it again, ever more slowly while that fails."""
        pace = self._pace
        delay_s = pace.first_delay_s
        while True:
            if not self._wire.stays_open:
                await self._wanted.wait()
            began = self._clock()
            try:
                await self._live()
            except LoginRefused as error:
                _log.error("carrier does not let us in: wire=%s reason=%s", self.name, masked(str(error)))
                self._fault, delay_s = masked(str(error)), pace.longest_delay_s
            except (LinkLost, OSError) as error:
                why = masked(str(error)) if isinstance(error, LinkLost) else type(error).__name__
                self._fault = "" if self._is_idle else why
                level = logging.INFO if self._is_idle else logging.WARNING
                _log.log(level, "carrier connection ended: wire=%s reason=%s", self.name, why)
            if self._clock() - began >= _SETTLED_S:
                delay_s = pace.first_delay_s
            self._changed.set()
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, pace.longest_delay_s)

    async def _live(self) -> None:
        """One connection from its making to its end; always raises."""
        self._is_idle = False
        async with asyncio.timeout(self._pace.connect_s):
            reader, writer = await asyncio.open_connection(*self._address)
        link = Link(self._wire, reader, writer, self._pace)
        try:
            if doubt := await link.log_in():
                _log.warning("odd gateway: wire=%s %s", self.name, doubt)
            self._links[link], self._fault = asyncio.Lock(), ""
            self._changed.set()
            await link.run(self.take, self._answered)
        finally:
            if self._links.pop(link, None) is not None:
                self._is_idle = not self._wire.stays_open and not link.in_flight
                if self._is_idle:  # else a connection is wanted at once: nobody may send while there is none
                    self._wanted.clear()
            link.abort()

    def take(self, link: "Answerer", event: Reported | Piece) -> None:
        """Take in what a gateway said over a connection, also over one that it made to us (SGIP)."""

        def accept() -> None:
            link.write_answer(event.answer)

        if isinstance(event, Piece):
            whole = self._assembly.take(event, self._clock())
            if whole is not None:
                self._arrive(whole, accept)
            else:
                accept()  # at once: many gateways send no further part before this one is answered
        elif event.report is not None:
            self._arrive(event.report, accept)
        else:
            accept()

    def _answered(self, tag: object, answer: SubmitAnswered) -> None:
        if isinstance(tag, _Tag):
            self._arrive(LateAnswer(msg_id=tag.msg_id, part=self._judged(tag.number, answer)))

    def _arrive(self, item: DeliveryReport | Inbound | LateAnswer, accept: Callable[[], None] = lambda: None) -> None:
        self._arrivals.put_nowait(Arrival(item, accept))

    async def _give_up_assembling(self) -> None:
        while True:
            await asyncio.sleep(self._pace.assembly_s / 2)
            for torso in self._assembly.overdue(self._clock()):
                self._arrive(torso)


def _unsent(part: Outgoing, reason: str, wish_s: float = 0.0) -> Part:
    return Part(number=part.number, fate=Fate.UNSENT, reason=reason, wish_s=wish_s)
