"""One whole system for the rows of domain.md section 8: Kafka, a worker, an SMS gateway, and the command line.

Its declarations are a copy of the shipped ones, so that a test may add captures. Rows are those of
`schemas/registry/examples`, with what a test says otherwise.
"""

import io
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bench.kafka_server import KafkaServer
from connectors import SHIPPED_SOURCES
from sinks.store import Store
from stagewatch.__main__ import run
from stagewatch.receivers import SmsReceiver
from tests.helpers.brokers import make_topics, running_kafka
from tests.helpers.worker import WorkerProcess, running_worker

EXAMPLES = Path(__file__).resolve().parents[2] / "schemas" / "registry" / "examples"
PATIENCE_S = 90.0
"""A machine that others work on, too."""
SHOWN = ("stagewatch.alerts", "stagewatch-track-changelog", "stagewatch.indicators", "stagewatch.tasks")
"""Topics that the store follows, each at its own pace."""
POLL_S = 0.2
Row = dict[str, Any]
Document = dict[str, Any]


def example(source: str, table: str, **changes: Any) -> Row:
    """Give the example row of a table with some columns changed."""
    row: Row = json.loads((EXAMPLES / source / f"{table}.json").read_text("utf-8"))
    return row | changes


def ago(**span: float) -> str:
    """Give a time before now as sources write it: `ago(minutes=5)`."""
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class WholeSystem:
    """What runs, and how a user looks into it."""

    kafka: KafkaServer
    folder: Path
    sources: Path
    sms: SmsReceiver
    worker: WorkerProcess
    _lsn: int = 1_000
    _producer: Any = field(default=None, repr=False)

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap

    @property
    def environment(self) -> dict[str, str]:
        """Settings of a command beside the worker."""
        return {
            "STAGEWATCH_BROKER": self.kafka.url,
            "STAGEWATCH_DATA_DIR": str(self.worker.data_dir),
            "STAGEWATCH_SOURCES": str(self.sources),
        }

    # -- what the sources do

    def send(self, topic: str, value: bytes | None, key: bytes | None = None, *, at: int | None = None) -> None:
        """Write one record; `at`: when it arrived, epoch ms."""
        if self._producer is None:
            self._producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=5)
        self._producer.send(topic, value, key=key, timestamp_ms=at)

    def settle(self) -> None:
        """Return when Kafka has all that was sent."""
        if self._producer is not None:
            self._producer.flush()

    def capture(self, source: str, table: str, *rows: Row, op: str = "c", key: str | None = None) -> None:
        """Send rows as Debezium writes them for PostgreSQL."""
        for row in rows:
            self._lsn += 1
            value = {"op": op, "before": None, "after": row, "source": {"connector": "postgresql", "lsn": self._lsn}}
            text = json.dumps({key: row[key]}).encode() if key else None
            self.send(f"cdc.{source}.{table}", json.dumps(value, ensure_ascii=False).encode(), text)
        self.settle()

    # -- what a user sees

    def command(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        """Run a command line; exit code, stdout, stderr. `settings` by their keys."""
        out, err = io.StringIO(), io.StringIO()
        changes = self.environment | {f"STAGEWATCH_{key.upper()}": value for key, value in settings.items()}
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in changes.items():
                patch.setenv(name, value)
            code = run(arguments)
        return code, out.getvalue(), err.getvalue()

    def done(self, *arguments: str, **settings: str) -> str:
        """Run a command that must succeed; stdout."""
        code, out, err = self.command(*arguments, **settings)
        assert code == 0, f"{arguments}: {out}{err}"
        return out

    def ask(self, *arguments: str, **settings: str) -> list[Document]:
        """Run a command with `-o json` that must succeed; its objects."""
        return [json.loads(line) for line in self.done(*arguments, "-o", "json", **settings).splitlines()]

    def instance(self, key: str) -> Document | None:
        """Give an instance as `instances get` shows it; None while the store has none."""
        code, out, _ = self.command("instances", "get", key, "-o", "json")
        return json.loads(out) if code == 0 else None

    def wait_for(self, key: str, is_so: Callable[[Document], Any]) -> Document:
        """Wait until an instance is so; give it."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.instance(key)) is None or not is_so(found):
            assert time.monotonic() < deadline, f"{key}: {found}\n{self.worker.log_tail()}"
            time.sleep(POLL_S)
        return found

    def wait_for_row(self, key: str, row: str) -> Document:
        """Wait until an instance has a further row (`entity:key`); give the instance."""
        return self.wait_for(key, lambda found: row in found["rows"])

    def catch_up(self) -> None:
        """Wait until the store shows all that its topics hold by now.

        It follows each at its own pace: an instance may be shown before an alert of the same commit, or after it.
        """
        consumer: Any = KafkaConsumer(bootstrap_servers=self.bootstrap, isolation_level="read_committed", group_id=None)
        with closing(consumer), closing(Store(f"sqlite:///{self.worker.data_dir}/stagewatch.db")) as store:
            tps = [TopicPartition(name, n) for name in SHOWN for n in consumer.partitions_for_topic(name) or ()]
            consumer.assign(tps)
            ends = consumer.end_offsets(tps)
            self.until(lambda: not _unread(consumer, ends, store.positions()), lambda: str([ends, store.positions()]))

    def until(self, is_so: Callable[[], Any], seen: Callable[[], object] = str) -> None:
        """Wait until something is so; what was seen instead goes into the failure."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline, f"{seen()}\n{self.worker.log_tail()}"
            time.sleep(POLL_S)

    def alerts(self, key: str) -> list[tuple[str, str]]:
        """Give (rule, severity) of all that was raised about an instance by now."""
        self.catch_up()
        return self._listed(key)

    def _listed(self, key: str) -> list[tuple[str, str]]:
        if not any(self.worker.data_dir.rglob("stagewatch.db")):
            return []
        found = self.ask("alerts", "list", "--instance", key, "--limit", "1000")
        return sorted((each["rule"], each["severity"]) for each in found)

    def wait_for_alerts(self, key: str, *expected: tuple[str, str]) -> list[tuple[str, str]]:
        """Wait until at least these were raised about an instance; give all that were."""
        self.until(lambda: set(expected) <= set(self._listed(key)), lambda: f"{key}: {self._listed(key)}")
        return self.alerts(key)

    def open_rules(self, key: str) -> list[str]:
        """Give the rules of what is open about an instance by now."""
        self.catch_up()
        found = self.ask("alerts", "list", "--instance", key, "--limit", "1000")
        return sorted(each["rule"] for each in found if each["event"] in {"raised", "reopened", "escalated"})

    def metric(self, name: str, **labels: str) -> float:
        """Give a metric of the worker; 0 where it has no such series."""
        import requests  # noqa: PLC0415 - only some tests look at metrics

        total = 0.0
        for line in requests.get(self.worker.metrics_url, timeout=10).text.splitlines():
            if line.startswith(name) and all(f'{label}="{value}"' in line for label, value in labels.items()):
                total += float(line.rpartition(" ")[2])
        return total


@contextmanager
def whole_system(
    folder: Path, topics: Iterable[str], *, captures: Mapping[str, str] | None = None, **settings: str
) -> Iterator[WholeSystem]:
    """Run one. `topics`: what is captured, made beforehand; `captures`: further source files by name."""
    sources = folder / "sources"
    shutil.copytree(SHIPPED_SOURCES, sources)
    for name, text in (captures or {}).items():
        (sources / name).write_text(text, "utf-8")
    with running_kafka(folder / "kafka") as kafka, SmsReceiver() as sms:
        make_topics(kafka.bootstrap, topics)
        chosen = {"sources": str(sources), "sms_url": sms.url, "partitions": "2", **settings}
        with running_worker(kafka.url, folder, **chosen) as worker:
            system = WholeSystem(kafka, folder, sources, sms, worker)
            # The worker makes its store beside its work: until then nobody can look into it.
            system.until(lambda: system.command("alerts", "list")[0] == 0, lambda: system.command("alerts", "list"))
            yield system
            if system._producer is not None:  # noqa: SLF001 - its own
                system._producer.close()  # noqa: SLF001


def _unread(consumer: Any, ends: Mapping[Any, int], shown: Mapping[tuple[str, int], int]) -> list[Any]:
    """Give records before `ends` that the store does not show; the marks of transactions between them are none."""
    for tp in ends:
        consumer.seek(tp, shown.get((tp.topic, tp.partition), 0))
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        found = [r for batch in consumer.poll(timeout_ms=200).values() for r in batch if r.offset < ends[_place(r)]]
        if found:
            return found
    return []


def _place(record: Any) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)
