"""The flow hangs on no interleaving of different rows' records, its counts add up, and it agrees with the engine."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import asdict
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.flow import By, Flow, History, Kind
from rules.state import rung_parts
from schemas import Change
from tests.helpers.builders import World, ms, shipped
from tests.helpers.flow_lives import changes_of, lives

SEEDS = st.integers(0, 10_000)
PROCESS = shipped().processes["hv_connection"]
AT = ms("2026-06-01T00:00")


def measured(changes: Sequence[Change]) -> Flow:
    history = History(shipped(), PROCESS)
    for change in changes:
        history.take(change)
    flow = Flow(PROCESS, AT, longest=10)
    for case in history.cases():
        flow.add(case)
    return flow


def everything(flow: Flow) -> object:
    rows: list[Sequence[Any]] = [
        flow.variants.rows(), flow.follows.rows(), flow.reworks.rows(), flow.waits.rows(), flow.waits.longest(),
        flow.conformance.misfits, *(flow.durations.rows(by) for by in By),
    ]  # fmt: skip
    places = [(d.instance, d.kind, d.stage, d.visit, d.at, d.evidence) for d in flow.conformance.deviations]
    return [[asdict(row) for row in each] for each in rows], places, asdict(flow.conformance.fitness())


def interleaved(changes: Sequence[Change], rng: Random) -> list[Change]:
    """Give the changes in another order that keeps that of each row."""
    rows: dict[tuple[str, str], deque[Change]] = defaultdict(deque)
    for change in changes:
        rows[change.entity, change.row].append(change)
    turns = [(change.entity, change.row) for change in changes]
    rng.shuffle(turns)
    return [rows[turn].popleft() for turn in turns]


@settings(max_examples=15, deadline=None)
@given(SEEDS, SEEDS)
def test_any_interleaving_of_rows_gives_the_same_flow(seed: int, order: int) -> None:
    changes = changes_of(lives(seed, 6))
    again = interleaved(changes, Random(order))
    assert everything(measured(again)) == everything(measured(changes))
    assert everything(measured([*again, *again])) == everything(measured(changes))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(0, 400))
def test_counts_add_up_to_the_events(seed: int, known: int) -> None:
    """Of any beginning of history: stages, variants, ways between stages and groups all count each event once."""
    flow = measured(changes_of(lives(seed, 12))[:known])
    totals = flow.totals
    assert sum(len(v.stages) * v.instances for v in flow.variants.rows()) == totals.events
    assert sum(v.instances for v in flow.variants.rows()) == totals.instances
    assert sum(r.count for r in flow.follows.rows()) == totals.events - (totals.instances - totals.without_events)
    assert flow.follows.begins.total() == totals.instances - totals.without_events
    assert sum(r.visits for r in flow.reworks.rows()) == totals.events
    for by in By:
        assert sum(r.open + r.worked_h.count for r in flow.durations.rows(by)) == totals.events
    assert sum(v.over for v in flow.variants.rows()) == totals.over
    fitness = flow.conformance.fitness()
    absent = {Kind.STEP_WITHOUT_RECORD, Kind.RESULT_WITHOUT_LOG}
    missing = sum(d.kind in absent for d in flow.conformance.deviations)
    assert fitness.steps == totals.events + missing
    assert fitness.deviating == sum(m.deviating for m in flow.conformance.misfits) <= fitness.steps


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_a_broken_order_is_what_the_engine_raises(seed: int) -> None:
    changes = changes_of(lives(seed, 10))
    world = World()
    for change in changes:
        world.take(change)
    raised = {
        (instance.key, *rung_parts(key)[:2])
        for instance in world.partition.instances.values()
        for key in (instance.raised or {}).get("R-T18", {})
    }
    deviations = measured(changes).conformance.deviations
    assert {(d.instance, d.stage, d.visit) for d in deviations if d.kind is Kind.ORDER_BROKEN} == raised
