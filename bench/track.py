"""`stagewatch bench track`: the real job, each agent alone and the whole worker, on real Kafka.

Records of half a year are written first. Then one worker at a time works them off: only re-keying, then only
tracking on what the re-keying wrote, then, after all that was made is deleted, the worker as it is shipped.
The time runs from the line `ready` until all is committed, asked from outside the worker: a figure never counts
what could still be lost. So the last transaction's waiting (up to a second) is in it; more events make it small.
"""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.broker import Broker, broker_for
from bench.expectation import AlertKey, compare, expected_alerts, found_alerts
from bench.feed import feed
from bench.lives import Plan, records
from bench.progress import Job, follow
from bench.report import Goal, Report, machine
from bench.worker_process import Measured, rate, running_worker
from stagewatch import Output, progress_bar

EVENTS = 300_000
"""Some twenty seconds of work; more is steadier."""
GOALS: dict[str, Goal] = {
    "events_per_second_per_core": (">=", 100_000),
    "rekey_events_per_second_per_core": (">=", 150_000),
    "whole_events_per_second_per_core": (">=", 60_000),
}


def run(bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, seed: int = 7) -> Report:
    """Measure; raises StagewatchError when it cannot, or when work was lost."""
    plan, about = Plan(events, seed), machine()
    with broker_for(bootstrap, data_dir) as (broker, folder):
        broker.make_source_topics()
        with ProcessPoolExecutor(1) as beside:
            expectation = beside.submit(expected_alerts, plan)
            with progress_bar(output.err, f"writing {events:,} records", events) as progress:
                until = feed(broker.bootstrap, records(plan), progress)
            output.say("replaying the same records, to know what must be raised")
            expected = expectation.result()
        figures = _Run(broker, folder, output, events).measure(expected, until)
    return Report(name="track", figures=figures, goals=GOALS, machine=about)


class _Run:
    """The three measurements on one broker."""

    def __init__(self, broker: Broker, folder: Path, output: Output, events: int) -> None:
        self._broker, self._folder, self._output, self._events = broker, folder, output, events

    def measure(self, expected: Counter[AlertKey], until: int) -> dict[str, float]:
        alerts = expected.total()
        rekey, _ = self._time(Job(self._broker, "bench-rekey", "rekey", alerts))
        track, rss_mb = self._time(Job(self._broker, "bench-track", "track", alerts))
        compare(expected, found_alerts(self._broker.bootstrap, until))
        self._broker.delete_own_topics()
        whole, _ = self._time(Job(self._broker, "bench-whole", None, alerts))
        compare(expected, found_alerts(self._broker.bootstrap, until))
        return {
            "events": self._events,
            "alert_events": alerts,
            "events_per_second": track.per_second,
            "events_per_second_per_core": track.per_core,
            "rekey_events_per_second": rekey.per_second,
            "rekey_events_per_second_per_core": rekey.per_core,
            "whole_events_per_second": whole.per_second,
            "whole_events_per_second_per_core": whole.per_core,
            "tracking_rss_mb": rss_mb,
        }

    def _time(self, job: Job) -> tuple[Measured, float]:
        what = f"agent {job.agents}" if job.agents else "the whole worker"
        with (
            running_worker(self._broker.url, self._folder, job.group, job.agents) as worker,
            progress_bar(self._output.err, what, 100) as progress,
        ):
            begin = worker.at(0)
            follow(worker, job, progress)
            measured, rss_mb = rate(begin, worker.at(self._events)), worker.rss_mb()
        self._output.say(f"{what}: {measured.per_second:,.0f} events/s, {measured.per_core:,.0f} per CPU second")
        return measured, rss_mb
