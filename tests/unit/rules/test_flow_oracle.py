"""The same histories measured by pm4py: variants, what follows what, lengths, rework, and which cases fit.

What pm4py found is kept in `tests/data/flow-oracle.json`; `tests.helpers.flow_oracle` says how and makes it again.
"""

import dataclasses
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import pytest

from rules.calendar_overlay import Overlay
from rules.flow import By, Flow, History
from rules.workdays import state_council_calendar
from schemas import Change, Decoder
from tests.helpers.builders import shipped
from tests.helpers.capture import SAMPLES, capture
from tests.helpers.flow_lives import changes_of, lives
from tests.helpers.replaying import sources

ORACLE: dict[str, Any] = json.loads((SAMPLES / "flow-oracle.json").read_text(encoding="utf-8"))
HOUR_S = 3600


def by_the_clock(changes: Iterable[Change]) -> Flow:
    """Measure with a calendar on which every day is worked, since pm4py knows none of ours; days have 24 hours."""
    every_day = state_council_calendar(Overlay.model_validate(EVERY_DAY))
    process = dataclasses.replace(shipped().processes["hv_connection"], calendar=every_day)
    history = History(shipped(), process)
    for change in changes:
        history.take(change)
    flow = Flow(process, 0, longest=0)
    for case in history.cases():
        flow.add(case)
    return flow


EVERY_DAY = {"version": "calendar/v1", "id": "every_day", "title": "每天", "base": "every_day"}


def captured() -> Iterable[Change]:
    decoders = {m.topic: Decoder(m) for m in sources().mappings if m.entity in {"application", "visit"}}
    for r in capture():
        if r.topic in decoders:
            yield from decoders[r.topic].decode_all(
                key=r.key, value=r.value, headers=r.headers, timestamp=r.timestamp, topic=r.topic,
                partition=r.partition, offset=r.offset,
            )  # fmt: skip


@lru_cache
def measured(which: str) -> Flow:
    if which == "capture":
        return by_the_clock(captured())
    return by_the_clock(changes_of(lives(ORACLE["lives"]["seed"], ORACLE["lives"]["count"])))


@pytest.mark.parametrize("which", ["capture", "lives"])
def test_variants_and_what_follows_what_are_those_of_pm4py(which: str) -> None:
    flow, oracle = measured(which), ORACLE[which]
    assert sorted([list(v.stages), v.instances] for v in flow.variants.rows()) == oracle["variants"]
    assert sorted([r.source, r.target, r.count] for r in flow.follows.rows()) == oracle["follows"]
    assert flow.follows.begins == oracle["begins"]
    rework = {r.stage: r.repeated_instances for r in flow.reworks.rows() if r.repeated_instances}
    assert rework == oracle["rework"]


def test_ends_are_those_of_pm4py_where_all_have_ended() -> None:
    assert measured("lives").follows.ends == ORACLE["lives"]["ends"]


def test_waits_between_stages_are_those_of_pm4py_by_the_clock() -> None:
    found = {(r.source, r.target): r.wait_h.median * HOUR_S for r in measured("capture").follows.rows()}
    for source, target, seconds in ORACLE["capture"]["waits_s"]:
        assert found.pop((source, target)) == pytest.approx(seconds, abs=HOUR_S / 100)
    assert found == {}


def test_a_case_conforms_exactly_if_pm4py_aligns_it_without_cost() -> None:
    flow, oracle = measured("lives"), ORACLE["lives"]
    every = {each.key for each in lives(oracle["seed"], oracle["count"])}
    assert every - {each.instance for each in flow.conformance.misfits} == set(oracle["fitting"])
    assert flow.conformance.fitness().conforming == len(oracle["fitting"])
    assert 0 < len(oracle["fitting"]) < len(every)


def test_stages_without_suspension_last_as_long_as_pandas_says() -> None:
    """Suspended ones differ by design; the median of a stage with few of them moves little, so it is bounded."""
    for row in measured("capture").durations.rows(By.STAGE):
        seconds = ORACLE["capture"]["lasted_s"][row.stage]
        assert 0.9 * seconds <= row.worked_h.median * HOUR_S <= seconds + HOUR_S / 100
