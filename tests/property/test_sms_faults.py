"""Whatever gateways do: every message has one fate, no phone gets anything twice, and reports tell the truth."""

import asyncio
import time
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.server_process import HOST
from bench.sms_gateway import Gateway
from sinks import Delivered
from sinks.sms import Arrival, DeliveryReport, Fate, LateAnswer, Reports, Settled, Sms
from sinks.sms.carrier import CarrierChannel, Habits
from sinks.sms.link import Pace
from tests.helpers.sms_gateways import FACES, WIRES, Misfortunes, put_together

PACE = Pace(answer_s=0.05, idle_s=0.02, heartbeats=2, first_delay_s=0.001, longest_delay_s=0.002)
HABITS = Habits(connections=2, pause_s=0.001, busy_retries=2, wait_s=2)
ATTEMPTS = 3
MESSAGES = 24
TEXTS = ("短", "字" * 100, "字" * 200)


class World:
    """A channel and what an outbox keeps of it."""

    def __init__(self, protocol: str, gateway: Gateway) -> None:
        address = (HOST, gateway.port)
        self.channel = CarrierChannel(WIRES[protocol](), address, habits=HABITS, pace=PACE, now=time.time)
        self.reports = Reports()
        self.fates: dict[str, Fate] = {}
        self.delivered: Counter[str] = Counter()

    async def tell(self, sms: Sms) -> None:
        """Claim a message, and send it again only if the carrier certainly has not taken it."""
        for _ in range(ATTEMPTS):
            self.reports.begin(sms.mobile)
            submission = await self.channel.submit(sms)
            self._note(self.reports.submitted(sms.msg_id, sms.mobile, submission, NOW))
            self.fates[sms.msg_id] = submission.fate
            if submission.fate is not Fate.UNSENT:
                return

    def _note(self, settled: list[Settled]) -> None:
        self.delivered.update(each.msg_id for each in settled if isinstance(each.outcome, Delivered))

    async def listen(self) -> None:
        async for arrival in self.channel.arrivals():
            self._take(arrival)

    def _take(self, arrival: Arrival) -> None:
        match arrival.item:
            case DeliveryReport():
                self._note(self.reports.reported(arrival.item, NOW))
            case LateAnswer():
                self._note(self.reports.answered(arrival.item))
            case _:
                raise AssertionError("nobody wrote to us")
        arrival.accept()


NOW = 1_772_415_000_000
"""The gateway's own time in reports."""


async def lived(protocol: str, seed: int, share: float) -> tuple[World, Gateway]:
    """A day of a channel in which a share of what is submitted goes wrong."""
    face = FACES[protocol]()
    async with Gateway(face, react=Misfortunes(seed, face, share)) as gateway:
        world = World(protocol, gateway)
        await world.channel.connect()
        ear = asyncio.ensure_future(world.listen())
        messages = [Sms(msg_id=f"m{n}", mobile=f"138{n:08}", text=TEXTS[n % len(TEXTS)]) for n in range(MESSAGES)]
        await asyncio.gather(*map(world.tell, messages))
        await world.channel.close()
        await ear
        return world, gateway


@settings(max_examples=25)
@given(st.sampled_from(sorted(FACES)), st.integers(0, 2**32), st.sampled_from((0.02, 0.1, 0.5)))
def test_sent_and_unknown_and_refused_and_unsent_are_what_was_claimed_and_nobody_is_told_twice(
    protocol: str, seed: int, share: float
) -> None:
    world, gateway = asyncio.run(lived(protocol, seed, share))
    fates = Counter(world.fates.values())
    assert fates[Fate.TAKEN] + fates[Fate.UNKNOWN] + fates[Fate.REFUSED] + fates[Fate.UNSENT] == MESSAGES
    told = Counter((said.mobile, said.place[2]) for said in gateway.phones)
    assert set(told.values()) <= {1}
    whole = {taken.mobile for taken in put_together(gateway.phones)}
    for number in range(MESSAGES):
        msg_id, mobile = f"m{number}", f"138{number:08}"
        if world.fates[msg_id] is Fate.UNSENT:
            assert not any(to == mobile for to, _ in told)
        if world.delivered[msg_id]:
            assert world.delivered[msg_id] == 1
            assert mobile in whole
