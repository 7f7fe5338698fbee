"""Three carriers in memory, for `bench sms --simulated`: what a network does to short messages in a year, drawn by lot.

They outlive the worker, which dies now and then: what they took stays taken, and a report that nobody confirmed comes
again. No wire, no window, no rate: those are measured over TCP (`bench.sms`).
"""

import asyncio
import heapq
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from enum import StrEnum
from itertools import accumulate, count

from sinks.sms import (
    Arrival,
    ChannelState,
    Delivery,
    DeliveryReport,
    Fate,
    LateAnswer,
    Part,
    Sms,
    Submission,
    split,
)

CARRIERS = {"mobile": 138, "unicom": 130, "telecom": 133}
"""China's three, each with one of its prefixes."""
PORTED = 50
"""Each so many-th number has moved to another carrier, which only a refusal tells."""
NUMBER = re.compile(r"(?<!\d)\d{8}(?!\d)")
"""What texts call notices by."""
_MINUTE_MS = 60_000
_REPORTED_MS = (5_000, 120_000, 7_200_000, 200_000_000)
"""How long a report takes: seconds as a rule, and up to two days and a half."""


class Luck(StrEnum):
    """What befalls one SMS."""

    GOOD = "good"
    EARLY = "early"
    """Its report is faster than the answer."""
    TWICE = "twice"
    """It is reported twice."""
    SILENT = "silent"
    """It arrives, and is never reported."""
    UNDELIVERED = "undelivered"
    NO_ANSWER = "no answer"
    """It is taken and reported; only the answer is lost."""
    LATE_ANSWER = "late answer"
    NO_WORD = "no word"
    """It is taken; neither answered nor reported."""
    NOT_TAKEN = "not taken"
    """Neither taken nor answered."""
    BUSY = "busy"
    REFUSED = "refused"


ODDS = {
    Luck.GOOD: 950, Luck.EARLY: 6, Luck.TWICE: 5, Luck.SILENT: 5, Luck.UNDELIVERED: 5, Luck.NO_ANSWER: 5,
    Luck.LATE_ANSWER: 4, Luck.NO_WORD: 3, Luck.NOT_TAKEN: 4, Luck.BUSY: 10, Luck.REFUSED: 3,
}  # fmt: skip
"""Of a thousand; faults are far more frequent than with real carriers."""
_LUCK, _WEIGHTS = list(ODDS), list(accumulate(ODDS.values()))
_TAKEN = frozenset(Luck) - {Luck.UNDELIVERED, Luck.NOT_TAKEN, Luck.BUSY, Luck.REFUSED}
_REPORTED = _TAKEN - {Luck.SILENT, Luck.NO_WORD} | {Luck.UNDELIVERED}
_ANSWERED = frozenset(Luck) - {Luck.NO_ANSWER, Luck.LATE_ANSWER, Luck.NO_WORD, Luck.NOT_TAKEN}


def owner_of(mobile: str) -> str:
    """Give the carrier that a number really belongs to."""
    names = list(CARRIERS)
    at = next(n for n, prefix in enumerate(CARRIERS.values()) if mobile.startswith(str(prefix)))
    return names[(at + (int(mobile) % PORTED == 0)) % len(names)]


