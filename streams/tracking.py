"""One partition of the tracking agent: its merge, its clock, its instances, and what of them is not yet written."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from rules import ITEM, Partition, Step, delta_key
from schemas import AlertEvent, BadInput, Broken, Change, Notice, Raw
from schemas.codec import (
    MARK_KEY,
    decode_change,
    decode_mark,
    encode_alert,
    encode_change,
    encode_delta,
    encode_notice,
)
from streams.clock_marks import ClockMarks
from streams.direct import DirectTopic
from streams.ends import Answer
from streams.judging import Judging
from streams.letters import Letters
from streams.logic import CATCH_UP_MS, Batch, Committed, Lease, Records, SourcePartition
from streams.merge import Merge, MergePosition
from streams.partitioner import spread
from streams.recovery import POSITION_KEY, check_rows

if TYPE_CHECKING:
    from streams.track import TrackAgent

STEP_CHANGES = 1000
"""Changes judged in one step: some 10 ms."""
RUN = 250
"""Records decoded and judged before the next ones are: what they make stays in the processor's cache."""
MOST_WAITING = 20_000
"""Rows to be written; while there are more, no further instance is judged anew."""
KEEP_CLOCK_MS = 5_000
"""An idle partition's clock is written this often: what a crash takes back of it has shown to nobody."""


class TrackPosition(msgspec.Struct, array_like=True, gc=False):
    """The last changelog record of every transaction of a partition."""

    merge: MergePosition
    engine: bytes
    """The engine's own part: clock, reference cursor, start of notifying."""
    rows: int
    """How many instances there are: fewer at recovery means that the changelog was lost and is half written anew."""


_encode_position = msgspec.msgpack.Encoder().encode
_decode_position = msgspec.msgpack.Decoder(TrackPosition).decode


def engine_position(data: bytes) -> bytes:
    """Give the engine's part of a position record, for those who look at the state from outside."""
    return _decode_position(data).engine


