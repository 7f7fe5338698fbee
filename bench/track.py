"""`stagewatch bench track`: the tracking worker on records keyed by the process instance, exactly once.

Three topics, as Debezium writes them with `message.key.columns`, and the small reference tables: read by the
tracking agent itself, alerts and indicators out (agents `track` and `totals`; nothing is re-keyed or sent). First
all records lie there and are worked off, which gives the events per second; then, on fresh topics, a moderate flow
is sent open loop (`bench.openloop`), which gives the time from an event's arrival to its alert.
"""

from pathlib import Path

from bench.connector import BY_INSTANCE
from bench.latency import RATE, SETTLE_S, arrival_to_alert
from bench.live import Flow
from bench.plan import Plan
from bench.report import Goal, Report, machine
from bench.trial import lay_out_plan, plan_figures, trial_on
from stagewatch import Output

AGENTS = "track,totals"
EVENTS = 1_000_000
"""Ten seconds of work at the goal's speed; more is steadier."""
SECONDS = 10
GOALS: dict[str, Goal] = {"events_per_second_per_core": (">=", 100_000), "p99_ms": ("<=", 150)}


def run(bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, instances: int = 0) -> Report:
    """Measure; raises StagewatchError when it cannot, or when work was lost."""
    plan, about = Plan(events, instances), machine()
    with trial_on(bootstrap, data_dir, output) as trial:
        truth = lay_out_plan(trial, plan, BY_INSTANCE)
        caught = trial.catch_up(trial.fresh("track"), AGENTS)
        trial.check(truth)
        delay = arrival_to_alert(trial, BY_INSTANCE, Flow(RATE, SECONDS + SETTLE_S), AGENTS)
    figures = plan_figures(plan, truth) | caught.figures() | {
        "rss_mb": caught.rss_mb, "flow_events_per_second": delay["rate"],
        "p50_ms": delay["p50_ms"], "p99_ms": delay["p99_ms"],
    }  # fmt: skip
    return Report(name="track", figures=figures, goals=GOALS, machine=about)
