"""SMS over three carriers at once: whose road a number takes, and what a refusal, a fault and a report change."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bench.server_process import free_ports
from bench.sms_face import Said
from bench.sms_gateway import Gateway, Reaction
from schemas.notice import Recipient
from sinks import OutboxPolicy, Senders, build_routes
from sinks.outbox import Outbox
from sinks.outbox_rows import State
from sinks.pipeline import Changes, Pipeline
from sinks.sms_routes import SmsRoutes, Written
from stagewatch.receivers import SmsReceiver
from tests.helpers.notices import NOW, notice
from tests.helpers.sms_gateways import FACES, account_url, soon
from tests.helpers.sms_sentences import ACCESS

PROTOCOLS = {"mobile": "cmpp2", "unicom": "sgip", "telecom": "smgp"}
NUMBERS = {"mobile": "13800000001", "unicom": "13000000001", "telecom": "18900000001"}
FOREIGN = {"mobile": 9, "unicom": 6}
"""Results that say: not our subscriber (CMPP 2.0; SGIP 1.2)."""
PATIENCE_S = 10.0


class Office:
    """A partition's outbox behind routes to three stand-ins; `changelog` is what would survive."""

    def __init__(self, routes: SmsRoutes, changelog: dict[str, bytes] | None = None) -> None:
        self.routes = routes
        self.senders = Senders({"sms": routes}, concurrency=4)
        self.outbox = Outbox(OutboxPolicy(channels=frozenset({"sms"})), lane_of=self.senders.lane_of)
        self.changelog = dict(changelog or {})
        self.now = NOW
        for key, data in self.changelog.items():
            self.outbox.load(key, data)
        self.pipeline = Pipeline(self.outbox, self.senders, record=lambda _rows: None)
        self.pipeline.recover(self.now)

    async def commit(self, changes: Changes) -> None:
        self.changelog |= {key: data for key, data in changes if data is not None}

    def add(self, alert: str, mobile: str) -> str:
        each = notice(alert, recipient=Recipient(no=alert, mobile=mobile))
        self.pipeline.offer([each], self.now)
        return each.key

    async def until(self, *keys: str, state: State = State.DELIVERED) -> None:
        """Turn until these notices are in a state."""
        async with asyncio.timeout(PATIENCE_S):
            while any(self.outbox.state_of(key) is not state for key in keys):
                await self.pipeline.pump(self.now, self.commit)
                await asyncio.sleep(0.005)  # what is waited for may be a road that comes up, of which nothing tells


async def routes_to(gateways: dict[str, Gateway]) -> SmsRoutes:
    """Routes to these gateways, up."""
    routes = build_routes({name: account_url(PROTOCOLS[name], each.port) for name, each in gateways.items()}, None)
    await soon(lambda: all(routes.roads_up().values()))
    return routes


@asynccontextmanager
async def three() -> AsyncIterator[tuple[dict[str, Gateway], SmsRoutes]]:
    """Three gateways and the routes to them, up."""
    gateways = {name: Gateway(FACES[protocol]()) for name, protocol in PROTOCOLS.items()}
    for gateway in gateways.values():
        await gateway.__aenter__()
    routes = await routes_to(gateways)
    try:
        yield gateways, routes
    finally:
        await routes.close()
        for gateway in gateways.values():
            await gateway.__aexit__()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def phones(gateway: Gateway) -> list[str]:
    return [said.mobile.removeprefix("86") for said in gateway.phones]


def refuses(code: int) -> Any:
    return lambda _said: Reaction(result=code, is_taken=False, report=None)


def test_numbers_of_three_carriers_use_their_own_roads() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            office = Office(routes)
            keys = {name: office.add(name, mobile) for name, mobile in NUMBERS.items()}
            await office.until(*keys.values())
            assert {name: phones(gateway) for name, gateway in gateways.items()} == {
                name: [mobile] for name, mobile in NUMBERS.items()
            }
            for name, key in keys.items():
                row = office.outbox.notification(key)
                assert row is not None
                assert row.receipt.startswith(f"{name}:")

    run(scenario())


def test_a_carrier_that_is_down_holds_its_own_messages_and_nobody_elses() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            office = Office(routes)
            await gateways["mobile"].__aexit__()
            await soon(lambda: not routes.roads_up()["mobile"])
            held = [office.add(f"m{n}", f"1380000000{n}") for n in range(9)]
            sent = [office.add(f"t{n}", f"1890000000{n}") for n in range(9)]
            await office.until(*sent)
            assert {office.outbox.state_of(key) for key in held} == {State.QUEUED}
            assert not office.pipeline.is_due(office.now)
            await gateways["mobile"].__aenter__()
            await office.until(*held)
            assert len(phones(gateways["mobile"])) == 9

    run(scenario())


