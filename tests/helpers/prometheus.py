"""A real Prometheus for tests, with the deployment's rules: scrapes what it is pointed at, answers queries."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bench.java_artifacts import program
from bench.server_process import HOST, ServerProcess, free_ports

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "rules.yml"
TIMEOUT_S = 30.0
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: stagewatch
    file_sd_configs: [{{files: [{targets}], refresh_interval: 1s}}]
"""
"""Targets come from a file: a worker's metrics port is known only once it runs."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Its HTTP interface (Prometheus documentation, HTTP API)."""

    url: str
    targets: Path

    def scrape(self, address: str) -> None:
        """Watch `host:port` and return once three scrapes of it succeeded, so that rates have values."""
        self.targets.write_text(json.dumps([{"targets": [address], "labels": {"process": "tracking"}}]))
        deadline = time.monotonic() + TIMEOUT_S
        while not self._has_scraped(address):
            assert time.monotonic() < deadline, f"{address} was not scraped: {self._get('targets')}"
            time.sleep(0.5)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query; fails the test with Prometheus's own words if it is refused."""
        result = self._get("query", query=expression)["result"]
        assert isinstance(result, list), expression
        return result

    def rule_names(self) -> set[str]:
        """Recording and alert rules that it has loaded."""
        return {rule["name"] for group in self._get("rules")["groups"] for rule in group["rules"]}

    def _has_scraped(self, address: str) -> bool:
        found = self.query(f'count_over_time(up{{instance="{address}"}}[1m]) >= 3 and up{{instance="{address}"}} == 1')
        return bool(found)

    def _get(self, path: str, **parameters: str) -> Any:
        response = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=TIMEOUT_S)
        body = response.json()
        assert body["status"] == "success", (parameters, body)
        return body["data"]


@contextmanager
def running_prometheus(folder: Path) -> Iterator[Prometheus]:
    """A server of its own; raises `ToolMissing` where it is not installed."""
    port = free_ports(1)[0]
    targets = folder / "targets.json"
    targets.write_text("[]")
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(rules=RULES, targets=targets))
    prometheus = Prometheus(f"http://{HOST}:{port}", targets)
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
    ]
    server = ServerProcess(command, folder / "prometheus.log", lambda: _answers(prometheus))
    server.start()
    try:
        yield prometheus
    finally:
        server.stop()


def _answers(prometheus: Prometheus) -> bool:
    try:
        return requests.get(f"{prometheus.url}/-/ready", timeout=2).ok
    except requests.RequestException:
        return False
