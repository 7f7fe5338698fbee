"""`stagewatch bench peers`: ours against Kafka Streams, Flink SQL, Quix Streams and plain Faust on the same work.

The work: each change of a table is joined to its instance's last one, and an alert is written when the stage
between took longer than a limit; real Kafka, exactly once. Each engine has a topic of its own with a beginning of
the same stream of records, long enough for 20 s of steady work. The engines take turns, so that what else the
machine does meets all of them, and a ratio is that of two runs of the same round. Every run's alerts are compared
with what its records demand, record by record: who loses or repeats one has no figure, and so all engines agree on
what they have in common.

One broker serves all, the one that the tests start: it takes about a third of a core from whoever is measured, and
no more of it where the JVM may optimise (in the minutes of a run that costs it twice the CPU time), so it bounds none.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.broker import OWN_PREFIX, UNLIMITED, Broker, NotEmpty, broker_for
from bench.peer_engines import OURS, USUAL_PACE, Engine, Launch, engines
from bench.peer_feed import Late, write
from bench.peer_records import PARTITIONS, pace
from bench.peer_run import Run, TooShort, expected, measure
from bench.report import Goal, Report, machine
from schemas import StagewatchError
from stagewatch import Output, progress_bar

ROUNDS = 3
STEADY_S = 20.0
MORE = 1.3
"""After a run that was too short: as many records as would have lasted, and this much more."""
AT_MOST = 4
"""So many times as many in one step, however short it was."""
TRIES = 3
GOALS: dict[str, Goal] = {
    "kafka_streams": (">=", 2.5), "flink_sql": (">=", 2.5), "quix": (">=", 4), "faust": (">=", 40),
}  # fmt: skip


def run(bootstrap: str | None, output: Output, *, data_dir: Path) -> Report:
    """Measure; raises StagewatchError when it cannot, or when an engine's alerts are not what they must be."""
    about, begun = machine(), time.monotonic()
    found = engines(output.say)
    with broker_for(bootstrap, data_dir) as (broker, folder):
        runs = _Contest(broker, folder, output, found).rounds()
    seconds = {"seconds": time.monotonic() - begun}
    return Report(name="peers", figures=figures(runs) | seconds, ratios=ratios(runs), goals=GOALS, machine=about)


def ratios(runs: Mapping[str, Sequence[Run]]) -> dict[str, float]:
    """Give ours divided by theirs, events/s of wall time: the median over the rounds."""
    return {
        name: statistics.median(
            ours.measured.per_second / theirs.measured.per_second
            for ours, theirs in zip(runs[OURS], rounds, strict=True)
        )
        for name, rounds in runs.items()
        if name != OURS
    }


def figures(runs: Mapping[str, Sequence[Run]]) -> dict[str, float]:
    """Give each engine's median pace, how far its rounds lie apart (of the median), and its shortest steady work."""
    found: dict[str, float] = {}
    for name, rounds in runs.items():
        paces = [run.measured.per_second for run in rounds]
        middle = statistics.median(paces)
        found[f"{name}_events_per_second"] = middle
        found[f"{name}_events_per_second_per_core"] = statistics.median(run.measured.per_core for run in rounds)
        found[f"{name}_spread"] = (max(paces) - min(paces)) / middle
        found[f"{name}_steady_s"] = min(run.span_s for run in rounds)
        found[f"{name}_alerts"] = rounds[-1].alerts
    return found


class _Contest:
    """All runs on one broker."""

    def __init__(self, broker: Broker, folder: Path, output: Output, found: Sequence[Engine]) -> None:
        self._broker, self._folder, self._output, self._engines = broker, folder, output, found
        self._events: dict[str, int] = {}
        self._late: list[Late] = []
        self._runs = 0
        self._made: dict[str, set[str]] = {}

    def rounds(self) -> dict[str, list[Run]]:
        self._prepare()
        runs: dict[str, list[Run]] = {engine.name: [] for engine in self._engines}
        for number in range(1, ROUNDS + 1):
            for engine in self._engines:
                runs[engine.name].append(self._steady(engine, number))
        return runs

    def _prepare(self) -> None:
        """Make the topics and write to each what its engine takes long enough for, on this machine."""
        topics = {engine.topic: PARTITIONS for engine in self._engines}
        there = sorted(name for name in self._broker.topics() if name in topics or name.startswith(OWN_PREFIX))
        if there:
            raise NotEmpty(f"{self._broker.bootstrap} has topics of these names: {', '.join(there)}; delete them")
        self._broker.make_topics(topics, UNLIMITED)
        factor = pace() / USUAL_PACE
        self._write({engine: round(factor * engine.events) for engine in self._engines})

    def _write(self, wanted: Mapping[Engine, int]) -> None:
        """Let the engines' topics hold so many records."""
        amounts = {engine.topic: range(self._events.get(engine.name, 0), to) for engine, to in wanted.items()}
        count = sum(map(len, amounts.values()))
        with progress_bar(self._output.err, f"writing {count:,} records", count) as progress:
            late = write(self._broker, amounts, progress)
        self._late = max(self._late, late, key=len)
        self._events |= {engine.name: to for engine, to in wanted.items()}

    def _steady(self, engine: Engine, number: int) -> Run:
        """Run an engine; where it is faster than thought, again with more records."""
        for _ in range(TRIES):
            try:
                found = self._run(engine, number)
            except TooShort:
                lasted_s = STEADY_S / AT_MOST
            else:
                if found.span_s >= STEADY_S:
                    return found
                lasted_s = max(found.span_s, STEADY_S / AT_MOST)
            more = int(self._events[engine.name] * MORE * STEADY_S / lasted_s)
            self._output.say(f"{engine.name}: less than {STEADY_S:g} s of steady work; again, with {more:,} records")
            self._write({engine: more})
        raise StagewatchError(f"{engine.name}'s paces lie too far apart for {STEADY_S:g} s of steady work")

    def _run(self, engine: Engine, number: int) -> Run:
        self._runs += 1
        group = f"bench-peers-{self._runs}-{engine.name}"
        launch = Launch(self._broker.bootstrap, engine.topic, engine.alerts(group), group, self._folder / group)
        truth = expected(engine, self._events[engine.name], self._late)
        # Every run begins from nothing; the topics of an engine's last run stay.
        self._broker.delete_topics(self._made.pop(engine.name, set()))
        before = self._broker.topics()
        try:
            with progress_bar(self._output.err, f"round {number} of {ROUNDS}: {engine.name}", 100) as progress:
                found = measure(engine, launch, self._broker, truth, progress)
        finally:
            self._made[engine.name] = self._broker.topics() - before
        speed = found.measured
        self._output.say(
            f"round {number}, {engine.name}: {speed.per_second:,.0f} events/s, {speed.per_core:,.0f} per CPU second, "
            f"{found.span_s:.0f} s, all of {found.alerts:,} alerts"
        )
        return found