class Tracking:
    """One partition of `stagewatch.changes`: its merge, its clock, its instances."""

    def __init__(self, agent: "TrackAgent", lease: Lease) -> None:
        self._agent = agent
        self._number = lease.number
        self._source = SourcePartition(agent.out.changes, lease.number)
        self._direct = [SourcePartition(topic, lease.number) for topic in sorted(agent.direct)]
        self._letters = Letters(agent.out.deadletters, agent.by_key[agent.out.deadletters], agent.metrics)
        self._forwards: list[tuple[int, bytes, bytes]] = []  # changes for instances of other partitions
        self._merge = Merge(merge_wait_s=agent.merge_wait_s)
        self._judging = Judging(agent.book, lease.number)
        self.partition: Partition = self._judging.partition
        self._step = self._judging.new_step()
        self._position: TrackPosition | None = None
        self._moved = False
        self._committed: dict[SourcePartition, int] = {}
        self._kept_clock = 0
        self._marks = ClockMarks(lease.number, agent.out.deltas, agent.by_key[agent.out.deltas])
        self._arrivals: list[int] = []
        self._taken: list[AlertEvent] = []
        self._taken_arrivals: list[int] = []

    # -- recovery

    def load(self, records: Sequence[Raw]) -> None:
        """Take rows and positions from the changelog."""
        engine, partition = self._judging.engine, self.partition
        for record in records:
            key, value = record.key or b"", record.value
            if key == POSITION_KEY:
                self._position = _decode_position(value or b"")
            elif value is None:
                engine.drop(partition, key.decode())
            else:
                engine.load(partition, key.decode(), value)

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Check the state's positions against the committed ones; both were written in one transaction."""
        position, agent, partition, engine = self._position, self._agent, self.partition, self._judging.engine
        if position is not None:
            if agent.is_exact:
                check_rows(SourcePartition(agent.changelog, self._number), len(partition.instances), position.rows)
            engine.load_position(partition, position.engine)
            self._merge.restore(position.merge)
        elif not committed:  # the very first start: what fell due before it is raised, and nobody is told
            partition.notify_from = agent.started_at
        partition.live_from = agent.started_at
        engine.finish_recovery(partition)
        self._judging.resume()
        self._kept_clock, self._position = partition.clock, None
        self._step = self._judging.new_step()
        self._committed = self._resume(position)
        if agent.is_exact:
            self._check(committed, position)
        # What the state does not know: a topic that was re-keyed until now, or a broker without transactions.
        self._committed = {tp: found.offset for tp, found in committed.items()} | self._committed
        return dict(self._committed)

    def _resume(self, position: TrackPosition | None) -> dict[SourcePartition, int]:
        """Give where the state says to read on; sources that it does not know start at their beginning."""
        if position is None:
            return {}
        resume = {self._source: position.merge.resume}
        kept_of = position.merge.sources
        known = {SourcePartition(k.topic, k.partition): k.judged for k in kept_of if k.is_direct}
        return resume | {source: known[source] for source in self._direct if source in known}

    def _check(self, committed: Mapping[SourcePartition, Committed], position: TrackPosition | None) -> None:
        """Raise Broken unless the offsets committed are those of the state."""
        for source, found in committed.items():
            if position is None:
                raise Broken(f"{source}: committed {found.offset}, but the changelog has no position")
            known = self._committed.get(source)
            # Committed with metadata by a re-keying agent: it was not read as it stands until now.
            if found.offset != known and (known is not None or not found.metadata):
                raise Broken(f"{source}: committed {found.offset}, changelog says {known}")

    # -- work

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:
        """Take changes and marks into the merge, then judge what may be judged."""
        self._moved = True
        if source.topic not in self._agent.direct:
            self._read_changes(records, next_offset)
            self._judge()
            return
        for first in range(0, len(records), RUN):
            run = records[first : first + RUN]
            is_last = first + RUN >= len(records)
            self._read_direct(source, run, next_offset if is_last else run[-1].offset + 1)
            self._judge()

    def _read_changes(self, records: Sequence[Raw], next_offset: int) -> None:
        push, mark, last = self._merge.push, self._merge.mark, None
        for record in records:
            try:
                if record.key == MARK_KEY:
                    mark(decode_mark(record.value or b""))
                    continue
                change = decode_change(record.value or b"")
                push(change, record.offset)
            except BadInput:  # not ours: anybody may write into a topic
                self._agent.metrics.on_dropped("undecodable_change", 1)
            else:
                last = change
        if last is not None:
            self._agent.ends.note_uncounted(SourcePartition(last.topic, last.partition), last.offset, last.at)
        self._merge.read_to = next_offset

    def _read_direct(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:
        """Decode captured records that are keyed by the instance; what cannot be understood becomes a dead letter."""
        agent, topic = self._agent, self._agent.direct[source.topic]
        progress = self._merge.direct(source)
        changes, refused, high = topic.decoder.decode_run(
            records, topic=source.topic, partition=source.partition, high=max(progress.high, 0)
        )
        if refused:
            self._letters.add(source, [each for each in refused if each.record.offset >= progress.written])
        instances = self.partition.instances.rows
        if [None for change in changes if change.instance not in instances or change.left]:
            changes = self._ours(topic, changes, progress.written)
        self._merge.extend(source, changes, next_offset, high)
        agent.ends.note_uncounted(source, records[-1].offset, records[-1].timestamp)
        progress.written = max(progress.written, next_offset)
        agent.metrics.on_events(source.topic, len(records), Counter({topic.decoder.mapping.entity: len(changes)}))
        agent.metrics.on_last_event(source.topic, high)
        if topic.decoder.unknown_codes:
            agent.metrics.on_unknown_codes(source.topic, topic.decoder.unknown_codes)

    def _ours(self, topic: DirectTopic, changes: Sequence[Change], written: int) -> list[Change]:
        """Give the changes of instances of this partition; the others go where they belong."""
        instances, mine = self.partition.instances.rows, []
        for change in changes:
            if change.instance in instances and not change.left:
                mine.append(change)
                continue
            for number, each in spread(change, topic.partitioner):
                if number == self._number:
                    mine.append(each)
                elif change.offset >= written:
                    self._forwards.append((number, each.instance.encode(), topic.encode(each)))
        return mine

    def queued(self, source: SourcePartition) -> int:
        """How many changes of a direct source wait to be judged."""
        return len(self._merge.direct(source).changes)

    def read_to(self, source: SourcePartition) -> int:
        """How far a direct source was read."""
        return self._merge.direct(source).read

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:
        """Note how far fetching has come, past control records too; judge what may be judged now."""
        for source in self._unread(positions):
            self._merge.extend(source, [], positions[source], 0)
            self._moved = True
        self._judge()

    def _unread(self, positions: Mapping[SourcePartition, int]) -> list[SourcePartition]:
        """Give the direct sources of which less was read than was fetched."""
        return [tp for tp in self._direct if tp in positions and self._merge.direct(tp).read < positions[tp]]

    def _judge(self) -> None:
        agent = self._agent
        latest = agent.ends.latest
        if latest is None:
            return
        if self._judging.is_under_way() and self.backlog() < MOST_WAITING:
            self._judging.carry_on(self._step)
            self._moved = True
        passed, written_by = self._merge.passed, agent.ends.written_by
        reached = self._reached()
        changes = self._merge.pop_ready(
            self._ends(latest), now=time.monotonic(), limit=STEP_CHANGES,
            reference_bound=agent.reference.bound(latest.reference_ends),
            horizon=latest.asked_at - written_by,
            floor=reached.asked_at - written_by if reached else None,
            floor_ends=self._ends(reached) if reached else None,
        )  # fmt: skip
        if changes:
            raised = len(self._step.alerts)
            self._judging.apply(changes, self._step)
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
            lambda answer: merge.is_at_end(self._ends(answer)) and reference.bound(answer.reference_ends) is None
        )

    def _ends(self, answer: Answer) -> Mapping[SourcePartition, int]:
        return answer.of(self._number, self._agent.direct_topics)

    def _follow_wall_clock(self, reached: Answer | None) -> None:
        """Move the clock to the last moment of which it is known that all written by then has been judged."""
        if reached is None:
            return
        raised = len(self._step.alerts)
        self._judging.advance(reached.asked_at - self._agent.ends.written_by, self._step)
        self._moved = self._moved or self._judging.is_under_way()
        now = int(self._agent.now() * 1000)
        for alert in self._step.alerts[raised:]:
            self._agent.metrics.on_timer_lag((now - alert.raised_at) / 1000)

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:
        """A timer or a reference event may fire, changes wait, or the clock should be written."""
        latest = self._agent.ends.latest
        if latest is None:
            return False
        if self._merge.has_queued() or self.partition.next_due() <= latest.asked_at or self._unread(positions):
            return True
        if self._judging.is_due(latest.asked_at) or self._marks.is_due(latest.asked_at - self._agent.ends.written_by):
            return True
        return bool(self._committed) and latest.asked_at - self._kept_clock >= KEEP_CLOCK_MS

    def clock_behind_ms(self, now: int) -> int:
        """How far the clock is behind `now`; of a partition that has nothing to do, the age of the last question.

        The clock of an idle partition is moved only when something is due: it counts as if it had been.
        """
        latest = self._agent.ends.latest
        if latest is None or self.is_due({}) or not self._merge.is_at_end(self._ends(latest)):
            return now - self.partition.clock
        return now - latest.asked_at

    def has_more(self) -> bool:
        """Changes in order lie ready."""
        return self._merge.has_ready()

    # -- writing

    def is_dirty(self) -> bool:
        """Something was read, or the clock has run for a while."""
        has_run = bool(self._committed) and self.partition.clock - self._kept_clock >= KEEP_CLOCK_MS
        return self._moved or has_run or self.is_urgent() or self._marks.is_due(self.partition.clock)

    def is_urgent(self) -> bool:
        """Progress marks alone can wait; what the engine concluded cannot."""
        step = self._step
        return bool(
            step.rows or step.alerts or step.sums or step.notices or step.votes or self._letters or self._forwards
        )

    def is_catching_up(self) -> bool:
        """The clock is far behind the wall's."""
        latest = self._agent.ends.latest
        return latest is not None and latest.asked_at - self.partition.clock > CATCH_UP_MS

    def backlog(self) -> int:
        """Records not yet written."""
        step = self._step
        return len(step.rows) + len(step.alerts) + len(step.sums) + len(step.notices)

    def take(self) -> Batch:
        """Alerts, differences, notices, votes; then the rows that changed; last the position."""
        step, self._step = self._step, self._judging.new_step()
        batch = Batch()
        self._write_outputs(batch, step)
        merge = self._merge.position()
        partition = self.partition
        rows: Records = [(key.encode(), data) for key, data in step.rows.items()]
        position = TrackPosition(merge, self._judging.engine.dump_position(partition), len(partition.instances))
        rows.append((POSITION_KEY, _encode_position(position)))
        batch.writes[SourcePartition(self._agent.out.changelog, self._number)] = rows
        for source, resume in self._resume(position).items():
            if self._committed.get(source) != resume:
                batch.offsets[source] = Committed(resume)
                self._committed[source] = resume
        self._moved, self._kept_clock = False, partition.clock
        self._judging.taken()
        return batch

    def _write_outputs(self, batch: Batch, step: Step) -> None:
        out, agent = self._agent.out, self._agent

        def write(topic: str, key: str, value: bytes) -> None:
            data, number = agent.by_key[topic].of(key)
            batch.writes.setdefault(SourcePartition(topic, number), []).append((data, value))

        for alert in step.alerts:
            write(out.alerts, alert.instance, encode_alert(alert))
        for delta in step.deltas:
            owner = SourcePartition(out.deltas, agent.by_key[out.deltas].of(delta.indicator)[1])
            batch.writes.setdefault(owner, []).append((delta_key(delta).encode(), encode_delta(delta)))
        self._marks.write(batch, self.partition.clock, self._judging.engine.definitions)
        notices: Sequence[Notice] = step.notices
        if agent.inbox is not None:
            notices = agent.inbox.tell(batch, step.alerts, notices, self._judging.engine.definitions.strategies)
        for notice in notices:
            write(out.notices, notice.recipient.no, encode_notice(notice))
        for vote in step.votes:
            target = agent.by_entity.get(ITEM, agent.by_key[out.changes]).of(vote.instance)[1]
            batch.writes.setdefault(SourcePartition(out.changes, target), []).append(
                (vote.instance.encode(), encode_change(vote))
            )
        for number, data, value in self._forwards:
            batch.writes.setdefault(SourcePartition(out.changes, number), []).append((data, value))
        self._forwards = []
        self._letters.write(batch)
        self._taken, self._taken_arrivals, self._arrivals = step.alerts, self._arrivals, []

    def on_committed(self) -> None:
        """Count what is now visible to others."""
        self._judging.committed()
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
                self._agent.book.forget(self._number)
        self._judging.engine.release(self.partition)
