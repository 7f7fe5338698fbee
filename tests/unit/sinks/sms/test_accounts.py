"""A carrier's account as one URL."""

import asyncio

import pytest

from sinks import SinkSettingError
from sinks.sms import Sms, SmsChannel, channel_of

GOOD = {
    "cmpp": "cmpp://901234:s%40cret@gateway?version=3&access=10690001&service=EPW",
    "sgip": "sgip://333:s%40cret@gateway:8802?access=10690001&node=3025000001&corp=00001&listen=0.0.0.0:8801",
    "smgp": "smgp://901234:s%40cret@gateway?access=1181234&signature=%E3%80%90%E4%B8%9A%E6%89%A9%E3%80%91&signature_by=carrier",
    "smpp": "smpp://watch:s%40cret@gateway?access=10690001&rate=20.5&burst=5&window=10&connections=2",
}


def made(url: str) -> SmsChannel:
    async def inside() -> SmsChannel:
        return channel_of(url)

    return asyncio.run(inside())


@pytest.mark.parametrize("scheme", GOOD)
def test_each_protocol_has_its_channel(scheme: str) -> None:
    channel = made(GOOD[scheme])
    assert channel.name == scheme
    assert not channel.state.is_up
    assert "cret" not in repr(vars(channel))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("cmpp://1:secret@h", "access"),
        ("cmpp://1:secret@h?access=1&version=4", "version"),
        ("cmpp://1:secret@h?access=1&colour=red", "colour"),
        ("cmpp://1:secret@h?access=1&window=0", "window"),
        ("cmpp://1:secret@h?access=1&rate=-1", "rate"),
        ("cmpp://1:secret@h?access=1&signature=" + "x" * 35, "signature"),
        ("cmpp://1:secret@h?access=1&signature_place=middle", "signature_place"),
        ("cmpp://1:secret@h:99999?access=1", "not a URL"),
        ("cmpp://1:secret@?access=1", "host"),
        ("smtp://1:secret@h?access=1", "cmpp://, sgip://, smgp://, smpp://"),
        ("sgip://1:secret@h?access=1&listen=8801", "listen"),
    ],
)
def test_a_url_that_cannot_be_used_names_its_fault_and_no_secret(url: str, fault: str) -> None:
    with pytest.raises(SinkSettingError) as raised:
        made(url)
    assert fault in str(raised.value)
    assert "secret" not in str(raised.value)


def test_no_number_and_no_text_shows_in_a_message() -> None:
    sms = Sms(msg_id="m1", mobile="13800000001", text="机密")
    assert repr(sms) == "Sms(m1)"
