"""S0-01: eight sources run and show their last event; the one that stops for real turns red, and only that one."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from connectors import SHIPPED_SOURCES
from tests.helpers.whole_system import PATIENCE_S, WholeSystem, example

EIGHT = {
    "mkt": "mkt_std_code", "opm": "opm_eval_sum", "lean": "lean_warn_sum", "ymd": "ymd_org", "erp": "erp_wbs",
    "mob": "mob_form", "ech": "ech_query_log", "chn": "chn_channel",
}  # fmt: skip
QUIET_S = 8
"""Long beside the rhythm of the rows, for a machine whose threads wait for others; short enough to wait for."""
RHYTHM_S = 0.2
STOPPED = "erp"


class Sources:
    """Eight systems that write a row each, again and again, until they are stopped."""

    def __init__(self, bootstrap: str) -> None:
        self._producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
        self._running, self._ended = set(EIGHT), threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def stop(self, source: str) -> None:
        self._running.discard(source)

    def resume(self, source: str) -> None:
        self._running.add(source)

    def _write(self) -> None:
        while not self._ended.wait(RHYTHM_S):
            for source in sorted(self._running):
                row = example(source, EIGHT[source])
                self._producer.send(f"cdc.{source}.{EIGHT[source]}", json.dumps({"op": "u", "after": row}).encode())

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._producer.close()


@contextmanager
def writing(bootstrap: str) -> Iterator[Sources]:
    sources = Sources(bootstrap)
    try:
        yield sources
    finally:
        sources.end()


@pytest.fixture
def impatient(tmp_path: Path) -> Path:
    """The shipped declarations, but silence counts after seconds."""
    for path in SHIPPED_SOURCES.glob("*.yaml"):
        text = re.sub(r"^quiet_after: \S+", f"quiet_after: {QUIET_S}s", path.read_text("utf-8"), flags=re.MULTILINE)
        (tmp_path / path.name).write_text(text, "utf-8")
    return tmp_path


def test_s0_01_the_source_that_stops_turns_red_and_the_seven_others_stay_green(
    system: WholeSystem, impatient: Path
) -> None:
    def states() -> dict[str, dict[str, Any]]:
        rows = system.ask("sources", sources=str(impatient))
        return {row["source"]: row for row in rows if row["source"] in EIGHT}

    def wait_for(is_so: Callable[[dict[str, dict[str, Any]]], bool]) -> dict[str, dict[str, Any]]:
        deadline = time.monotonic() + PATIENCE_S
        while not is_so(found := states()):
            assert time.monotonic() < deadline, found
        return found

    with writing(system.bootstrap) as sources:
        found = wait_for(lambda rows: all(row["state"] == "running" for row in rows.values()))
        assert found.keys() == EIGHT.keys()
        assert all(row["last_event"] and row["limit"] == QUIET_S for row in found.values())
        last = found[STOPPED]["last_event"]

        sources.stop(STOPPED)
        found = wait_for(lambda rows: rows[STOPPED]["state"] != "running")
        assert {name for name, row in found.items() if row["state"] != "running"} == {STOPPED}
        assert (found[STOPPED]["state"], found[STOPPED]["why"][:15]) == ("silent", "R-D01: nothing ")
        assert found[STOPPED]["last_event"] >= last
        assert found[STOPPED]["silent_for"] > QUIET_S
        findings = system.ask("sources", "findings", sources=str(impatient))
        silent = {row["where"] for row in findings if row["rule"] == "R-D01"}
        assert silent & EIGHT.keys() == {STOPPED}

        sources.resume(STOPPED)
        wait_for(lambda rows: all(row["state"] == "running" for row in rows.values()))
