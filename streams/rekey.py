"""The re-keying agent: captured records in, canonical changes out, keyed by the process instance.

Why: a source topic is keyed by its own rows; judging needs all rows of one instance in one place. Without
state: the committed offset says where to read on, and its metadata keeps the running maximum of the
timestamps, so that `at` never decreases within a source partition, across a restart too.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from schemas import MARK_KEY, Change, Decoder, FanOut, Mark, Raw, encode_mark
from schemas.codec import change_encoder
from streams.ends import Ends
from streams.letters import Letters
from streams.logic import CATCH_UP_MS, Batch, Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from streams.partitioner import Partitioner, spread


class Skew:
    """How far the source partitions of this worker are apart in time, so that mergers' buffers stay bounded."""

    def __init__(self, ends: Ends, *, max_skew_s: float) -> None:
        self._ends = ends
        self._max_skew_ms = int(max_skew_s * 1000)
        self._read: dict[SourcePartition, tuple[int, int]] = {}  # next offset, running maximum of timestamps
        self._limit = 0
        self._serial = -1

    def note(self, source: SourcePartition, next_offset: int, at: int) -> None:
        """A source partition has been read up to here."""
        self._read[source] = (next_offset, at)

    def read_to(self, source: SourcePartition) -> int | None:
        """How far a source partition of this worker has been read; None if another has it."""
        progress = self._read.get(source)
        return None if progress is None else progress[0]

    def forget(self, source: SourcePartition) -> None:
        """A source partition went to another worker."""
        self._read.pop(source, None)

    def is_ahead(self, source: SourcePartition) -> bool:
        """True if this one should wait for those that lag; one that was never read is never ahead."""
        progress = self._read.get(source)
        if progress is None or progress[1] == 0 or (latest := self._ends.latest) is None:
            return False
        behind = [at for tp, (offset, at) in self._read.items() if tp != source and offset < latest.ends.get(tp, 0)]
        return bool(behind) and progress[1] > min(behind) + self._max_skew_ms


class RekeyAgent:
    """Makes the logic of each lease; knows what all of them share."""

    name = "rekey"
    changelog = None
    interval_s = 0.1
    quick_s = 0.03

    def __init__(  # noqa: PLR0913 - what a lease of it shares with the others
        self,
        decoders: Mapping[str, Decoder | FanOut],
        *,
        keyed: frozenset[str],
        changes: str,
        deadletters: str,
        partitioners: Mapping[str, Mapping[str, Partitioner]],
        letter_partitioner: Partitioner,
        ends: Ends,
        metrics: Metrics,
        max_skew_s: float = 6 * 3600.0,
    ) -> None:  # fmt: skip
        self.topics = frozenset(decoders)
        self.decoders = decoders
        self.keyed = keyed
        """Topics whose rows belong to instances. Of the others only dead letters are written: the reader of
        reference data, of which there is one per worker, has no transaction to write them in once."""
        self.partitioners, self.letter_partitioner = partitioners, letter_partitioner
        """By topic and entity, where the instances of its rows are; all of one count."""
        count = next((each.count for by_entity in partitioners.values() for each in by_entity.values()), 0)
        self.changes = [SourcePartition(changes, number) for number in range(count)]
        self.encoders = {topic: change_encoder(decoder.mapping) for topic, decoder in decoders.items()}
        self.deadletters = deadletters
        self.ends, self.metrics = ends, metrics
        self.skew = Skew(ends, max_skew_s=max_skew_s)

    def open(self, lease: Lease) -> "Rekeying":
        """Make the logic of a partition number just taken over."""
        return Rekeying(self, lease)

    def is_held(self, source: SourcePartition) -> bool:
        """Hold back what is far ahead in time."""
        return self.skew.is_ahead(source)


class _Progress(msgspec.Struct):
    next_offset: int
    high: int
    """Running maximum of the timestamps, epoch ms."""
    marked: int = -1
    """Position that the last mark told; -1: none by this owner yet."""


