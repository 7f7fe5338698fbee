"""What was recorded, in order of arrival: capture files, or the captured topics of a running system.

One door for the commands that judge again what was judged before: backtest, explain, history. Reads only.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heapreplace, merge
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from schemas import BadInput, Recorded, TryLater
from stagewatch.cli import Failed
from stagewatch.progress import Advance
from stagewatch.replay import lines_of, read_recorded

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from stagewatch.settings import Settings

TOPIC = re.compile(rb'"topic"\s*:\s*"([^"\\]+)"')
Refuse = Callable[[BadInput, Recorded], None]
WAIT_S = 10.0
"""Longest wait for records that the broker says are there."""
POLL_MS = 200
ONE_FETCH = 1_000_000
"""Records: more than a fetch can hold, so that a poll gives all of it."""
READ_AHEAD = 2_000
"""Records of one partition that wait for those of others; then it is not read on, so that memory stays small."""


class Recording(Protocol):
    """Recorded events, and how to name them to a person."""

    @property
    def name(self) -> str:
        """What is read, for messages."""

    @property
    def total(self) -> int:
        """How much there is to read, in the unit of the progress."""

    def topics(self) -> frozenset[str]:
        """Give the names of the topics of which there are records, and perhaps more."""

    def records(self, refuse: Refuse, progress: Advance) -> Iterator[Recorded]:
        """Give the records in order of arrival; what tells not even its place goes to `refuse`. May be asked again."""


class FileRecording:
    """Capture files (JSON Lines, `.gz` or not); several are merged by arrival."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)

    @property
    def name(self) -> str:
        """The files' names."""
        return ", ".join(file.name for file in self._files)

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(file.stat().st_size for file in self._files)

    def topics(self) -> frozenset[str]:
        """Give every topic that a line names; read without decoding the lines."""
        found: set[bytes] = set()
        for file in self._files:
            with lines_of(file) as (_, lines):
                for line in lines:
                    found.update(TOPIC.findall(line))
        return frozenset(name.decode(errors="replace") for name in found)

    def records(self, refuse: Refuse, progress: Advance) -> Iterator[Recorded]:
        """Give the records of all files. Raises `Failed` for a file that is cut short."""
        done = [0] * len(self._files)

        def told(number: int) -> Advance:
            def advance(read: int) -> None:
                done[number] = read
                progress(sum(done))

            return advance

        readers = [read_recorded(file, refuse, told(number)) for number, file in enumerate(self._files)]
        yield from merge(*readers, key=lambda record: record.timestamp) if len(readers) > 1 else readers[0]


class TopicRecording:
    """The captured topics of a broker, from their beginnings to their ends when asked, merged by arrival."""

    def __init__(self, bootstrap: str, catalog: SourceCatalog) -> None:
        """Find the topics. Raises `Failed` if there are none, `TryLater` if the broker does not answer."""
        from connectors import existing_topics

        self._bootstrap = bootstrap
        self._topics = sorted(topic for topic in existing_topics(bootstrap) if catalog.mapping_for(topic) is not None)
        if not self._topics:
            raise Failed(f"{bootstrap} has no topic that a source declares")
        with _Consumer(bootstrap, self._topics) as consumer:
            self._count = sum(consumer.ends[tp] - begin for tp, begin in consumer.begins.items())

    @property
    def name(self) -> str:
        """Where the topics are, and how many."""
        return f"{len(self._topics)} topics of {self._bootstrap}"

    @property
    def total(self) -> int:
        """Records, those of aborted transactions too."""
        return self._count

    def topics(self) -> frozenset[str]:
        """Give the topics that were found."""
        return frozenset(self._topics)

    def records(self, refuse: Refuse, progress: Advance) -> Iterator[Recorded]:  # noqa: ARG002 - Kafka tells places
        """Give all committed records; one arrives at the running maximum of its partition's timestamps."""
        with _Consumer(self._bootstrap, self._topics) as consumer:
            for count, record in enumerate(consumer.merged()):
                if count % 1000 == 0:
                    progress(count)
                yield record


