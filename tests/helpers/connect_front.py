"""An HTTP front before Kafka Connect (the real one, or the stand-in) that fails as networks and workers do.

Faults are scripted: each meets the next requests that fit it. Those that only lose the answer let the request
through first, so that what it asked for is done.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import requests

Backend = Callable[[str, str, Any], tuple[int, Any]]
"""Method, path and JSON in; status and JSON out."""
Kind = Literal["conflict", "expected", "unavailable", "late", "undone", "cut", "hangs", "masked"]
STARS = "••••••••"
REBALANCE = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
EXPECTED = "Request cannot be completed because a rebalance is expected"
TIMED_OUT = "Request timed out. The worker is currently performing multi-property validation"
REFUSALS = {
    "conflict": (409, REBALANCE),
    "expected": (500, EXPECTED),
    "unavailable": (503, "starting"),
    "undone": (500, TIMED_OUT),
}


@dataclass
class Fault:
    """One way to fail, for the next `times` requests that fit.

    Refused: conflict (409), expected (500, for a rebalance that is to come), unavailable (503), undone (500, as a
    timeout). Done all the same: late (500), cut (no answer), hangs (silence until the front closes). Answered:
    masked (secrets are stars).
    """

    kind: Kind
    method: str
    path: str
    times: int = 1

    def takes(self, method: str, path: str) -> bool:
        if self.times > 0 and method == self.method and re.search(self.path, path):
            self.times -= 1
            return True
        return False


@dataclass
class Front:
    """Where the front listens, what it shall do wrong, and what it was asked."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def will(self, kind: Kind, method: str, path: str, times: int = 1) -> None:
        """Script a fault."""
        self.faults.append(Fault(kind, method, path, times))

    def count(self, request: str) -> int:
        """How often `METHOD /path` was asked."""
        return sum(each.partition("?")[0] == request for each in self.asked)


@contextmanager
def running_front(backend: Backend) -> Iterator[Front]:
    closing = threading.Event()
    front = Front("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def _serve(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
            front.asked.append(f"{self.command} {self.path}")
            kind = next((fault.kind for fault in front.faults if fault.takes(self.command, self.path)), None)
            if kind in REFUSALS:
                status, message = REFUSALS[kind]
                return self._say(status, {"error_code": status, "message": message})
            status, answer = backend(self.command, self.path, body)
            if kind == "late":
                return self._say(500, {"error_code": 500, "message": TIMED_OUT})
            if kind in {"cut", "hangs"}:
                if kind == "hangs":
                    closing.wait(30)
                self.close_connection = True
                return None
            return self._say(status, masked(answer) if kind == "masked" else answer)

        def _say(self, status: int, answer: Any) -> None:
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = _serve  # noqa: N815 - the base class's names
        do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    front.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield front
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def masked(answer: Any) -> Any:
    """What a Connect that hides secrets hands out."""
    if isinstance(answer, dict):
        return {key: STARS if key.endswith("password") else masked(value) for key, value in answer.items()}
    return answer


def forwarding(url: str) -> Backend:
    """A backend that is a real Connect."""

    def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
        response = requests.request(method, url + path, json=body, timeout=100)
        return response.status_code, response.json() if response.content else None

    return answer
