"""The engine: takes changes in order of arrival, or the time, and says what is to be done.

Used by the tracking agent, by `replay`, by the definitions' own tests and by the property tests. It mutates
the partition that it is given and writes everything else into a `Step`; a step is synchronous, so state is
never seen half done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop

import msgspec

from rules.compiler import CompiledProcess, Definitions
from rules.engine.alerting import Alerting
from rules.engine.deadlines import usable
from rules.engine.fusion import fuse_row, new_row
from rules.engine.judges import Judges
from rules.engine.membership import VOTE
from rules.engine.own_rows import OwnRows
from rules.engine.partition import Partition, Step
from rules.engine.retention import let_go
from rules.engine.take_up import TakeUp
from rules.engine.watched import Watched
from rules.reconciliation import stands_beside
from rules.reference import NEVER, Reference
from rules.routing import Routing
from rules.state import STATE_FORMAT, Instance, PartitionPosition, Place, RulesMark
from schemas import Broken, Change, to_wire


class Engine:
    """All definitions, ready to judge any number of partitions."""

    def __init__(
        self, definitions: Definitions, reference: Reference, *, mail_domain: str = "stagewatch.local"
    ) -> None:
        self.definitions = definitions
        self.reference = reference
        alerting = Alerting(definitions, Routing(reference, mail_domain=mail_domain))
        self.judges = Judges(definitions, reference, alerting)
        self._judgement, self._findings = self.judges.judgement, self.judges.findings
        self._membership = self.judges.membership
        self.own = OwnRows(definitions, self.judges, reference.believed)
        self._watched = Watched()
        self._handlers: dict[str, Callable[[Partition, Change, Step], None]] = {
            **dict.fromkeys(definitions.by_entity, self._apply_main),
            "visit": self._apply_visit,
            VOTE: self._apply_vote,
        }
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode_position = msgspec.msgpack.Decoder(PartitionPosition).decode

    # -- life of a partition

    def new_partition(self, number: int, *, notify_from: int = 0, live_from: int = 0) -> Partition:
        """Give an empty partition; `finish_recovery` must follow, after `load` of what was kept."""
        partition = Partition(number, self.reference)
        partition.notify_from, partition.live_from = notify_from, live_from
        partition.rules = RulesMark(self.definitions.serial, self.definitions.digest)
        return partition

    def load(self, partition: Partition, key: str, data: bytes) -> None:
        """Take in one instance from the changelog."""
        partition.instances.load(key, data)

    def drop(self, partition: Partition, key: str) -> None:
        """Take in the removal of an instance from the changelog."""
        partition.instances.drop(key)

    def load_position(self, partition: Partition, data: bytes) -> None:
        """Take in the engine's part of the position record."""
        position = self._decode_position(data)
        if position.state_format != STATE_FORMAT:
            raise Broken(
                f"the state is of format {position.state_format} and this version reads {STATE_FORMAT}: "
                "run the version that wrote it, or begin anew with another application_id"
            )
        partition.clock, partition.notify_from = position.clock, position.notify_from
        partition.judged, partition.rules = position.reference, position.rules

    def finish_recovery(self, partition: Partition) -> None:
        """Make timers, indexes and the reference cursor from what was loaded. Call once."""
        partition.cursor = self.reference.cursor(partition.clock, partition.judged)
        partition.rebuild()

    def release(self, partition: Partition) -> None:
        """Let go of a partition that moved to another worker."""
        if partition.cursor is not None:
            self.reference.release(partition.cursor)
            partition.cursor = None

    def dump_position(self, partition: Partition) -> bytes:
        """Give the engine's part of the position record."""
        position = PartitionPosition(
            partition.clock, partition.notify_from, partition.judged, STATE_FORMAT, partition.rules
        )
        return self._encode(position)

    # -- other rules

    def take_up(self, partition: Partition, before: Engine) -> None:
        """Begin to judge a partition by this engine's rules instead of `before`'s; from its clock on.

        Instances are judged anew before anything touches them, the others by `carry_on`. Call it again after a restart.
        """
        partition.take_up = TakeUp(self, before, partition)

    def carry_on(self, partition: Partition, step: Step, *, limit: int) -> bool:
        """Judge up to `limit` more instances by the new rules; tell whether there are still more."""
        if partition.take_up is None:
            return False
        partition.take_up.step = step
        has_more = partition.take_up.carry_on(limit)
        self._close(partition, step)
        if not has_more:
            partition.take_up.end()
        return has_more

    # -- time and changes

    def apply(self, partition: Partition, changes: Sequence[Change], step: Step) -> None:
        """Judge changes in the order given; the clock follows their arrival, and what is due before fires before.

        `changes` are sorted by `(at, topic, partition, offset)`; reference events up to each `at` are in
        `reference` already. A change that arrives before the clock is judged at the clock.
        """
        handlers, other, timers, cursor = self._handlers, self._apply_other, partition.timers, partition.cursor
        if partition.take_up is not None:
            partition.take_up.step = step
        for change in changes:
            now = change.at
            if now < partition.clock:  # noqa: PLR1730 - the hot path: no call
                now = partition.clock
            if (timers and timers[0][0] <= now) or (cursor is not None and cursor.due <= now):
                self._reach(partition, now, step)
            partition.clock = now
            partition.is_history = change.op == "r"
            if change.left:
                left = change.leaving()
                handlers.get(left.entity, other)(partition, left, step)
            if change.instance:
                handlers.get(change.entity, other)(partition, change, step)
            else:
                self._apply_unnamed(partition, change, step)
        partition.is_history = False
        self._close(partition, step)

    @staticmethod
    def _close(partition: Partition, step: Step) -> None:
        step.rows.update(partition.instances.close(step.changed))
        step.changed.clear()
        partition.drop_stale_timers()

    def arrive(self, partition: Partition, at: int, step: Step) -> None:
        """Move the clock to `at`, when a record arrives that may say nothing: fire what was due before it."""
        at = max(at, partition.clock)
        self._reach(partition, at, step)
        partition.clock = at
        self._close(partition, step)

    def _reach(self, partition: Partition, at: int, step: Step) -> None:
        partition.is_history = False
        if partition.next_due() <= at:
            self._work_off(partition, at, step, timers_until=at - 1)

    def advance(self, partition: Partition, now: int, step: Step) -> None:
        """Move the clock to `now` and fire everything due by then. Backwards: nothing happens."""
        now = max(now, partition.clock)
        if partition.next_due() <= now:
            self._work_off(partition, now, step, timers_until=now)
        partition.clock = now
        self._close(partition, step)

    def _work_off(self, partition: Partition, until: int, step: Step, *, timers_until: int) -> None:
        """Fire timers and reference events in order of time; reference first at equal times."""
        timers, cursor = partition.timers, partition.cursor
        if partition.take_up is not None:
            partition.take_up.step = step
        while True:
            timer = timers[0][0] if timers else NEVER
            event = cursor.due if cursor else NEVER
            if event <= timer and event <= until and cursor is not None:
                partition.clock = max(partition.clock, event)
                self.judges.refer(partition, cursor.pop(), step)
            elif timer <= timers_until:
                due, key = heappop(timers)
                partition.clock = max(partition.clock, due)
                self._fire(partition, key, due, step)
            else:
                return

    def _fire(self, partition: Partition, key: str, due: int, step: Step) -> None:
        if partition.instances.scheduled(key) != due:
            return
        instance = partition.instances.open(key)
        if instance is not None:
            self.fire(partition, instance, due, step)

    def fire(self, partition: Partition, instance: Instance, due: int, step: Step) -> None:
        """Judge what of an instance falls due at `due`."""
        instance.scheduled = None
        process = self._process(instance)
        if process is None:
            self._findings.judge_orphan(partition, instance, step)
        else:
            for visit in instance.visits:
                if visit.due is not None and visit.due <= due:
                    self._judgement.judge_visit(partition, process, instance, visit, step)
            if instance.due is not None and instance.due <= due:
                self._judgement.judge_whole(partition, process, instance, step)
        self.judges.count_open(partition, instance, step)
        partition.schedule(instance)
        step.changed.add(instance.key)

    # -- one change

    def _apply_unnamed(self, partition: Partition, change: Change, step: Step) -> None:
        """Take a delete that does not name its instance to whoever holds the row; other such rows are nobody's."""
        keys = partition.holders(change.entity, change.row) if change.op == "d" else ()
        for key in keys:
            named = msgspec.structs.replace(change, instance=key)
            self._handlers.get(change.entity, self._apply_other)(partition, named, step)
        if not keys:
            step.dropped += 1

    @staticmethod
    def _instance_of(partition: Partition, change: Change) -> Instance:
        """Give the instance that a change is about, a new one if need be."""
        key = change.instance
        instance = partition.instances.open(key)
        if instance is None:
            instance = Instance(key, since=partition.clock, visits=[], rules=partition.rules.times)
            partition.instances.add(instance)
        return instance

    def _note(self, partition: Partition, instance: Instance, step: Step, *, is_new: bool) -> None:
        """Whatever was judged of an instance: when it is due again, and that it has to be kept."""
        if is_new:
            self.judges.count_open(partition, instance, step)
            partition.schedule(instance)
            step.changed.add(instance.key)
        else:
            step.dropped += 1

    def _apply_visit(self, partition: Partition, change: Change, step: Step) -> None:
        instance = self._instance_of(partition, change)
        self._note(partition, instance, step, is_new=self.judges.fuse_visit(partition, instance, change, step))

    def _apply_main(self, partition: Partition, change: Change, step: Step) -> None:
        """Take a change of the instance's own row; most of them change nothing that anything judges."""
        instances, key = partition.instances, change.instance
        instance = instances.peek(key)
        main = instance.main if instance is not None else None
        process = self.definitions.process_of(instance) if instance is not None else None
        if instance is None or main is None or process is None or change.position <= main.position:
            self._apply_whole(partition, change, step)
            return
        old, new = main.fields, to_wire(change.fields)
        is_whole = main.older is None and main.told is None and old.keys() == new.keys()
        is_usual = change.op != "d" and not main.is_deleted and is_whole
        if (
            not is_usual
            or self._watched.differ(process, old, new)
            or (process.disagreement and stands_beside(instance))
        ):
            instances.add(instance)  # so that it is not decoded again
            self._apply_whole(partition, change, step)
            return
        main.fields, main.position, main.order = new, change.position, change.order
        main.place = Place(change.topic, change.partition, change.offset)
        for field, limit, _ in process.intervals:
            was, now = old.get(field), new.get(field)
            if type(was) is int and type(now) is int and now - was > limit:
                self._findings.judge_interval(partition, process, instance, old, step)
        if key in step.changed:  # it is open: what was done to it before is kept with it
            return
        step.rows[key] = instances.keep(instance)

    def _apply_whole(self, partition: Partition, change: Change, step: Step) -> None:
        instance = self._instance_of(partition, change)
        self._note(partition, instance, step, is_new=self.own.fuse(partition, instance, change, step))

    def _apply_other(self, partition: Partition, change: Change, step: Step) -> None:
        instance = self._instance_of(partition, change)
        self._note(partition, instance, step, is_new=self._fuse_other(partition, instance, change, step))

    def _fuse_other(self, partition: Partition, instance: Instance, change: Change, step: Step) -> bool:
        name = f"{change.entity}:{change.row}"
        others = instance.others = instance.others or {}
        is_first = name not in others
        if is_first:
            others[name] = new_row(change)
            partition.learn_rows(instance)
        elif not fuse_row(others[name], change):
            return False
        if self.own.believed:
            self.own.heed(partition, instance, change.entity, step)
        process = self._process(instance) or self.judges.claim_beside(instance, change.entity)
        if process is None:
            return True
        before = self.judges.all_parts(process, instance)
        if change.entity in process.keeps:
            let_go(instance, change.entity, process.keeps[change.entity], process.calendar)
        partition.index(instance, self._membership.index_keys(partition, instance, process))
        if is_first and change.op != "d" and usable(change.fields.get("submitted_at")) is None:
            for visit in instance.visits:
                rules = process.by_stage.get(visit.stage or "", ())
                if visit.finished_at is None and any(r.restarts_on == change.entity for r in rules):
                    visit.restarted_at = partition.clock
        self.judges.judge_all(partition, process, instance, step, changed=change.entity)
        step.count(before, self.judges.all_parts(process, instance), partition.clock)
        self.judges.recount(partition, process, instance, step, changed=change.entity)
        return True

    def _apply_vote(self, partition: Partition, change: Change, step: Step) -> None:
        instance = self._instance_of(partition, change)
        is_new = self._membership.take_vote(partition, instance, change, step)
        self._note(partition, instance, step, is_new=is_new)

    # -- parts

    def _process(self, instance: Instance) -> CompiledProcess | None:
        return self.definitions.process_of(instance)