class _Consumer:
    """Reads several topics at once, so that the oldest record of all is always at hand. A context manager."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        from kafka import KafkaConsumer, TopicPartition
        from kafka.errors import KafkaError

        try:
            self._consumer: Any = KafkaConsumer(  # kafka-python carries no types
                bootstrap_servers=bootstrap.split(","), group_id=None, enable_auto_commit=False,
                auto_offset_reset="earliest", isolation_level="read_committed",
            )  # fmt: skip
            every = [TopicPartition(t, n) for t in topics for n in self._consumer.partitions_for_topic(t) or ()]
            self._consumer.assign(every)
            self.begins: dict[Any, int] = self._consumer.beginning_offsets(every)
            self.ends = self._ends(every)
        except KafkaError as error:
            raise TryLater(f"no Kafka answers at {bootstrap}: {type(error).__name__}") from error
        self._queues: dict[Any, deque[Recorded]] = {}
        self._newest: dict[Any, int] = {}

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._consumer.close()

    def _ends(self, every: Sequence[Any]) -> dict[Any, int]:
        """Give where each partition ends. The embedded broker names where its last batch begins: look what is there."""
        ends: dict[Any, int] = self._consumer.end_offsets(every)
        for tp, end in ends.items():
            self._consumer.seek(tp, end)
        for tp, records in self._consumer.poll(timeout_ms=POLL_MS, max_records=ONE_FETCH).items():
            ends[tp] = records[-1].offset + 1
        return ends

    def merged(self) -> Iterator[Recorded]:
        """Give the records of all partitions in order of arrival."""
        self._consumer.seek_to_beginning()
        self._queues = {tp: deque() for tp, begin in self.begins.items() if begin < self.ends[tp]}
        while self._refill():
            heads = [(queue[0].timestamp, tp) for tp, queue in self._queues.items()]
            heapify(heads)
            while heads:
                _, tp = heads[0]
                queue = self._queues[tp]
                yield queue.popleft()
                if queue:
                    heapreplace(heads, (queue[0].timestamp, tp))
                elif self._is_read(tp):
                    heappop(heads)
                else:
                    break

    def _is_read(self, tp: Any) -> bool:  # noqa: ANN401 - kafka-python carries no types
        return bool(self._consumer.position(tp) >= self.ends[tp])

    def _refill(self) -> bool:
        """See that every partition that is not read to its end has a record at hand; whether any has."""
        deadline = time.monotonic() + WAIT_S
        while True:
            for tp in [tp for tp, queue in self._queues.items() if not queue and self._is_read(tp)]:
                del self._queues[tp]
            if all(self._queues.values()):
                return bool(self._queues)
            self._take_turns()
            fetched = self._consumer.poll(timeout_ms=POLL_MS, max_records=5_000)
            for tp, records in fetched.items():
                self._take(tp, records)
            if fetched:
                deadline = time.monotonic() + WAIT_S
            elif time.monotonic() > deadline:
                raise TryLater("the captured topics cannot be read to their ends")

    def _take_turns(self) -> None:
        """Read on only where little is at hand."""
        paused = self._consumer.paused()
        full = {tp for tp in self.ends if tp not in self._queues or len(self._queues[tp]) > READ_AHEAD}
        self._consumer.pause(*full - paused)
        self._consumer.resume(*paused - full)

    def _take(self, tp: Any, records: Sequence[Any]) -> None:  # noqa: ANN401 - kafka-python carries no types
        queue = self._queues[tp]
        for r in records:
            if r.offset < self.ends[tp]:
                at = self._newest[tp] = max(r.timestamp, self._newest.get(tp, 0))
                queue.append(Recorded(r.topic, r.partition, r.offset, at, r.key, r.value, dict(r.headers)))


def recording_of(settings: Settings, events: Sequence[Path], catalog: SourceCatalog) -> Recording:
    """Give what a command reads: the files that it was given, else the topics of the broker of the settings."""
    if events:
        return FileRecording(events)
    if settings.bootstrap is None:
        raise Failed("nothing to read: give --events FILE, or a broker (STAGEWATCH_BROKER or the settings file)")
    return TopicRecording(settings.bootstrap, catalog)


def at_once(recording: Recording, refuse: Refuse, progress: Advance) -> Iterator[list[Recorded]]:
    """Give the records that arrived at one moment together, by place: the order in which they are judged."""
    together: list[Recorded] = []
    for record in recording.records(refuse, progress):
        if together and record.timestamp != together[0].timestamp:
            yield _by_place(together)
            together = []
        together.append(record)
    if together:
        yield _by_place(together)


def _by_place(records: list[Recorded]) -> list[Recorded]:
    return sorted(records, key=lambda r: (r.topic, r.partition, r.offset)) if len(records) > 1 else records
