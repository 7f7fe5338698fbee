"""The inbound agent: each text once over a crash anywhere, cards by their owner, and nothing confirmed too early."""

import asyncio
from collections import defaultdict

import pytest

from schemas import Broken, Raw, Text, decode_command, decode_inbound, decode_notice, encode_inbound
from sinks import Written
from streams.inbound import Answering
from streams.inbox_gate import InboxGate
from streams.logic import Batch, Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from tests.helpers.inbound_agents import CARD, CARD_TEXT, agent
from tests.helpers.loop_agents import Record
from tests.helpers.loops import MONDAY


def owner(number: int = 0) -> Answering:
    return agent().open(Lease("inbound", "", number))


def source(number: int = 0) -> SourcePartition:
    return SourcePartition("inbound", number)


def said(text: str, name: str = "mobile:1", mobile: str = "13800000129") -> bytes:
    return encode_inbound(Text(id=name, mobile=mobile, text=text, at=MONDAY))


def written(batch: Batch, topic: str) -> list[bytes]:
    return [value or b"" for tp, rows in batch.writes.items() if tp.topic == topic for _, value in rows]


def recovered(rows: Records, committed: dict[SourcePartition, Committed]) -> Answering:
    answering = owner()
    records: list[Raw] = [Record(value, key) for key, value in rows]
    answering.load(records)
    answering.recover(committed)
    return answering


def test_a_text_that_comes_again_after_a_restart_is_not_answered_again() -> None:
    answering = owner()
    answering.apply(source(), [Record(said("投诉"))], 1)
    batch = answering.take()
    assert len(written(batch, "notices")) == len(written(batch, "requests")) == 1
    assert batch.offsets == {source(): Committed(1)}
    again = recovered(batch.writes[SourcePartition("log", 0)], dict(batch.offsets))
    again.apply(source(), [Record(said("投诉"))], 2)
    after = again.take()
    assert (written(after, "notices"), written(after, "requests"), after.offsets) == ([], [], {source(): Committed(2)})


def test_a_changelog_that_lost_rows_stops_the_worker() -> None:
    answering = owner()
    answering.apply(source(), [Record(said("投诉"))], 1)
    batch = answering.take()
    with pytest.raises(Broken, match="rows"):
        recovered(batch.writes[SourcePartition("log", 0)][1:], dict(batch.offsets))


def test_a_card_from_two_mobiles_at_once_is_credited_once_by_its_owner() -> None:
    owners = [owner(0), owner(1)]
    log: dict[int, list[Record]] = defaultdict(list)
    for number, mobile in enumerate(("13800000129", "13800000130")):
        owners[number].apply(source(number), [Record(said(CARD_TEXT, mobile=mobile))], 1)
        for tp, rows in owners[number].take().writes.items():
            if tp.topic == "inbound":
                log[tp.partition] += [Record(value) for _, value in rows]
    ((number, forwarded),) = log.items()
    owners[number].apply(source(number), forwarded, 3)
    batch = owners[number].take()
    assert len(written(batch, "recharges")) == 1
    told = [decode_notice(value) for value in written(batch, "notices")]
    assert [(notice.recipient.mobile, "成功" in notice.text) for notice in told] == [
        ("13800000129", True), ("13800000130", False)
    ]  # fmt: skip


def test_nothing_but_the_inbound_topic_holds_the_cards_number() -> None:
    answering = owner(0)
    answering.apply(source(0), [Record(said(CARD_TEXT))], 1)
    first = answering.take()
    answering.apply(source(0), [Record(value) for value in written(first, "inbound")], 2)
    for batch in (first, answering.take()):
        for tp, rows in batch.writes.items():
            assert tp.topic == "inbound" or not any(CARD.encode() in (value or b"") for _, value in rows)


def test_a_reply_is_a_command_and_what_cannot_be_read_is_passed() -> None:
    answering = owner()
    answering.apply(source(), [Record(b"no json"), Record(None), Record(said("48392017 好"))], 3)
    (command,) = [decode_command(value, MONDAY) for value in written(answering.take(), "commands")]
    assert (command.kind, command.by, command.text) == ("reply", "13800000129", "48392017 好")


def test_a_text_that_came_before_kafka_was_reached_stays_with_its_gateway() -> None:
    accepted: list[str] = []
    gate = InboxGate("inbound", 2, metrics=Metrics(version="0"))
    gate.take(Written("mobile", "1", "13800000129", "10690001", "投诉", lambda: accepted.append("1")))
    asyncio.run(gate.stop())
    assert accepted == []


def test_an_inbound_record_is_what_it_was_before_it_was_written() -> None:
    text = Text(id="mobile:1", mobile="13800000129", to="10690001", text="投诉", at=MONDAY, road="mobile")
    assert decode_inbound(encode_inbound(text)) == text
