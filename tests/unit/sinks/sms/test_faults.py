"""The session engine when gateways misbehave: what is sent again, what never is, and what a channel says of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from bench.server_process import HOST
from bench.sms_face import Face
from bench.sms_faces import CmppFace
from bench.sms_gateway import Gateway, Reaction
from sinks import RetryAfter, Unknown
from sinks.sms import Arrival, DeliveryReport, Fate, Inbound, LateAnswer
from sinks.sms.carrier import CarrierChannel, Habits
from sinks.sms.cmpp import Cmpp, CmppAccount
from sinks.sms.link import Pace
from sinks.sms.sgip import Sgip, SgipAccount
from tests.helpers.sms_gateways import FACES, WIRES, account_url, soon
from tests.helpers.sms_sentences import ACCESS, LONG, SECRET, arrivals, connected, sms

QUICK = Pace(
    answer_s=0.1, idle_s=0.05, heartbeats=2, connect_s=1, first_delay_s=0.01, longest_delay_s=0.02, assembly_s=0.1
)
"""The times of a session, a thousand times faster than a carrier's."""
PATIENT = Pace(answer_s=5, idle_s=5, first_delay_s=0.01, longest_delay_s=0.02)
"""For tests in which no time may run out."""
HABITS = Habits(wait_s=1, pause_s=0.01)
TWO = replace(HABITS, connections=2)


def channel_to(gateway: Gateway, pace: Pace = PATIENT, habits: Habits = HABITS) -> CarrierChannel:
    account = CmppAccount(sp_id="901234", secret=SECRET, access_number=ACCESS)
    wire = Cmpp(account, now=time.time)
    return CarrierChannel(wire, (HOST, gateway.port), habits=habits, pace=pace, now=time.time)


@asynccontextmanager
async def scene(
    reactions: Iterable[Reaction] = (), pace: Pace = PATIENT, *, face: Face | None = None, habits: Habits = HABITS
) -> AsyncIterator[tuple[Gateway, CarrierChannel]]:
    """A gateway that reacts as told, one after the other, then well; and a channel that is up."""
    told = iter(reactions)
    async with Gateway(face or CmppFace(2), react=lambda _said: next(told, Reaction())) as gateway:
        channel = channel_to(gateway, pace, habits)
        await channel.connect()
        try:
            yield gateway, channel
        finally:
            await channel.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await story()

    asyncio.run(bounded())


def test_a_part_for_which_there_was_no_room_is_sent_again_until_it_is_taken() -> None:
    async def story() -> None:
        busy = Reaction(result=8, is_taken=False, report=None)
        async with scene([busy, busy]) as (gateway, channel):
            assert (await channel.submit(sms())).fate is Fate.TAKEN
            assert (len(gateway.submissions), len(gateway.phones)) == (3, 1)

    run(story)


def test_a_carrier_that_never_has_room_is_left_alone_and_the_outbox_told_when_to_come_again() -> None:
    async def story() -> None:
        busy = Reaction(result=8, is_taken=False, report=None)
        async with scene([busy] * 9, habits=replace(HABITS, busy_retries=1)) as (gateway, channel):
            outcome = (await channel.submit(sms())).outcome()
            assert isinstance(outcome, RetryAfter)
            assert outcome.seconds > 0
            assert len(gateway.submissions) == 2

    run(story)


@pytest.mark.parametrize(("code", "is_foreign"), [(6, False), (9, True), (13, True)])
def test_a_refused_part_is_not_sent_again_and_says_whether_another_carrier_may_take_it(
    code: int,
    is_foreign: bool,  # noqa: FBT001 - a case
) -> None:
    async def story() -> None:
        async with scene([Reaction(result=code, is_taken=False, report=None)]) as (gateway, channel):
            submission = await channel.submit(sms())
            assert (submission.fate, submission.is_foreign) == (Fate.REFUSED, is_foreign)
            assert len(gateway.submissions) == 1

    run(story)


