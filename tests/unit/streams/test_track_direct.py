"""Captured topics keyed by the instance, read by the tracking agent as they stand."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from rules import Engine, Reference
from schemas import Broken, Column, Decoder, TableMapping, decode_change, decode_dead_letter
from schemas.codec import change_encoder
from streams.definitions import RuleBook
from streams.direct import DirectTopic
from streams.ends import Ends
from streams.logic import Batch, Committed, Lease, SourcePartition
from streams.metrics import Metrics
from streams.partitioner import Partitioner
from streams.recovery import POSITION_KEY
from streams.reference import ReferenceReader
from streams.track import TrackAgent, TrackTopics
from streams.tracking import Tracking
from tests.helpers.builders import shipped
from tests.helpers.records import Record

TOPIC, CHANGES, LETTERS, LOG = "cdc.mkt.mkt_app", "stagewatch.changes", "stagewatch.deadletters", "changelog"
MAPPING = TableMapping(
    source="mkt", table="mkt_app", topic=TOPIC, entity="application", key=("id",), instance="app_no",
    columns={name: Column(name, "text") for name in ("id", "app_no", "volt_class")},
    message_key="text",
)  # fmt: skip
PLACES = Partitioner(2)
HERE = next(name for name in map("A{}".format, range(99)) if PLACES.of(name)[1] == 0)
ELSEWHERE = next(name for name in map("A{}".format, range(99)) if PLACES.of(name)[1] == 1)
SOURCE = SourcePartition(TOPIC, 0)
NOW = 1_772_413_200.0


def row(offset: int, app_no: str | None, *, op: str = "c", before: str | None = None, at: int = 1000) -> Record:
    image: dict[str, Any] = {"id": f"r{offset}", "app_no": app_no, "volt_class": "HV"}
    envelope = {"op": op, "before": {**image, "app_no": before} if before else None, "after": image}
    return Record(offset, at + offset, None, msgspec.json.encode(envelope))


def bad(offset: int) -> Record:
    return Record(offset, 1000 + offset, b"x", b"{")


def track(ends: Mapping[SourcePartition, int]) -> Tracking:
    """Give partition 0 of an agent that knows where its sources end."""
    asked = Ends(now=lambda: NOW)
    asked.add(int(NOW * 1000), ends, {})
    names = TrackTopics(CHANGES, "alerts", "deltas", "notices", LETTERS, LOG)
    agent = TrackAgent(
        RuleBook(Engine(shipped(), Reference(frozenset()))), out=names,
        counts={CHANGES: 2, "alerts": 1, "deltas": 1, "notices": 1, LETTERS: 1}, ends=asked,
        reference=ReferenceReader(Reference(frozenset()), {}), metrics=Metrics(version="test"),
        direct={TOPIC: DirectTopic(Decoder(MAPPING), change_encoder(MAPPING), PLACES)}, now=lambda: NOW,
    )  # fmt: skip
    return agent.open(Lease("track", "", 0))


def forwarded(batch: Batch) -> list[tuple[int, str, str]]:
    """Give what goes to other partitions: number, instance, operation."""
    changes = [
        (tp.partition, decode_change(value or b"")) for tp, rows in batch.writes.items() if tp.topic == CHANGES
        for _, value in rows
    ]  # fmt: skip
    return [(number, change.instance, change.op) for number, change in changes]


def letters(batch: Batch) -> list[int]:
    rows = batch.writes.get(SourcePartition(LETTERS, 0), [])
    return [decode_dead_letter(value or b"").offset for _, value in rows]


def restarted(batch: Batch, ends: Mapping[SourcePartition, int]) -> tuple[Tracking, int]:
    """Give another owner that has recovered from a batch, and where it reads on."""
    heir = track(ends)
    rows = batch.writes[SourcePartition(LOG, 0)]
    heir.load([Record(n, 0, key, value) for n, (key, value) in enumerate(rows)])
    return heir, heir.recover(batch.offsets)[SOURCE]


def test_a_record_of_another_partitions_instance_is_sent_there_and_not_judged_here() -> None:
    tracking = track({SOURCE: 2})
    tracking.recover({})
    tracking.apply(SOURCE, [row(0, HERE), row(1, ELSEWHERE)], 2)
    batch = tracking.take()
    assert forwarded(batch) == [(1, ELSEWHERE, "c")]
    assert set(tracking.partition.instances) == {HERE}
    assert batch.offsets[SOURCE] == Committed(2)


def test_the_instance_that_a_row_left_is_told_in_its_own_partition() -> None:
    tracking = track({SOURCE: 1})
    tracking.recover({})
    tracking.apply(SOURCE, [row(0, HERE, op="u", before=ELSEWHERE)], 1)
    assert forwarded(tracking.take()) == [(1, ELSEWHERE, "d")]
    assert set(tracking.partition.instances) == {HERE}


def test_a_dead_letter_is_written_once_however_often_its_record_is_read_again() -> None:
    ends = {SOURCE: 9, SourcePartition("cdc.other", 0): 5}  # the other one holds all changes back
    tracking = track(ends)
    tracking.recover({})
    tracking.apply(SOURCE, [row(0, HERE), bad(1), row(2, HERE)], 3)
    batch = tracking.take()
    assert letters(batch) == [1]
    for _ in range(2):  # also when it stops again before it has read so far
        tracking, position = restarted(batch, ends)
        assert position == 0
        tracking.apply(SOURCE, [row(0, HERE), bad(1)], 2)
        batch = tracking.take()
        assert letters(batch) == []


def test_reading_goes_on_at_the_first_change_that_was_not_judged() -> None:
    silent = SourcePartition("cdc.other", 0)
    tracking = track({SOURCE: 4, silent: 5})
    tracking.recover({})
    tracking.apply(SOURCE, [row(0, HERE), row(1, HERE)], 2)
    first = tracking.take()
    assert restarted(first, {SOURCE: 4, silent: 5})[1] == 0
    heir, position = restarted(first, {SOURCE: 2, silent: 0})
    heir.apply(SOURCE, [row(0, HERE), row(1, HERE)], 2)
    assert position == 0
    assert heir.take().offsets[SOURCE] == Committed(2)
    assert set(heir.partition.instances) == {HERE}


@pytest.mark.parametrize("committed", [0, 1, 3])
def test_state_and_committed_offset_that_disagree_stop_the_worker(committed: int) -> None:
    tracking = track({SOURCE: 2})
    tracking.recover({})
    tracking.apply(SOURCE, [row(0, HERE), row(1, HERE)], 2)
    batch = tracking.take()
    batch.offsets[SOURCE] = Committed(committed)
    with pytest.raises(Broken, match="committed"):
        restarted(batch, {SOURCE: 2})


def test_a_topic_that_was_re_keyed_until_now_is_read_on_where_that_ended() -> None:
    tracking = track({SOURCE: 9})
    tracking.recover({})
    tracking.tick({})
    rows = [(POSITION_KEY, tracking.take().writes[SourcePartition(LOG, 0)][-1][1])]
    heir = track({SOURCE: 9})
    heir.load([Record(0, 0, *rows[0])])
    assert heir.recover({SOURCE: Committed(7, "1000")})[SOURCE] == 7


def test_a_clock_ahead_of_the_producers_lets_no_source_overtake_another_for_long() -> None:
    ahead_ms = 300
    now_ms = int(NOW * 1000)
    tracking = track({SOURCE: 1})
    tracking.recover({})
    tracking.apply(SOURCE, [row(0, HERE, at=now_ms - 5_000)], 1)
    tracking.apply(SOURCE, [row(1, HERE, at=now_ms - 1 - ahead_ms)], 2)  # written after the question, stamped before
    tracking._agent.ends.add(now_ms + 1_000, {SOURCE: 2}, {})  # noqa: SLF001 - what the broker says next
    tracking.tick({})  # judges what waited
    tracking.tick({})  # and then the clock runs on
    assert tracking.partition.clock == now_ms + 1_000 - ahead_ms
