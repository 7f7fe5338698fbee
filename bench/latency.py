"""`stagewatch bench latency`: from the arrival of an event to the alert it raises, at a fixed rate, open loop.

The worker as it is shipped, at 5,000 events/s keyed by the instance and keyed by the row, and at 50,000 events/s
keyed by the instance; with `--rate`, at that rate alone. How it is taken is told in `bench.openloop`; the goals are
for when a reader has the alert in hand.
"""

import time
from pathlib import Path

from bench.connector import BY_INSTANCE, BY_ROW, Connector, Layout
from bench.expectation import compare, found_alerts, replayed
from bench.live import Flow, live_records, warm_up
from bench.openloop import Seen, delays, make_alert_topic, percentile, send, start_of, watching
from bench.report import Goal, Report, machine
from bench.trial import AtWork, Trial, trial_on
from schemas import Recorded, StagewatchError
from stagewatch import Output, progress_bar

RATE, FAST, SECONDS = 5_000, 50_000, 20
GOALS: dict[str, Goal] = {
    "keyed_p50_ms": ("<=", 60), "keyed_p99_ms": ("<=", 150),
    "rekeyed_p50_ms": ("<=", 120), "rekeyed_p99_ms": ("<=", 250),
    "fast_p99_ms": ("<=", 400),
}  # fmt: skip
SETTLE_S = 5
"""Not counted at the start: connections, caches, the group's first transactions."""
END_OF_TIME = 1 << 62


def run(
    bootstrap: str | None, output: Output, *, data_dir: Path, rate: int | None = None, seconds: int = SECONDS
) -> Report:
    """Measure; raises StagewatchError when it cannot, or when an alert is missing or doubled."""
    about = machine()
    parts = {"keyed": (BY_INSTANCE, rate or RATE), "rekeyed": (BY_ROW, rate or RATE)}
    if rate is None:
        parts["fast"] = (BY_INSTANCE, FAST)
    figures: dict[str, float] = {}
    with trial_on(bootstrap, data_dir, output) as trial:
        for name, (layout, per_second) in parts.items():
            found = arrival_to_alert(trial, layout, Flow(per_second, seconds + SETTLE_S))
            figures |= {f"{name}_{figure}": value for figure, value in found.items()}
            output.say(f"{name}: p50 {found['p50_ms']:.0f} ms, p99 {found['p99_ms']:.0f} ms")
    goals = {name: goal for name, goal in GOALS.items() if name.partition("_")[0] in parts}
    return Report(name="latency", figures=figures, goals=goals, machine=about)


def arrival_to_alert(trial: Trial, layout: Layout, flow: Flow, agents: str | None = None) -> dict[str, float]:
    """Measure one flow on fresh topics; give its figures.

    Raises StagewatchError when it cannot, or when an alert is missing or doubled.
    """
    trial.lay_out(layout)
    make_alert_topic(trial.broker, layout.spread)
    connector = Connector(layout)
    before = list(warm_up(flow, connector, int(time.time() * 1000)))
    with trial.worker(trial.fresh("latency"), agents) as worker:
        worker.take_in(before, len(before))
        begin = worker.process.at(0)
        records, seen = observe(trial, worker, flow, connector)
        end = worker.process.at(0)
    # Nothing falls due by the clock in such a run: whatever the worker raised was raised on arrival.
    compare(replayed([*before, *records]), found_alerts(trial.broker.bootstrap, until=END_OF_TIME))
    return figures_of(records, seen, flow) | {"worker_cores": (end.cpu_s - begin.cpu_s) / (end.wall_s - begin.wall_s)}


def observe(trial: Trial, worker: AtWork, flow: Flow, connector: Connector) -> tuple[list[Recorded], list[Seen]]:
    """Send a flow and read the alerts meanwhile."""
    records = list(live_records(flow, connector, start_of(flow.records)))
    what = f"{flow.rate:,} events/s for {flow.seconds} s"
    with watching(trial.broker.bootstrap) as watch:
        with progress_bar(trial.output.err, what, flow.records) as progress:
            send(trial.broker.bootstrap, records, progress)
        worker.settle("waiting for the last alerts")
        return records, watch.finish()


def figures_of(records: list[Recorded], seen: list[Seen], flow: Flow) -> dict[str, float]:
    """Give the delays of the alerts that the measured seconds raised."""
    first = records[0].timestamp + SETTLE_S * 1000
    sent = {(r.topic, r.partition, r.offset): r.timestamp for r in records if r.timestamp >= first and flow.raises(r)}
    visible = delays(seen, sent, lambda each: each.received)
    if not visible:
        raise StagewatchError("no alert of the measured seconds was seen; ask for more --seconds")
    appended = delays(seen, sent, lambda each: each.appended)
    return {
        "rate": float(flow.rate), "alerts": float(len(visible)),
        "p50_ms": percentile(visible, 50), "p99_ms": percentile(visible, 99), "max_ms": visible[-1],
        "appended_p50_ms": percentile(appended, 50), "appended_p99_ms": percentile(appended, 99),
    }  # fmt: skip