class Rekeying:
    """One partition number of the captured topics."""

    def __init__(self, agent: RekeyAgent, lease: Lease) -> None:
        self._agent = agent
        self.lease = lease
        self._progress: dict[SourcePartition, _Progress] = {}
        self._out: list[Records] = [[] for _ in agent.changes]
        self._letters = Letters(agent.deadletters, agent.letter_partitioner, agent.metrics)
        self._moved: set[SourcePartition] = set()
        self._count = 0

    # -- recovery: the committed offsets are all there is

    def load(self, records: Sequence[Raw]) -> None:
        """Nothing: there is no changelog."""

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Go on at the committed offsets."""
        for tp, found in committed.items():
            high = int(found.metadata) if found.metadata.isdecimal() else 0
            self._progress[tp] = _Progress(found.offset, high)
            self._agent.skew.note(tp, found.offset, high)
        return {tp: found.offset for tp, found in committed.items()}

    # -- work

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:
        """Decode and spread by instance; what cannot be understood becomes a dead letter."""
        agent, out = self._agent, self._out
        topic, number = source
        progress = self._progress.get(source) or self._progress.setdefault(source, _Progress(0, 0))
        changes, refused, high = agent.decoders[topic].decode_run(
            records, topic=topic, partition=number, high=progress.high
        )
        if topic in agent.keyed:
            encode, partitioners = agent.encoders[topic], agent.partitioners[topic]
            partitioner = partitioners[agent.decoders[topic].mapping.entity]
            of, has_views = partitioner.of, len(partitioners) > 1
            for change in changes:
                if has_views:
                    partitioner = partitioners[change.entity]
                    of = partitioner.of
                if change.instance and not change.left:
                    key, target = of(change.instance)
                    out[target].append((key, encode(change)))
                else:
                    for target, each in spread(change, partitioner):
                        out[target].append((each.instance.encode(), encode(each)))
        self._letters.add(source, refused)
        progress.high, progress.next_offset = high, next_offset
        self._moved.add(source)
        self._count += len(records)
        agent.skew.note(source, next_offset, high)
        decoder = agent.decoders[topic]
        agent.metrics.on_events(topic, len(records), _by_entity(decoder, changes))
        agent.metrics.on_last_event(topic, high)
        if decoder.unknown_codes:
            agent.metrics.on_unknown_codes(topic, decoder.unknown_codes)

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:
        """A mark is missing: at the start, and when fetching went past control records at the end."""
        progress = self._progress
        return any((p := progress.get(tp)) is None or p.marked < position for tp, position in positions.items())

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:
        """Tell how far fetching has come."""
        for source, position in positions.items():
            progress = self._progress.setdefault(source, _Progress(position, 0))
            if progress.marked < position and source.topic not in self._agent.keyed:
                progress.marked = position  # nobody waits for marks of pure reference topics
            elif progress.marked < position:
                progress.next_offset = max(progress.next_offset, position)
                self._agent.skew.note(source, progress.next_offset, progress.high)
                self._moved.add(source)

    def has_more(self) -> bool:
        """A batch is always taken whole."""
        return False

    # -- writing

    def is_dirty(self) -> bool:
        """Some source partition moved."""
        return bool(self._moved)

    def is_urgent(self) -> bool:
        """Every tracker waits for the marks."""
        return bool(self._moved)

    def is_catching_up(self) -> bool:
        """What is read was written long ago."""
        latest = self._agent.ends.latest
        newest = max((self._progress[source].high for source in self._moved), default=0)
        return latest is not None and latest.asked_at - newest > CATCH_UP_MS

    def backlog(self) -> int:
        """Changes not yet written."""
        return self._count

    def take(self) -> Batch:
        """Changes, then the marks that vouch for them, then dead letters; offsets of what was read."""
        batch = Batch()
        marks: Records = [
            (MARK_KEY, encode_mark(self._mark(source)))
            for source in sorted(self._moved)
            if source.topic in self._agent.keyed
        ]
        for target, records in zip(self._agent.changes, self._out, strict=True):
            records.extend(marks)
            if records:
                batch.writes[target] = records
        self._letters.write(batch)
        for source in self._moved:
            progress = self._progress[source]
            batch.offsets[source] = Committed(progress.next_offset, str(progress.high))
        self._out, self._moved, self._count = [[] for _ in self._agent.changes], set(), 0
        return batch

    def _mark(self, source: SourcePartition) -> Mark:
        progress = self._progress[source]
        progress.marked = progress.next_offset
        latest = self._agent.ends.latest
        is_end = latest is not None and progress.next_offset >= latest.ends.get(source, 0)
        return Mark(source.topic, source.partition, progress.next_offset, progress.high, is_end)

    def on_committed(self) -> None:
        """Nothing waits for it."""

    def close(self) -> None:
        """No longer count as lagging."""
        for source in self._progress:
            self._agent.skew.forget(source)


def _by_entity(decoder: Decoder | FanOut, changes: Sequence[Change]) -> Counter[str]:
    """Count changes by what they are about."""
    if decoder.mapping.also:
        return Counter(change.entity for change in changes)
    return Counter({decoder.mapping.entity: len(changes)})
