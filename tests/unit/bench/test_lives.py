from itertools import pairwise

import pytest

from bench.live import Flow, live_records, warm_up
from bench.lives import Plan, happenings, records
from bench.rows import PARTITIONS, Connector, Progress
from stagewatch.cli_replay import load_everything
from stagewatch.replay import Replay
from stagewatch.settings import load_settings

PLAN = Plan(events=4_000)


def _replay() -> Replay:
    return Replay(*load_everything(load_settings(None, {})), mail_domain="example.com")


def test_a_plan_gives_exactly_its_events_and_the_same_ones_again() -> None:
    first = list(records(PLAN))
    assert len(first) == PLAN.events
    assert first == list(records(PLAN))


def test_another_seed_gives_other_lives() -> None:
    assert list(happenings(PLAN)) != list(happenings(Plan(PLAN.events, seed=8)))


def test_records_come_in_order_of_arrival_and_know_their_offsets() -> None:
    next_offset = {(topic, number): 0 for topic, count in PARTITIONS.items() for number in range(count)}
    found = list(records(PLAN))
    for record in found:
        assert record.offset == next_offset[record.topic, record.partition]
        next_offset[record.topic, record.partition] += 1
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(found))


def test_every_record_is_understood() -> None:
    replay = _replay()
    replay.feed(records(PLAN))
    assert (replay.outcome.changes, replay.outcome.dead_letters, replay.outcome.dropped) == (PLAN.events, [], 0)


def test_a_stage_in_ten_to_twenty_raises_something() -> None:
    replay = _replay()
    replay.feed(records(Plan(events=20_000)))
    late = {(a.instance, a.stage, a.visit) for a in replay.outcome.alerts if a.event == "raised" and a.stage}
    entered = sum(isinstance(h.row, Progress) and h.op == "c" for h in happenings(Plan(events=20_000)))
    assert 0.05 <= len(late) / entered <= 0.10


@pytest.mark.parametrize("rate", [100, 5_000])
def test_live_records_carry_the_times_they_are_due_at(rate: int) -> None:
    flow, start = Flow(rate, seconds=2), 1_780_000_000_000
    found = list(live_records(flow, Connector(), start))
    assert [r.timestamp for r in found] == [start + n * 1000 // rate for n in range(2 * rate)]


def test_the_records_that_raise_on_arrival_are_those_the_flow_names() -> None:
    flow, connector, now = Flow(500, seconds=4), Connector(), 1_780_000_000_000
    replay = _replay()
    replay.feed(warm_up(connector, now))
    found = list(live_records(flow, connector, now))
    replay.feed(found)
    raising = {(r.topic, r.partition, r.offset) for r in found if flow.raises(r)}
    evidence = [a.evidence[0] for a in replay.outcome.alerts if a.rule == "R-T03"]
    assert {(e.topic, e.partition, e.offset) for e in evidence} == raising
    assert 0.01 < len(raising) / flow.records < 0.03
