"""A simulated worker process: takes partitions over, reads, judges, writes; one small step at a time.

Between any two steps the world may kill it, freeze it, or give its partitions to another. It does what
`streams.partitions` and `streams.transactions` do, request by request.
"""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from schemas import Broken
from streams.logic import Batch, Lease, Logic, SourcePartition
from streams.recovery import LogEnd
from tests.simulation.broker import Fenced, Producer, Refused
from tests.simulation.clock import WallClock
from tests.simulation.process import Process, apply, is_mark
from tests.simulation.sabotage import Sabotage

if TYPE_CHECKING:
    from tests.simulation.world import World

APART = {Sabotage.OFFSETS_BEFORE, Sabotage.OFFSETS_AFTER}
MARKS_APART = {Sabotage.MARK_BEFORE, Sabotage.MARK_AFTER}
MOST = 1 << 30
"""No limit to what is read at once."""
ANSWER_MS = 40
"""A worker with work to do asks again so soon."""
END_OF_PROCESS = (Fenced, Refused, Broken)
"""What ends a worker process; anything else is a fault of the product or of the simulation."""


class Owned:
    """One lease in the hands of one worker."""

    def __init__(self, lease: Lease, tps: list[SourcePartition], logic: Logic) -> None:
        self.lease, self.tps, self.logic = lease, tps, logic
        self.producer: Producer | None = None
        self.starting: Iterator[None] | None = None
        self.writing: Iterator[None] | None = None
        self.is_decided = False
        """The transaction being written is committed; the answer is on its way."""
        self.is_short = False
        """It recovers from a changelog that has lost its tail."""
        self.log_end: LogEnd | None = None
        self.positions: dict[SourcePartition, int] = {}
        """Where the state ends."""
        self.delivered: dict[SourcePartition, int] = {}
        """Where the last batch ended."""
        self.fetched: dict[SourcePartition, int] = {}
        """Where the next fetch begins, past control records."""

    def take(self) -> Batch:
        """Give what is to be written, as the partition core does."""
        batch = self.logic.take()
        if self.log_end is not None:
            self.log_end.note(batch)
        return batch

    @property
    def phase(self) -> str:
        """What a crash would hit."""
        if self.starting is not None:
            return "recovery"
        if self.writing is None:
            return "nothing written" if self.logic.is_dirty() else "idle"
        return "commit not acknowledged" if self.is_decided else "transaction"


