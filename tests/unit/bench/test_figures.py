"""The arithmetic of the benchmarks, on made-up runs."""

import json
import subprocess
from pathlib import Path

import pytest

from bench.expectation import WorkLost
from bench.live import Flow
from bench.openloop import Seen, delays
from bench.ratchet import BASELINE, Entry, raised, read_baseline
from bench.recovery import Join, check_raised, delays_by_second, felt
from bench.rules import MANY, rule_count, with_rules
from bench.soak import growth
from bench.timers import AT_ONCE, DUE_A_SECOND, SETTLE_MS, Schedule, figures_of
from rules import SHIPPED, read_definitions
from schemas import Recorded, StagewatchError


def _seen(place: int, *, raised_at: int = 0, received: float = 0.0, instance: str = "A1", rule: str = "R-T03") -> Seen:
    return Seen(("t", 0, place), rule, instance, raised_at, 0, received)


def _record(place: int, at: int) -> Recorded:
    return Recorded("t", 0, place, at, b"k", b'"stage_code":"SURVEY"', {})


def test_delays_are_counted_from_the_scheduled_time_and_sorted() -> None:
    seen = [_seen(1, received=1_500), _seen(2, received=1_100), _seen(9, received=5_000)]
    sent = {("t", 0, 1): 1_000, ("t", 0, 2): 1_050}
    assert delays(seen, sent, lambda each: each.received) == [50, 500]


# -- timers


def _fired(schedule: Schedule, late_ms: float) -> list[Seen]:
    return [_seen(n, raised_at=due, received=due + late_ms, instance=f"A{n}") for n, due in enumerate(schedule.dues())]


def test_a_schedule_has_some_every_second_and_many_at_its_end() -> None:
    schedule = Schedule(start=1_000_000, seconds=15)
    dues = schedule.dues()
    assert dues.count(schedule.at_once) == AT_ONCE
    early = [due for due in dues if due < schedule.at_once]
    assert len(early) == DUE_A_SECOND * (15 - SETTLE_MS // 1000)
    assert min(early) == schedule.start + SETTLE_MS
    assert max(early) < schedule.start + 15_000 <= schedule.at_once


def test_lags_and_the_time_for_many_at_once_are_told_apart() -> None:
    schedule = Schedule(start=1_000_000, seconds=15)
    found = figures_of(_fired(schedule, 40.0), schedule)
    assert (found["lag_p50_ms"], found["lag_p99_ms"], found["at_once_s"]) == (40, 40, 0.04)


@pytest.mark.parametrize("fault", ["lost", "twice", "early"])
def test_a_timer_that_is_lost_repeated_or_early_fails_the_run(fault: str) -> None:
    schedule = Schedule(start=1_000_000, seconds=15)
    seen = _fired(schedule, 40.0)
    match fault:
        case "lost":
            seen.pop()
        case "twice":
            seen.append(seen[0])
        case _:
            seen[0] = seen[0]._replace(raised_at=seen[0].raised_at - 1)
    with pytest.raises(WorkLost):
        figures_of(seen, schedule)


# -- a second worker's joining


def test_each_late_survey_raises_two_alerts() -> None:
    records, flow = [_record(1, 0), _record(2, 0)], Flow(1, 1)
    check_raised(records, [_seen(1), _seen(1), _seen(2), _seen(2), _seen(2, rule="R-T19")], flow)
    with pytest.raises(WorkLost, match="1 records did not raise 2"):
        check_raised(records, [_seen(1), _seen(1), _seen(2)], flow)


def test_a_join_was_felt_until_the_last_slow_second_ended() -> None:
    records = [_record(n, n * 100) for n in range(300)]  # ten a second
    slow = range(120, 160)  # the seconds 12 to 15
    seen = [_seen(n, received=n * 100 + (900 if n in slow else 50)) for n in range(300)]
    found = felt(delays_by_second(records, seen), 0, Join(began=11.0, ready=13.5, moved=2))
    assert found == {"p99_before_ms": 50, "max_ms": 900, "p99_recovered_s": 2.5}


def test_a_join_that_was_not_felt_recovers_at_once() -> None:
    records = [_record(n, n * 100) for n in range(300)]
    seen = [_seen(n, received=n * 100 + 50) for n in range(300)]
    assert felt(delays_by_second(records, seen), 0, Join(11.0, 13.5, 2))["p99_recovered_s"] == 0


# -- memory


def test_growth_compares_the_end_with_the_beginning() -> None:
    assert growth([100.0] * 50 + [102.0] * 50) == pytest.approx(2.0)
    with pytest.raises(StagewatchError, match="--seconds"):
        growth([100.0] * 5)


# -- rules


def test_the_further_rules_are_well_formed_and_as_many_as_asked_for(tmp_path: Path) -> None:
    folders = [SHIPPED, with_rules(tmp_path / "more", MANY - rule_count([SHIPPED]))]
    assert read_definitions(folders).faults == []
    assert rule_count(folders) == MANY


# -- the ratchet


def test_a_baseline_rises_and_never_falls(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    assert read_baseline(file) == []
    assert raised([], 0.25, file)
    assert not raised(read_baseline(file), 0.25, file)
    assert not raised(read_baseline(file), 0.2, file)
    assert raised(read_baseline(file), 0.31, file)
    assert [entry.ratio for entry in read_baseline(file)] == [0.25, 0.31]


def test_a_baseline_that_falls_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text('[{"date": "2026-01-01", "ratio": 0.3}, {"date": "2026-01-02", "ratio": 0.2}]')
    with pytest.raises(StagewatchError, match="may only rise"):
        read_baseline(file)


def test_the_shipped_baseline_has_kept_all_that_it_ever_had() -> None:
    reached = read_baseline()
    assert reached
    for earlier in _committed_versions():
        assert reached[: len(earlier)] == earlier


def _committed_versions() -> list[list[Entry]]:
    """Every version of the file in the history, where there is one."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(BASELINE.parent), *arguments], capture_output=True, text=True, check=True
        ).stdout

    try:
        commits = git("log", "--format=%H", "--", BASELINE.name).split()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"there is no history to compare with: {error}")
    versions = []
    for commit in commits:
        copy = git("show", f"{commit}:bench/{BASELINE.name}")
        versions.append([Entry(**entry) for entry in json.loads(copy)])
    return versions
