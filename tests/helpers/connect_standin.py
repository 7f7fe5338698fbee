"""A stand-in for Kafka Connect's REST interface: its documented answers over a small model, without Kafka.

What it cannot be trusted for is whether Connect really behaves so: the same sentences (`connect_sentences`) run
against the real one in `tests/e2e/test_connectors_rest.py`.
"""

import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

POSTGRES = "io.debezium.connector.postgresql.PostgresConnector"
Answer = tuple[int, Any]
STATES = {"pause": "PAUSED", "resume": "RUNNING", "stop": "STOPPED"}


@dataclass
class _Connector:
    config: dict[str, str]
    state: str = "RUNNING"
    trace: str | None = None
    task_trace: str | None = None
    offsets: list[dict[str, Any]] = field(default_factory=list)
    restarts: int = 0


class StandIn:
    """Connectors by name. A test may look at them and change them behind everybody's back."""

    def __init__(self) -> None:
        self.connectors: dict[str, _Connector] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """Give status and JSON for one request."""
        parts = urlsplit(path)
        names = [unquote(part) for part in parts.path.strip("/").split("/")]
        with self._lock:
            if names[0] == "connector-plugins":
                return self._plugins(names, body)
            if names == ["connectors"]:
                return self._create(body) if method == "POST" else self._all()
            found = self.connectors.get(names[1])
            if found is None and not (method == "PUT" and names[2:] == ["config"]):
                return 404, {"error_code": 404, "message": f"Connector {names[1]} not found"}
            return self._one(method, names[1], "/".join(names[2:]), body)

    def fail(self, name: str, trace: str) -> None:
        """Let the task of a connector fail."""
        self.connectors[name].task_trace = trace

    def _plugins(self, names: list[str], body: Any) -> Answer:
        if len(names) == 1:
            return 200, [{"class": POSTGRES, "type": "source", "version": "3.2.0.Final"}]
        known = ("connector.class", "database.hostname", "database.password", "heartbeat.interval.ms", "slot.name")
        values = [{"name": name, "value": body.get(name), "errors": _errors(name, body)} for name in known]
        configs = [{"definition": {"name": value["name"]}, "value": value} for value in values]
        return 200, {"error_count": sum(bool(value["errors"]) for value in values), "configs": configs}

    def _create(self, body: Any) -> Answer:
        name = body["name"]
        if name in self.connectors:
            return 409, {"error_code": 409, "message": f"Connector {name} already exists"}
        self.connectors[name] = _Connector({**body["config"], "name": name}, body.get("initial_state", "RUNNING"))
        return 201, self._info(name)

    def _all(self) -> Answer:
        return 200, {name: {"info": self._info(name), "status": self._status(name)} for name in self.connectors}

    def _info(self, name: str) -> dict[str, Any]:
        return {"name": name, "config": dict(self.connectors[name].config), "tasks": [], "type": "source"}

    def _status(self, name: str) -> dict[str, Any]:
        found = self.connectors[name]
        state = "FAILED" if found.trace else found.state
        task_state = "FAILED" if found.task_trace else found.state
        task = {"id": 0, "state": task_state, "worker_id": "w:8083"}
        task |= {"trace": found.task_trace} if found.task_trace else {}
        connector = {"state": state, "worker_id": "w:8083"} | ({"trace": found.trace} if found.trace else {})
        return {"name": name, "connector": connector, "tasks": [] if found.state == "STOPPED" else [task]}

    def _one(self, method: str, name: str, what: str, body: Any) -> Answer:
        if method == "GET" and what != "offsets":
            info = self._info(name)
            return 200, {"status": self._status(name), "config": info["config"], "": info}[what]
        if what == "offsets":
            return self._offsets(method, self.connectors[name], body)
        if what in STATES:
            self.connectors[name].state = STATES[what]
            return (204 if what == "stop" else 202), None
        if what == "restart":
            return self._restart(name)
        if method == "DELETE":
            del self.connectors[name]
            return 204, None
        assert (method, what) == ("PUT", "config"), f"the stand-in knows no {method} {what}"
        self.connectors.setdefault(name, _Connector({})).config = {**body, "name": name}
        return 200, self._info(name)

    def _restart(self, name: str) -> Answer:
        found = self.connectors[name]
        found.restarts += 1
        found.trace = found.task_trace = None
        return 202, self._status(name)

    @staticmethod
    def _offsets(method: str, found: _Connector, body: Any) -> Answer:
        if method == "GET":
            return 200, {"offsets": found.offsets}
        if found.state != "STOPPED":
            message = "Connectors must be in the STOPPED state before their offsets can be modified."
            return 400, {"error_code": 400, "message": message}
        found.offsets = body["offsets"] if method == "PATCH" else []
        return 200, {"message": "The offsets for this connector have been changed successfully"}


def _errors(name: str, body: Any) -> list[str]:
    """Repeat the value, as Connect's own messages do, so that a test sees whether a secret gets out."""
    if name == "database.hostname" and not body.get(name):
        return ["The 'database.hostname' value is invalid: A value is required"]
    if name == "database.password" and body.get("database.hostname") == "closed":
        return [f"Invalid value {body[name]} for configuration {name}: password authentication failed"]
    return []
