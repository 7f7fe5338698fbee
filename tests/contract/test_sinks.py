"""Every sink passes the same sentences, against a peer that really receives."""

import asyncio
import io
import logging
import socket
from collections.abc import Iterator
from typing import Literal

import pytest

from schemas.notice import Channel
from sinks import Delivered, OutcomeUnknown, Refused, Result, RetryAfter, build_sinks
from stagewatch.receivers import BUSY_S, Fault, ReceivedMail, ReceivedSms, SmsReceiver, SmtpReceiver
from tests.helpers.notices import MAIL, MOBILE, message, notice

Outcome = Result | Literal["unknown"]
TIMEOUT_S = 0.5
TEXT = (
    "【业扩管控】𠮷林供电所：申请“A&B<1>”的“供电方案”已超期 3 天…回复 1#4827 签收 ✓"  # beyond the BMP, quotes, mark-up
)


class Peer:
    """A channel's receiver, and the means to send one message to it."""

    def __init__(self, channel: Channel, receiver: SmtpReceiver | SmsReceiver) -> None:
        self.channel = channel
        self.receiver = receiver

    def send(self, times: int = 1, url: str | None = None, text: str = TEXT) -> Outcome:
        return asyncio.run(self._send(times, url or self.receiver.url, text))

    async def _send(self, times: int, url: str, text: str) -> Outcome:
        urls: dict[str, str | None] = {"mail": None, "sms": None, self.channel: url}
        sink = build_sinks(urls["mail"], urls["sms"], timeout_s=TIMEOUT_S)[self.channel]
        outcome: Outcome = "unknown"
        try:
            for _ in range(times):
                outcome = await asyncio.wait_for(
                    sink.send(message(notice(channel=self.channel, text=text))), sink.timeout_s + 1
                )
        except OutcomeUnknown:
            outcome = "unknown"
        finally:
            await sink.close()
            await sink.close()
        return outcome

    def received(self) -> list[ReceivedMail] | list[ReceivedSms]:
        return self.receiver.received


@pytest.fixture(params=["mail", "sms"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with SmtpReceiver() if request.param == "mail" else SmsReceiver() as receiver:
        yield Peer(request.param, receiver)


def closed_port_url(channel: Channel) -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return f"smtp://127.0.0.1:{port}" if channel == "mail" else f"http://127.0.0.1:{port}/sms"


def test_delivers_once_and_gives_a_receipt(peer: Peer) -> None:
    outcome = peer.send()
    assert isinstance(outcome, Delivered)
    assert outcome.receipt
    assert len(peer.received()) == 1


def test_the_peer_learns_the_idempotency_key(peer: Peer) -> None:
    peer.send(times=2)
    expected = message(notice(channel=peer.channel)).msg_id
    assert [each.msg_id for each in peer.received()] == [expected, expected]


def test_chinese_text_arrives_unharmed(peer: Peer) -> None:
    peer.send()
    (received,) = peer.received()
    if isinstance(received, ReceivedMail):
        assert TEXT in received.text
        assert received.subject == "【业扩管控】1 条预警待处理"
        assert received.recipient == MAIL
        assert received.alert_ids == ("a1",)
    else:
        assert received.text == TEXT
        assert received.mobile == MOBILE


def test_a_long_text_with_line_ends_and_dots_arrives_unharmed(peer: Peer) -> None:
    text = "第一行\n.\n..\n" + "长" * 5000
    peer.send(text=text)
    (received,) = peer.received()
    assert text in received.text


def test_a_text_that_no_wire_carries_is_sent_without_it(peer: Peer) -> None:
    assert isinstance(peer.send(text="坏\ud800字\x00符\r\n."), Delivered)
    assert "坏?字符" in peer.received()[0].text


def test_a_refusing_peer_refuses(peer: Peer) -> None:
    peer.receiver.fault = Fault.REFUSE
    assert isinstance(peer.send(), Refused)
    assert peer.received() == []


def test_a_busy_peer_is_for_later(peer: Peer) -> None:
    peer.receiver.fault = Fault.BUSY
    outcome = peer.send()
    assert isinstance(outcome, RetryAfter)
    assert outcome.seconds == (BUSY_S if peer.channel == "sms" else 0)
    assert peer.received() == []


def test_a_peer_that_is_not_there_is_for_later(peer: Peer) -> None:
    assert isinstance(peer.send(url=closed_port_url(peer.channel)), RetryAfter)


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DIE_AFTER_ACCEPT])
def test_a_peer_that_takes_the_message_and_says_nothing_leaves_the_outcome_unknown(peer: Peer, fault: Fault) -> None:
    peer.receiver.fault = fault
    assert peer.send() == "unknown"
    assert len(peer.received()) == 1


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.DIE_BEFORE])
def test_a_peer_that_goes_silent_before_it_took_the_message_is_never_called_delivered(peer: Peer, fault: Fault) -> None:
    peer.receiver.fault = fault
    outcome = peer.send()
    # SMTP takes a message in steps, so we know; of an HTTP request that was written nobody does.
    assert outcome == "unknown" if peer.channel == "sms" else isinstance(outcome, RetryAfter)
    assert peer.received() == []


def test_a_peer_that_answers_twice_does_not_confuse_the_next_message(peer: Peer) -> None:
    peer.receiver.fault = Fault.TWICE
    assert isinstance(peer.send(times=3), Delivered)
    assert len(peer.received()) == 3


def test_a_peer_that_recovers_gets_the_next_message(peer: Peer) -> None:
    peer.receiver.fault = Fault.DIE_BEFORE
    peer.send()
    peer.receiver.fault = Fault.NONE
    assert isinstance(peer.send(), Delivered)


@pytest.mark.parametrize("fault", list(Fault))
def test_no_phone_number_and_no_mail_address_is_logged_or_given_as_a_reason(
    peer: Peer, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    peer.receiver.fault = fault
    with caplog.at_level(logging.DEBUG, logger="sinks"):
        outcome = peer.send()
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
    for said in (*ours, repr(outcome), repr(message(notice(channel=peer.channel)))):
        assert MOBILE not in said
        assert MAIL not in said


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_login_is_used() -> None:
    with SmtpReceiver(login=("watch", "p@ss")) as receiver:
        right = Peer("mail", receiver).send(url=receiver.url.replace("p@ss", "p%40ss"))
        wrong = Peer("mail", receiver).send(url=receiver.url.replace("p@ss", "secret"))
    assert isinstance(right, Delivered)
    assert isinstance(wrong, RetryAfter)
    assert "secret" not in wrong.reason


def test_the_console_shows_the_message_and_masks_the_number() -> None:
    stream = io.StringIO()
    sinks = build_sinks("console", "console:", stream=stream)
    outcomes = [asyncio.run(sinks[channel].send(message(notice(channel=channel)))) for channel in ("sms", "mail")]
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert "勘查环节" in stream.getvalue()
    assert MOBILE not in stream.getvalue()
    assert MAIL not in stream.getvalue()


def test_a_closed_console_is_for_later() -> None:
    stream = io.StringIO()
    stream.close()
    sink = build_sinks(None, "console:", stream=stream)["sms"]
    assert isinstance(asyncio.run(sink.send(message(notice()))), RetryAfter)
