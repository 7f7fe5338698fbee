"""The Kafka that a benchmark works on: its own, or the one given with `--broker`; its topics, offsets and ends."""

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from bench.connector import TABLES, Layout
from bench.java_artifacts import ToolMissing
from bench.kafka_server import KafkaServer
from bench.worker_process import cpu_s
from schemas import StagewatchError

OWN_PREFIX = "stagewatch."
UNLIMITED = {"retention.ms": "-1"}
"""The records are of last year: else the broker deletes them while they are read."""
DELETE_TIMEOUT_S = 30.0
POLL_MS = 50
MARKS_AT_MOST = 200
"""Records to look at when asking whether all is read."""
HEAP = "1g"
"""The default of the tests' Kafka would collect garbage all the time under this load."""

Offsets = Mapping[tuple[str, int], int]


class NotEmpty(StagewatchError):
    """The broker given holds topics of these names already; the figures would be of other people's records too."""


class Broker:
    """Questions and orders to one Kafka. Close it."""

    def __init__(self, bootstrap: str, pid: int | None = None) -> None:
        """Connect. Raises StagewatchError if nobody answers.

        Args:
            bootstrap: host:port.
            pid: its process, if it is one of ours.
        """
        self.bootstrap, self._pid = bootstrap, pid
        try:
            self._admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap.split(","))
            self._consumer: Any = self._reader()
        except KafkaError as error:
            raise StagewatchError(f"no Kafka answers at {bootstrap}: {type(error).__name__}; is it running?") from error

    @property
    def url(self) -> str:
        """The setting `broker` of a worker."""
        return f"kafka://{self.bootstrap}"

    def cpu_s(self) -> float:
        """CPU seconds it has used so far; 0 if it is not ours to watch."""
        return cpu_s(self._pid) if self._pid is not None else 0.0

    def make_source_topics(self, layout: Layout) -> None:
        """Make the captured topics. Raises NotEmpty if there are any, or any of ours."""
        there = sorted(self._ours())
        if there:
            raise NotEmpty(
                f"{self.bootstrap} has topics of these names: {', '.join(there)}. Delete them, give another broker, "
                f"or leave --broker out to let the benchmark start its own"
            )
        self.make_topics(layout.partitions, UNLIMITED)

    def make_topics(self, partitions: Mapping[str, int], configs: Mapping[str, str]) -> None:
        """Make topics with so many partitions each, and wait until they can be written."""
        self._admin.create_topics(
            {name: {"num_partitions": count, "configs": dict(configs)} for name, count in partitions.items()}
        )
        self._admin.wait_for_topics(list(partitions))

    def topics(self) -> set[str]:
        """Give the names of all topics."""
        return set(self._admin.list_topics())

    def delete_own_topics(self) -> None:
        """Delete what workers made, so that the next one starts from nothing."""
        self.delete_topics({topic for topic in self._ours() if topic.startswith(OWN_PREFIX)})

    def delete_source_topics(self) -> None:
        """Delete the captured topics, and what workers made of them."""
        self.delete_topics(self._ours())

    def delete_topics(self, names: set[str]) -> None:
        """Delete topics and wait until they are gone. Raises StagewatchError if the broker keeps them."""
        if names:
            self._admin.delete_topics(sorted(names))
        deadline = time.monotonic() + DELETE_TIMEOUT_S
        while names & self.topics():
            if time.monotonic() > deadline:
                raise StagewatchError(
                    f"the broker does not delete {', '.join(sorted(names))}: is delete.topic.enable off?"
                )
            time.sleep(0.1)
        # It would remember the partitions of a topic that is made anew with fewer, and wait for them.
        self._consumer.close()
        self._consumer = self._reader()

    def _reader(self) -> Any:  # noqa: ANN401 - kafka-python carries no types
        return KafkaConsumer(bootstrap_servers=self.bootstrap.split(","), isolation_level="read_committed")

    def _ours(self) -> set[str]:
        sources = {table.topic for table in TABLES.values()}
        return {topic for topic in self.topics() if topic in sources or topic.startswith(OWN_PREFIX)}

    def ends(self, topics: Iterable[str]) -> Offsets:
        """Give where each partition ends for a read-committed reader."""
        tps = [TopicPartition(t, n) for t in topics for n in sorted(self._consumer.partitions_for_topic(t) or ())]
        return {(tp.topic, tp.partition): end for tp, end in self._consumer.end_offsets(tps).items()}

    def committed(self, group: str) -> Offsets:
        """Give the group's committed offsets."""
        try:
            found = self._admin.list_group_offsets({group: None})[group]
        except KafkaError:  # a group that is just being made has none
            return {}
        return {(tp.topic, tp.partition): kept.offset for tp, kept in found.items() if kept.offset >= 0}

    def is_read(self, offsets: Offsets, ends: Offsets) -> bool:
        """Whether only marks of transactions' ends, which no reader sees, lie between `offsets` and `ends`."""
        if any(end - offsets.get(place, 0) > MARKS_AT_MOST for place, end in ends.items()):
            return False
        tps = {TopicPartition(*place): end for place, end in ends.items() if offsets.get(place, 0) < end}
        self._consumer.assign(list(tps))
        for tp in tps:
            self._consumer.seek(tp, offsets.get((tp.topic, tp.partition), 0))
        while any(self._consumer.position(tp) < end for tp, end in tps.items()):
            if self._consumer.poll(timeout_ms=POLL_MS):
                return False
        return True

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
        self._admin.close()


@contextmanager
def broker_for(bootstrap: str | None, data_dir: Path) -> Iterator[tuple[Broker, Path]]:
    """Give the broker, and a folder for logs that goes away; without `bootstrap` a Kafka of our own in that folder.

    Raises ToolMissing where there is no Java.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=data_dir, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if bootstrap is not None:
            broker = Broker(bootstrap)
            try:
                yield broker, folder
            finally:
                broker.close()
            return
        with _own_kafka(folder / "kafka") as server:
            broker = Broker(server.bootstrap, server.process.pid)
            try:
                yield broker, folder
            finally:
                broker.close()


def _own_kafka(folder: Path) -> KafkaServer:
    try:
        return KafkaServer(folder, heap=HEAP)
    except ToolMissing as missing:
        raise ToolMissing(f"{missing}: install Java 17 and Maven, or name a Kafka with --broker HOST:PORT") from missing
