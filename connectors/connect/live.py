"""What runs in Kafka Connect, as its REST interface tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.connect.redaction import cleaned

TRACE_LINES = 3
"""The exception, and the two lines below it that say most; `describe` shows all."""


@dataclass(frozen=True, slots=True)
class LiveTask:
    """One task of a connector."""

    number: int
    state: str
    worker: str
    trace: str


@dataclass(frozen=True, slots=True)
class Live:
    """One connector as it is. `state`: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED, RESTARTING or UNKNOWN."""

    name: str
    config: Mapping[str, str]
    state: str
    worker: str
    trace: str
    tasks: tuple[LiveTask, ...]

    @property
    def failures(self) -> list[str]:
        """What failed, a line each with the first lines of its trace."""
        parts = [(f"connector {self.name}", self.state, self.trace)]
        parts += [(f"task {task.number} of {self.name}", task.state, task.trace) for task in self.tasks]
        return [f"{what} failed: {first_lines(trace)}" for what, state, trace in parts if state == "FAILED"]

    @property
    def summary(self) -> str:
        """State of connector and tasks in a few words: `RUNNING, tasks 2 RUNNING, 1 FAILED`."""
        states = [task.state for task in self.tasks]
        counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"{self.state}, tasks {counted}" if states else f"{self.state}, no tasks"

    def is_at(self, state: str) -> bool:
        """Tell whether connector and tasks have come to `running`, `paused` or `stopped`."""
        states = {task.state for task in self.tasks}
        match state:
            case "running":
                return self.state == "RUNNING" and states == {"RUNNING"}
            case "paused":
                return self.state == "PAUSED" and states <= {"PAUSED"}
            case _:
                return self.state == "STOPPED" and not states


def parse_live(name: str, found: Mapping[str, Any]) -> Live:
    """Read one entry of `GET /connectors?expand=info&expand=status`. Traces come out without secrets."""
    status = found.get("status") or {}
    connector = status.get("connector") or {}
    config = {str(key): str(value) for key, value in ((found.get("info") or {}).get("config") or {}).items()}
    config.pop("name", None)
    tasks = [
        LiveTask(int(task["id"]), str(task["state"]), str(task.get("worker_id", "")), cleaned(task.get("trace") or ""))
        for task in status.get("tasks") or []
    ]
    return Live(
        name,
        config,
        str(connector.get("state", "UNKNOWN")),
        str(connector.get("worker_id", "")),
        cleaned(connector.get("trace") or ""),
        tuple(sorted(tasks, key=lambda task: task.number)),
    )


def first_lines(trace: str) -> str:
    """Give what a person needs of a Java trace: its first line, and the causes below it."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    causes = [line for line in lines[1:] if line.startswith("Caused by:")]
    return "\n    ".join((lines[:1] + causes)[:TRACE_LINES]) or "no trace"
