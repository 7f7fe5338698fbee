"""`deadletters`, and the embedded broker that it reads from here."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from schemas import DeadLetter, encode_dead_letter
from stagewatch.__main__ import run
from stagewatch.embedded import ADDRESS, EmbeddedBroker, running_url
from stagewatch.topic_reader import read_topic

Said = pytest.CaptureFixture[str]
TOPIC = "stagewatch.deadletters"
LETTERS = [
    DeadLetter.of("not-json", "line 1", topic="cdc.mkt.mkt_app", partition=1, offset=7, timestamp=1_782_180_000_000,
                  key=b'{"app_no":"A1"}', value=b"\xff{oops"),
    DeadLetter.of("missing-key", "app_no", topic="cdc.mkt.mkt_app", partition=0, offset=9, timestamp=1_782_180_000_001,
                  key=None, value=b"{}"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broker")


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(folder / "broker.log") as broker:
        yield broker


@pytest.fixture
def letters(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAGEWATCH_BROKER", broker.url)
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    if TOPIC not in admin.list_topics():
        admin.create_topics([NewTopic(name=TOPIC, num_partitions=2, replication_factor=1)])
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
        for number, letter in enumerate(LETTERS):
            producer.send(TOPIC, encode_dead_letter(letter), partition=number, timestamp_ms=letter.timestamp)
        producer.close()
    admin.close()


@pytest.mark.usefixtures("letters")
def test_what_was_refused_is_listed_with_reason_and_place(capsys: Said) -> None:
    assert run(["deadletters", "list", "-o", "json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["number"], each["reason"], each["topic"], each["partition"], each["offset"]) for each in found] == [
        ("0-0", "not-json", "cdc.mkt.mkt_app", 1, 7),
        ("1-0", "missing-key", "cdc.mkt.mkt_app", 0, 9),
    ]
    assert run(["deadletters", "list", "--reason", "missing-key", "-o", "json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.usefixtures("letters")
def test_one_is_shown_with_the_record_that_was_refused(capsys: Said) -> None:
    assert run(["deadletters", "show", "0-0"]) == 0
    out = capsys.readouterr().out
    assert '{"app_no":"A1"}' in out
    assert "\\xff{oops" in out
    assert run(["deadletters", "show", "0-0", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["value_b64"] == LETTERS[0].value_b64
    assert run(["deadletters", "show", "9-9"]) == 1


@pytest.mark.usefixtures("letters")
def test_what_was_refused_goes_back_as_it_was_and_a_dry_run_sends_nothing(broker: EmbeddedBroker, capsys: Said) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics([NewTopic(name="cdc.mkt.mkt_app", num_partitions=2, replication_factor=1)])
    admin.close()
    assert run(["deadletters", "replay", "--dry-run", "--topic", "cdc.mkt.mkt_app"]) == 0
    assert capsys.readouterr().out.splitlines() == ["0-0 to cdc.mkt.mkt_app[1]", "1-0 to cdc.mkt.mkt_app[0]"]
    assert list(read_topic(broker.bootstrap, "cdc.mkt.mkt_app")) == []
    assert run(["deadletters", "replay", "0-0"]) == 0
    sent = [(r.partition, r.key, r.value) for r in read_topic(broker.bootstrap, "cdc.mkt.mkt_app")]
    assert sent == [(1, b'{"app_no":"A1"}', b"\xff{oops")]
    assert run(["deadletters", "replay", "9-9"]) == 1
    assert run(["deadletters", "replay"]) == 2


@pytest.mark.usefixtures("letters")
def test_the_embedded_broker_of_a_worker_in_the_same_data_folder_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.delenv("STAGEWATCH_BROKER")
    assert run(["deadletters", "list"]) == 1
    assert "no broker is set" in capsys.readouterr().err
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(folder))
    assert run(["deadletters", "list", "--topic", "cdc.mkt.mkt_app", "-o", "json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert run(["settings", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["value"] == "embedded"  # as it is set


def test_a_broker_that_was_killed_or_ended_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    assert running_url(tmp_path) is None
    with EmbeddedBroker(tmp_path / "broker.log") as broker:
        assert running_url(tmp_path) == broker.url
        with EmbeddedBroker(tmp_path / "broker.log") as second:
            assert running_url(tmp_path) == second.url
        assert running_url(tmp_path) is None
        (tmp_path / ADDRESS).write_text(f"{ended_process()} {broker.url}")  # another's port by now
        assert running_url(tmp_path) is None
    assert running_url(tmp_path) is None
    (tmp_path / ADDRESS).write_text(f"{os.getpid()} {broker.url}")  # another's number by now
    assert running_url(tmp_path) is None
    (tmp_path / ADDRESS).write_text("cut sho")
    assert running_url(tmp_path) is None


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_the_embedded_broker_listens_on_this_machine_only(broker: EmbeddedBroker) -> None:
    outside = socket.gethostbyname(socket.gethostname())
    with socket.socket() as probe:
        probe.settimeout(1)
        assert outside == "127.0.0.1" or probe.connect_ex((outside, broker.port)) != 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's own")
def test_the_embedded_broker_ends_with_whoever_started_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from stagewatch.embedded import EmbeddedBroker;"
        "broker = EmbeddedBroker(Path(sys.argv[1])); broker.start(); print(broker.port, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "broker.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
    pytest.fail("the broker outlives its owner")
