"""The benchmarks, and the real Kafka that they and the tests start.

The door: `BENCHMARKS` and `run`. A new benchmark is one module with `run(bootstrap, output, ...) -> Report` and
one line in each of the two. Imports nothing at its top, so that the tests' brokers stay cheap.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from schemas.errors import StagewatchError

if TYPE_CHECKING:
    from stagewatch import Output

TERMINATED = 143
"""What a shell reports for a program ended by SIGTERM."""
BENCHMARKS = {
    "track": "the real job on real Kafka, events/s: re-keying, tracking, the whole worker",
    "latency": "from the arrival of an event to its alert, open loop at a fixed rate",
}


OPTIONS = {"track": {"events"}, "latency": {"rate", "seconds"}}


def run(name: str, broker: str | None, output: Output, options: dict[str, int] | None = None) -> bool:
    """Run one of `BENCHMARKS` and print its report; give whether all goals are met.

    Raises StagewatchError if it cannot be run (no Java, a broker that is not empty) or if work was lost.

    Args:
        name: one of `BENCHMARKS`.
        broker: host:port; None starts a Kafka, which needs Java.
        output: where the report goes.
        options: of the command line, those that were given.
    """
    from bench import latency, track  # noqa: PLC0415 - heavy
    from stagewatch import load_settings  # noqa: PLC0415 - heavy

    given = options or {}
    if foreign := given.keys() - OPTIONS[name]:
        raise StagewatchError(f"{name} has no option --{', --'.join(sorted(foreign))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # or Kafka and worker would outlive us
    data_dir = load_settings(None, os.environ).data_dir
    measure = track.run if name == "track" else latency.run
    report = measure(broker, output, data_dir=data_dir, **given)
    report.show(output)
    return report.met
