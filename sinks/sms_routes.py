"""SMS over several carriers: each number through its own, once more through another if that one does not know it.

One sink for the pipeline, with a road for each carrier. A road has room of its own and none while its carrier is
down: what is for it waits, the others run on. Reports settle what their submission left open.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import assert_never

from schemas.notice import Channel
from sinks.carriers import Carrier, CarrierBook
from sinks.routing import mobile_digits
from sinks.sink import (
    Delivered,
    Message,
    Outcome,
    OutcomeUnknown,
    Refused,
    Report,
    Result,
    RetryAfter,
    Unknown,
)
from sinks.sms import (
    Arrival,
    ChannelState,
    DeliveryReport,
    Fate,
    Inbound,
    LateAnswer,
    Part,
    Reports,
    Settled,
    Sms,
    SmsChannel,
    Submission,
    split,
)

_log = logging.getLogger(__name__)
OTHER = "other"
"""The road of numbers whose carrier has no account."""
_OVERDUE_MS = 3_600_000
"""A telephone that is on gets an SMS in seconds; after an hour somebody may want to know."""
_LONGEST_S = 180.0
"""A channel ends by itself: 5 s for a connection, 60 s for answers, 8 s for a carrier without room; all that twice."""


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote to one of our numbers, and who brought it."""

    road: str
    carrier_id: str
    """The carrier's name for it; empty where it has none (SMPP)."""
    mobile: str = field(repr=False)
    to: str
    text: str = field(repr=False)
    accept: Callable[[], None]
    """Tells the gateway that we have it; call it once it is durable. May be called twice."""


@dataclass(slots=True)
class _Road:
    name: str
    channel: SmsChannel
    reports: Reports = field(default_factory=Reports)
    submitted: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    early: dict[str, list[Callable[[], None]]] = field(default_factory=dict)
    """By number: what confirms reports that came before the answer that says what they are about."""

    def take_early(self, mobile: str) -> list[Callable[[], None]]:
        """Give what confirms them, once no answer is outstanding; they are confirmed with what they settled."""
        return [] if self.reports.is_under_way(mobile) else self.early.pop(mobile, [])


@dataclass(frozen=True, slots=True)
class RoadFigures:
    """What a road has done since the worker began, and how it is."""

    state: ChannelState
    submitted: Mapping[str, int]
    """SMS by `Fate`."""
    reported: Mapping[str, int]
    """Delivery reports by `Delivery`, repeats included."""
    overdue: int
    """SMS that left more than an hour ago, at most three days, and of which no final report has come."""


