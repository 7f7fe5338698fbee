"""One run of one engine, measured from outside, and what it must have raised.

All five are watched alike: the offsets that their consumer group has committed on their topic, asked of the broker
ten times a second, and the CPU time of their process at those moments. Committed, for under exactly once nothing else
counts as done: the offsets stand in the same transaction as state and alerts (Flink commits them when its
checkpoint is complete). The time runs from the first commit that is seen, so that nobody's start counts, nor what a
virtual machine needs for its first thousand records; to the last commit but one, for the last one tells only when
the engine's interval was over: Kafka Streams and Flink would lose half a second of idle waiting, ours a twentieth.
Between those two every engine had more to read than it could take.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bench.broker import Broker
from bench.peer_engines import OURS, Engine, Launch, Raised, running
from bench.peer_feed import Late
from bench.peer_records import PARTITIONS, share
from bench.worker_process import Measured, Moment, WorkerProcess, rate
from schemas import StagewatchError
from stagewatch import read_topic

POLL_S = 0.1
STUCK_S = 60.0
"""Nothing committed for so long: the run has failed."""
SETTLE_S = 15.0
"""Flink's alerts may become visible after its offsets."""
FEWEST_COMMITS = 4
"""With fewer there is nothing between the first and the last but one."""


class WrongAlerts(StagewatchError):
    """An engine has not raised what its records demand; the message says which. Its figures mean nothing."""


class TooShort(StagewatchError):
    """A run had so few commits that nothing lies between the first and the last but one. Give it more records."""


class Run(NamedTuple):
    """What one run showed."""

    measured: Measured
    span_s: float
    """Seconds of steady work."""
    alerts: int


def expected(engine: Engine, events: int, late: Iterable[Late]) -> Counter[Raised]:
    """Give the alerts that an engine must raise from the first so many events of the stream."""
    ends = [share(events, partition) for partition in range(PARTITIONS)]
    return Counter(
        Raised(app_no, (partition, offset) if engine.name == OURS else None)
        for partition, offset, app_no in late
        if offset < ends[partition]
    )


def measure(
    engine: Engine, launch: Launch, broker: Broker, truth: Counter[Raised], progress: Callable[[int], None]
) -> Run:
    """Run an engine over its whole topic; `progress` is told the share done in per cent.

    Raises StagewatchError if it dies or gets stuck, TooShort, or WrongAlerts if its alerts are not `truth`.
    """
    total = sum(broker.ends([launch.topic]).values())
    with running(engine, launch) as process:
        moments = _follow(process, launch, broker, total, progress)
        raised = _settled(engine, launch, truth.total())
    compare(engine.name, truth, raised)
    begin, end = steady(moments)
    return Run(rate(begin, end), end.wall_s - begin.wall_s, raised.total())


def steady(moments: Sequence[Moment]) -> tuple[Moment, Moment]:
    """Give first and last moment of steady work, of those at which a new commit was seen. Raises TooShort."""
    if len(moments) < FEWEST_COMMITS:
        raise TooShort(f"only {len(moments)} commits were seen")
    return moments[0], moments[-2]


def compare(name: str, truth: Counter[Raised], raised: Counter[Raised]) -> None:
    """Raise WrongAlerts unless both are the same."""
    missing, more = truth - raised, raised - truth
    if missing or more:
        raise WrongAlerts(
            f"{name} raised {raised.total()} alerts where its records demand {truth.total()}: {missing.total()} are "
            f"missing (such as {_some(missing)}), {more.total()} are too many (such as {_some(more)})"
        )


def _some(alerts: Counter[Raised]) -> str:
    return ", ".join(sorted({alert.app_no for alert in alerts})[:3]) or "none"


def _follow(
    process: WorkerProcess, launch: Launch, broker: Broker, total: int, progress: Callable[[int], None]
) -> list[Moment]:
    """Watch until all is committed; give each moment at which more was."""
    moments: list[Moment] = []
    done, moved = 0, time.monotonic()
    while done < total:
        time.sleep(POLL_S)
        offsets = broker.committed(launch.group)
        found = sum(offset for (topic, _), offset in offsets.items() if topic == launch.topic)
        moment = process.at(found)
        if found > done:
            done, moved = found, moment.wall_s
            moments.append(moment)
            progress(100 * done // total)
        elif moment.wall_s - moved > STUCK_S:
            raise StagewatchError(f"nothing new is committed for {STUCK_S:.0f} s, at {done} of {total} records")
    return moments


def _settled(engine: Engine, launch: Launch, count: int) -> Counter[Raised]:
    """Read a run's alerts, as a read-committed reader does, until there are so many or no more come."""
    until = time.monotonic() + SETTLE_S
    while True:
        found = (engine.raised(record.value or b"") for record in read_topic(launch.bootstrap, launch.alerts))
        raised = Counter(alert for alert in found if alert is not None)
        if raised.total() >= count or time.monotonic() > until:
            return raised
        time.sleep(POLL_S)
