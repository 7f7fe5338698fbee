"""The demo's story, told to the engine and to the independent recount: both must say the same."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from connectors import SHIPPED_SOURCES, load_sources
from rules import load_definitions
from schemas import epoch_ms
from stagewatch.demo.generator import Story, tell_story
from stagewatch.demo.recount import Firings, Key, recount
from stagewatch.demo.source import TABLES, Connector, Happening, topic_of
from stagewatch.demo.workdays import DAY_MS, at_work, is_workday, local_day, midnight
from stagewatch.replay import Replay

BEGIN = 1_782_180_000_000  # 2026-06-23T10:00+08:00, a Tuesday
ODD_BEGINS = {
    "midnight": "2026-06-23T23:59:50+08:00",
    "a holiday": "2026-10-03T15:00:00+08:00",
    "a Saturday that is worked": "2026-02-28T15:00:00+08:00",
    "the end of the published calendar": "2026-12-31T23:59:50+08:00",
    "a year without a calendar": "2035-05-03T08:00:00+08:00",
}
SECONDS = 20.0
SEEDS = (1, 2, 3)


def story_of(seed: int, events: int = 1500, begins_at: int = BEGIN) -> Story:
    return tell_story(seed=seed, events=events, told_at=begins_at - 14_000, begins_at=begins_at, seconds=SECONDS)


def replayed(happenings: list[Happening], until: int) -> Replay:
    run = Replay(load_definitions(), load_sources([SHIPPED_SOURCES]), mail_domain="example.com")
    run.feed(Connector().records(happenings))
    run.advance(until)
    return run


def found_in(run: Replay) -> dict[Key, int]:
    raised = [alert for alert in run.outcome.alerts if alert.event == "raised"]
    keys = {
        Key(a.rule, a.severity, a.process, a.instance, a.stage, a.visit, item=a.object.item if a.object else None): at
        for a in raised
        for at in (a.raised_at,)
    }
    assert len(keys) == len(raised), "a rung was raised twice"
    return keys


def times_of(firings: Firings) -> dict[Key, int]:
    return {key: firing.at for key, firing in firings.items()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("days_after", [0, 45])
def test_engine_and_recount_agree_on_every_alert_and_its_millisecond(seed: int, days_after: int) -> None:
    story = story_of(seed)
    happenings = [*story.history, *story.live]
    until = BEGIN + int(SECONDS * 1000) + days_after * DAY_MS
    assert found_in(replayed(happenings, until)) == times_of(recount(happenings, until))


@pytest.mark.parametrize("begin", ODD_BEGINS.values(), ids=ODD_BEGINS)
def test_engine_and_recount_agree_whenever_the_demo_is_started(begin: str) -> None:
    begins_at = epoch_ms(begin)
    story = story_of(4, begins_at=begins_at)
    happenings = [*story.history, *story.live]
    until = begins_at + int(SECONDS * 1000)
    assert found_in(replayed(happenings, until)) == times_of(recount(happenings, until))


def test_the_story_raises_every_rule_that_it_is_meant_to_show() -> None:
    rules: Counter[str] = Counter()
    for seed in SEEDS:
        story = story_of(seed)
        rules.update(key.rule for key in recount([*story.history, *story.live], BEGIN + 20_000))
    assert set(rules) == {
        "R-T02", "R-T03", "R-T04", "R-T05", "R-T06", "R-T07", "R-T10", "R-T11", "R-T12", "R-T13", "R-T14", "R-T18",
        "R-T19", "R-N01", "R-N02", "R-N04", "R-N05", "R-N06", "R-N07", "R-N08", "R-N09",
    }  # fmt: skip


def test_timers_and_arrivals_fire_while_the_audience_watches() -> None:
    story = story_of(4)
    live = [f for f in recount([*story.history, *story.live], BEGIN + 20_000).values() if f.at >= BEGIN]
    assert sum(f.by_arrival for f in live) >= 20
    assert sum(not f.by_arrival for f in live) >= 15


def test_the_same_seed_tells_the_same_story() -> None:
    assert story_of(5) == story_of(5)
    assert story_of(5).history != story_of(6).history


def test_history_is_about_as_long_as_asked_and_ends_before_the_live_phase() -> None:
    story = story_of(7, events=6000)
    assert 5000 <= len(story.history) <= 7000
    assert story.history[-1].at < BEGIN <= story.live[0].at
    assert story.live[-1].at < BEGIN + SECONDS * 1000


def test_no_two_records_arrive_in_one_millisecond() -> None:
    story = story_of(8)
    arrivals = [happening.at for happening in (*story.history, *story.live)]
    assert arrivals == sorted(set(arrivals))


def test_work_is_done_on_workdays_in_office_hours() -> None:
    for hours in range(24 * 14):
        moment = at_work(BEGIN + hours * 3_600_000)
        day = local_day(moment)
        assert is_workday(day)
        assert 8.5 <= (moment - midnight(day)) / 3_600_000 <= 17.5


def test_offsets_and_log_positions_only_grow() -> None:
    story = story_of(9)
    records = list(Connector().records(story.history))
    next_offset: Counter[tuple[str, int]] = Counter()
    lsn = 0
    for record in records:
        assert record.offset == next_offset[record.topic, record.partition]
        next_offset[record.topic, record.partition] += 1
        found = re.search(rb'"lsn": (\d+)', record.value or b"")
        assert found is not None
        assert int(found[1]) > lsn
        lsn = int(found[1])
    assert {record.topic for record in records} == {topic_of(table) for table in TABLES}


def test_what_nobody_can_read_becomes_a_dead_letter_and_nothing_else() -> None:
    story = story_of(10)
    unreadable = [happening for happening in story.live if happening.garbage is not None]
    assert unreadable
    happenings = [*story.history, *story.live]
    assert len(replayed(happenings, BEGIN).outcome.dead_letters) == len(unreadable)
    without = [happening for happening in happenings if happening.garbage is None]
    assert recount(happenings, BEGIN) == recount(without, BEGIN)


def test_the_recount_sees_a_deadline_that_moves() -> None:
    story = story_of(11)
    visit = next(h for h in story.history if h.row.get("stage_code") == "SURVEY" and h.op == "c")
    lives = [h for h in story.history if h.row.get("app_no") == visit.row["app_no"] and h.table == "mkt.mkt_app"][:1]
    until = visit.at + 60 * DAY_MS
    keys = recount([*lives, visit], until)
    assert {key.severity for key in keys if key.rule == "R-T03"} == {"WARN", "ALARM"}
    suspended = replace(visit, at=visit.at + 1, op="u", row={**visit.row, "suspend_from": visit.at})
    assert not [key for key in recount([*lives, visit, suspended], until) if key.rule == "R-T03"]
