"""`silences`: made, listed, ended; and a worker's reader heeds them."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from schemas import AlertEvent, encode_alert
from sinks import Holding, Standing
from stagewatch.__main__ import run
from stagewatch.embedded import EmbeddedBroker
from streams.logic import SourcePartition
from streams.standing_reader import REACH_MS, StandingReader
from tests.helpers.notices import NOW, notice

Said = pytest.CaptureFixture[str]
TOPIC, ALERTS = "stagewatch.silences", "stagewatch.alerts"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker") / "broker.log") as running:
        admin = KafkaAdminClient(bootstrap_servers=running.bootstrap)
        admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1) for name in (TOPIC, ALERTS)])
        admin.close()
        yield running


@pytest.fixture
def broker(running: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> EmbeddedBroker:
    monkeypatch.setenv("STAGEWATCH_BROKER", running.url)
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    return running


def asked(capsys: Said, *arguments: str) -> list[dict[str, Any]]:
    assert run(["silences", *arguments, "-o", "json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("broker")
def test_a_silence_is_listed_until_it_is_ended(capsys: Said) -> None:
    (made,) = asked(
        capsys, "add", "--by", "H001", "--for", "4h", "--reason", "检修", "--rule", "R-N*", "--org", "33401*"
    )
    assert asked(capsys, "list") == [made]
    assert (made["owner"], made["reason"], made["rule"], made["org_no"]) == ("H001", "检修", "R-N*", "33401*")
    asked(capsys, "end", made["id"], "--by", "H002", "--dry-run")
    assert asked(capsys, "list") == [made]
    asked(capsys, "end", made["id"], "--by", "H002")
    assert asked(capsys, "list") == []
    (over,) = asked(capsys, "list", "--all")
    assert (over["id"], over["ended_by"]) == (made["id"], "H002")
    assert asked(capsys, "end", made["id"], "--by", "H003") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--for", "4h"], "say what it silences"),
        (["--rule", "R-T03"], "either --until or --for"),
        (["--rule", "R-T03", "--for", "2wd"], "no span of minutes"),
        (["--rule", "R-T03", "--until", "2020-01-01"], "has passed"),
    ],
)
def test_what_cannot_be_a_silence_is_refused(options: list[str], said: str, capsys: Said) -> None:
    assert run(["silences", "add", "--by", "H1", "--reason", "x", *options]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("broker")
def test_one_that_nobody_made_cannot_be_ended(capsys: Said) -> None:
    assert run(["silences", "end", "00000000", "--by", "H1"]) == 1
    assert "no silence '00000000'" in capsys.readouterr().err


class AnyHour:
    def open_at(self, at: int) -> int:
        return at

    def tomorrow(self, at: int) -> int:
        return at

    def day(self, at: int) -> str:
        return str(at)


def test_a_worker_knows_before_it_begins_what_is_silenced_and_what_ended_of_late(
    broker: EmbeddedBroker, capsys: Said
) -> None:
    asked(capsys, "add", "--by", "H001", "--for", "4h", "--reason", "检修", "--instance", "APP-a1")
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    producer.send(TOPIC, b"{not ours")
    for alert, at in (("long ago", NOW - 2 * REACH_MS), ("of late", NOW)):
        event = AlertEvent(
            alert_id=alert, event="closed", rule="R-T03", rule_version=1, severity="ALARM", process="hv_connection",
            instance="A1", stage=None, visit=None, raised_at=at, due_at=None, org_no=None, dept=None, person=None,
            object=None, text="", evidence=(),
        )  # fmt: skip
        producer.send(ALERTS, encode_alert(event), timestamp_ms=at)
    producer.close()
    standing = Standing()
    asyncio.run(read(standing, broker.bootstrap))
    (silence,) = [each for each in standing.silences.values() if each.instance]
    assert standing.silence_of(notice(), silence.at) == silence
    assert [standing.is_moot(notice(alert)) for alert in ("long ago", "of late")] == [False, True]
    assert standing.known_at == NOW + 1000


async def read(standing: Standing, bootstrap: str) -> None:
    """Start a reader a second after the last alert, and let it run until it says that it knows all."""
    reader = StandingReader(standing, Holding(hours=AnyHour()), silences=TOPIC, now=lambda: (NOW + 1000) / 1000)
    await reader.start([SourcePartition(ALERTS, 0)], {"bootstrap_servers": bootstrap})
    running = asyncio.ensure_future(reader.run())
    while not standing.known_at:  # noqa: ASYNC110 - nothing to wait for: it is a look-up
        await asyncio.sleep(0.01)
    running.cancel()
    await reader.stop()