class Network:
    """The carriers and the phones. `now` is virtual, epoch ms."""

    def __init__(self, events: int, now: int, *, seed: int) -> None:
        self.now = now
        self.got = bytearray(events)
        """How often a phone was told of each notice."""
        self.drawn: Counter[Luck] = Counter()
        self.messages = self.parts = self.foreign = 0
        self.dies_sending = False
        """The worker is about to die: what is submitted is taken or not, and never answered."""
        self.channels: dict[str, MemoryChannel] = {}
        self.rng = random.Random(seed)
        self._due: list[tuple[int, int, str, DeliveryReport]] = []
        self._unconfirmed: dict[int, tuple[str, DeliveryReport]] = {}
        self._serial = count(1)

    def connect(self) -> "dict[str, MemoryChannel]":
        """Give a worker its channels; what the last one did not confirm comes again."""
        self.dies_sending = False
        self.channels = {name: MemoryChannel(name, self) for name in CARRIERS}
        for serial, (name, report) in self._unconfirmed.items():
            self._hand_over(serial, name, report)
        return self.channels

    def pass_time(self, now: int) -> None:
        """Let the time come to `now`: what is due by then is reported."""
        self.now = now
        while self._due and self._due[0][0] <= now:
            _at, serial, name, report = heapq.heappop(self._due)
            self._hand_over(serial, name, report)

    @property
    def reports_left(self) -> int:
        """Reports that are still to come, or to be confirmed."""
        return len(self._due) + len(self._unconfirmed)

    def draw(self) -> Luck:
        """Give what befalls the next SMS."""
        luck = self.rng.choices(_LUCK, cum_weights=_WEIGHTS)[0]
        self.drawn[luck] += 1
        return luck

    def next_id(self) -> str:
        """Give a carrier's name for a part."""
        return f"{next(self._serial):016x}"

    def take(self, sms: Sms) -> None:
        """Deliver it: the phone shows it."""
        self.messages += 1
        for number in NUMBER.findall(sms.text):
            self.got[int(number)] += 1

    def report(self, name: str, report: DeliveryReport, luck: Luck) -> None:
        """Report on a part: at once, or some time later."""
        if luck is Luck.EARLY:
            self._hand_over(next(self._serial), name, report)
            return
        least, most = _REPORTED_MS[:2] if self.rng.random() < 0.99 else _REPORTED_MS[2:]  # noqa: PLR2004
        for _ in range(2 if luck is Luck.TWICE else 1):
            at = self.now + self.rng.randrange(least, most)
            heapq.heappush(self._due, (at, next(self._serial), name, report))

    def _hand_over(self, serial: int, name: str, report: DeliveryReport) -> None:
        self._unconfirmed[serial] = (name, report)

        def confirm() -> None:
            self._unconfirmed.pop(serial, None)

        self.channels[name].arrive(Arrival(report, confirm))


class MemoryChannel:
    """An `SmsChannel` to one of the carriers, for one life of the worker."""

    state = ChannelState(links=1, in_flight=0)

    def __init__(self, name: str, network: Network) -> None:
        self.name, self._network = name, network
        self._arrivals: asyncio.Queue[Arrival | None] = asyncio.Queue()

    async def connect(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """End `arrivals`."""
        self._arrivals.put_nowait(None)

    def arrive(self, arrival: Arrival) -> None:
        """Let something come from the carrier."""
        self._arrivals.put_nowait(arrival)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """Reports and late answers, until `close`."""
        while (arrival := await self._arrivals.get()) is not None:
            yield arrival

    async def submit(self, sms: Sms) -> Submission:
        """Take an SMS or not, by lot; part by part as it would leave."""
        network, total = self._network, len(split(sms.text))
        network.parts += total
        if owner_of(sms.mobile) != self.name:
            network.foreign += 1
            return _all(total, Fate.REFUSED, is_foreign=True)
        luck = network.draw()
        if luck in {Luck.BUSY, Luck.REFUSED}:
            return _all(total, Fate.UNSENT if luck is Luck.BUSY else Fate.REFUSED)
        ids = [network.next_id() for _ in range(total)]
        if luck in _TAKEN:
            network.take(sms)
        for carrier_id in ids if luck in _REPORTED else ():
            network.report(self.name, self._reported(sms, carrier_id, luck), luck)
        if network.dies_sending:
            await asyncio.Event().wait()
        await asyncio.sleep(0)  # which lets an early report be heard before the answer
        if luck in _ANSWERED:
            return Submission(parts=_taken(ids))
        for part in _taken(ids) if luck is Luck.LATE_ANSWER else ():
            self.arrive(Arrival(LateAnswer(msg_id=sms.msg_id, part=part), lambda: None))
        return _all(total, Fate.UNKNOWN)

    def _reported(self, sms: Sms, carrier_id: str, luck: Luck) -> DeliveryReport:
        failed = luck is Luck.UNDELIVERED
        return DeliveryReport(
            carrier_id=carrier_id, mobile=sms.mobile, delivery=Delivery.FAILED if failed else Delivery.DELIVERED,
            stat="UNDELIV" if failed else "DELIVRD", submitted_at=self._network.now // _MINUTE_MS * _MINUTE_MS,
        )  # fmt: skip


def _all(total: int, fate: Fate, *, is_foreign: bool = False) -> Submission:
    parts = (Part(number=n, fate=fate, reason="by lot", is_foreign=is_foreign) for n in range(1, total + 1))
    return Submission(parts=tuple(parts))


def _taken(ids: list[str]) -> tuple[Part, ...]:
    return tuple(Part(number=n, fate=Fate.TAKEN, carrier_id=name) for n, name in enumerate(ids, 1))
