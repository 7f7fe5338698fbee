"""The SMS channels with gateways that are not ours: sms-core for CMPP, SGIP, SMGP and SMPP, jSMPP as a second SMPP."""

import asyncio
from collections.abc import Iterator

import pytest

from bench.server_process import HOST
from sinks.sms import Inbound
from tests.helpers.requirements import needs
from tests.helpers.sms_gateways import FACES, USER
from tests.helpers.sms_sentences import ACCESS, SECRET, SENTENCES, Sentence, arrivals, connected
from tests.helpers.sms_servers import JavaGateway, JavaPeer, call_us, fresh_peer, running_gateway


@pytest.fixture(scope="module")
def sms_core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaGateway]:
    log = tmp_path_factory.mktemp("sms-core") / "log"
    with needs("sms"), running_gateway("SmsCoreServer", tuple(FACES), log) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def jsmpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaGateway]:
    log = tmp_path_factory.mktemp("jsmpp") / "log"
    with needs("sms"), running_gateway("JsmppServer", ("smpp",), log) as gateway:
        yield gateway


def run(sentence: Sentence, peer: JavaPeer) -> None:
    async def over_it() -> None:
        await sentence(peer)

    asyncio.run(over_it())


@pytest.mark.parametrize("protocol", FACES)
@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.__name__)
def test_with_sms_core(protocol: str, sentence: Sentence, sms_core: JavaGateway) -> None:
    run(sentence, fresh_peer(sms_core, protocol))


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.__name__)
def test_with_jsmpp(sentence: Sentence, jsmpp: JavaGateway) -> None:
    run(sentence, fresh_peer(jsmpp, "smpp"))


@pytest.mark.parametrize("protocol", ["cmpp2", "cmpp3", "smgp"])
def test_sms_core_proves_that_it_knows_the_secret_too(
    protocol: str, sms_core: JavaGateway, caplog: pytest.LogCaptureFixture
) -> None:
    url = fresh_peer(sms_core, protocol).url()

    async def logged_in() -> None:
        async with connected(url) as channel:
            assert channel.state.is_up

    asyncio.run(logged_in())
    assert [record.getMessage() for record in caplog.records if "odd gateway" in record.getMessage()] == []


def test_an_sgip_gateway_calls_us_and_delivers(sms_core: JavaGateway) -> None:
    peer = fresh_peer(sms_core, "sgip")

    async def called() -> None:
        async with connected(peer.url() + f"&listen={HOST}:0") as channel:
            call_us(sms_core, channel.port, USER, SECRET)  # type: ignore[attr-defined]  # the one channel that has a port
            await sms_core.until(lambda said: ["called"] in said)
            await JavaPeer(sms_core, "call", peer.past).write_in("13900000002", ACCESS, "1#4827")
            (arrival,) = await arrivals(channel, 1)
            assert isinstance(arrival.item, Inbound)
            assert arrival.item.text == "1#4827"

    asyncio.run(called())
