import io
import json
from collections import Counter

import pytest

import bench
from bench.expectation import WorkLost, compare
from bench.openloop import percentile
from bench.report import Report
from bench.worker_process import Moment, rate
from schemas import StagewatchError
from stagewatch.output import Output


def _report(**figures: float) -> Report:
    return Report(name="track", figures=figures, goals={"events_per_second": (">=", 1000), "p99_ms": ("<=", 250)})


def _shown(report: Report, *, is_json: bool) -> str:
    out = io.StringIO()
    report.show(Output(is_json=is_json, out=out, err=io.StringIO()))
    return out.getvalue()


def test_all_goals_reached_is_met() -> None:
    assert _report(events_per_second=1000, p99_ms=250).met


@pytest.mark.parametrize("figures", [{"events_per_second": 999, "p99_ms": 1}, {"events_per_second": 2000}])
def test_a_goal_missed_or_not_taken_is_not_met(figures: dict[str, float]) -> None:
    assert not _report(**figures).met


def test_json_is_one_object_on_the_last_line() -> None:
    shown = json.loads(_shown(_report(events_per_second=1234.4, p99_ms=2.71828), is_json=True).splitlines()[-1])
    assert shown.keys() == {"name", "figures", "ratios", "goals", "met", "machine"}
    assert shown["figures"] == {"events_per_second": 1234, "p99_ms": 2.718}
    assert shown["met"] is True


def test_the_table_says_which_goal_is_met() -> None:
    lines = _shown(_report(events_per_second=5000, p99_ms=900), is_json=False).splitlines()
    assert lines[1].split() == ["events_per_second", "5,000", ">=", "1,000", "yes"]
    assert lines[2].split() == ["p99_ms", "900", "<=", "250", "no"]


def test_equal_alerts_compare_silently() -> None:
    compare(Counter({("a", "raised"): 1}), Counter({("a", "raised"): 1}))


@pytest.mark.parametrize(
    ("found", "says"),
    [({}, "1 alert events are missing"), ({("a", "raised"): 2}, "1 are too many")],
)
def test_lost_or_doubled_alerts_fail_the_run(found: dict[tuple[str, str], int], says: str) -> None:
    with pytest.raises(WorkLost, match=says):
        compare(Counter({("a", "raised"): 1}), Counter(found))


def test_rates_are_per_second_and_per_cpu_second() -> None:
    assert rate(Moment(10.0, 1.0, 0), Moment(14.0, 3.0, 8000)) == (2000, 4000)


def test_a_run_too_short_to_measure_says_so() -> None:
    with pytest.raises(StagewatchError, match="--events"):
        rate(Moment(1.0, 1.0, 5), Moment(1.0, 1.0, 5))


@pytest.mark.parametrize(("share", "value"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_percentile_is_the_nearest_rank(share: int, value: int) -> None:
    assert percentile(list(range(1, 101)), share) == value


def test_an_option_of_another_benchmark_is_refused() -> None:
    with pytest.raises(StagewatchError, match="track has no option --rate"):
        bench.run("track", None, Output(), {"rate": 5})
