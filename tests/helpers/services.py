"""The session fixtures for real services. Imported by `tests/conftest.py`; started only when asked for."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.kafka_server import KafkaServer
from tests.helpers.brokers import Broker, running_kafka, running_tansu
from tests.helpers.connect import Connect, running_connect
from tests.helpers.postgres import Postgres, running_postgres
from tests.helpers.prometheus import Prometheus, running_prometheus
from tests.helpers.requirements import needs


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """Real Apache Kafka. A test that restarts or kills it leaves it running."""
    with needs("kafka"), running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """Real Apache Kafka for one test alone: for tests of whole workers, which watch every `cdc.*` topic."""
    with needs("kafka"), running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The embedded broker, for one test alone: it starts at once, and workers watch every `cdc.*` topic."""
    with running_tansu(tmp_path_factory.mktemp("tansu")) as broker:
        yield broker


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Real PostgreSQL with logical replication; empty, shared by the session.

    Not in pytest's own folder: that is closed to other users again whenever another session starts.
    """
    with (
        TemporaryDirectory(prefix="stagewatch-") as folder,
        needs("postgres"),
        running_postgres(Path(folder)) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def connect(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaServer) -> Iterator[Connect]:
    """Real Kafka Connect with Debezium, on `kafka`."""
    with needs("connect"), running_connect(tmp_path_factory.mktemp("connect"), kafka.bootstrap) as server:
        yield server


@pytest.fixture
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus that scrapes nothing until it is told what."""
    with needs("prometheus"), running_prometheus(tmp_path_factory.mktemp("prometheus")) as server:
        yield server