def test_a_part_that_is_not_answered_in_time_is_unknown_and_never_sent_again() -> None:
    async def story() -> None:
        async with scene([Reaction(result=None)], QUICK) as (gateway, channel):
            submission, beside = await asyncio.gather(channel.submit(sms(1)), channel.submit(sms(2)))
            assert isinstance(submission.outcome(), Unknown)
            assert beside.fate is Fate.TAKEN
            await asyncio.sleep(0.3)  # three times the time after which the specification would repeat it
            assert [each.mobile for each in gateway.submissions] == ["13800000001", "13800000002"]

    run(story)


def test_an_answer_that_comes_too_late_is_told_with_the_part_it_belongs_to() -> None:
    async def story() -> None:
        async with scene(pace=QUICK) as (gateway, channel):
            gateway.holds = True
            submission, _ = await asyncio.gather(channel.submit(sms(7)), answer_heartbeats(gateway))
            assert submission.fate is Fate.UNKNOWN
            gateway.release()
            late = [each.item for each in await arrivals(channel, 2)]
            (answer,) = [each for each in late if isinstance(each, LateAnswer)]
            (report,) = [each for each in late if isinstance(each, DeliveryReport)]
            assert (answer.msg_id, answer.part.fate) == ("m7", Fate.TAKEN)
            assert answer.part.carrier_id == report.carrier_id

    async def answer_heartbeats(gateway: Gateway) -> None:
        await gateway.until(lambda: bool(gateway.submissions))
        for _ in range(30):
            gateway.say(gateway.face.ping())  # it lives, it only does not answer the part
            await asyncio.sleep(0.005)

    run(story)


def test_who_stops_waiting_is_told_later_what_came_out() -> None:
    async def story() -> None:
        async with scene() as (gateway, channel):
            gateway.holds = True
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await channel.submit(sms(7))
            gateway.release()
            items = [each.item for each in await arrivals(channel, 2)]
            assert {type(each) for each in items} == {LateAnswer, DeliveryReport}

    run(story)


@pytest.mark.parametrize("protocol", FACES)
def test_a_gateway_that_dies_after_it_took_a_part_leaves_it_unknown_and_the_next_goes_over_a_new_connection(
    protocol: str,
) -> None:
    async def story() -> None:
        async with Gateway(FACES[protocol]()) as gateway:
            told = iter([Reaction(dies="before")])
            gateway.react = lambda _said: next(told, Reaction())
            async with connected(account_url(protocol, gateway.port)) as channel:
                assert (await channel.submit(sms(1))).fate is Fate.UNKNOWN
                assert (await channel.submit(sms(2))).fate is Fate.TAKEN
                assert [each.mobile for each in gateway.phones] == ["13800000001", "13800000002"]

    run(story)


def test_an_unknown_part_of_sgip_has_its_name_all_the_same() -> None:
    async def story() -> None:
        async with Gateway(FACES["sgip"](), react=lambda _said: Reaction(dies="before")) as gateway:
            account = SgipAccount(node=3025000001, name="1", secret=SECRET, corp_id="1", access_number="1")
            wire = Sgip(account, now=time.time)
            channel = CarrierChannel(wire, (HOST, gateway.port), habits=Habits(), pace=PATIENT, now=time.time)
            await channel.connect()
            (part,) = (await channel.submit(sms())).parts
            assert part.fate is Fate.UNKNOWN
            assert part.carrier_id.startswith("3025000001-")
            await channel.close()

    run(story)


def test_what_waits_for_the_window_when_the_connection_ends_never_left_and_may_be_sent() -> None:
    async def story() -> None:
        async with scene() as (gateway, channel):
            gateway.holds = True
            sends = [asyncio.ensure_future(channel.submit(sms(number))) for number in range(40)]
            await gateway.until(lambda: len(gateway.submissions) == 16)
            gateway.drop()
            fates = [each.fate for each in await asyncio.gather(*sends)]
            assert (fates.count(Fate.UNKNOWN), fates.count(Fate.UNSENT)) == (16, 24)
            assert len(gateway.submissions) == 16

    run(story)


