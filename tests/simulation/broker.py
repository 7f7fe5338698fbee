"""A broker in memory: logs with transactions, readers of committed records, producer epochs and fencing.

Follows Kafka where it can hurt: a transaction's end reaches each partition at a moment of its own (markers), control
records take offsets, a reader of committed records stops at the last stable offset, and whoever opened a
transactional id last is its only writer. One thread; every call is one step of the world. Times are epoch ms.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.logic import Committed, Records, SourcePartition
from tests.helpers.records import Record

TRANSACTION_TIMEOUT_MS = 15_000


class Fenced(Exception):
    """The transactional id has a later owner, or the coordinator gave the transaction up."""


class Refused(Exception):
    """The broker did not take a request (a leader that moved, a full disk); nothing of it was written."""


class Transaction:
    """One transaction of one producer. Compared by identity."""

    def __init__(self, started: int) -> None:
        self.started = started
        self.is_committed: bool | None = None
        """None: still open."""
        self.unmarked: set[SourcePartition] = set()
        """Partitions that were written and have not got the marker yet."""
        self.offsets: dict[SourcePartition, Committed] = {}


@dataclass
class Log:
    """One partition. A control record is None."""

    records: list[Record | None] = field(default_factory=list)
    writers: list[Transaction | None] = field(default_factory=list)
    open: dict[Transaction, int] = field(default_factory=dict)
    """First offset of each transaction without a marker here."""
    moved_to: int = 0
    """End of what the last committed transaction wrote here."""

    def append(self, timestamp: int, key: bytes | None, value: bytes | None, writer: Transaction | None) -> int:
        offset = len(self.records)
        self.records.append(Record(offset, timestamp, key, value))
        self.writers.append(writer)
        if writer is not None:
            self.open.setdefault(writer, offset)
        return offset

    def stable_end(self) -> int:
        """The last stable offset: nothing before it is undecided."""
        return min(self.open.values(), default=len(self.records))


@dataclass
class Producer:
    """What InitProducerId hands out: a transactional id and its epoch."""

    name: str
    epoch: int
    transaction: Transaction | None = None


class Broker:
    """All logs, the committed offsets of the one group, and the transaction coordinator."""

    def __init__(self) -> None:
        self.now = 0
        self.logs: dict[SourcePartition, Log] = defaultdict(Log)
        self.offsets: dict[SourcePartition, Committed] = {}
        self._epochs: dict[str, int] = {}
        self._latest: dict[str, Producer] = {}
        self._ending: list[Transaction] = []
        self.fenced = 0

    # -- readers

    def read(self, tp: SourcePartition, position: int, limit: int) -> tuple[list[Record], int]:
        """Give at most `limit` committed records from `position` on, and where to fetch next (past control records)."""
        log = self.logs[tp]
        end = log.stable_end()
        found: list[Record] = []
        while position < end and len(found) < limit:
            record, writer = log.records[position], log.writers[position]
            if record is not None and (writer is None or writer.is_committed):
                found.append(record)
            position += 1
        while position < end and log.records[position] is None:
            position += 1
        return found, position

    def committed(self, tp: SourcePartition) -> list[Record]:
        """Give all that a reader of committed records sees."""
        return self.read(tp, 0, len(self.logs[tp].records) + 1)[0]

    def ends(self, tps: Iterable[SourcePartition]) -> dict[SourcePartition, int]:
        """Give the last stable offset of each partition, as readers of committed records are told."""
        return {tp: self.logs[tp].stable_end() for tp in tps}

    def offsets_of(self, tps: Iterable[SourcePartition]) -> dict[SourcePartition, Committed]:
        """Give what the group has committed; what it never committed is left out."""
        return {tp: self.offsets[tp] for tp in tps if tp in self.offsets}

    # -- writers

    def append(self, tp: SourcePartition, key: bytes | None, value: bytes | None, timestamp: int) -> int:
        """Write one record outside any transaction; give its offset."""
        return self.logs[tp].append(timestamp, key, value, None)

    def commit_apart(self, offsets: Mapping[SourcePartition, Committed]) -> None:
        """Commit offsets outside any transaction (only sabotage does)."""
        self.offsets |= offsets

    def init_producer(self, name: str) -> Producer:
        """Take a transactional id: what an owner before left open is ended before this returns."""
        self._give_up(name)
        self._epochs[name] = self._epochs.get(name, -1) + 1
        producer = self._latest[name] = Producer(name, self._epochs[name])
        return producer

    def is_latest(self, producer: Producer) -> bool:
        """No later owner has taken its transactional id."""
        return producer.epoch == self._epochs[producer.name]

    def _give_up(self, name: str) -> None:
        before = self._latest.get(name)
        if before is not None and before.transaction is not None:
            if before.transaction.is_committed is None:
                before.transaction.is_committed = False
            self._finish(before.transaction)

    def begin(self, producer: Producer) -> None:
        """Begin a transaction; the one before gets its last markers first, as the coordinator demands."""
        self._check(producer)
        if producer.transaction is not None:
            self._finish(producer.transaction)
        producer.transaction = Transaction(self.now)

    def add_offsets(self, producer: Producer, offsets: Mapping[SourcePartition, Committed]) -> None:
        """Put offsets into the open transaction."""
        self._open(producer).offsets |= offsets

    def produce(self, producer: Producer, tp: SourcePartition, records: Records) -> None:
        """Write records within the open transaction."""
        transaction = self._open(producer)
        transaction.unmarked.add(tp)
        for key, value in records:
            self.logs[tp].append(self.now, key, value, transaction)

    def end(self, producer: Producer) -> None:
        """Commit: decided from here on; each partition learns it when its marker is written."""
        transaction = self._open(producer)
        transaction.is_committed = True
        if transaction.unmarked or transaction.offsets:
            self._ending.append(transaction)
        for tp in transaction.unmarked:
            self.logs[tp].moved_to = len(self.logs[tp].records)

    def _check(self, producer: Producer) -> None:
        if not self.is_latest(producer):
            self.fenced += 1
            raise Fenced(f"{producer.name}: epoch {producer.epoch} of {self._epochs[producer.name]}")

    def _open(self, producer: Producer) -> Transaction:
        self._check(producer)
        transaction = producer.transaction
        if transaction is None or transaction.is_committed is not None:
            raise Fenced(f"{producer.name}: no open transaction")
        return transaction

    # -- the coordinator's own time

    @property
    def is_ending(self) -> bool:
        """Some markers are still to be written."""
        return bool(self._ending)

    def markers(self) -> Sequence[tuple[Transaction, SourcePartition | None]]:
        """Give the markers still to be written, in a fixed order; None stands for the group's offsets."""
        found: list[tuple[Transaction, SourcePartition | None]] = []
        for transaction in self._ending:
            found += [(transaction, tp) for tp in sorted(transaction.unmarked)]
            if transaction.offsets:
                found.append((transaction, None))
        return found

    def mark(self, transaction: Transaction, tp: SourcePartition | None) -> None:
        """Write one marker: from here on the partition's readers know how the transaction ended."""
        if tp is None:
            if transaction.is_committed:
                self.offsets |= transaction.offsets
            transaction.offsets = {}
        else:
            transaction.unmarked.discard(tp)
            log = self.logs[tp]
            del log.open[transaction]
            log.records.append(None)
            log.writers.append(None)
        if not transaction.unmarked and not transaction.offsets and transaction in self._ending:
            self._ending.remove(transaction)

    def _finish(self, transaction: Transaction) -> None:
        for tp in sorted(transaction.unmarked):
            self.mark(transaction, tp)
        if transaction.offsets:
            self.mark(transaction, None)
        if transaction in self._ending:
            self._ending.remove(transaction)

    def settle(self) -> None:
        """Write every marker that is due."""
        for transaction in list(self._ending):
            self._finish(transaction)

    def expire(self) -> int:
        """Abort transactions that were open for too long, and fence their producers. How many."""
        late = [
            name
            for name, producer in self._latest.items()
            if producer.transaction is not None
            and producer.transaction.is_committed is None
            and self.now - producer.transaction.started > TRANSACTION_TIMEOUT_MS
        ]
        for name in late:
            self._give_up(name)
            self._epochs[name] += 1
        return len(late)
