"""The benchmarks, and the real Kafka that they and the tests start.

The door: `BENCHMARKS` and `run`. A new benchmark is one module with `run(bootstrap, output, *, ...) -> Report` and
one line in the table; its further keyword arguments are its options on the command line. Imports nothing at its
top, so that the tests' brokers stay cheap.
"""

from __future__ import annotations

import inspect
import logging
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from schemas.errors import StagewatchError

if TYPE_CHECKING:
    from stagewatch import Output

TERMINATED = 143
"""What a shell reports for a program ended by SIGTERM."""
BENCHMARKS = {
    "track": "the tracking worker on records keyed by the instance: events/s, and p99 to the alert",
    "rekey": "the re-keying agent on records keyed by the row: events/s",
    "whole": "the worker as shipped on records keyed by the row: events/s",
    "latency": "from the arrival of an event to its alert, open loop at a fixed rate",
    "timers": "how late deadlines fire among a million open ones, and many at once",
    "memory": "resident memory per open instance",
    "soak": "growth of memory while the same rows change on and on (20 minutes)",
    "recovery": "reading a million instances back, and a second worker's joining",
    "scale": "cost per event with two workers, more instances, more partitions",
    "rules": "cost per event with 200 rules loaded",
    "change": "a limit changed under a flow of events: seconds until all partitions judge by it, and a recount",
    "ingest": "a file of a million rows as a batch: rows/s, and its memory beside that of a tenth of the rows",
    "start": "how long the command line and a worker take to start",
    "sms": "SMS a second through one worker's channels to three carriers, windows of 16",
    "limit": "the raw limit: aiokafka and msgspec alone on the records of `track`",
    "ratchet": "`track` in small against `limit`: may not fall below what was reached before",
    "peers": "the same simple work by Kafka Streams, Flink SQL, Quix Streams and plain Faust, as ratios",
}


def run(name: str, broker: str | None, output: Output, options: dict[str, int] | None = None) -> bool:
    """Run one of `BENCHMARKS` and print its report; give whether all goals are met.

    Raises StagewatchError if it cannot be run (no Java, a broker that is not empty) or if work was lost.

    Args:
        name: one of `BENCHMARKS`.
        broker: host:port; None starts a Kafka, which needs Java.
        output: where the report goes.
        options: of the command line, those that were given.
    """
    from stagewatch import load_settings  # noqa: PLC0415 - heavy

    measure, given = import_module(f"bench.{name}").run, options or {}
    if foreign := given.keys() - inspect.signature(measure).parameters.keys():
        raise StagewatchError(f"{name} has no option --{', --'.join(sorted(foreign))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # or Kafka and worker would outlive us
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # it tells of every retry on a topic just made
    data_dir = load_settings(None, os.environ).data_dir
    report = measure(broker, output, data_dir=data_dir, **given)
    report.show(output)
    return bool(report.met)
