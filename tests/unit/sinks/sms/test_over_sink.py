"""An HTTP gateway as a channel: the same behaviour as its sink's, in the channel's words."""

import asyncio

import pytest

from sinks.sms import Fate, Signature, SinkChannel, Submission
from sinks.sms_http import SmsSink
from stagewatch.receivers import BUSY_S, Fault, SmsReceiver
from tests.helpers.sms_sentences import LONG, sms


def submitted(receiver: SmsReceiver, text: str = "短", signature: str = "") -> Submission:
    async def inside() -> Submission:
        channel = SinkChannel(SmsSink(receiver.url, timeout_s=0.3), signature=Signature(text=signature))
        await channel.connect()
        before = channel.state
        submission = await channel.submit(sms(text=text))
        await channel.close()
        await channel.close()
        assert [each async for each in channel.arrivals()] == []
        assert (before.links, channel.state.links) == (1, 0)
        return submission

    return asyncio.run(inside())


def test_a_long_text_goes_as_one_with_its_signature_and_comes_back_with_a_receipt() -> None:
    with SmsReceiver() as receiver:
        submission = submitted(receiver, LONG, "【供电】")
        (received,) = receiver.received
        assert (received.msg_id, received.mobile, received.text) == ("m1", "13800000001", "【供电】" + LONG)
    assert submission.fate is Fate.TAKEN
    assert submission.carrier_ids[0]


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        (Fault.REFUSE, Fate.REFUSED),
        (Fault.BUSY, Fate.UNSENT),
        (Fault.HANG, Fate.UNKNOWN),
        (Fault.DIE_AFTER_ACCEPT, Fate.UNKNOWN),
        (Fault.TWICE, Fate.TAKEN),
    ],
)
def test_faults_keep_their_meaning(fault: Fault, fate: Fate) -> None:
    with SmsReceiver() as receiver:
        receiver.fault = fault
        submission = submitted(receiver)
    assert submission.fate is fate
    assert "13800000001" not in submission.parts[0].reason
    if fault is Fault.BUSY:
        assert submission.parts[0].wish_s == BUSY_S