def test_never_more_than_a_window_is_unanswered() -> None:
    async def story() -> None:
        async with scene() as (gateway, channel):
            gateway.holds = True
            sends = [asyncio.ensure_future(channel.submit(sms(number, LONG))) for number in range(20)]
            while not all(send.done() for send in sends):
                await gateway.until(lambda: gateway.most_unanswered == 16 or bool(gateway.submissions))
                gateway.release()
                await asyncio.sleep(0)
            assert {send.result().fate for send in sends} == {Fate.TAKEN}
            assert gateway.most_unanswered <= 16

    run(story)


def test_all_parts_of_a_message_stand_side_by_side_on_one_connection() -> None:
    async def story() -> None:
        async with scene(habits=TWO) as (gateway, channel):
            await soon(lambda: channel.state.links == 2)
            await asyncio.gather(*(channel.submit(sms(number, LONG)) for number in range(20)))
            for visit in gateway.visits:
                came = [(said.mobile, said.place[2]) for said in gateway.submissions if said in visit.came]
                assert came == sorted(came, key=lambda each: [mobile for mobile, _ in came].index(each[0]))
            assert {len(visit.came) > 0 for visit in gateway.visits} == {True}

    run(story)


def test_a_connection_that_says_nothing_any_more_is_found_dead_and_made_again() -> None:
    async def story() -> None:
        async with scene(pace=QUICK) as (gateway, channel):
            gateway.is_mute = True
            assert (await channel.submit(sms(1))).fate is Fate.UNKNOWN
            gateway.is_mute = False
            assert (await channel.submit(sms(2))).fate is Fate.TAKEN
            assert gateway.logins == 2

    run(story)


def test_an_idle_connection_is_kept_alive_by_heartbeats_and_given_up_without_their_answers() -> None:
    async def story() -> None:
        async with scene(pace=QUICK) as (gateway, channel):
            await gateway.until(lambda: gateway.pings >= 3)
            assert gateway.logins == 1
            gateway.is_mute = True
            await soon(lambda: not channel.state.is_up)
            gateway.is_mute = False
            await gateway.until(lambda: gateway.logins == 2)

    run(story)


def test_a_gateway_that_is_not_there_leaves_messages_unsent_and_is_tried_until_it_is() -> None:
    async def story() -> None:
        gateway = Gateway(CmppFace(2))
        async with gateway:
            pass  # its port is known, and closed
        channel = channel_to(gateway, habits=replace(HABITS, wait_s=0.05))
        await channel.connect()
        assert not channel.state.is_up
        outcome = (await channel.submit(sms(1))).outcome()
        assert isinstance(outcome, RetryAfter)
        assert "138" not in outcome.reason
        async with Gateway(CmppFace(2), port=gateway.port) as there:
            await soon(lambda: channel.state.is_up)
            assert (await channel.submit(sms(2))).fate is Fate.TAKEN
            assert [each.mobile for each in there.phones] == ["13800000002"]
            await channel.close()

    run(story)


