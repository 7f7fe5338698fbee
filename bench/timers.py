"""`stagewatch bench timers`: how late deadlines fire among a million that are open, and how fast many at once.

The worker as shipped holds applications in design (`bench.standing`), four open deadlines each. While events flow
at a fixed rate, some applications' warnings fall due every second; the lag is from the time it was due to when a
read-committed reader has the alert. After the flow many fall due in the same millisecond: worked off when the
reader has the last of them. Each must be raised exactly once, and no other: the oracle is the list of those that
were made to fall due.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bench.connector import BY_INSTANCE, Connector
from bench.expectation import WorkLost
from bench.live import Flow, live_records, warm_up
from bench.openloop import LEAD_MS_PER_RECORD, Seen, make_alert_topic, percentile, send, watching
from bench.report import Goal, Report, machine
from bench.standing import DEADLINES_EACH, RULE, WARNS_AFTER_MS, quiet, standing
from bench.trial import AtWork, Trial, trial_on
from schemas import Recorded, StagewatchError
from stagewatch import Output, progress_bar

INSTANCES, RATE, SECONDS = 250_000, 20_000, 15
DUE_A_SECOND, AT_ONCE = 200, 50_000
SETTLE_MS = 5_000
"""Between the beginning of the flow and the first that is due, and between its end and the many at once."""
FIRST = 10_000_000
"""Numbers of these applications; the flow's own begin at 0."""
QUIET_S = 20.0
"""A worker that is silent for so long has fired all that it will."""
SLOWER = 1.5
"""Loading the second part may take so much longer, per record, than loading the first did."""
GOALS: dict[str, Goal] = {"lag_p99_ms": ("<=", 1_000), "at_once_s": ("<=", 5), "open_deadlines": (">=", 1_000_000)}


class Schedule(NamedTuple):
    """When the flow begins, and what falls due when; all epoch ms."""

    start: int
    seconds: int

    @property
    def at_once(self) -> int:
        """When many fall due."""
        return self.start + self.seconds * 1000 + SETTLE_MS

    def dues(self) -> list[int]:
        """When each of the further applications' warnings falls due."""
        spread = DUE_A_SECOND * self.seconds - DUE_A_SECOND * SETTLE_MS // 1000
        return [self.start + SETTLE_MS + n * 1000 // DUE_A_SECOND for n in range(spread)] + [self.at_once] * AT_ONCE


def run(  # noqa: PLR0913 - its options
    bootstrap: str | None, output: Output, *, data_dir: Path, instances: int = INSTANCES, rate: int = RATE,
    seconds: int = SECONDS,
) -> Report:  # fmt: skip
    """Measure; raises StagewatchError when it cannot, or when a timer was lost or fired twice."""
    about, flow = machine(), Flow(rate, seconds + SETTLE_MS // 1000)
    with trial_on(bootstrap, data_dir, output) as trial:
        trial.lay_out(BY_INSTANCE)
        make_alert_topic(trial.broker, BY_INSTANCE.spread)
        connector = Connector(BY_INSTANCE)
        with trial.worker(trial.fresh("timers")) as worker:
            schedule = _load(worker, connector, flow, instances)
            records = list(live_records(flow, connector, schedule.start))
            if time.time() * 1000 > schedule.start:
                raise StagewatchError("the worker took so long to load that the first timers are due; try once more")
            seen = _observe(trial, records, schedule)
    figures = figures_of(seen, schedule) | {
        "open_deadlines": DEADLINES_EACH * (instances + len(schedule.dues())), "instances": instances,
        "events_per_second": float(rate),
    }  # fmt: skip
    return Report(name="timers", figures=figures, goals=GOALS, machine=about)


def _load(worker: AtWork, connector: Connector, flow: Flow, instances: int) -> Schedule:
    """Bring all applications in; give a schedule that begins when those that fall due are surely known."""
    begin, numbers = time.time(), range(FIRST, FIRST + instances)
    now, total = int(begin * 1000), flow.pool + 2 * instances
    worker.take_in(chain(warm_up(flow, connector, now), quiet(connector, numbers, at=now)), total)
    due = 2 * len(Schedule(0, flow.seconds).dues())
    loading = SLOWER * due * (time.time() - begin) / total
    start = int(1000 * (time.time() + loading)) + SETTLE_MS + int(flow.records * LEAD_MS_PER_RECORD)
    schedule = Schedule(start, flow.seconds)
    worker.take_in(_falling_due(connector, schedule, numbers.stop), due)
    return schedule


def _falling_due(connector: Connector, schedule: Schedule, first: int) -> Iterator[Recorded]:
    at = int(time.time() * 1000)
    for number, due in enumerate(schedule.dues(), first):
        yield from standing(connector, number, at=at, entered=due - WARNS_AFTER_MS)


def _observe(trial: Trial, records: Sequence[Recorded], schedule: Schedule) -> list[Seen]:
    with watching(trial.broker.bootstrap, QUIET_S) as watch:
        with progress_bar(trial.output.err, "events flow", len(records)) as progress:
            send(trial.broker.bootstrap, records, progress)
        trial.output.say(f"waiting for {AT_ONCE:,} that are due at once")
        time.sleep(max(schedule.at_once / 1000 - time.time(), 0))
        return [each for each in watch.finish() if each.rule == RULE]


def figures_of(seen: Sequence[Seen], schedule: Schedule) -> dict[str, float]:
    """Check that each fired once, at its time; give how late."""
    expected, found = Counter(schedule.dues()), Counter(each.raised_at for each in seen)
    times = Counter(each.instance for each in seen)
    if expected != found or max(times.values(), default=1) > 1:
        lost, more = (expected - found).total(), (found - expected).total()
        raise WorkLost(f"{lost} timers were not raised, {more} too often or at another time than they were due")
    lags = sorted(each.received - each.raised_at for each in seen if each.raised_at < schedule.at_once)
    last = max(each.received for each in seen if each.raised_at == schedule.at_once)
    return {
        "timers": float(len(lags)), "lag_p50_ms": percentile(lags, 50), "lag_p99_ms": percentile(lags, 99),
        "lag_max_ms": lags[-1], "due_at_once": AT_ONCE, "at_once_s": (last - schedule.at_once) / 1000,
    }  # fmt: skip