def test_a_carrier_that_holds_still_takes_no_room_from_the_others() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            office = Office(routes)
            gateways["mobile"].holds = True
            held = [office.add(f"m{n}", f"1380000000{n}") for n in range(9)]
            sent = [office.add(f"t{n}", f"1890000000{n}") for n in range(9)]
            await office.until(*sent)
            assert sorted(str(office.outbox.state_of(key)) for key in held) == ["queued"] * 5 + ["sending"] * 4
            gateways["mobile"].holds = False
            gateways["mobile"].release()
            await office.until(*held)

    run(scenario())


def test_a_foreign_number_goes_once_through_another_carrier_which_is_remembered() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            office = Office(routes)
            gateways["mobile"].react = refuses(FOREIGN["mobile"])
            await office.until(office.add("a1", NUMBERS["mobile"]))
            assert phones(gateways["unicom"]) == [NUMBERS["mobile"]]
            await office.until(office.add("a2", NUMBERS["mobile"]))
            assert len(gateways["mobile"].submissions) == 1

    run(scenario())


def test_a_number_that_two_carriers_disown_is_refused() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            office = Office(routes)
            gateways["mobile"].react = refuses(FOREIGN["mobile"])
            gateways["unicom"].react = refuses(FOREIGN["unicom"])
            await office.until(office.add("a1", NUMBERS["mobile"]), state=State.REFUSED)
            assert not phones(gateways["telecom"])

    run(scenario())


def test_a_plain_refusal_is_not_tried_elsewhere() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            office = Office(routes)
            gateways["mobile"].react = refuses(gateways["mobile"].face.refused)
            await office.until(office.add("a1", NUMBERS["mobile"]), state=State.REFUSED)
            assert not gateways["unicom"].submissions

    run(scenario())


def test_a_report_settles_what_was_unknown_and_is_accepted_only_after_the_commit() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            office = Office(routes)
            unicom = gateways["unicom"]  # SGIP: its names for messages are ours, so a report finds any
            unicom.react = lambda _said: Reaction(dies="before", report=None)
            key = office.add("a1", NUMBERS["unicom"])
            await office.until(key, state=State.UNKNOWN)
            unicom.react = lambda _said: Reaction()
            await office.until(office.add("a2", "13000000002"))
            said: Said = unicom.submissions[0]
            before = unicom.accepted
            unicom.say(unicom.face.report(unicom.face.carrier_id(said, 1), said.mobile, "DELIVRD"))
            await soon(lambda: office.pipeline.is_due(office.now))
            assert unicom.accepted == before
            await office.until(key)
            await unicom.until(lambda: unicom.accepted == before + 1)

    run(scenario())


async def taken_and_closed(mobile: Gateway, routes: SmsRoutes) -> tuple[Office, str]:
    """Give an office that has sent an SMS, heard nothing of what became of it, and closed; and the notice's key."""
    mobile.react = lambda _said: Reaction(report=None)
    office = Office(routes)
    key = office.add("a1", NUMBERS["mobile"])
    await office.until(key)
    await office.pipeline.pump(office.now, office.commit)
    office.pipeline.close()
    await routes.close()
    return office, key


def test_a_report_that_a_message_did_not_arrive_is_believed_after_a_restart() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            mobile = gateways["mobile"]
            office, key = await taken_and_closed(mobile, routes)
            heir = Office(await routes_to(gateways), office.changelog)
            mobile.say(
                mobile.face.report(mobile.face.carrier_id(mobile.submissions[0], 1), NUMBERS["mobile"], "UNDELIV")
            )
            await heir.until(key, state=State.REFUSED)
            row = heir.outbox.notification(key)
            assert row is not None
            assert row.reason == "mobile: delivery report: UNDELIV"
            await heir.routes.close()

    run(scenario())


def test_a_carrier_without_an_account_goes_over_the_other_road() -> None:
    async def scenario() -> None:
        routes = build_routes({"unicom": "console"}, "console")
        try:
            assert routes.road_of(NUMBERS["unicom"]) == "unicom"
            assert routes.road_of("19200000001") == "other"
            assert build_routes({"unicom": "console:"}, None).road_of("19200000001") == "unicom"
        finally:
            await routes.close()

    run(scenario())


async def is_visited(gateway: Gateway) -> None:
    await gateway.until(lambda: bool(gateway.visits))