class Worker:
    """One process."""

    def __init__(self, world: "World", number: int, clock: WallClock, process: Process) -> None:
        self.world, self.number, self.clock, self.process = world, number, clock, process
        self.owned: dict[Lease, Owned] = {}
        self.is_member = False
        """The group counts on it; else it has not joined yet, or was given up and does not know."""
        self.is_frozen = False
        self._asked_at: int | None = None
        for tp in list(process.references):
            self._refer(tp, MOST)

    # -- beside the partitions

    def ask(self, *, at_once: bool = False) -> None:
        """Ask where the sources end; the answer comes with the next call unless `at_once`."""
        if self._asked_at is None:
            self._asked_at = self.clock.ms()
            if not at_once:
                return
        ends = self.world.broker.ends([*self.process.inputs, *self.process.references])
        self.process.answer(self._asked_at, ends)
        self._asked_at = None

    def has_answer(self) -> bool:
        """The last answer is not much older than the time."""
        latest = self.process.ends.latest
        return latest is not None and latest.asked_at > self.clock.ms() - ANSWER_MS

    def refer(self, limit: int) -> bool:
        """Read reference data on; true if there was any."""
        return sum(self._refer(tp, limit) for tp in list(self.process.references)) > 0

    def _refer(self, tp: SourcePartition, limit: int) -> bool:
        records, position = self.world.broker.read(tp, self.process.references[tp], limit)
        self.process.refer(tp, records, position)
        return bool(records)

    # -- taking over and letting go

    def take_over(self, lease: Lease, tps: list[SourcePartition]) -> None:
        """Begin to own a lease; its recovery goes on step by step."""
        owned = self.owned[lease] = Owned(lease, tps, self.process.open(lease))
        owned.starting = self._recover(owned)

    def _recover(self, owned: Owned) -> Iterator[None]:
        world, lease, logic = self.world, owned.lease, owned.logic
        name = f"{lease.name}-{self.number}" if Sabotage.NO_FENCING in world.sabotage else lease.name
        owned.producer = world.broker.init_producer(name)
        yield
        changelog = self.process.changelog(lease)
        if changelog is not None:
            end, position = world.broker.ends([changelog])[changelog], 0
            lost = world.faults.lost_tail(changelog)
            owned.is_short, end = lost is not None, end if lost is None else lost
            while position < end:
                records, position = world.broker.read(changelog, position, world.rng.randint(1, 60))
                logic.load([record for record in records if record.offset < end])
                yield
            if Sabotage.NO_POSITION_CHECK not in world.sabotage:
                owned.log_end = LogEnd(changelog, end, world.broker.offsets_of([changelog]).get(changelog))
        positions = logic.recover(world.broker.offsets_of(owned.tps))
        for tp in owned.tps:
            owned.positions[tp] = positions.get(tp, 0)
        self.seek(owned)

    @staticmethod
    def seek(owned: Owned) -> None:
        """Read on where the state ends."""
        owned.delivered, owned.fetched = dict(owned.positions), dict(owned.positions)

    def let_go(self, lease: Lease) -> None:
        """The partition goes to another worker."""
        self.owned.pop(lease).logic.close()

    def die(self) -> None:
        """Nothing of the process lives on but requests that are on their way."""
        for owned in self.owned.values():
            if owned.writing is not None:
                self.world.on_their_way.append(owned.writing)
            self.process.end_sends(owned.logic)
        self.owned.clear()

    # -- work

    def step(self, owned: Owned, rng: random.Random) -> bool:
        """Do one thing for one lease; true if there was anything to do. Raises what ends a process."""
        if owned.starting is not None:
            if next(owned.starting, self) is self:
                owned.starting = None
            return True
        if owned.writing is not None and rng.random() < 0.6:
            for _ in range(rng.randint(1, 4)):
                if owned.writing is not None:
                    self._write_on(owned)
            return True
        did = self.judge(owned, rng)
        if owned.writing is None and owned.logic.is_dirty() and (owned.logic.is_urgent() or rng.random() < 0.3):
            owned.writing = self._write(owned, owned.take())
            return True
        return did

    def work_off(self, owned: Owned) -> bool:
        """Do all there is to do for one lease now; true if anything was read or written."""
        did = owned.starting is not None
        while owned.starting is not None:
            if next(owned.starting, self) is self:
                owned.starting = None
        fetched = [self._fetch(owned, tp, MOST) for tp in owned.tps if not self.process.is_held(owned.lease, tp)]
        self._tick(owned)
        did = did or any(fetched) or owned.writing is not None or owned.logic.is_dirty()
        self.settle(owned)
        return did

    def judge(self, owned: Owned, rng: random.Random) -> bool:
        """Read of each input partition what happens to come, then do what time makes due."""
        did = False
        for tp in owned.tps:
            if rng.random() < 0.7 and tp not in self.world.slow and not self.process.is_held(owned.lease, tp):
                did = self._fetch(owned, tp, rng.randint(1, self.world.most_fetched)) or did
        return self._tick(owned) or did

    @staticmethod
    def _tick(owned: Owned) -> bool:
        logic = owned.logic
        if logic.has_more() or logic.is_due(owned.fetched):
            logic.tick(dict(owned.fetched))
            return True
        return False

    def _fetch(self, owned: Owned, tp: SourcePartition, limit: int) -> bool:
        start = owned.delivered[tp]
        if self.world.redelivers():
            start = owned.fetched[tp] = max(0, start - limit)
        records, owned.fetched[tp] = self.world.read(tp, owned.fetched[tp], limit)
        if not records:
            return False
        if Sabotage.NO_RANGE_CHECK in self.world.sabotage:
            owned.logic.apply(tp, records, records[-1].offset + 1)
            owned.positions[tp] = records[-1].offset + 1
        else:
            apply(owned.logic, owned.positions, tp, start, records)
        owned.delivered[tp] = owned.positions[tp]
        return True

    def settle(self, owned: Owned) -> None:
        """Commit all that was processed."""
        while owned.starting is None and (owned.writing is not None or owned.logic.is_dirty()):
            if owned.writing is None:
                owned.writing = self._write(owned, owned.take())
            self._write_on(owned)

    def _write_on(self, owned: Owned) -> None:
        assert owned.writing is not None
        if next(owned.writing, self) is self:
            owned.writing, owned.is_decided = None, False

    def _write(self, owned: Owned, batch: Batch) -> Iterator[None]:
        """One transaction, request by request."""
        broker, sabotage, producer = self.world.broker, self.world.sabotage, owned.producer
        assert producer is not None
        if Sabotage.CLAIM_NOT_WRITTEN in sabotage and owned.lease.agent == "notify":
            owned.logic.on_committed()
            yield
        if Sabotage.OFFSETS_BEFORE in sabotage:
            broker.commit_apart(batch.offsets)
            yield
        marks = self._without_marks(batch) if sabotage & MARKS_APART else Batch()
        if Sabotage.MARK_BEFORE in sabotage:
            yield from self._tell(producer, marks)
        broker.begin(producer)
        yield
        if batch.offsets and not sabotage & APART:
            broker.add_offsets(producer, batch.offsets)
            yield
        for tp, records in batch.writes.items():
            if records:
                self._produce(producer, tp, records)
                yield
        broker.end(producer)
        owned.is_decided = True
        yield
        if Sabotage.OFFSETS_AFTER in sabotage:
            broker.commit_apart(batch.offsets)
            yield
        if Sabotage.MARK_AFTER in sabotage:
            yield from self._tell(producer, marks)
        if Sabotage.CLAIM_NOT_WRITTEN not in sabotage or owned.lease.agent != "notify":
            owned.logic.on_committed()

    def _produce(
        self, producer: Producer, tp: SourcePartition, records: list[tuple[bytes | None, bytes | None]]
    ) -> None:
        if self.world.refuses():
            if Sabotage.NOT_AWAITED in self.world.sabotage:
                return
            raise Refused(f"{tp}: not written")
        self.world.broker.produce(producer, tp, records)

    @staticmethod
    def _without_marks(batch: Batch) -> Batch:
        """Take the marks out of a batch; give them."""
        marks = Batch()
        for tp, records in batch.writes.items():
            told = [record for record in records if is_mark(record[0])]
            if told:
                marks.writes[tp] = told
                batch.writes[tp] = [record for record in records if not is_mark(record[0])]
        return marks

    def _tell(self, producer: Producer, marks: Batch) -> Iterator[None]:
        """Write marks in a transaction of their own."""
        broker = self.world.broker
        if marks.writes:
            broker.begin(producer)
            yield
            for tp, records in marks.writes.items():
                broker.produce(producer, tp, records)
            broker.end(producer)
            yield
