"""The pipeline in an event loop, with sinks that do as they are told; no clock but a number."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest

from schemas.notice import Channel
from sinks import (
    Changes,
    Delivered,
    Message,
    Outbox,
    OutboxPolicy,
    OutcomeUnknown,
    Pipeline,
    Refused,
    Result,
    RetryAfter,
    Senders,
    State,
    build_sinks,
)
from sinks.store import NotificationRow
from stagewatch.receivers import Fault, SmsReceiver, SmtpReceiver
from tests.helpers.notices import MOBILE, NOW, notice

SECOND = 1000
Answer = Callable[[Message], Awaitable[Result]]


class ScriptedSink:
    name = "scripted"
    timeout_s = 5.0

    def __init__(self, answer: Answer, channel: Channel = "sms") -> None:
        self.channel = channel
        self.sent: list[Message] = []
        self.most_at_once = 0
        self._at_once = 0
        self._answer = answer

    async def send(self, message: Message) -> Result:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.sent.append(message)
        try:
            return await self._answer(message)
        finally:
            self._at_once -= 1

    async def close(self) -> None:
        pass


class Partition:
    """A pipeline with its changelog and its records."""

    def __init__(self, senders: Senders, changelog: dict[str, bytes] | None = None, **rules: Any) -> None:
        self.changelog = dict(changelog or {})
        self.commits = 0
        self.records: list[NotificationRow] = []
        self.fails = False
        self.outbox = Outbox(OutboxPolicy(channels=senders.channels, mail_digest_s=0, **rules))
        for key, data in self.changelog.items():
            self.outbox.load(key, data)
        self.pipeline = Pipeline(self.outbox, senders, record=self.record)

    async def commit(self, changes: Changes) -> None:
        await asyncio.sleep(0)
        if self.fails:
            raise ConnectionError("fenced")
        self.commits += 1
        for key, data in changes:
            if data is None:
                self.changelog.pop(key)
            else:
                self.changelog[key] = data

    def record(self, rows: Sequence[NotificationRow]) -> None:
        self.records.extend(rows)

    async def pump(self, now: int = NOW) -> None:
        await self.pipeline.pump(now, self.commit)

    async def pump_until_quiet(self, now: int = NOW) -> None:
        await self.pump(now)
        while self.pipeline.in_flight:
            await self.pipeline.answered.wait()
            await self.pump(now)

    def recorded(self, alert: str = "a1") -> list[str]:
        return [row.state for row in self.records if row.alert_id == alert]


async def deliver(message: Message) -> Result:
    return Delivered(f"r-{message.msg_id[:4]}")


async def hang(_message: Message) -> Result:
    await asyncio.Event().wait()
    raise AssertionError


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def test_a_notice_is_committed_sent_recorded_once() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(deliver)
        partition = Partition(Senders({"sms": sink}))
        partition.pipeline.offer([notice(), notice()], NOW)
        await partition.pump_until_quiet()
        partition.pipeline.offer([notice()], NOW)
        await partition.pump_until_quiet()
        assert len(sink.sent) == 1
        assert partition.recorded() == ["sending", "delivered"]
        assert partition.commits == 2

    run(scenario())


def test_nothing_is_sent_before_the_commit_that_says_so() -> None:
    async def scenario() -> None:
        async def is_committed(message: Message) -> Result:
            assert b"sending" in partition.changelog[message.notices[0].key]
            return Delivered("r")

        sink = ScriptedSink(is_committed)
        partition = Partition(Senders({"sms": sink}))
        partition.pipeline.offer([notice(f"a{number}") for number in range(5)], NOW)
        await partition.pump_until_quiet()
        assert {row.state for row in partition.outbox.notifications()} == {"delivered"}

    run(scenario())


def test_nothing_is_sent_when_the_commit_fails_and_its_room_is_free_again() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(deliver)
        senders = Senders({"sms": sink})
        partition = Partition(senders)
        partition.fails = True
        partition.pipeline.offer([notice()], NOW)
        with pytest.raises(ConnectionError):
            await partition.pump()
        assert sink.sent == []
        assert partition.records == []
        partition.pipeline.close()
        partition.pipeline.close()
        assert senders.room() == {"sms": 16}

    run(scenario())


def test_no_more_than_the_allowed_number_is_sent_at_once_over_all_partitions() -> None:
    async def scenario() -> None:
        async def pause(_message: Message) -> Result:
            await asyncio.sleep(0)
            return Delivered("r")

        sink = ScriptedSink(pause)
        senders = Senders({"sms": sink}, concurrency=3)
        partitions = [Partition(senders), Partition(senders)]
        for number, partition in enumerate(partitions):
            partition.pipeline.offer([notice(f"p{number}-{alert}") for alert in range(20)], NOW)
        while any(partition.pipeline.in_flight or partition.outbox.next_due() for partition in partitions):
            for partition in partitions:
                await partition.pump()
            await asyncio.sleep(0)
        assert len(sink.sent) == 40
        assert sink.most_at_once == 3

    run(scenario())


def test_a_hanging_channel_holds_neither_the_intake_nor_another_channel() -> None:
    async def scenario() -> None:
        mail = ScriptedSink(deliver, "mail")
        partition = Partition(Senders({"sms": ScriptedSink(hang), "mail": mail}, concurrency=2))
        partition.pipeline.offer([notice(f"s{number}") for number in range(9)], NOW)
        partition.pipeline.offer([notice("m", channel="mail")], NOW)
        await partition.pump()
        await partition.pipeline.answered.wait()
        await partition.pump()
        assert partition.recorded("m") == ["sending", "delivered"]
        assert partition.pipeline.in_flight == 2
        assert partition.pipeline.close() == 2

    run(scenario())


def test_a_sink_that_overstays_its_time_leaves_the_outcome_unknown() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(hang)
        sink.timeout_s = -1.0  # with the second of grace: over at once
        partition = Partition(Senders({"sms": sink}))
        partition.pipeline.offer([notice()], NOW)
        await partition.pump_until_quiet()
        assert partition.recorded() == ["sending", "unknown"]

    run(scenario())


def test_a_faulty_sink_leaves_the_outcome_unknown_and_its_words_out_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(message: Message) -> Result:
        raise RuntimeError(message.address)

    async def scenario() -> None:
        partition = Partition(Senders({"sms": ScriptedSink(fail)}))
        partition.pipeline.offer([notice()], NOW)
        await partition.pump_until_quiet()
        assert partition.records[-1].reason == "scripted failed: RuntimeError"

    with caplog.at_level(logging.DEBUG):
        run(scenario())
    assert "RuntimeError" in caplog.text
    assert MOBILE not in caplog.text


def test_each_answer_leads_to_its_state() -> None:
    async def answer(message: Message) -> Result:
        match message.notices[0].alert_id:
            case "refused":
                return Refused("no")
            case "retry":
                return RetryAfter(9, "busy")
            case "unknown":
                raise OutcomeUnknown("silence")
            case _:
                return Delivered("r")

    async def scenario() -> None:
        partition = Partition(Senders({"sms": ScriptedSink(answer)}))
        alerts = ("refused", "retry", "unknown", "delivered")
        partition.pipeline.offer([notice(alert) for alert in alerts], NOW)
        await partition.pump_until_quiet()
        for alert in alerts:
            assert partition.recorded(alert)[-1] == alert
        assert partition.outbox.next_due() == NOW + 9 * SECOND

    run(scenario())


def test_a_stop_waits_for_what_is_under_way_and_commits_it() -> None:
    async def scenario() -> None:
        partition = Partition(Senders({"sms": ScriptedSink(deliver)}))
        partition.pipeline.offer([notice()], NOW)
        await partition.pump()
        await partition.pipeline.finish(5)
        await partition.pump()
        assert partition.pipeline.close() == 0
        assert b"delivered" in partition.changelog[notice().key]

    run(scenario())


def test_a_send_that_is_cut_off_gives_its_room_back_even_if_it_never_began() -> None:
    async def scenario() -> None:
        senders = Senders({"sms": ScriptedSink(hang)})
        partition = Partition(senders)
        partition.pipeline.offer([notice("begun")], NOW)
        await partition.pump()
        await asyncio.sleep(0)
        partition.pipeline.offer([notice("not begun")], NOW)
        await partition.pump()
        assert senders.room() == {"sms": 14}
        assert partition.pipeline.close() == 2
        await partition.pipeline.finish(5)
        assert senders.room() == {"sms": 16}

    run(scenario())


def test_a_turn_is_due_when_something_may_leave_and_there_is_room() -> None:
    async def scenario() -> None:
        partition = Partition(Senders({"sms": ScriptedSink(hang)}, concurrency=1))
        assert not partition.pipeline.is_due(NOW)
        partition.pipeline.offer([notice("a1"), notice("a2")], NOW)
        assert partition.pipeline.is_due(NOW)
        await partition.pump()
        assert not partition.pipeline.is_due(NOW)
        partition.pipeline.close()

    run(scenario())


def test_what_a_dead_owner_left_open_is_recorded_as_unknown_by_the_next() -> None:
    async def scenario() -> None:
        first = Partition(Senders({"sms": ScriptedSink(hang)}))
        first.pipeline.offer([notice()], NOW)
        await first.pump()
        sink = ScriptedSink(deliver)
        heir = Partition(Senders({"sms": sink}), first.changelog)
        assert heir.pipeline.recover(NOW + SECOND) == 1
        await heir.pump_until_quiet(NOW + 3600 * SECOND)
        assert sink.sent == []
        assert set(heir.recorded()) == {"unknown"}
        assert b"unknown" in heir.changelog[notice().key]
        first.pipeline.close()

    run(scenario())


def test_every_row_is_recorded_again_by_the_next_owner() -> None:
    async def scenario() -> None:
        first = Partition(Senders({"sms": ScriptedSink(deliver)}))
        first.pipeline.offer([notice()], NOW)
        await first.pump_until_quiet()
        heir = Partition(Senders({}), first.changelog)
        assert heir.pipeline.recover(NOW) == 0
        assert heir.recorded() == ["delivered"]
        assert heir.commits == 0

    run(scenario())


def test_from_notice_to_real_receivers_and_through_their_faults(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(mail: SmtpReceiver, sms: SmsReceiver) -> None:
        senders = Senders(build_sinks(mail.url, sms.url, timeout_s=0.5))
        partition = Partition(senders)
        item = {"group": "NL1", "group_text": "公变 T1 受限，涉及 {count} 户：{list}。"}
        partition.pipeline.offer([notice(f"g{number}", **item) for number in range(3)], NOW)
        partition.pipeline.offer([notice(f"m{number}", channel="mail") for number in range(4)], NOW)
        mail.fault = Fault.BUSY
        await partition.pump_until_quiet(NOW + 2 * SECOND)
        mail.fault, sms.fault = Fault.NONE, Fault.DIE_AFTER_ACCEPT
        partition.pipeline.offer([notice("lost")], NOW + 3 * SECOND)
        await partition.pump_until_quiet(NOW + 60 * SECOND)
        await senders.close()
        assert sms.received[0].text == "公变 T1 受限，涉及 3 户：APP-g0、APP-g1、APP-g2。"
        assert [each.alert_ids for each in mail.received] == [("m0", "m1", "m2", "m3")]
        assert partition.outbox.state_of(notice("lost").key) is State.UNKNOWN
        assert partition.recorded("m0") == ["queued", "sending", "retry", "sending", "delivered"][1:]

    with caplog.at_level(logging.DEBUG, logger="sinks"), SmtpReceiver() as mail, SmsReceiver() as sms:
        run(scenario(mail, sms))
    assert "not delivered: state=unknown channel=sms" in caplog.text
    assert MOBILE not in caplog.text


def test_a_notice_that_found_no_room_leaves_although_the_clock_stepped_back_by_an_hour() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(deliver)
        partition = Partition(Senders({"sms": sink}, concurrency=1))
        partition.pipeline.offer([notice("a1"), notice("a2")], NOW)
        await partition.pump(NOW)
        assert not partition.pipeline.is_due(NOW - SECOND)  # a correction of its drift
        assert partition.pipeline.is_due(NOW - 3600 * SECOND)
        await partition.pump_until_quiet(NOW - 3600 * SECOND)
        assert len(sink.sent) == 2

    run(scenario())
