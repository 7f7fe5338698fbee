from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from bench.connector import BY_INSTANCE, BY_ROW, Connector, Layout
from bench.live import Flow, live_records, warm_up
from bench.plan import Plan, happenings, records
from bench.rows import Application, Progress
from stagewatch.cli_replay import load_everything
from stagewatch.replay import Replay
from stagewatch.settings import load_settings

PLAN = Plan(events=4_000)


@cache
def _shipped() -> tuple[Any, Any]:
    return load_everything(load_settings(None, {}))


def _replay() -> Replay:
    definitions, sources = _shipped()
    return Replay(definitions, sources.captured(BY_ROW.partitions), mail_domain="example.com")


def test_a_plan_gives_exactly_its_events_and_the_same_ones_again() -> None:
    first = list(records(PLAN))
    assert len(first) == PLAN.events
    assert first == list(records(PLAN))


def test_another_seed_gives_other_lives() -> None:
    assert list(happenings(PLAN)) != list(happenings(Plan(PLAN.events, seed=8)))


@pytest.mark.parametrize("layout", [BY_ROW, BY_INSTANCE, Layout(is_keyed=True, spread=64)])
def test_records_come_in_order_of_arrival_and_know_their_offsets(layout: Layout) -> None:
    next_offset = {(topic, number): 0 for topic, count in layout.partitions.items() for number in range(count)}
    found = list(records(PLAN, layout))
    for record in found:
        assert record.offset == next_offset[record.topic, record.partition]
        next_offset[record.topic, record.partition] += 1
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(found))


def test_keyed_by_the_instance_its_rows_share_a_key_and_a_partition_number() -> None:
    found = [r for r in records(PLAN, BY_INSTANCE) if r.topic.startswith("cdc.mkt.mkt_app")]
    places: dict[bytes, set[int]] = {}
    for record in found:
        assert record.key is not None
        places.setdefault(record.key, set()).add(record.partition)
    app_no = msgspec.json.decode(found[0].value or b"")["after"]["app_no"]
    assert b'{"app_no":"%s"}' % app_no.encode() in places
    assert all(len(numbers) == 1 for numbers in places.values())
    assert set().union(*places.values()) == set(range(BY_INSTANCE.spread))


@pytest.mark.parametrize("instances", [200, 1_000])
def test_as_many_applications_are_open_at_the_end_as_at_the_beginning(instances: int) -> None:
    rows = [h.row for h in happenings(Plan(events=30_000, instances=instances)) if isinstance(h.row, Application)]
    ended = {row.app_no for row in rows if row.archived_at}
    still_open = {row.app_no for row in rows} - ended
    assert 0.8 <= len(still_open) / instances <= 1.2


def test_every_record_is_understood() -> None:
    replay = _replay()
    replay.feed(records(PLAN))
    assert (replay.outcome.changes, replay.outcome.dead_letters, replay.outcome.dropped) == (PLAN.events, [], 0)


def test_a_stage_in_ten_to_twenty_raises_something() -> None:
    replay = _replay()
    replay.feed(records(Plan(events=8_000)))
    late = {(a.instance, a.stage, a.visit) for a in replay.outcome.alerts if a.event == "raised" and a.stage}
    entered = sum(isinstance(h.row, Progress) and h.op == "c" for h in happenings(Plan(events=8_000)))
    assert 0.05 <= len(late) / entered <= 0.10


@pytest.mark.parametrize("rate", [100, 5_000])
def test_live_records_carry_the_times_they_are_due_at(rate: int) -> None:
    flow, start = Flow(rate, seconds=2), 1_780_000_000_000
    found = list(live_records(flow, Connector(), start))
    assert [r.timestamp for r in found] == [start + n * 1000 // rate for n in range(2 * rate)]


def test_the_records_that_raise_on_arrival_are_those_the_flow_names() -> None:
    flow, connector, now = Flow(500, seconds=4), Connector(), 1_780_000_000_000
    replay = _replay()
    replay.feed(warm_up(flow, connector, now))
    found = list(live_records(flow, connector, now))
    replay.feed(found)
    raising = {(r.topic, r.partition, r.offset) for r in found if flow.raises(r)}
    evidence = [a.evidence[0] for a in replay.outcome.alerts if a.rule == "R-T03"]
    assert {(e.topic, e.partition, e.offset) for e in evidence} == raising
    assert 0.01 < len(raising) / flow.records < 0.03
