"""A real Kafka Connect with Debezium for a test session."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bench.java_artifacts import jars, program
from bench.server_process import HOST, ServerProcess, free_ports

TIMEOUT_S = 30.0
CONNECTORS = Path(__file__).resolve().parents[2] / "deploy" / "connect"


@dataclass(frozen=True, slots=True)
class Connect:
    """Its REST interface (Kafka documentation, section 8.3), and the worker behind it."""

    url: str
    worker: ServerProcess
    """A test that kills it starts it again."""

    def get(self, path: str) -> Any:
        return self._request("GET", path, None)

    def put(self, path: str, body: object) -> Any:
        return self._request("PUT", path, body)

    def delete(self, path: str) -> None:
        self._request("DELETE", path, None)

    def faults(self, name: str, config: Mapping[str, str]) -> dict[str, list[str]]:
        """What the connector's own validation says against a configuration: setting to messages."""
        path = f"/connector-plugins/{config['connector.class']}/config/validate"
        values = [each["value"] for each in self.put(path, {**config, "name": name})["configs"]]
        return {value["name"]: value["errors"] for value in values if value["errors"]}

    def apply(self, name: str, config: Mapping[str, str]) -> None:
        """Create or change a connector and wait until it and its tasks run."""
        self.put(f"/connectors/{name}/config", dict(config))
        deadline = time.monotonic() + TIMEOUT_S
        while not self._is_running(name):
            assert time.monotonic() < deadline, (
                f"connector {name} does not run: {self.get(f'/connectors/{name}/status')}"
            )
            time.sleep(0.2)

    @contextmanager
    def running(self, name: str, config: Mapping[str, str]) -> Iterator[None]:
        """`apply` it, and delete it at the end."""
        self.apply(name, config)
        try:
            yield
        finally:
            self.delete(f"/connectors/{name}")

    def _is_running(self, name: str) -> bool:
        response = requests.get(f"{self.url}/connectors/{name}/status", timeout=TIMEOUT_S)
        if response.status_code == requests.codes.not_found:  # accepted, not yet known to the worker
            return False
        status = response.json()
        states = [status["connector"]["state"], *(task["state"] for task in status["tasks"])]
        assert "FAILED" not in states, status
        return bool(status["tasks"]) and set(states) == {"RUNNING"}

    def _request(self, method: str, path: str, body: object) -> Any:
        response = requests.request(method, self.url + path, json=body, timeout=TIMEOUT_S)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None


@contextmanager
def running_connect(folder: Path, bootstrap: str) -> Iterator[Connect]:
    """A worker of its own on the given Kafka; raises `ToolMissing` where Java or Maven is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_ports(1)[0]
    settings = folder / "connect.properties"
    settings.write_text("".join(f"{key}={value}\n" for key, value in _properties(folder, bootstrap, port).items()))
    command = [
        program("java"),
        "-Xmx384m",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{jars('kafka')}/*",
    ]
    command += ["org.apache.kafka.connect.cli.ConnectDistributed", str(settings)]
    url = f"http://{HOST}:{port}"
    worker = ServerProcess(command, folder / "connect.log", lambda: _answers(url), start_timeout_s=120)
    worker.start()
    try:
        yield Connect(url, worker)
    finally:
        worker.kill()


def deployed_connector(name: str) -> dict[str, str]:
    """The configuration that the deployment ships; a test lays its own address over it."""
    config: dict[str, str] = json.loads((CONNECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return config


def _properties(folder: Path, bootstrap: str, port: int) -> dict[str, str]:
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    for name in ("debezium", "debezium-mariadb"):
        (plugins / name).symlink_to(jars(name))
    storage = {f"{kind}.storage.topic": f"connect-{kind}" for kind in ("config", "offset", "status")}
    single = {f"{kind}.storage.replication.factor": "1" for kind in ("config", "offset", "status")}
    converters = {
        key: value
        for part in ("key", "value")
        for key, value in (
            (f"{part}.converter", "org.apache.kafka.connect.json.JsonConverter"),
            (f"{part}.converter.schemas.enable", "false"),
        )
    }
    return {
        "bootstrap.servers": bootstrap,
        "group.id": "connect",
        "listeners": f"http://{HOST}:{port}",
        "plugin.path": str(plugins),
        "offset.flush.interval.ms": "1000",
        "offset.storage.partitions": "5",
        # A worker that comes back after a kill gets its connectors at once.
        "scheduled.rebalance.max.delay.ms": "0",
        # The shipped connectors name their passwords as ${env:...}, others as ${file:...}.
        "config.providers": "env,file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
        **storage,
        **single,
        **converters,
    }


def _answers(url: str) -> bool:
    """Whether the worker has joined its group: before that, requests time out."""
    try:
        return requests.get(f"{url}/connectors", timeout=2).ok
    except requests.RequestException:
        return False
