"""The engines of `bench peers`: where each comes from and how it is started.

The four others are fetched once and kept: jars by Maven, each Python engine in a virtual environment of its own
from a lock file, as its libraries differ from ours. All are given what makes them fast without another guarantee:
one thread, exactly once, a commit each second, state in memory or RocksDB, whichever is faster for it, and the
JVM's own choice of heap and collector.
"""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from bench.java_artifacts import ToolMissing, classes, digest, jars, kept, program, run_tool
from bench.peer_records import LIMIT_MS
from bench.server_process import ServerProcess
from bench.worker_process import STOP_S, WorkerProcess
from schemas import decode_alert

PROGRAMS = Path(__file__).parent / "peer_programs"
WORK = Path(__file__).parent / "simple_work"
"""Our definitions and sources of the same work."""
OURS = "stagewatch"
AGENTS = "rekey,track,totals,notify"
OUR_TOPIC = "cdc.mkt.s_app_stage"
FLINK_STATE = "rocksdb"
"""Its heap state is slower at this work."""
OPENED = [
    "java.lang", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.text", "java.time", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks", "sun.nio.ch",
]  # fmt: skip
"""What Flink's own start script opens of the JDK to its serializers."""


class Launch(NamedTuple):
    """One run of one engine."""

    bootstrap: str
    topic: str
    alerts: str
    group: str
    folder: Path

    def arguments(self) -> list[str]:
        """What all the peers' programs take, in this order."""
        return [self.bootstrap, self.topic, self.alerts, self.group, str(self.folder), str(LIMIT_MS)]


class Raised(NamedTuple):
    """An alert as an engine wrote it. The place is that of the record that raised it; peers do not tell theirs."""

    app_no: str
    place: tuple[int, int] | None


class Engine(NamedTuple):
    """One engine, ready to run."""

    name: str
    events: int
    """How many it is given on a machine of the usual pace."""
    command: Callable[[Launch], list[str]]

    @property
    def topic(self) -> str:
        """The topic that only it reads."""
        return OUR_TOPIC if self.name == OURS else f"bench.peers.{self.name}"

    def alerts(self, group: str) -> str:
        """Give the topic that a run writes its alerts to."""
        return "stagewatch.alerts" if self.name == OURS else f"bench.peers.{group}.alerts"

    def raised(self, value: bytes) -> Raised | None:
        """Read one record of the alert topic; None if it is not an alert about the limit."""
        if self.name != OURS:
            return Raised(msgspec.json.decode(value, type=_PeerAlert).app_no, None)
        alert = decode_alert(value)
        if alert.event != "raised" or alert.severity != "ALARM":
            return None
        return Raised(alert.instance, max((e.partition, e.offset) for e in alert.evidence if e.topic == OUR_TOPIC))


class _PeerAlert(msgspec.Struct):
    app_no: str


EVENTS = {"kafka_streams": 1_800_000, "flink_sql": 1_800_000, "quix": 1_200_000, "faust": 84_000}
"""What each takes some 24 s for where `peer_records.pace` gives `USUAL_PACE`; so does ours with its number below."""
OUR_EVENTS = 4_400_000
USUAL_PACE = 200_000


def engines(say: Callable[[str], None]) -> list[Engine]:
    """Give all engines, ours first; fetch what is missing.

    Raises ToolMissing without Java, Maven or a JDK's compiler, or if something cannot be fetched.
    """
    try:
        program("java"), program("javac")
    except ToolMissing as missing:
        raise ToolMissing(f"{missing}: Kafka and two of the engines need Java 17 (a JDK) and Maven") from missing
    say("fetching Kafka Streams, Flink, Quix Streams and faust-streaming, where they are missing")
    makers = {"kafka_streams": _kafka_streams, "flink_sql": _flink_sql, "quix": _quix, "faust": _faust}
    with ThreadPoolExecutor(len(makers)) as pool:
        made = {name: pool.submit(maker) for name, maker in makers.items()}
    return [our_engine(), *(Engine(name, EVENTS[name], start.result()) for name, start in made.items())]


def our_engine() -> Engine:
    """Give the worker of this installation."""
    return Engine(OURS, OUR_EVENTS, _stagewatch)


@contextmanager
def running(engine: Engine, launch: Launch) -> Iterator[WorkerProcess]:
    """Start an engine and give it at once, to be watched from outside; end it at the end."""
    launch.folder.mkdir(parents=True)
    foreign = [part for name in os.environ if name.startswith("STAGEWATCH_") for part in ("-u", name)]
    command = ["env", *foreign, *engine.command(launch)]
    server = ServerProcess(command, launch.folder / "log.txt", lambda: True, stop_timeout_s=STOP_S)
    server.start()
    try:
        yield WorkerProcess(server)
    finally:
        # Ours ends in an orderly way, as promised; what the others would still do after all is committed is nobody's.
        if engine.name == OURS:
            server.stop()
        server.kill()


def _stagewatch(launch: Launch) -> list[str]:
    settings = launch.folder / "settings.yaml"
    settings.write_text(
        yaml.safe_dump({
            "broker": f"kafka://{launch.bootstrap}", "application_id": launch.group, "data_dir": str(launch.folder),
            "store": f"sqlite:///{launch.folder / 'store.db'}", "calendar": "every_day",
            "definitions": [str(WORK / "definitions")], "sources": [str(WORK / "sources")],
        })
    )  # fmt: skip
    # All agents, without the read model for people's questions: no peer has one.
    return [str(Path(sys.executable).with_name("stagewatch")), "worker", "-c", str(settings), "--agents", AGENTS]


def _kafka_streams() -> Callable[[Launch], list[str]]:
    return _java("KafkaStreamsPeer", jars("kafka-streams"))


def _flink_sql() -> Callable[[Launch], list[str]]:
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    start = _java("FlinkSqlPeer", jars("flink"), *opened)
    return lambda launch: [*start(launch), FLINK_STATE]


def _java(name: str, libraries: Path, *options: str) -> Callable[[Launch], list[str]]:
    path = f"{classes(PROGRAMS / f'{name}.java', libraries)}:{libraries}/*"
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return lambda launch: [program("java"), *options, quiet, "-cp", path, name, *launch.arguments()]


def _quix() -> Callable[[Launch], list[str]]:
    python = _environment("quix")
    return lambda launch: [python, str(PROGRAMS / "quix_peer.py"), *launch.arguments()]


def _faust() -> Callable[[Launch], list[str]]:
    python = _environment("faust")
    return lambda launch: [python, str(PROGRAMS / "faust_peer.py"), *launch.arguments()]


def _environment(name: str) -> str:
    """Python of a virtual environment with what `<name>.lock` pins."""
    lock = PROGRAMS / f"{name}.lock"
    version = "".join(map(str, sys.version_info[:2]))

    def make(target: Path) -> None:
        run_tool([sys.executable, "-m", "venv", str(target)], f"no virtual environment for {name}")
        pip = [str(target / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        run_tool([*pip, "--require-hashes", "--requirement", str(lock)], f"pip could not install {name}")

    return str(kept("python", f"{name}-{version}-{digest(lock.read_bytes())}", make) / "bin" / "python")
