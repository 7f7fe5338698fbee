"""The tracking agent: changes of instances in, alerts, differences and notices out.

It brings the changes of all source partitions into one order (`merge.py`), keeps the clock of each partition
(contract, section 7) and lets the engine judge. What the engine concludes, the state that led to it and the
position in the log go into one transaction.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from rules import Engine, Partition, Step
from schemas import AlertEvent, BadInput, Broken, IndicatorDelta
from schemas.codec import MARK_KEY, decode_change, decode_mark, encode_alert, encode_change, encode_delta, encode_notice
from streams.ends import WRITTEN_WITHIN_MS, Answer, Ends
from streams.logic import Batch, Committed, Lease, Raw, Records, SourcePartition
from streams.merge import Merge, MergePosition
from streams.metrics import Metrics
from streams.partitioner import Partitioner
from streams.reference import ReferenceReader
from streams.totals import delta_key

POSITION_KEY = b"\x00position"
"""Key of the last changelog record of every transaction. No instance key begins with a zero byte."""
STEP_CHANGES = 1000
"""Changes judged in one step: some 10 ms."""
KEEP_CLOCK_MS = 5_000
"""An idle partition's clock is written this often: what a crash takes back of it has shown to nobody."""


class TrackPosition(msgspec.Struct, array_like=True, gc=False):
    """The last changelog record of every transaction of a partition."""

    merge: MergePosition
    engine: bytes
    """The engine's own part: clock, reference cursor, start of notifying."""


_encode_position = msgspec.msgpack.Encoder().encode
_decode_position = msgspec.msgpack.Decoder(TrackPosition).decode


class TrackTopics(msgspec.Struct, frozen=True):
    """Names of what the agent reads and writes."""

    changes: str
    alerts: str
    deltas: str
    notices: str
    changelog: str


