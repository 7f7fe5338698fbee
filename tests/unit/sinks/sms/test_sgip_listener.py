"""The port at which China Unicom's gateway calls us."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bench.server_process import HOST
from bench.sms_face import SECRET
from bench.sms_faces import SgipFace
from bench.sms_gateway import Gateway, Reaction
from sinks.sms import DeliveryReport, Fate, Inbound
from sinks.sms.sgip_channel import SgipChannel
from tests.helpers.sms_gateways import USER, account_url
from tests.helpers.sms_sentences import ACCESS, arrivals, connected, sms

FACE = SgipFace()


def login(name: str = USER, secret: str = SECRET, login_type: int = 2) -> bytes:
    body = bytes((login_type,)) + name.encode().ljust(16, b"\0") + secret.encode().ljust(16, b"\0") + bytes(8)
    return struct.pack(">II", 20 + len(body), 1) + struct.pack(">III", 100210, 302093000, 1) + body


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Command and result of the next answer."""
    length = int.from_bytes(await reader.readexactly(4))
    frame = await reader.readexactly(length - 4)
    return int.from_bytes(frame[:4]) & 0x7FFFFFFF, frame[16] if len(frame) > 16 else 0


@asynccontextmanager
async def called() -> AsyncIterator[tuple[Gateway, SgipChannel, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A gateway, our channel to it, and a connection of the gateway's to us."""
    async with (
        Gateway(SgipFace(), react=lambda _said: Reaction(report=None)) as gateway,
        connected(account_url("sgip", gateway.port) + f"&listen={HOST}:0") as channel,
    ):
        assert isinstance(channel, SgipChannel)
        reader, writer = await asyncio.open_connection(HOST, channel.port)
        try:
            yield gateway, channel, reader, writer
        finally:
            writer.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await story()

    asyncio.run(bounded())


def test_a_report_over_the_gateways_own_connection_finds_what_went_out_over_ours() -> None:
    async def story() -> None:
        async with called() as (gateway, channel, reader, writer):
            submission = await channel.submit(sms())
            writer.write(login())
            assert await answer_of(reader) == (1, 0)
            (said,) = gateway.submissions
            writer.write(FACE.report(said.sequence, said.mobile, "DELIVRD"))
            (arrival,) = await arrivals(channel, 1)
            assert isinstance(arrival.item, DeliveryReport)
            assert arrival.item.carrier_id == submission.carrier_ids[0]
            assert await answer_of(reader) == (5, 0)

    run(story)


def test_a_reply_over_the_gateways_own_connection_comes_in() -> None:
    async def story() -> None:
        async with called() as (_gateway, channel, reader, writer):
            writer.write(login())
            await answer_of(reader)
            writer.write(FACE.inbound("13900000002", ACCESS, "1#4827".encode("utf-16-be"), has_header=False, number=1))
            (arrival,) = await arrivals(channel, 1)
            assert isinstance(arrival.item, Inbound)
            assert (arrival.item.mobile, arrival.item.text) == ("13900000002", "1#4827")
            assert await answer_of(reader) == (4, 0)
            writer.write(struct.pack(">IIIII", 20, 2, 100210, 302093000, 9))
            assert await answer_of(reader) == (2, 0)
            assert await reader.read() == b""

    run(story)


@pytest.mark.parametrize("frame", [login(secret="guess"), login(name="x"), login(login_type=1)])
def test_a_caller_with_the_wrong_name_secret_or_purpose_is_refused(frame: bytes) -> None:
    async def story() -> None:
        async with called() as (_gateway, _channel, reader, writer):
            writer.write(frame)
            assert await answer_of(reader) == (1, 1)

    run(story)


@pytest.mark.parametrize(
    "frame",
    [
        FACE.inbound("13900000002", ACCESS, b"", has_header=False, number=1),
        FACE.report(bytes(12), "138", "DELIVRD"),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_caller_that_did_not_log_in_is_not_heard(frame: bytes) -> None:
    async def story() -> None:
        async with called() as (_gateway, channel, reader, writer):
            writer.write(frame)
            assert await reader.read() == b""
            assert (await channel.submit(sms())).fate is Fate.TAKEN

    run(story)


def test_a_port_that_is_taken_is_a_fault_and_does_not_keep_us_from_sending() -> None:
    async def story() -> None:
        async with called() as (gateway, first, _reader, _writer):
            url = account_url("sgip", gateway.port) + f"&listen={HOST}:{first.port}"
            async with connected(url) as second:
                assert second.state.fault == (
                    f"cannot listen for the gateway on {HOST}:{first.port}: Address already in use"
                )
                assert (await second.submit(sms())).fate is Fate.TAKEN

    run(story)
