"""The summing agent: what it judges by which clock, and that an heir goes on exactly where it stopped."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from rules import Engine, Reference
from schemas import Broken, Change, ClockMark, IndicatorDelta, decode_alert, decode_indicator, decode_notice
from schemas.codec import CLOCK_KEY, encode_clock, encode_delta
from streams.definitions import RuleBook
from streams.ends import Ends
from streams.logic import Batch, Committed, Lease, SourcePartition
from streams.metrics import Metrics
from streams.recovery import POSITION_KEY
from streams.reference import ReferenceReader
from streams.totals import Totalling, TotalsAgent, TotalsTopics
from tests.helpers.records import Record
from tests.helpers.thresholds import definitions, delta, ms

DELTAS, LOG = "stagewatch.deltas", "log"
HERE = SourcePartition(DELTAS, 0)
REFERENCE = SourcePartition("cdc.ymd.ymd_org", 0)
NOW = ms("03-10T00:00") / 1000
DAILY = '{frequency: daily, at: "08:00"}'
RULE = '[{indicator: I122, operator: lt, value: 90, unit: "%"}]'
DAY = delta("I122", 8, 10, date="2026-03-02", at="03-02T15:00")


REPORT = """version: report/v1
id: week
title: 周报
execution: {frequency: weekly, day: 1, at: "08:00"}
roles: [reader]
indicators: [I122]
"""
BOSS = {"org_no": "33401", "role": "reader", "person_no": "P1", "person_name": "李"}


def totalling(
    folder: Path, *, reference_ends: Mapping[SourcePartition, int] | None = None, now: float = NOW
) -> Totalling:
    """Give the one partition of an agent that listens to two trackers, of definitions with one report."""
    known = Reference(frozenset({"org", "stakeholder"}))
    known.add(Change("stakeholder", "", "S1", "c", 1, 1, "stakeholder", 0, 1, BOSS))  # type: ignore[arg-type]
    asked = Ends(now=lambda: NOW)
    asked.add(int(NOW * 1000), {}, reference_ends or {})
    agent = TotalsAgent(
        RuleBook(Engine(definitions(folder, RULE, DAILY, report=REPORT), known)),
        out=TotalsTopics(DELTAS, "indicators", "alerts", "notices", LOG),
        counts={DELTAS: 1, "indicators": 1, "alerts": 1, "notices": 1}, trackers=2, ends=asked,
        reference=ReferenceReader(Reference(frozenset()), {}), metrics=Metrics(version="test"), now=lambda: now,
    )  # fmt: skip
    return agent.open(Lease("totals", "", 0))


def records(*values: IndicatorDelta | tuple[int, str], first: int = 0) -> list[Record]:
    """Give differences, and clocks as number of the tracker and time."""
    return [
        Record(n, 0, CLOCK_KEY, encode_clock(ClockMark(value[0], ms(value[1]))))
        if isinstance(value, tuple)
        else Record(n, 0, b"key", encode_delta(value))
        for n, value in enumerate(values, start=first)
    ]


def alerts(batch: Batch) -> list[tuple[str, str]]:
    rows = batch.writes.get(SourcePartition("alerts", 0), [])
    return [(alert.event, alert.instance) for alert in (decode_alert(value or b"") for _, value in rows)]


def mailed(batch: Batch) -> list[tuple[str, str, bool]]:
    """Give person, what it is about and whether it is late, of each report."""
    rows = batch.writes.get(SourcePartition("notices", 0), [])
    found = [decode_notice(value or b"") for _, value in rows]
    return [(each.recipient.no, each.instance, each.is_late) for each in found if each.report is not None]


def test_a_report_leaves_when_all_trackers_have_passed_its_time_and_once(tmp_path: Path) -> None:
    agent = totalling(tmp_path, now=ms("03-01T00:00") / 1000)
    agent.recover({})
    agent.apply(HERE, records((0, "03-09T07:00"), (1, "03-09T07:00")), 2)
    agent.apply(HERE, records((0, "03-09T08:00"), first=2), 3)
    assert mailed(agent.take()) == []
    agent.apply(HERE, records((1, "03-09T08:00"), first=3), 4)
    assert agent.is_urgent()
    batch = agent.take()
    assert mailed(batch) == [("P1", "33401:2026-W10", False)]
    agent.apply(HERE, records((0, "03-09T09:00"), (1, "03-09T09:00"), first=4), 6)
    assert mailed(agent.take()) == []
    heir = totalling(tmp_path, now=ms("03-09T10:00") / 1000)
    heir.load([Record(n, 0, k, v) for n, (k, v) in enumerate(batch.writes[SourcePartition(LOG, 0)])])
    heir.recover(batch.offsets)
    heir.apply(HERE, records((0, "03-09T09:00"), (1, "03-09T09:00"), first=4), 6)
    assert mailed(heir.take()) == [], "its clock was committed with the notice"


def test_a_report_whose_time_passed_while_nobody_ran_is_made_up_for_and_said_to_be_late(tmp_path: Path) -> None:
    agent = totalling(tmp_path, now=ms("03-01T00:00") / 1000)
    agent.recover({})
    agent.apply(HERE, records((0, "03-02T09:00"), (1, "03-02T09:00")), 2)
    batch = agent.take()
    heir = totalling(tmp_path)
    heir.load([Record(n, 0, k, v) for n, (k, v) in enumerate(batch.writes[SourcePartition(LOG, 0)])])
    heir.recover(batch.offsets)
    heir.apply(HERE, records((0, "03-09T09:00"), (1, "03-09T09:00"), first=2), 4)
    assert mailed(heir.take()) == [("P1", "33401:2026-W10", True)]


def test_a_tracker_that_has_not_reported_stops_the_clock(tmp_path: Path) -> None:
    agent = totalling(tmp_path)
    agent.recover({})
    agent.apply(HERE, records(DAY, (0, "03-03T09:00")), 2)
    batch = agent.take()
    value = decode_indicator(batch.writes[SourcePartition("indicators", 0)][0][1] or b"")
    assert (value.numerator, value.denominator) == (8, 10), "values wait for nobody"
    assert alerts(batch) == []
    agent.apply(HERE, records((1, "03-03T07:59"), first=2), 3)
    assert alerts(agent.take()) == []
    agent.apply(HERE, records((1, "03-03T08:00"), first=3), 4)
    assert alerts(agent.take()) == [("raised", "org:3340101:2026-03-02")]


def test_reference_data_that_is_not_read_stops_the_clock_too(tmp_path: Path) -> None:
    agent = totalling(tmp_path, reference_ends={REFERENCE: 1})
    agent.recover({})
    agent.apply(HERE, records(DAY, (0, "03-03T09:00"), (1, "03-03T09:00")), 3)
    assert alerts(agent.take()) == []
    assert not agent.is_due({})
    agent._agent.reference.note_read(REFERENCE, 1, ms("03-01T00:00"))  # noqa: SLF001 - what its poll does
    assert agent.is_due({})
    agent.tick({})
    assert alerts(agent.take()) == [("raised", "org:3340101:2026-03-02")]


def test_an_heir_judges_what_the_last_owner_had_read_and_not_judged(tmp_path: Path) -> None:
    agent = totalling(tmp_path)
    agent.recover({})
    agent.apply(HERE, records(DAY, (0, "03-03T09:00"), (1, "03-03T07:00")), 3)
    batch = agent.take()
    heir = totalling(tmp_path)
    heir.load([Record(n, 0, k, v) for n, (k, v) in enumerate(batch.writes[SourcePartition(LOG, 0)])])
    assert heir.recover(batch.offsets) == {HERE: 3}
    heir.apply(HERE, records((1, "03-03T09:00"), first=3), 4)
    assert alerts(heir.take()) == [("raised", "org:3340101:2026-03-02")]
    late = delta("I122", 90, 90, date="2026-03-02", at="03-04T10:00")
    heir.apply(HERE, records(late, (0, "03-05T00:00"), (1, "03-05T00:00"), first=4), 7)
    assert alerts(heir.take()) == [("cleared", "org:3340101:2026-03-02")]


def test_sums_that_an_older_version_spread_over_the_partitions_are_refused(tmp_path: Path) -> None:
    agent = totalling(tmp_path)
    pack = msgspec.msgpack.encode
    agent.load([Record(0, 0, b"I111|1||{}", pack([1, 0, 5])), Record(1, 0, POSITION_KEY, pack([7, 1]))])
    with pytest.raises(Broken, match="format 1 and this version reads 2"):
        agent.recover({HERE: Committed(7)})