async def has_confirmed(gateway: Gateway) -> None:
    await gateway.until(lambda: gateway.accepted == 1)


def test_what_people_write_is_handed_in_with_its_road_and_confirmed_only_once_it_is_accepted() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            came: list[Written] = []
            routes.on_inbound = came.append
            for number, (name, mobile) in enumerate(NUMBERS.items(), 1):
                gateway, content = gateways[name], "投诉".encode("utf-16-be")
                await is_visited(gateway)
                gateway.say(gateway.face.inbound(mobile, ACCESS, content, has_header=False, number=number))
            await soon(lambda: len(came) == len(NUMBERS))
            found = {each.road: (each.mobile, each.to, each.text, bool(each.carrier_id)) for each in came}
            assert found == {name: (mobile, ACCESS, "投诉", True) for name, mobile in NUMBERS.items()}
            assert [gateway.accepted for gateway in gateways.values()] == [0, 0, 0]
            for each in came:
                each.accept()
            for gateway in gateways.values():
                await has_confirmed(gateway)

    run(scenario())


def test_what_each_road_did_is_counted_and_what_nobody_reported_on_is_overdue_after_an_hour() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            gateways["mobile"].react = lambda _said: Reaction(report=None)
            gateways["unicom"].react = refuses(5)
            office = Office(routes)
            keys = [office.add(name, NUMBERS[name]) for name in ("mobile", "telecom")]
            await office.until(*keys)
            await office.until(office.add("unicom", NUMBERS["unicom"]), state=State.REFUSED)
            await soon(lambda: routes.figures()["telecom"].reported == {"delivered": 1})
            figures = routes.figures()
            assert {name: each.submitted for name, each in figures.items()} == {
                "mobile": {"taken": 1}, "unicom": {"refused": 1}, "telecom": {"taken": 1},
            }  # fmt: skip
            assert {each.state.window for each in figures.values()} == {16}
            assert [each.overdue for each in figures.values()] == [0, 0, 0]
            routes._now = lambda: time.time() + 3_700  # noqa: SLF001 - the clock it was given
            assert {name: each.overdue for name, each in routes.figures().items()} == {
                "mobile": 1, "unicom": 0, "telecom": 0,
            }  # fmt: skip

    run(scenario())


def test_a_report_that_comes_before_the_outbox_is_read_after_a_restart_is_not_lost() -> None:
    async def scenario() -> None:
        async with three() as (gateways, routes):
            mobile = gateways["mobile"]
            office, key = await taken_and_closed(mobile, routes)
            again = await routes_to(gateways)
            report = mobile.face.report(mobile.face.carrier_id(mobile.submissions[0], 1), NUMBERS["mobile"], "UNDELIV")
            mobile.say(report)
            await soon(lambda: bool(again.figures()["mobile"].reported))
            heir = Office(again, office.changelog)
            await heir.until(key, state=State.REFUSED)
            await again.close()

    run(scenario())


def test_over_an_http_gateway_texts_are_confirmed_once_accepted_and_a_report_settles_a_message() -> None:
    async def scenario(receiver: SmsReceiver) -> None:
        url = f"{receiver.url.replace('://', '://gw:hunter2@')}#listen=127.0.0.1:{free_ports(1)[0]}"
        routes = build_routes({}, url)
        came: list[Written] = []
        routes.on_inbound = came.append
        office = Office(routes)
        key = office.add("a1", NUMBERS["mobile"])
        await office.until(key)
        (sent,) = receiver.received
        headers = {"Authorization": f"Basic {base64.b64encode(b'gw:hunter2').decode()}"}
        async with aiohttp.ClientSession(f"http://{url.rpartition('=')[2]}", headers=headers) as session:
            said = {"id": "a-1", "mobile": NUMBERS["unicom"], "text": "投诉"}
            asked = asyncio.ensure_future(session.post("/inbound", json=said))
            await soon(lambda: bool(came))
            assert not asked.done()
            came[0].accept()
            assert (await asked).status == 202
            assert (came[0].road, came[0].carrier_id, came[0].text) == ("other", "a-1", "投诉")
            reported = session.post("/reports", json={"msg_id": sent.msg_id, "status": "UNDELIV"})
            told = asyncio.ensure_future(reported)
            await soon(lambda: office.pipeline.is_due(office.now))
            assert not told.done()  # not before it is committed
            await office.until(key, state=State.REFUSED)
            assert (await told).status == 202
        await routes.close()

    with SmsReceiver() as receiver:
        asyncio.run(scenario(receiver))
