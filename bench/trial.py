"""One plan's records on one broker, worked off by real workers and checked: the part that most benchmarks share.

The time runs from the line `ready` until all is committed, asked from outside the worker: a figure never counts
what could still be lost, nor what was committed before (several workers are started at once, and one is first). So
the last transaction's waiting (up to a second) is in it; more events make it small.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from bench.broker import Broker, broker_for
from bench.captured_keys import keyed_sources
from bench.connector import Layout
from bench.expectation import AlertKey, compare, expected_alerts, found_alerts
from bench.feed import feed
from bench.plan import Plan, records
from bench.progress import Job, follow
from bench.worker_process import Measured, Moment, WorkerProcess, rate, running_worker
from schemas import Recorded
from stagewatch import Output, progress_bar


class Truth(NamedTuple):
    """What records must raise."""

    alerts: Counter[AlertKey]
    until: int
    """Up to the arrival of the last record, epoch ms; what falls due afterwards is not compared."""


class Caught(NamedTuple):
    """What it took to work off what lay there."""

    wall_s: float
    cpu_s: float
    """Of the workers, all threads."""
    broker_cpu_s: float
    """0 where the broker is not ours."""
    events: int
    rss_mb: float
    """Of the first worker, at the end."""

    @property
    def measured(self) -> Measured:
        """The speed. Raises StagewatchError if the run was too short."""
        return rate(Moment(0, 0, 0), Moment(self.wall_s, self.cpu_s, self.events))

    def figures(self, name: str = "") -> dict[str, float]:
        """The figures of one catching up, under their usual names."""
        prefix = f"{name}_" if name else ""
        return {
            f"{prefix}events_per_second": self.measured.per_second,
            f"{prefix}events_per_second_per_core": self.measured.per_core,
            f"{prefix}wall_s": self.wall_s,
            f"{prefix}broker_cpu_s": self.broker_cpu_s,
        }


class AtWork:
    """A worker that is brought records while it runs."""

    def __init__(self, trial: "Trial", process: WorkerProcess, group: str, agents: str | None) -> None:
        self._trial, self.process, self._group, self._agents = trial, process, group, agents

    def take_in(self, records: Iterable[Recorded], total: int) -> None:
        """Write records and wait until they are judged; raises StagewatchError if that does not end."""
        self._trial.write(records, total)
        self.settle(f"reading {total:,} records")

    def settle(self, what: str = "settling") -> None:
        """Wait until all that lies there is judged; raises StagewatchError if that does not end."""
        with progress_bar(self._trial.output.err, what, 100) as progress:
            follow([self.process], Job(self._trial.broker, self._group, self._trial.layout, self._agents), progress)


class Trial:
    """A broker, and a folder for what workers leave behind."""

    def __init__(self, broker: Broker, folder: Path, output: Output) -> None:
        self.broker, self.folder, self.output = broker, folder, output
        self.layout: Layout
        self._serials = count()

    # -- records

    def lay_out(self, layout: Layout) -> None:
        """Make the captured topics, empty; whatever an earlier part left is deleted."""
        self.layout = layout
        if next(self._serials):
            self.broker.delete_source_topics()
        self.broker.make_source_topics(layout)

    def write(self, what: Iterable[Recorded], total: int) -> int:
        """Write records; give the timestamp of the last one."""
        with progress_bar(self.output.err, f"writing {total:,} records", total) as progress:
            return feed(self.broker.bootstrap, what, progress)

    # -- workers

    def fresh(self, name: str) -> str:
        """Give the id of an application that has never run."""
        return f"bench-{name}-{next(self._serials)}"

    @contextmanager
    def worker(
        self, application_id: str, agents: str | None = None, settings: Mapping[str, str] | None = None
    ) -> Iterator[AtWork]:
        """Run a worker that reads the present layout."""
        chosen = dict(settings or {})
        if self.layout.is_keyed:
            chosen["sources"] = str(keyed_sources(self.folder))
        with running_worker(self.broker.url, self.folder, application_id, agents, chosen) as worker:
            yield AtWork(self, worker, application_id, agents)

    def catch_up(
        self, application_id: str, agents: str | None = None, *, events: int = 0, workers: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> Caught:  # fmt: skip
        """Work off all that lies there; raises StagewatchError if it does not end.

        `events` is how many that are, where the workers read no captured topic themselves.
        """
        what = f"{agents or 'the whole worker'}, {workers} at work" if workers > 1 else agents or "the whole worker"
        with ExitStack() as running, ThreadPoolExecutor(workers) as starters:
            job = Job(self.broker, application_id, self.layout, agents)
            coming = [self.worker(application_id, agents, settings) for _ in range(workers)]
            team = [worker.process for worker in starters.map(running.enter_context, coming)]
            progress = running.enter_context(progress_bar(self.output.err, what, 100))
            begin, broker_cpu_s, left = [each.at(0) for each in team], self.broker.cpu_s(), job.left() or events
            follow(team, job, progress)
            ends = [each.at(left) for each in team]
            caught = Caught(
                max(end.wall_s for end in ends) - begin[0].wall_s,
                sum(end.cpu_s - each.cpu_s for end, each in zip(ends, begin, strict=True)),
                self.broker.cpu_s() - broker_cpu_s, left, team[0].rss_mb(),
            )  # fmt: skip
        speed = caught.measured
        self.output.say(f"{what}: {speed.per_second:,.0f} events/s, {speed.per_core:,.0f} per CPU second")
        return caught

    def check(self, truth: Truth) -> None:
        """Compare what was raised with the replay; raises WorkLost."""
        compare(truth.alerts, found_alerts(self.broker.bootstrap, truth.until))


@contextmanager
def trial_on(bootstrap: str | None, data_dir: Path, output: Output) -> Iterator[Trial]:
    """Give a trial on the broker named, or on one of its own; raises StagewatchError where neither can be had."""
    with broker_for(bootstrap, data_dir) as (broker, folder):
        yield Trial(broker, folder, output)


def lay_out_plan(trial: Trial, plan: Plan, layout: Layout) -> Truth:
    """Write a plan's records, replay them meanwhile; give what they must raise."""
    trial.lay_out(layout)
    with ProcessPoolExecutor(1) as beside:
        expectation = beside.submit(expected_alerts, plan)
        until = trial.write(records(plan, layout), plan.events)
        trial.output.say("replaying the same records, to know what must be raised")
        return Truth(expectation.result(), until)


def plan_figures(plan: Plan, truth: Truth) -> dict[str, float]:
    """What the work was."""
    return {"events": plan.events, "open_instances": plan.open_lives, "alert_events": truth.alerts.total()}