class SmsRoutes:
    """A `Sink` over the channels of several carriers. `open` it inside the running loop."""

    name = "sms-carriers"
    channel: Channel = "sms"
    timeout_s = _LONGEST_S

    def __init__(
        self, channels: Mapping[str, SmsChannel], book: CarrierBook, *, now: Callable[[], float] = time.time
    ) -> None:
        """`channels`: by carrier, or `OTHER`; not empty. A carrier that is not there goes over `OTHER`, else the first.

        `now`: epoch seconds.
        """
        self._roads = {name: _Road(name, channel) for name, channel in channels.items()}
        self._other = OTHER if OTHER in channels else next(iter(channels))
        self._book, self._now = book, now
        self._listeners: list[asyncio.Task[None]] = []
        self.on_report: Callable[[Report], None] = lambda _report: None
        self.on_inbound: Callable[[Written], None] | None = None
        """Takes what people write to us, and accepts it once it is durable. None: it stays with the carrier."""

    def figures(self) -> dict[str, RoadFigures]:
        """Give what every road has done; may be asked from another thread."""
        late = self._now_ms() - _OVERDUE_MS
        return {
            name: RoadFigures(
                road.channel.state, dict(road.submitted), dict(road.reported), road.reports.overdue(late)
            )
            for name, road in self._roads.items()
        }  # fmt: skip

    def open(self) -> None:
        """Begin to connect and to listen; waits for nothing."""
        self._listeners = [asyncio.create_task(self._listen(road)) for road in self._roads.values()]

    def road_of(self, address: str) -> str:
        """The road that a number takes at first."""
        choices = self._book.choices(address, self._now())
        return next((carrier.value for carrier in choices if carrier in self._roads), self._other)

    def roads_up(self) -> dict[str, bool]:
        """All roads, and whether something may leave over each now."""
        return {name: road.channel.state.is_up for name, road in self._roads.items()}

    async def send(self, message: Message) -> Result:
        """Hand one SMS to its carrier, and once to another if the number is not that one's."""
        first = self.road_of(message.address)
        submission, outcome = await self._submit(self._roads[first], message)
        if submission.is_foreign and (second := self._second(message.address, first)) is not None:
            _log.info("not this carrier's number: road=%s next=%s msg_id=%s", first, second, message.msg_id)
            submission, outcome = await self._submit(self._roads[second], message)
            if submission.fate is Fate.TAKEN and second != OTHER:
                self._book.learn(message.address, Carrier(second), self._now())
        if isinstance(outcome, Unknown):
            raise OutcomeUnknown(outcome.reason)
        return outcome

    def _second(self, mobile: str, first: str) -> str | None:
        """Another road that is up, the likeliest first; None: there is none."""
        likely = [carrier.value for carrier in self._book.choices(mobile, self._now())]
        up = self.roads_up()
        return next((name for name in [*likely, *up] if name != first and up.get(name)), None)

    async def _submit(self, road: _Road, message: Message) -> tuple[Submission, Outcome]:
        sms = Sms(msg_id=message.msg_id, mobile=message.address, text=message.text)
        submission = Submission(parts=tuple(_unanswered(number) for number, _ in enumerate(split(sms.text), 1)))
        road.reports.begin(sms.mobile)
        settled: list[Settled] = []
        try:
            submission = await road.channel.submit(sms)
        finally:  # cut off, too: it may have left
            settled = road.reports.submitted(sms.msg_id, sms.mobile, submission, self._now_ms())
            road.reports.expire(self._now_ms())
            road.submitted[submission.fate] += 1
            self._tell_early(road, sms.mobile, settled)
        own = (each.outcome for each in settled if each.msg_id == sms.msg_id)  # reports were faster than the answer
        return submission, _on_road(road, next(own, submission.outcome()))

    def _tell_early(self, road: _Road, mobile: str, settled: list[Settled]) -> None:
        """Tell what reports that waited for an answer have settled; they are confirmed once that is durable."""
        confirm = road.take_early(mobile)
        for each in settled[:-1]:
            self._tell(road, each, lambda: None)
        for last in settled[-1:]:
            self._tell(road, last, lambda: _call(confirm))
        if not settled:
            _call(confirm)

    def expect(self, message: Message, receipt: str, at: int) -> None:
        """Wait for reports on a message of before a restart; `receipt` may be empty, `at` is when it left, epoch ms."""
        name, _, ids = receipt.partition(":")
        road = self._roads.get(name) or self._roads[self.road_of(message.address)]
        parts = ids.split(",") if ids else [""] * len(split(message.text))
        for each in road.reports.expect(message.msg_id, message.address, parts, at):
            self._tell(road, each, lambda: None)

    async def _listen(self, road: _Road) -> None:
        await road.channel.connect()
        async for arrival in road.channel.arrivals():
            try:
                self._take(road, arrival)
            except Exception as error:  # noqa: BLE001 - a border: one odd report must not silence a carrier
                _log.error("an arrival was not understood: road=%s error=%s", road.name, type(error).__name__)

    def _take(self, road: _Road, arrival: Arrival) -> None:
        match arrival.item:
            case Inbound() as inbound:
                self._hand_in(road, inbound, arrival.accept)
                return
            case DeliveryReport() as report:
                road.reported[report.delivery] += 1
                if road.reports.is_early(report):
                    road.early.setdefault(report.mobile, []).append(arrival.accept)
                    road.reports.reported(report, self._now_ms())
                    return
                settled = road.reports.reported(report, self._now_ms()) or road.reports.again(report)
            case LateAnswer() as late:
                settled = road.reports.answered(late)
                if late.part.fate is Fate.REFUSED:
                    settled = [Settled(msg_id=late.msg_id, outcome=Refused(late.part.reason))]
            case _ as never:
                assert_never(never)
        for each in settled:
            self._tell(road, each, arrival.accept)
        if not settled:
            arrival.accept()

    def _hand_in(self, road: _Road, inbound: Inbound, accept: Callable[[], None]) -> None:
        if self.on_inbound is not None:
            mobile = mobile_digits(inbound.mobile) or inbound.mobile
            self.on_inbound(Written(road.name, inbound.carrier_id, mobile, inbound.to, inbound.text, accept))
        else:
            _log.warning("nobody takes in what people write; it stays with the carrier: road=%s", road.name)

    def _tell(self, road: _Road, settled: Settled, accept: Callable[[], None]) -> None:
        self.on_report(Report(msg_id=settled.msg_id, outcome=_on_road(road, settled.outcome), accept=accept))

    def _now_ms(self) -> int:
        return int(self._now() * 1000)

    async def close(self) -> None:
        """Close every channel; may be called twice."""
        for road in self._roads.values():
            await road.channel.close()
        for listener in self._listeners:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener


def _call(confirm: Iterable[Callable[[], None]]) -> None:
    for each in confirm:
        each()


def _unanswered(number: int) -> Part:
    return Part(number=number, fate=Fate.UNKNOWN, reason="cut off")


def _on_road(road: _Road, outcome: Outcome) -> Outcome:
    """The outcome with the carrier's name before its receipt or reason: whom to ask about it."""
    match outcome:
        case Delivered(receipt):
            return Delivered(f"{road.name}:{receipt}")
        case RetryAfter(seconds, reason):
            return RetryAfter(seconds, f"{road.name}: {reason}")
        case Refused(reason):
            return Refused(f"{road.name}: {reason}")
        case Unknown(reason):
            return Unknown(f"{road.name}: {reason}")
        case _ as never:
            assert_never(never)
