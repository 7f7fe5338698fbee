"""`stagewatch bench track`: the real job, each agent alone and the whole worker, on real Kafka.

Records of half a year are written first. Then one worker at a time works them off: only re-keying, then only
tracking on what the re-keying wrote, then, after all that was made is deleted, the worker as it is shipped.
Progress is what the group has committed, asked from outside, so a figure never counts what could still be lost.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.broker import Broker, broker_for
from bench.expectation import AlertKey, compare, expected_alerts, found_alerts
from bench.feed import feed
from bench.lives import Plan, records
from bench.report import Goal, Report, machine
from bench.rows import PARTITIONS
from bench.worker_process import Measured, Moment, WorkerDied, WorkerProcess, rate, running_worker
from schemas import StagewatchError
from stagewatch.output import Output
from stagewatch.progress import Advance, progress_bar

EVENTS = 300_000
"""Some twenty seconds of work; more is steadier."""
CHANGES = "stagewatch.changes"
REKEYED = tuple(topic for topic in PARTITIONS if topic not in ("cdc.ymd.ymd_tg", "cdc.mkt.tg_manager"))
GOALS: dict[str, Goal] = {
    "events_per_second_per_core": (">=", 100_000),
    "rekey_events_per_second_per_core": (">=", 150_000),
    "whole_events_per_second_per_core": (">=", 60_000),
}
WARM, TAIL = 0.02, 0.98
"""Between these shares of the work the speed is taken: the start and the last, smaller batches are not steady."""
ALMOST = 0.999
"""All that is counted is committed, but it is not yet known that nothing else was there."""
POLL_S = 0.1
STUCK_S = 60.0
"""Nothing committed for so long: the run has failed."""

Done = Callable[[], float]
"""Share of the work committed, 0 to 1."""


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
        self._sources: float = sum(broker.ends(PARTITIONS).values())

    def measure(self, expected: Counter[AlertKey], until: int) -> dict[str, float]:
        rekey, _ = self._time("re-keying", "bench-rekey", "rekey", self._rekeyed("bench-rekey"))
        track, rss_mb = self._time("tracking", "bench-track", "track", self._tracked("bench-track"))
        compare(expected, found_alerts(self._broker.bootstrap, until))
        self._broker.delete_own_topics()
        whole, _ = self._time("the whole worker", "bench-whole", None, self._tracked("bench-whole", is_whole=True))
        compare(expected, found_alerts(self._broker.bootstrap, until))
        return {
            "events": self._events,
            "alert_events": expected.total(),
            "events_per_second": track.per_second,
            "events_per_second_per_core": track.per_core,
            "rekey_events_per_second": rekey.per_second,
            "rekey_events_per_second_per_core": rekey.per_core,
            "whole_events_per_second": whole.per_second,
            "whole_events_per_second_per_core": whole.per_core,
            "tracking_rss_mb": rss_mb,
        }

    def _time(self, what: str, application_id: str, agents: str | None, done: Done) -> tuple[Measured, float]:
        with (
            running_worker(self._broker.url, self._folder, application_id, agents) as worker,
            progress_bar(self._output.err, what, self._events) as progress,
        ):
            measured = _follow(worker, done, self._events, progress)
            rss_mb = worker.rss_mb()
        self._output.say(f"{what}: {measured.per_second:,.0f} events/s, {measured.per_core:,.0f} per CPU second")
        return measured, rss_mb

    def _rekeyed(self, group: str) -> Done:
        def done() -> float:
            found = self._broker.committed(group)
            return sum(o for (topic, _), o in found.items() if topic in PARTITIONS) / self._sources

        return done

    def _tracked(self, group: str, *, is_whole: bool = False) -> Done:
        """The share judged of what is re-keyed; while the same worker re-keys, of what has been by now."""
        rekeyed: Done = self._rekeyed(group) if is_whole else lambda: 1.0

        def done() -> float:
            share = rekeyed()  # before the ends: they do not move any more once all is re-keyed
            ends, found = self._broker.ends([CHANGES]), self._broker.committed(group)
            if share >= 1.0 and self._broker.is_read(found, ends):
                return 1.0
            total = sum(ends.values())
            return share * ALMOST * sum(found.get(place, 0) for place in ends) / total if total else 0.0

        return done


def _follow(worker: WorkerProcess, done: Done, events: int, progress: Advance) -> Measured:
    """Watch until all is done; give the speed of its steady part."""
    moments = [worker.at(0.0)]
    moved = time.monotonic()
    while moments[-1].done < events:
        time.sleep(POLL_S)
        moment = worker.at(done() * events)
        if moment.done > moments[-1].done:
            moved = moment.wall_s
        elif moment.wall_s - moved > STUCK_S:
            raise StagewatchError(f"the worker has committed nothing for {STUCK_S:.0f} s at {moment.done:,.0f} events")
        moments.append(moment)
        progress(int(moment.done))
    __import__('pprint').pprint([(round(m.wall_s-moments[0].wall_s,2),round(m.cpu_s-moments[0].cpu_s,2),int(m.done)) for m in moments])
    return rate(*steady(moments, events))


def steady(moments: list[Moment], events: int) -> tuple[Moment, Moment]:
    """Give the moments between which the work went its usual way."""
    begin = next(m for m in moments if m.done >= WARM * events)
    end = next(m for m in moments if m.done >= TAIL * events)
    return (begin, end) if end.wall_s > begin.wall_s else (moments[0], moments[-1])
