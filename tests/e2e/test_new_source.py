"""The integrator's hour: the commands and files of docs/new-source.md, as they stand there, on the embedded broker."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from tests.helpers.brokers import Broker, make_topics, running_tansu
from tests.helpers.hostile_wire import dump
from tests.helpers.worker import STAGEWATCH, running_worker

PAGE = Path(__file__).resolve().parents[2] / "docs" / "new-source.md"
TOPIC = "cdc.cash.cash_bill"
PATIENCE_S = 90.0
"""A new topic is found within 30 s (contract, section 8), on a machine that is there for it."""
BILLS = 5
SEND_S = 10.0


class Desk:
    """The integrator's folder and shell."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder, self.bootstrap = folder, broker.bootstrap
        page = PAGE.read_text("utf-8")
        self.commands = [line.strip() for line in page.splitlines() if line.startswith("    ")]
        self.files = {name: text for text, name in re.findall(r"```yaml\n(# (\S+)\n.*?)```", page, re.DOTALL)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STAGEWATCH_")}
        path = f"{STAGEWATCH.parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**kept, "PATH": path, "STAGEWATCH_DATA_DIR": str(folder / "data")}
        for command in self.commands:
            if command.startswith("mkdir"):
                self.run(command)
        exports = "; ".join(command for command in self.commands if command.startswith("export"))
        for line in self.run(f"{exports}; env").stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith("STAGEWATCH_"):
                self.environment[name] = value
        self.environment["STAGEWATCH_BROKER"] = broker.url

    def walk(self, beginning: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the page's command that begins so."""
        command = next(command for command in self.commands if command.startswith(f"stagewatch {beginning}"))
        return self.run(command, **changes)

    def run(self, command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env={**self.environment, **changes}, text=True,
            capture_output=True, check=False, timeout=60,
        )  # fmt: skip

    def write(self, *names: str) -> None:
        """Write files as the page has them."""
        for name in names:
            (self.folder / name).write_text(self.files[name], "utf-8")

    def settings(self) -> Mapping[str, str]:
        """Give what a worker is told beside its broker."""
        return {key: self.environment[f"STAGEWATCH_{key.upper()}"] for key in ("sources", "definitions")}

    def send(self, *rows: dict[str, Any]) -> None:
        """Let the source write bills."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap)
        for number, row in enumerate(rows, start=1):
            value = {"op": "c", "before": None, "after": row, "source": {"lsn": number}, "ts_ms": 1}
            # One batch each: the embedded broker says of a topic's end where its last batch begins.
            producer.send(TOPIC, dump(value), key=dump({"bill_no": row["bill_no"]})).get(SEND_S)
        producer.close()


def bill(number: int, **changes: Any) -> dict[str, Any]:
    billed_at = (datetime.now(UTC) - timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    row = {"bill_no": f"B{number}", "org_no": "3340101", "amount": "12.50", "billed_at": billed_at, "settled_at": None}
    return row | {"cust_name": "王小明", "mobile": "13812345678"} | changes


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """On a broker of its own: what one test captures, no other has seen."""
    with running_tansu(tmp_path) as broker:
        yield Desk(tmp_path, broker)


def test_a_table_that_nobody_declared_is_drafted_checked_and_tried(desk: Desk) -> None:
    assert "there is no topic cdc.cash.cash_bill" in desk.walk("sources draft").stderr
    make_topics(desk.bootstrap, [TOPIC], partitions=2)
    assert "cdc.cash.cash_bill is empty" in desk.walk("sources draft").stderr
    assert "no table 'cash.cash_bill'" in desk.walk("sources try").stderr
    desk.send(*map(bill, range(BILLS)))
    drafted = desk.walk("sources draft")
    assert drafted.returncode == 0, drafted.stderr
    checked = desk.walk("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tried = desk.walk("sources try")
    assert (tried.returncode, "works: 5 of 5 records decoded, none refused" in tried.stderr) == (0, True), tried
    assert "13812345678" not in tried.stdout
    assert "王小明" not in tried.stdout
    desk.send({"bill_no": None})
    refused = desk.walk("sources try")
    assert (refused.returncode, "does not work: 1 of 6 refused: missing-key" in refused.stderr) == (1, True), refused


def test_a_running_worker_finds_the_new_table_and_its_rule_speaks(desk: Desk) -> None:
    desk.write(*desk.files)
    checked = desk.walk("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = desk.walk("rules test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    with running_worker(desk.environment["STAGEWATCH_BROKER"], desk.folder, **desk.settings()) as worker:
        make_topics(desk.bootstrap, [TOPIC], partitions=2)
        desk.send(*map(bill, range(BILLS)))
        data = {"STAGEWATCH_DATA_DIR": str(worker.data_dir)}
        alerts = wait_until(desk, "alerts list --rule R-T90", lambda found: len(found) >= BILLS * 2, **data)
        assert {alert["instance"] for alert in alerts} == {f"B{number}" for number in range(BILLS)}
        assert {alert["severity"] for alert in alerts} == {"WARN", "ALARM"}
        assert not [alert["text"] for alert in alerts if "—" in alert["text"]], "nothing in the text is left open"
        health = "sources health cash"
        told = {"table": "cash_bill", "state": "running", "unread": 0, "refused": 0, "records": BILLS}
        # What the worker says of its reading follows what it wrote.
        wait_until(desk, health, lambda found: [told | each for each in found] == found, **data)


def wait_until(desk: Desk, command: str, is_so: Callable[[list[Any]], bool], **changes: str) -> list[Any]:
    """Wait until a command that looks answers so; give its answer."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        looked = desk.run(f"stagewatch {command} -o json", **changes)
        # The store comes to be while the worker works: until then nobody can look into it.
        found = [json.loads(line) for line in looked.stdout.splitlines()] if looked.returncode == 0 else []
        if found and is_so(found):
            return found
        assert time.monotonic() < deadline, f"{command}: {found}{looked.stderr}"


def test_every_command_of_the_page_is_one(desk: Desk) -> None:
    for command in (command for command in desk.commands if command.startswith("stagewatch")):
        words = re.split(r" [^a-z]| [a-z]+[./]", command, maxsplit=1)[0]
        known = desk.run(f"{words.split(' cash')[0].split(' lean')[0]} --help")
        assert known.returncode == 0, f"{command}: {known.stderr}"
    made = desk.walk("connectors template")
    assert made.returncode == 0, made.stderr
    desk.write("sources/cash.yaml", *(name for name in desk.files if name.startswith("definitions")))
    checked = desk.walk("check connectors")
    assert checked.returncode == 0, checked.stdout + checked.stderr