class TrackAgent:
    """Makes the logic of each partition; knows what all of them share."""

    name = "track"
    interval_s = 0.1
    quick_s = 0.03

    def __init__(  # noqa: PLR0913 - what a partition of it shares with the others
        self,
        engine: Engine,
        *,
        out: TrackTopics,
        counts: Mapping[str, int],
        ends: Ends,
        reference: ReferenceReader,
        metrics: Metrics,
        is_exact: bool = True,
        merge_wait_s: float = 300.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.engine, self.out, self.ends, self.reference, self.metrics = engine, out, ends, reference, metrics
        self.topics = frozenset({out.changes})
        self.changelog = out.changelog
        self.is_exact = is_exact
        self.merge_wait_s = merge_wait_s
        self.by_key = {t: Partitioner(counts[t]) for t in (out.changes, out.alerts, out.deltas, out.notices)}
        self.now = now
        self.started_at = int(now() * 1000)
        self.owned: dict[int, Tracking] = {}

    def open(self, lease: Lease) -> "Tracking":
        """Make the logic of a partition just taken over."""
        tracking = self.owned[lease.number] = Tracking(self, lease)
        return tracking

    def is_held(self, source: SourcePartition) -> bool:  # noqa: ARG002 - the protocol's
        """Never: what unblocks a merge may lie behind."""
        return False


class Tracking:
    """One partition of `stagewatch.changes`: its merge, its clock, its instances."""

    def __init__(self, agent: TrackAgent, lease: Lease) -> None:
        self._agent = agent
        self._engine = agent.engine
        self._number = lease.number
        self._source = SourcePartition(agent.out.changes, lease.number)
        self._merge = Merge(merge_wait_s=agent.merge_wait_s)
        self.partition: Partition = agent.engine.new_partition(lease.number)
        self._step = Step()
        self._position: TrackPosition | None = None
        self._moved = False
        self._committed = -1
        self._kept_clock = 0
        self._arrivals: list[int] = []
        self._taken: list[AlertEvent] = []
        self._taken_arrivals: list[int] = []

    # -- recovery

    def load(self, records: Sequence[Raw]) -> None:
        """Take rows and positions from the changelog."""
        engine, partition = self._engine, self.partition
        for record in records:
            key, value = record.key or b"", record.value
            if key == POSITION_KEY:
                self._position = _decode_position(value or b"")
            elif value is None:
                engine.drop(partition, key.decode())
            else:
                engine.load(partition, key.decode(), value)

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Check the state's position against the committed one; both were written in one transaction."""
        found, position = committed.get(self._source), self._position
        agent, partition = self._agent, self.partition
        resume = found.offset if found is not None else None
        if position is not None:
            if agent.is_exact and found is not None and found.offset != position.merge.resume:
                raise Broken(f"{self._source}: committed {found.offset}, changelog says {position.merge.resume}")
            resume = position.merge.resume
            self._engine.load_position(partition, position.engine)
            self._merge.restore(position.merge)
        elif found is not None and agent.is_exact:
            raise Broken(f"{self._source}: committed {found.offset}, but the changelog has no position")
        elif found is None:  # the very first start: what fell due before it is raised, and nobody is told
            partition.notify_from = agent.started_at
        partition.live_from = agent.started_at
        self._engine.finish_recovery(partition)
        self._kept_clock, self._position = partition.clock, None
        if resume is None:
            return {}
        self._committed = resume
        return {self._source: resume}

    # -- work

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:  # noqa: ARG002
        """Take changes and marks into the merge, then judge what may be judged."""
        merge = self._merge
        push, mark = merge.push, merge.mark
        for record in records:
            try:
                if record.key == MARK_KEY:
                    mark(decode_mark(record.value or b""))
                else:
                    push(decode_change(record.value or b""), record.offset)
            except BadInput:  # not ours: anybody may write into a topic
                self._agent.metrics.on_dropped("undecodable_change", 1)
        merge.read_to = next_offset
        self._moved = True
        self._judge()

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:  # noqa: ARG002 - the protocol's
        """Judge what may be judged now."""
        self._judge()

    def _judge(self) -> None:
        agent = self._agent
        latest = agent.ends.latest
        if latest is None:
            return
        passed = self._merge.passed
        reached = self._reached()
        changes = self._merge.pop_ready(
            latest.ends, now=time.monotonic(), limit=STEP_CHANGES,
            reference_bound=agent.reference.bound(latest.reference_ends),
            horizon=latest.asked_at - WRITTEN_WITHIN_MS,
            floor=reached.asked_at - WRITTEN_WITHIN_MS if reached else None,
        )  # fmt: skip
        if changes:
            raised = len(self._step.alerts)
            self._engine.apply(self.partition, changes, self._step)
            self._moved = True
            if len(self._step.alerts) > raised:
                self._arrivals += [changes[-1].at] * (len(self._step.alerts) - raised)
        elif not self._merge.has_queued():
            self._follow_wall_clock(reached)
        if self._merge.has_queued():
            agent.ends.ask_soon()
        if self._merge.passed > passed:
            agent.metrics.on_dropped("merge_wait_passed", self._merge.passed - passed)
        if self._step.dropped:
            agent.metrics.on_dropped("nothing_new", self._step.dropped)
            self._step.dropped = 0

    def _reached(self) -> Answer | None:
        """The newest answer up to which everything has been read, and has come here."""
        merge, reference = self._merge, self._agent.reference
        return self._agent.ends.newest(
            lambda answer: merge.is_at_end(answer.ends) and reference.bound(answer.reference_ends) is None
        )

    def _follow_wall_clock(self, reached: Answer | None) -> None:
        """Move the clock to the last moment of which it is known that all written by then has been judged."""
        if reached is None:
            return
        raised = len(self._step.alerts)
        self._engine.advance(self.partition, reached.asked_at - WRITTEN_WITHIN_MS, self._step)
        now = int(self._agent.now() * 1000)
        for alert in self._step.alerts[raised:]:
            self._agent.metrics.on_timer_lag((now - alert.raised_at) / 1000)

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:  # noqa: ARG002 - the protocol's
        """A timer or a reference event may fire, changes wait, or the clock should be written."""
        latest = self._agent.ends.latest
        if latest is None:
            return False
        if self._merge.has_queued() or self.partition.next_due() <= latest.asked_at:
            return True
        return self._committed >= 0 and latest.asked_at - self._kept_clock >= KEEP_CLOCK_MS

    def clock_behind_ms(self, now: int) -> int:
        """How far the clock is behind `now`; of a partition that has nothing to do, the age of the last question.

        The clock of an idle partition is moved only when something is due: it counts as if it had been.
        """
        latest = self._agent.ends.latest
        if latest is None or self.is_due({}) or not self._merge.is_at_end(latest.ends):
            return now - self.partition.clock
        return now - latest.asked_at

    def has_more(self) -> bool:
        """Changes in order lie ready."""
        return self._merge.has_ready()

    # -- writing

    def is_dirty(self) -> bool:
        """Something was read, or the clock has run for a while."""
        has_run = self._committed >= 0 and self.partition.clock - self._kept_clock >= KEEP_CLOCK_MS
        return self._moved or has_run or self.is_urgent()

    def is_urgent(self) -> bool:
        """Progress marks alone can wait; what the engine concluded cannot."""
        step = self._step
        return bool(step.changed or step.alerts or step.deltas or step.notices or step.votes)

    def backlog(self) -> int:
        """Records not yet written."""
        step = self._step
        return len(step.changed) + len(step.alerts) + len(step.deltas) + len(step.notices)

    def take(self) -> Batch:
        """Alerts, differences, notices, votes; then the rows that changed; last the position."""
        step, self._step = self._step, Step()
        batch = Batch()
        self._write_outputs(batch, step)
        merge = self._merge.position()
        dump, partition = self._engine.dump, self.partition
        rows: Records = [(key.encode(), dump(partition, key)) for key in sorted(step.changed)]
        position = TrackPosition(merge, self._engine.dump_position(partition))
        rows.append((POSITION_KEY, _encode_position(position)))
        batch.writes[SourcePartition(self._agent.out.changelog, self._number)] = rows
        if merge.resume != self._committed:
            batch.offsets[self._source] = Committed(merge.resume)
            self._committed = merge.resume
        self._moved, self._kept_clock = False, partition.clock
        return batch

    def _write_outputs(self, batch: Batch, step: Step) -> None:
        out, agent = self._agent.out, self._agent

        def write(topic: str, key: str, value: bytes) -> None:
            data, number = agent.by_key[topic].of(key)
            batch.writes.setdefault(SourcePartition(topic, number), []).append((data, value))

        for alert in step.alerts:
            write(out.alerts, alert.instance, encode_alert(alert))
        for key, delta in summed(step.deltas).items():
            write(out.deltas, key, encode_delta(delta))
        for notice in step.notices:
            write(out.notices, notice.recipient.no, encode_notice(notice))
        for vote in step.votes:
            write(out.changes, vote.instance, encode_change(vote))
        self._taken, self._taken_arrivals, self._arrivals = step.alerts, self._arrivals, []

    def on_committed(self) -> None:
        """Count what is now visible to others."""
        metrics, now = self._agent.metrics, int(self._agent.now() * 1000)
        for alert in self._taken:
            metrics.on_alert(alert)
        for at in self._taken_arrivals:
            metrics.on_alert_latency((now - at) / 1000)
        self._taken, self._taken_arrivals = [], []

    def close(self) -> None:
        """Let go of the view of the reference data."""
        with suppress(KeyError):
            if self._agent.owned[self._number] is self:
                del self._agent.owned[self._number]
        self._engine.release(self.partition)


def summed(deltas: Sequence[IndicatorDelta]) -> dict[str, IndicatorDelta]:
    """One difference per indicator key: what a transaction adds to it in all."""
    found: dict[str, IndicatorDelta] = {}
    for delta in deltas:
        key = delta_key(delta)
        known = found.get(key)
        found[key] = delta if known is None else msgspec.structs.replace(
            known, numerator=known.numerator + delta.numerator, denominator=known.denominator + delta.denominator,
            at=max(known.at, delta.at),
        )  # fmt: skip
    return found
