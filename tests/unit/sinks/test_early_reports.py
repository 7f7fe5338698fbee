"""Reports that come while nothing is durable yet: before the answer, and again before the commit."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from schemas.notice import Recipient
from sinks import OutboxPolicy, Senders
from sinks.carriers import CarrierBook
from sinks.outbox import Outbox
from sinks.outbox_rows import State
from sinks.pipeline import Changes, Pipeline
from sinks.sms import Arrival, ChannelState, Delivery, DeliveryReport, Fate, LateAnswer, Part, Sms, Submission
from sinks.sms_routes import SmsRoutes
from tests.helpers.notices import NOW, notice

MOBILE = "13800000001"


class Carrier:
    """A channel that answers when it is told to."""

    name = "told"
    state = ChannelState(links=1, in_flight=0)

    def __init__(self) -> None:
        self.submitted = asyncio.Event()
        self.answer: asyncio.Future[Submission] = asyncio.get_running_loop().create_future()
        self.arrived: asyncio.Queue[Arrival | None] = asyncio.Queue()
        self.accepted = 0

    async def connect(self) -> None: ...

    async def close(self) -> None:
        self.arrived.put_nowait(None)

    async def submit(self, sms: Sms) -> Submission:
        self.submitted.set()
        return await self.answer

    async def arrivals(self) -> AsyncIterator[Arrival]:
        while (arrival := await self.arrived.get()) is not None:
            yield arrival

    def answers(self, fate: Fate, carrier_id: str = "") -> None:
        self.answer.set_result(Submission(parts=(Part(number=1, fate=fate, carrier_id=carrier_id),)))

    async def says(self, item: DeliveryReport | LateAnswer) -> None:
        def accept() -> None:
            self.accepted += 1

        self.arrived.put_nowait(Arrival(item, accept))
        for _ in range(3):
            await asyncio.sleep(0)


def delivered() -> DeliveryReport:
    return DeliveryReport(carrier_id="c1", mobile=MOBILE, delivery=Delivery.DELIVERED, stat="DELIVRD", submitted_at=NOW)


class Desk:
    """A partition's outbox over that carrier, its commits made by hand."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.routes = SmsRoutes({"other": carrier}, CarrierBook({}), now=lambda: NOW / 1000)
        self.routes.open()
        senders = Senders({"sms": self.routes})
        self.outbox = Outbox(OutboxPolicy(channels=frozenset({"sms"})), lane_of=senders.lane_of)
        self.pipeline = Pipeline(self.outbox, senders, record=lambda _rows: None)
        self.pipeline.recover(NOW)
        each = notice(recipient=Recipient(no="M1", mobile=MOBILE))
        self.pipeline.offer([each], NOW)
        self.key = each.key

    async def pump(self) -> None:
        await self.pipeline.pump(NOW, _commit)
        for _ in range(5):
            await asyncio.sleep(0)

    async def begun(self) -> None:
        await self.pump()
        await self.carrier.submitted.wait()


async def _commit(changes: Changes) -> None: ...


def run(scenario: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        desk = Desk(Carrier())
        await desk.begun()
        await scenario(desk)
        await desk.routes.close()

    asyncio.run(whole())


def test_a_report_that_is_faster_than_the_answer_is_accepted_once_what_it_settled_is_durable() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.carrier.says(delivered())
        await desk.pump()
        assert desk.carrier.accepted == 0
        desk.carrier.answers(Fate.TAKEN, "c1")
        while desk.outbox.state_of(desk.key) is not State.DELIVERED:
            await asyncio.sleep(0)
            desk.pipeline.turn(NOW)
            assert desk.carrier.accepted == 0
        while not desk.carrier.accepted:
            await desk.pump()

    run(scenario)


def test_a_report_that_comes_again_before_the_first_is_durable_is_accepted_with_it() -> None:
    async def scenario(desk: Desk) -> None:
        desk.carrier.answers(Fate.UNKNOWN)
        while desk.outbox.state_of(desk.key) is not State.UNKNOWN:
            await desk.pump()
        await desk.carrier.says(delivered())
        desk.pipeline.turn(NOW)
        await desk.carrier.says(delivered())
        desk.pipeline.turn(NOW)
        assert (desk.outbox.state_of(desk.key), desk.carrier.accepted) == (State.DELIVERED, 0)
        desk.pipeline.take()
        await desk.carrier.says(delivered())
        desk.pipeline.turn(NOW)  # while the commit is under way
        assert desk.carrier.accepted == 0
        desk.pipeline.committed()
        assert desk.carrier.accepted == 3
        await desk.carrier.says(delivered())
        desk.pipeline.turn(NOW)
        assert desk.carrier.accepted == 4

    run(scenario)


def test_an_unknown_message_that_surely_did_not_leave_is_tried_again() -> None:
    async def scenario(desk: Desk) -> None:
        desk.carrier.answers(Fate.UNKNOWN)
        while desk.outbox.state_of(desk.key) is not State.UNKNOWN:
            await desk.pump()
        (message, *_), *_ = desk.outbox.sent_since(0, {"sms"})
        part = Part(number=1, fate=Fate.UNSENT, reason="no connection")
        await desk.carrier.says(LateAnswer(msg_id=message.msg_id, part=part))
        desk.pipeline.turn(NOW)
        assert desk.outbox.state_of(desk.key) is State.RETRY

    run(scenario)
