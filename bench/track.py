"""`stagewatch bench track`: the real job, each agent alone and the whole worker, on real Kafka.

Records of half a year are written first. Then one worker at a time works them off: only re-keying, then only
tracking on what the re-keying wrote, then, after all that was made is deleted, the worker as it is shipped.
The time runs from the line `ready` until all is committed, asked from outside the worker: a figure never counts
what could still be lost. So the last transaction's waiting (up to a second) is in it; more events make it small.
"""

import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.broker import Broker, broker_for
from bench.expectation import AlertKey, compare, expected_alerts, found_alerts
from bench.feed import feed
from bench.lives import Plan, records
from bench.report import Goal, Report, machine
from bench.rows import PARTITIONS
from bench.worker_process import Measured, WorkerProcess, rate, running_worker
from schemas import StagewatchError
from stagewatch.output import Output
from stagewatch.progress import Advance, progress_bar

EVENTS = 300_000
"""Some twenty seconds of work; more is steadier."""
CHANGES, ALERTS = "stagewatch.changes", "stagewatch.alerts"
GOALS: dict[str, Goal] = {
    "events_per_second_per_core": (">=", 100_000),
    "rekey_events_per_second_per_core": (">=", 150_000),
    "whole_events_per_second_per_core": (">=", 60_000),
}
POLL_S = 0.1
STUCK_S = 60.0
"""Nothing committed for so long: the run has failed."""


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
        rekey, _ = self._time(_Job(self._broker, "bench-rekey", "rekey", alerts))
        track, rss_mb = self._time(_Job(self._broker, "bench-track", "track", alerts))
        compare(expected, found_alerts(self._broker.bootstrap, until))
        self._broker.delete_own_topics()
        whole, _ = self._time(_Job(self._broker, "bench-whole", None, alerts))
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

    def _time(self, job: "_Job") -> tuple[Measured, float]:
        what = f"agent {job.agents}" if job.agents else "the whole worker"
        with (
            running_worker(self._broker.url, self._folder, job.group, job.agents) as worker,
            progress_bar(self._output.err, what, 100) as progress,
        ):
            begin = worker.at(0)
            _follow(worker, job, progress)
            measured, rss_mb = rate(begin, worker.at(self._events)), worker.rss_mb()
        self._output.say(f"{what}: {measured.per_second:,.0f} events/s, {measured.per_core:,.0f} per CPU second")
        return measured, rss_mb


class _Job:
    """What one worker has to do, and how far it has come."""

    def __init__(self, broker: Broker, group: str, agents: str | None, alerts: int) -> None:
        self.group, self.agents = group, agents
        self._broker, self._alerts = broker, alerts
        self._sources = broker.ends(PARTITIONS)

    def is_done(self) -> bool:
        """All captured records, and all changes made of them, are committed as read and judged."""
        found = self._broker.committed(self.group)
        if self.agents != "track" and any(found.get(place, 0) < end for place, end in self._sources.items()):
            return False
        # Asked after the sources: once they are read, only marks and votes are added.
        return self.agents == "rekey" or self._broker.is_read(found, self._broker.ends([CHANGES]))

    def share(self) -> float:
        """About how much is done: committed records, or alerts (tracking commits a place once all before is judged)."""
        if self.agents == "rekey":
            found = self._broker.committed(self.group)
            return sum(found.get(place, 0) for place in self._sources) / max(sum(self._sources.values()), 1)
        return sum(self._broker.ends([ALERTS]).values()) / max(self._alerts, 1)


def _follow(worker: WorkerProcess, job: _Job, progress: Advance) -> None:
    """Watch until all is done. Raises StagewatchError if it does not go on, or the worker dies."""
    share, moved = -1.0, time.monotonic()
    while not job.is_done():
        time.sleep(POLL_S)
        now, found = worker.at(0).wall_s, job.share()
        if found > share:
            share, moved = found, now
        elif now - moved > STUCK_S:
            raise StagewatchError(f"the worker has committed nothing new for {STUCK_S:.0f} s, at {share:.0%} of the work")
        progress(min(int(100 * share), 99))
