"""A real Apache Kafka of one node on 127.0.0.1, in KRaft mode, made of plain jars.

Called by `stagewatch bench` without `--broker` and by the tests' `kafka` fixture. Never for production:
every replication factor is 1.
"""

import base64
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.java_artifacts import jars, program
from bench.server_process import HOST, ServerProcess, StartFailed, free_ports, is_listening

FORMAT_TIMEOUT_S = 60.0
SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Groups form at once instead of waiting 3 s for more members.
    "group.initial.rebalance.delay.ms": "0",
    # The default of 50 partitions each costs seconds at the first commit and transaction.
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "8",
    # The default of 128 MB would not leave much of a small heap.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}

JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A broker of minutes shares two cores with what is tested. Its optimising compiler would take most of its CPU in
those minutes, for code that would only be fast afterwards; and a small heap needs no parallel collector."""


class KafkaServer:
    """One broker with its own data folder. A restart keeps ports and data.

    `with KafkaServer(folder) as kafka:` starts it and kills it at the end.
    """

    def __init__(self, folder: Path, *, heap: str = "512m", properties: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port, self._controller_port = free_ports(2)
        classes = f"{jars('kafka')}/*"
        self._java = [program("java"), *JVM, "-cp", classes, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        self._settings = folder / "server.properties"
        self._extra = dict(properties or {})
        command = [*self._java, f"-Xmx{heap}", "kafka.Kafka", str(self._settings)]
        self.process = ServerProcess(command, folder / "kafka.log", lambda: is_listening(self.port))

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The setting `broker` of a worker."""
        return f"kafka://{self.bootstrap}"

    def start(self) -> None:
        """Start it and return once clients can connect. Formats its storage the first time."""
        if not self._settings.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._settings.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
            self._format()
        self.process.start()

    def stop(self) -> None:
        """End it in an orderly way (SIGTERM)."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self.process.kill()

    def restart(self) -> None:
        """Stop and start it on the same ports and data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def _properties(self) -> dict[str, str]:
        return {
            **SINGLE_NODE,
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "log.dirs": str(self.folder / "data"),
            **self._extra,
        }

    def _format(self) -> None:
        # A first byte of zero: an id that begins with "-" would be taken for an option.
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        done = subprocess.run(
            [*self._java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings)],
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"Kafka's storage could not be formatted: {(done.stdout + done.stderr).strip()[-500:]}")
