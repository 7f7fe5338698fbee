"""Kafka Connect's REST interface as it fails: every sentence over the stand-in. Over the real one: `tests/e2e`."""

from collections.abc import Callable, Iterator

import pytest

from connectors.connect import NotRunning, Timing, await_state
from tests.helpers.connect_front import running_front
from tests.helpers.connect_sentences import SENTENCES, Scene
from tests.helpers.connect_standin import POSTGRES, StandIn

CONFIG = {
    "connector.class": POSTGRES,
    "database.hostname": "db",
    "database.password": "${env:DB_PASSWORD}",
    "heartbeat.interval.ms": "10000",
    "slot.name": "mkt",
}
TRACE = """org.apache.kafka.connect.errors.ConnectException: cannot read on
\tat io.debezium.Connector.poll(Connector.java:1)
Caused by: org.postgresql.util.PSQLException: FATAL: password=hunter2 was refused by jdbc:postgresql://scott:tiger@db
\tat org.postgresql.Driver.connect(Driver.java:2)
"""


@pytest.fixture
def standin() -> StandIn:
    return StandIn()


@pytest.fixture
def scene(standin: StandIn) -> Iterator[Scene]:
    with running_front(standin.answer) as front:
        yield Scene(front, "mkt", CONFIG, Timing(wait_s=5, settle_s=0.05, poll_s=0.01), answer_s=0.2)


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.__name__)
def test_connect(sentence: Callable[[Scene], None], scene: Scene) -> None:
    sentence(scene)


def test_a_failed_task_is_restarted_once_and_nothing_else(scene: Scene, standin: StandIn) -> None:
    scene.apply(scene.desired())
    standin.fail("mkt", TRACE)
    assert scene.actions(scene.desired()) == ["restart"]
    scene.front.will("late", "POST", "/restart")
    assert scene.apply(scene.desired()) == "restarted connector mkt"
    assert standin.connectors["mkt"].restarts == 1
    assert scene.front.asked.count("POST /connectors/mkt/restart?includeTasks=true&onlyFailed=true") == 1


def test_what_stays_failed_is_said_by_the_first_lines_of_its_trace_without_secrets(
    scene: Scene, standin: StandIn
) -> None:
    scene.apply(scene.desired())
    standin.fail("mkt", TRACE)
    with pytest.raises(NotRunning) as caught:
        await_state(scene.client, "mkt", "running", scene.timing, lambda _: None)
    assert str(caught.value).splitlines() == [
        "task 0 of mkt failed: org.apache.kafka.connect.errors.ConnectException: cannot read on",
        "    Caused by: org.postgresql.util.PSQLException: FATAL: password=*** was refused by jdbc:postgresql://***@db",
    ]
