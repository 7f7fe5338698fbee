"""`stagewatch bench recovery`: reading state back after a restart, and what a second worker's joining costs.

Recovery: the worker as shipped has read in the instances, is stopped and started again. Its own log says how many
changelog records it read in how many seconds; from outside comes the CPU until it is ready, less that of a start
without state. Rebalance: events flow open loop, a second worker joins. Its log says how many partitions moved, the
first one's whether it had to take any over again; the alerts' delays, second by second, say how long it was felt:
from the second worker's `ready` to the end of the last second whose p99 was above twice that of before.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bench.connector import BY_INSTANCE, Connector
from bench.expectation import WorkLost
from bench.latency import SETTLE_S
from bench.live import Flow, live_records, warm_up
from bench.openloop import Seen, make_alert_topic, percentile, send, start_of, watching
from bench.report import Goal, Report, machine
from bench.standing import quiet
from bench.trial import AtWork, Trial, trial_on
from schemas import Recorded, StagewatchError
from stagewatch import Output, progress_bar

INSTANCES, RATE, SECONDS = 1_000_000, 2_000, 30
RULE, RUNGS = "R-T03", 2
"""What a late survey raises on arrival: WARN and ALARM."""
FIRST = 10_000_000
"""Numbers of these applications; the flow's own begin at 0."""
GOALS: dict[str, Goal] = {
    "seconds_per_million": ("<=", 5), "cpu_seconds_per_million": ("<=", 5), "partitions_taken_again": ("<=", 0),
    "p99_recovered_s": ("<=", 5),
}  # fmt: skip


class Join(NamedTuple):
    """A second worker's coming; epoch seconds."""

    began: float
    ready: float
    moved: int
    """Partitions that it took over."""


def run(  # noqa: PLR0913 - its options
    bootstrap: str | None, output: Output, *, data_dir: Path, instances: int = INSTANCES, rate: int = RATE,
    seconds: int = SECONDS,
) -> Report:  # fmt: skip
    """Measure; raises StagewatchError when it cannot, or when an alert is missing or doubled."""
    about, flow = machine(), Flow(rate, seconds + SETTLE_S)
    with trial_on(bootstrap, data_dir, output) as trial:
        trial.lay_out(BY_INSTANCE)
        make_alert_topic(trial.broker, BY_INSTANCE.spread)
        with trial.worker(trial.fresh("empty")) as empty:
            plain_cpu_s = empty.process.cpu_s()
        connector, group, now = Connector(BY_INSTANCE), trial.fresh("recovery"), int(time.time() * 1000)
        with trial.worker(group) as worker:
            known = chain(
                warm_up(flow, connector, now), quiet(connector, range(FIRST, FIRST + instances), at=now)
            )  # fmt: skip
            worker.take_in(known, flow.pool + 2 * instances)
        begin = time.monotonic()
        with trial.worker(group) as worker:
            ready_s, cpu_s = time.monotonic() - begin, worker.process.cpu_s() - plain_cpu_s
            figures = {"instances": float(instances + flow.pool)} | _recovered(worker, cpu_s, instances + flow.pool)
            worker.settle()
            figures |= {"start_to_ready_s": ready_s} | _rebalanced(trial, worker, group, flow, connector)
    return Report(name="recovery", figures=figures, goals=GOALS, machine=about)


def _recovered(worker: AtWork, cpu_s: float, instances: int) -> dict[str, float]:
    took = worker.process.take_overs()
    recovered_s = sum(each.recovered_s for each in took)
    return {
        "changelog_records": float(sum(each.records for each in took)), "recovered_s": recovered_s,
        "fenced_s": sum(each.fenced_s for each in took), "recovery_cpu_s": cpu_s,
        "seconds_per_million": recovered_s * 1e6 / instances, "cpu_seconds_per_million": cpu_s * 1e6 / instances,
    }  # fmt: skip


def _rebalanced(trial: Trial, first: AtWork, group: str, flow: Flow, connector: Connector) -> dict[str, float]:
    """Let a second worker join in the middle of a flow."""
    before, records = len(first.process.take_overs()), list(live_records(flow, connector, start_of(flow.records)))
    with ExitStack() as running, ThreadPoolExecutor(1) as beside:
        watch = running.enter_context(watching(trial.broker.bootstrap))
        joining = beside.submit(_join, trial, running, group, records[0].timestamp / 1000 + flow.seconds / 3)
        with progress_bar(trial.output.err, "a second worker joins a flow", flow.records) as progress:
            send(trial.broker.bootstrap, records, progress)
        join = joining.result()
        first.settle("waiting for the last alerts")
        seen = watch.finish()
        again = first.process.take_overs()[before:]
    check_raised(records, seen, flow)
    delays = delays_by_second(records, seen)
    return {
        "rate": float(flow.rate), "partitions_moved": join.moved,
        "partitions_taken_again": sum(each.partitions for each in again), "join_s": join.ready - join.began,
        **felt(delays, records[0].timestamp / 1000 + SETTLE_S, join),
    }  # fmt: skip


def _join(trial: Trial, running: ExitStack, group: str, at: float) -> Join:
    time.sleep(max(at - time.time(), 0))
    began = time.time()
    second = running.enter_context(trial.worker(group))
    return Join(began, time.time(), sum(each.partitions for each in second.process.take_overs()))


def check_raised(records: Sequence[Recorded], seen: Sequence[Seen], flow: Flow) -> None:
    """Raise WorkLost unless each late survey raised its two alerts, once each: an oracle without our engine."""
    expected = {(r.topic, r.partition, r.offset): RUNGS for r in records if flow.raises(r)}
    found = Counter(each.source for each in seen if each.rule == RULE)
    wrong = [place for place, times in expected.items() if found[place] != times]
    if wrong:
        raise WorkLost(f"{len(wrong)} records did not raise {RUNGS} alerts each, such as {wrong[0]}: {found[wrong[0]]}")


def delays_by_second(records: Sequence[Recorded], seen: Sequence[Seen]) -> dict[int, list[float]]:
    """Give the alerts' delays in ms, sorted, by the epoch second in which their records were due."""
    sent = {(r.topic, r.partition, r.offset): r.timestamp for r in records}
    found: dict[int, list[float]] = defaultdict(list)
    for each in seen:
        if each.source in sent:
            found[sent[each.source] // 1000].append(each.received - sent[each.source])
    return {second: sorted(delays) for second, delays in found.items()}


def felt(delays: dict[int, list[float]], first: float, join: Join) -> dict[str, float]:
    """Give how long the join was felt. Raises StagewatchError if no second before it was measured.

    Args:
        delays: by second; ms.
        first: epoch second from which on the flow is steady.
        join: when it happened.
    """
    steady = sorted(delay for second, found in delays.items() if first <= second < join.began - 1 for delay in found)
    if not steady:
        raise StagewatchError("no alert was seen before the second worker joined; ask for more --seconds")
    bound = 2 * percentile(steady, 99)
    slow = [second for second, found in delays.items() if second >= join.began and percentile(found, 99) > bound]
    return {
        "p99_before_ms": percentile(steady, 99), "max_ms": max(found[-1] for found in delays.values()),
        "p99_recovered_s": max(max(slow, default=0) + 1 - join.ready, 0.0),
    }  # fmt: skip