def test_what_is_no_gateway_is_left_without_a_crash() -> None:
    async def story() -> None:
        async def shout(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(shout, HOST, 0)
        gateway = Gateway(CmppFace(2), port=server.sockets[0].getsockname()[1])
        channel = channel_to(gateway)
        await channel.connect()
        assert channel.state.fault == "not understood: a frame of a length that none has"
        await channel.close()
        server.close()

    run(story)


def test_quiet_hours_and_quotas_of_the_carrier_are_for_later() -> None:
    async def story() -> None:
        async with Gateway(FACES["smgp"](), react=lambda _said: Reaction(74, is_taken=False, report=None)) as gateway:
            async with connected(account_url("smgp", gateway.port)) as channel:
                outcome = (await channel.submit(sms())).outcome()
                assert isinstance(outcome, RetryAfter)
                assert outcome.seconds == 900
            assert len(gateway.submissions) == 1

    run(story)


@pytest.mark.parametrize("report", ["before", "after", "twice", "elsewhere"])
@pytest.mark.parametrize("size", [60, 71])
def test_reports_come_however_they_like(report: str, size: int) -> None:
    async def story() -> None:
        face = CmppFace(2, report_bytes=size)
        async with scene([Reaction(report=report)], face=face, habits=TWO) as (_gateway, channel):  # type: ignore[arg-type]  # one of `When`
            await soon(lambda: channel.state.links == 2)
            submission = await channel.submit(sms())
            found = [each.item for each in await arrivals(channel, 2 if report == "twice" else 1)]
            assert {each.carrier_id for each in found if isinstance(each, DeliveryReport)} == {*submission.carrier_ids}

    run(story)


def test_what_was_not_accepted_is_not_confirmed_to_the_gateway() -> None:
    async def story() -> None:
        async with scene() as (gateway, channel):
            await channel.submit(sms())
            arrival = await anext(aiter(channel.arrivals()))
            gateway.say(gateway.face.ping())
            await gateway.until(lambda: gateway.pongs == 1)
            assert gateway.accepted == 0
            arrival.accept()
            await gateway.until(lambda: gateway.accepted == 1)

    run(story)


def test_half_of_a_long_reply_is_told_as_a_torso_when_its_time_is_over() -> None:
    async def story() -> None:
        async with scene(pace=QUICK) as (gateway, channel):
            content = bytes((5, 0, 3, 1, 2, 1)) + "半".encode("utf-16-be")
            gateway.say(gateway.face.inbound("13900000002", ACCESS, content, has_header=True, number=1))
            (arrival,) = await arrivals(channel, 1)
            assert isinstance(arrival.item, Inbound)
            assert (arrival.item.text, arrival.item.is_whole) == ("半", False)
            await gateway.until(lambda: gateway.accepted == 1)

    run(story)


def test_one_refused_part_spoils_the_message_and_one_unknown_part_makes_it_unknown() -> None:
    async def story() -> None:
        refused, lost = Reaction(result=6, is_taken=False, report=None), Reaction(result=None, report=None)
        text = "字" * 100
        async with scene([Reaction(), refused, Reaction(), lost], QUICK) as (_gateway, channel):
            assert (await channel.submit(sms(1, text))).fate is Fate.REFUSED
            assert (await channel.submit(sms(2, text))).fate is Fate.UNKNOWN

    run(story)


def test_close_ends_arrivals_and_may_come_twice_and_at_once() -> None:
    async def story() -> None:
        async with Gateway(CmppFace(2)) as gateway:
            channel = channel_to(gateway)
            await channel.close()
            await channel.close()
            assert [each async for each in channel.arrivals()] == list[Arrival]()
            await channel.connect()
            assert (await channel.submit(sms())).fate is Fate.UNSENT

    run(story)


def test_the_rate_of_the_contract_is_kept() -> None:
    async def story() -> None:
        async with scene(habits=replace(HABITS, rate=100, burst=5)) as (_gateway, channel):
            begin = time.monotonic()
            await asyncio.gather(*(channel.submit(sms(number)) for number in range(25)))
            assert time.monotonic() - begin >= 0.19

    run(story)


def test_an_idle_connection_of_sgip_is_closed_and_is_no_fault_and_the_next_message_opens_another() -> None:
    async def story() -> None:
        async with Gateway(FACES["sgip"](), react=lambda _said: Reaction(report=None)) as gateway:
            wire = WIRES["sgip"]()
            channel = CarrierChannel(wire, (HOST, gateway.port), habits=HABITS, pace=QUICK, now=time.time)
            await channel.connect()
            assert (await channel.submit(sms(1))).fate is Fate.TAKEN
            await soon(lambda: not channel.state.links)
            assert (channel.state.is_up, channel.state.fault) == (True, "")
            await gateway.until(lambda: not gateway.visits)
            assert (await channel.submit(sms(2))).fate is Fate.TAKEN
            assert gateway.logins == 2
            gateway.drop()
            await soon(lambda: not channel.state.links)
            assert channel.state.is_up
            await channel.close()
            assert not channel.state.is_up

    run(story)


def test_a_part_of_a_long_reply_is_confirmed_at_once_for_gateways_that_send_the_next_only_then() -> None:
    async def story() -> None:
        async with scene() as (gateway, channel):
            for number in (1, 2):
                content = bytes((5, 0, 3, 1, 2, number)) + "半".encode("utf-16-be")
                gateway.say(gateway.face.inbound("13900000002", ACCESS, content, has_header=True, number=number))
                if number == 1:
                    await gateway.until(lambda: gateway.accepted == 1)
            (arrival,) = await arrivals(channel, 1)
            assert isinstance(arrival.item, Inbound)
            assert arrival.item.text == "半半"
            await gateway.until(lambda: gateway.accepted == 2)

    run(story)


@pytest.mark.parametrize("protocol", FACES)
def test_what_comes_in_the_same_packet_as_the_answer_to_the_login_is_not_lost(protocol: str) -> None:
    async def story() -> None:
        async with Gateway(FACES[protocol]()) as gateway:
            gateway.greeting = gateway.face.inbound("13900000002", ACCESS, b"N\0", has_header=False, number=1)
            async with connected(account_url(protocol, gateway.port)) as channel:
                (arrival,) = await arrivals(channel, 1)
                assert isinstance(arrival.item, Inbound)
                await gateway.until(lambda: gateway.accepted == 1)

    run(story)


def test_what_stands_before_a_broken_frame_counts() -> None:
    async def story() -> None:
        async with scene() as (gateway, channel):
            report = gateway.face.inbound("13900000002", ACCESS, b"N\0", has_header=False, number=1)
            gateway.say(report + b"HTTP/1.1 400")
            (arrival,) = await arrivals(channel, 1)
            assert isinstance(arrival.item, Inbound)
            await gateway.until(lambda: gateway.logins == 2)

    run(story)


@pytest.mark.parametrize("protocol", FACES)
def test_a_gateway_with_a_smaller_window_than_ours_gets_everything_all_the_same(protocol: str) -> None:
    async def story() -> None:
        async with Gateway(FACES[protocol](), window=4, delay_s=0.001) as gateway:
            habits = replace(HABITS, pause_s=0.002, busy_retries=100)
            address = (HOST, gateway.port)
            channel = CarrierChannel(WIRES[protocol](), address, habits=habits, pace=PATIENT, now=time.time)
            await channel.connect()
            found = await asyncio.gather(*(channel.submit(sms(number)) for number in range(40)))
            assert {each.fate for each in found} == {Fate.TAKEN}
            assert len(gateway.submissions) > 40
            assert len({each.mobile for each in gateway.phones}) == len(gateway.phones) == 40
            await channel.close()

    run(story)


def test_a_gateway_that_says_good_bye_is_answered_and_called_again() -> None:
    async def story() -> None:
        face, heard = CmppFace(2), asyncio.Queue[bytes]()

        async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(face.login_answer(face.read(await reader.readexactly(39))))
            writer.write(bytes.fromhex("0000000c0000000200000063"))
            heard.put_nowait(await reader.read(100))
            writer.close()

        server = await asyncio.start_server(leave, HOST, 0)
        channel = channel_to(Gateway(face, port=server.sockets[0].getsockname()[1]))
        await channel.connect()
        for _ in range(2):
            assert await heard.get() == bytes.fromhex("0000000c8000000200000063")
        await channel.close()
        server.close()

    run(story)
