"""What any gateway, ours or not, must see a channel do. Each sentence gets a `Peer` of its own.

Run over the stand-ins by `tests/contract/test_sms_channels.py`, over sms-core and jSMPP by
`tests/e2e/test_sms_interop.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from sinks import Delivered
from sinks.sms import Arrival, DeliveryReport, Fate, Inbound, Reports, Sms, SmsChannel, channel_of

SECRET = "hunter2"
ACCESS = "10690001"
PATIENCE_S = 20.0
LONG = "【业扩管控】𠮷林供电所：申请2026030200017的“供电方案答复”环节已超期3天，请尽快处理👨‍👩‍👧，回复1#4827签收。" * 4
"""Several parts, with characters beyond the BMP that fall onto their borders."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A whole message as the gateway has it."""

    mobile: str
    source: str
    text: str
    parts: int


class Peer(Protocol):
    """A gateway, and what it saw."""

    def url(self, secret: str = SECRET) -> str:
        """Where a channel finds it, and with which secret."""

    async def taken(self, count: int) -> list[Taken]:
        """The whole messages, once there are so many."""

    async def write_in(self, mobile: str, to: str, text: str) -> None:
        """Let somebody write to us."""

    async def confirmed(self, count: int) -> None:
        """Wait until the channel has confirmed so many reports and inbound parts."""


Sentence = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[SmsChannel]:
    """The channel that a URL names, up, and closed at the end."""
    channel = channel_of(url)
    await channel.connect()
    try:
        yield channel
    finally:
        await channel.close()


async def arrivals(channel: SmsChannel, count: int) -> list[Arrival]:
    """The next things that come, accepted."""
    found: list[Arrival] = []
    async with asyncio.timeout(PATIENCE_S):
        async for arrival in channel.arrivals():
            arrival.accept()
            found.append(arrival)
            if len(found) == count:
                return found
    raise AssertionError(f"the channel ended after {len(found)} of {count} arrivals")


def sms(number: int = 1, text: str = "勘查环节将于明日到期", extension: str = "") -> Sms:
    return Sms(msg_id=f"m{number}", mobile=f"138{number:08}", text=text, extension=extension)


async def a_short_text_arrives_with_its_number_and_extension(peer: Peer) -> None:
    async with connected(peer.url()) as channel:
        submission = await channel.submit(sms(extension="12"))
        assert submission.fate is Fate.TAKEN
        assert submission.parts[0].carrier_id
        assert await peer.taken(1) == [Taken("13800000001", f"{ACCESS}12", "勘查环节将于明日到期", 1)]


async def a_long_text_arrives_whole(peer: Peer) -> None:
    async with connected(peer.url()) as channel:
        submission = await channel.submit(sms(text=LONG))
        (taken,) = await peer.taken(1)
        assert taken.text == LONG
        assert taken.parts == len(submission.parts) > 3


async def reports_settle_a_message_of_several_parts(peer: Peer) -> None:
    reports = Reports()
    async with connected(peer.url()) as channel:
        reports.begin("13800000001")
        submission = await channel.submit(sms(text=LONG))
        settled = reports.submitted("m1", "13800000001", submission, 0)
        for arrival in await arrivals(channel, len(submission.parts)):
            assert isinstance(arrival.item, DeliveryReport)
            assert arrival.item.mobile == "13800000001"
            settled += reports.reported(arrival.item, 0)
        assert [each.outcome for each in settled] == [Delivered(",".join(submission.carrier_ids))]
        await peer.confirmed(len(submission.parts))


async def many_at_once_arrive_once_each(peer: Peer) -> None:
    async with connected(peer.url()) as channel:
        found = await asyncio.gather(*(channel.submit(sms(number)) for number in range(200)))
        assert {each.fate for each in found} == {Fate.TAKEN}
        assert sorted(each.mobile for each in await peer.taken(200)) == [f"138{number:08}" for number in range(200)]
        assert len({each.carrier_ids for each in found}) == 200


async def a_reply_comes_in(peer: Peer) -> None:
    async with connected(peer.url()) as channel:
        await channel.submit(sms())  # the gateway knows our connection from now on
        await arrivals(channel, 1)
        await peer.write_in("13900000002", f"{ACCESS}4827", "１＃4827 已处理")
        (arrival,) = await arrivals(channel, 1)
        assert isinstance(arrival.item, Inbound)
        assert (arrival.item.mobile, arrival.item.to) == ("13900000002", f"{ACCESS}4827")
        assert arrival.item.text == "１＃4827 已处理"
        await peer.confirmed(2)


async def a_long_reply_comes_in_as_one(peer: Peer) -> None:
    async with connected(peer.url()) as channel:
        await channel.submit(sms())
        await arrivals(channel, 1)
        await peer.write_in("13900000002", ACCESS, LONG)
        (arrival,) = await arrivals(channel, 1)
        assert isinstance(arrival.item, Inbound)
        assert arrival.item.text == LONG
        assert arrival.item.is_whole


async def a_wrong_secret_is_a_fault_and_sends_nothing(peer: Peer) -> None:
    url = peer.url("wrong") + "&wait_s=0.1"
    async with connected(url) as channel:
        assert not channel.state.is_up
        assert "wrong" not in channel.state.fault
        assert (await channel.submit(sms())).fate is Fate.UNSENT
        assert channel.state.fault


async def a_new_connection_goes_on_where_the_old_one_ended(peer: Peer) -> None:
    for number in (1, 2):
        async with connected(peer.url()) as channel:
            assert (await channel.submit(sms(number))).fate is Fate.TAKEN
    assert [each.mobile for each in await peer.taken(2)] == ["13800000001", "13800000002"]


SENTENCES: tuple[Sentence, ...] = (
    a_short_text_arrives_with_its_number_and_extension,
    a_long_text_arrives_whole,
    reports_settle_a_message_of_several_parts,
    many_at_once_arrive_once_each,
    a_reply_comes_in,
    a_long_reply_comes_in_as_one,
    a_wrong_secret_is_a_fault_and_sends_nothing,
    a_new_connection_goes_on_where_the_old_one_ended,
)
