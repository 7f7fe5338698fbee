"""A pull source's surroundings: a real HTTP server, and a landing that notes what it is given and can fail."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from connectors.landing import Landing
from connectors.web import Cursors, FieldFault, Pull, Pulled, load_pulls
from schemas import Change, Decoder, TryLater
from tests.helpers.decoding import catalog, mapping

TOPIC = "cdc.mkt.mkt_app"
NOW_S = 1_775_000_000.0  # after all that the service tells
Answer = Callable[[web.Request], web.Response]

DEFINITION = """
version: pull/v1
name: apps
table: mkt.mkt_app
url: {url}/apps
rows: data.items
columns: {{appNo: app_no, org: org_no}}
cursor: {{field: updated, param: since, start: "2026-01-01T00:00:00Z"}}
"""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A real HTTP server in a thread of its own; gives its URL."""
    loop, ready, address = asyncio.new_event_loop(), threading.Event(), list[str]()

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    async def start() -> web.AppRunner:
        application = web.Application()
        application.router.add_get("/{tail:.*}", handle)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        return runner

    def serve() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        loop.call_soon(ready.set)
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class Noted(Landing):
    """Notes what it is given; fails at the calls that are named."""

    def __init__(self, *, fails_at: Sequence[int] = ()) -> None:
        super().__init__("nowhere:1")
        self.calls = 0
        self.records: list[tuple[bytes | None, bytes, Any]] = []
        self._fails_at = set(fails_at)

    def write(self, topic: str, records: Sequence[tuple[bytes | None, bytes, Any]]) -> None:
        assert topic == TOPIC
        self.calls += 1
        if self.calls in self._fails_at:
            raise TryLater("Kafka is away")
        self.records += records

    def rows(self) -> list[str]:
        return [change.row for change in self.changes()]

    def changes(self) -> list[Change]:
        decoder = Decoder(mapping(TOPIC))
        found = []
        for key, value, headers in self.records:
            change = decoder.decode(
                key=key, value=value, headers=headers, timestamp=0, topic=TOPIC, partition=0, offset=0
            )
            assert change is not None
            found.append(change)
        return found


def run(
    folder: Path, url: str, landing: Landing, definition: str = DEFINITION, bad: list[tuple[int, Any]] | None = None
) -> Pulled:
    path = folder / "apps.yaml"
    path.write_text(definition.format(url=url), encoding="utf-8")
    (read,) = load_pulls(path, catalog().mappings)
    cursors = Cursors(folder / "pull.db")
    pull = Pull(read, cursors, clock=lambda: NOW_S)

    def tell_bad(number: int, faults: list[FieldFault]) -> None:
        if bad is not None:
            bad.append((number, [fault.field for fault in faults]))

    try:
        return pull.run(landing, tell_bad)
    finally:
        pull.close()
        cursors.close()
