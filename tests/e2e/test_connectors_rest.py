"""The sentences of `tests/contract/test_connect_rest.py` over the real Kafka Connect, with the real connector."""

from collections.abc import Callable, Iterator

import pytest

from connectors.connect import Timing
from tests.helpers.connect import Connect
from tests.helpers.connect_front import forwarding, running_front
from tests.helpers.connect_sentences import SENTENCES, Scene
from tests.helpers.postgres import Postgres


@pytest.fixture(scope="module")
def source(postgres: Postgres) -> Iterator[Postgres]:
    with postgres.database() as source:
        source.make_sample_tables()
        yield source


@pytest.fixture
def scene(connect: Connect, source: Postgres, request: pytest.FixtureRequest) -> Iterator[Scene]:
    name = f"rest-{SENTENCES.index(request.node.callspec.params['sentence'])}"
    config = source.connector_settings() | {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.password": "${env:NO_PASSWORD_NEEDED}",
        "topic.prefix": name,
        "plugin.name": "pgoutput",
        "slot.name": name.replace("-", "_"),
        "slot.drop.on.stop": "true",
        "publication.name": "rest",
        "publication.autocreate.mode": "filtered",
        "table.include.list": "mkt.mkt_app",
        "snapshot.mode": "no_data",
        "heartbeat.interval.ms": "10000",
    }
    with running_front(forwarding(connect.url)) as front:
        yield Scene(front, name, config, Timing(wait_s=60, settle_s=0.5, poll_s=0.1), answer_s=6)
        if name in connect.get("/connectors"):
            connect.delete(f"/connectors/{name}")


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.__name__)
def test_real_connect(sentence: Callable[[Scene], None], scene: Scene) -> None:
    sentence(scene)
