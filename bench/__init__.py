"""The benchmarks, and the real Kafka that they and the tests start.

The door: `BENCHMARKS` and `run`. A new benchmark is one module with `run(bootstrap, output, ...) -> Report` and
one line in each of the two. Imports nothing at its top, so that the tests' brokers stay cheap.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stagewatch.output import Output

BENCHMARKS = {
    "track": "the real job on real Kafka, events/s: re-keying, tracking, the whole worker",
    "latency": "from the arrival of an event to its alert, open loop at a fixed rate",
}


def run(name: str, broker: str | None, output: Output, options: dict[str, int] | None = None) -> bool:
    """Run one of `BENCHMARKS` and print its report; give whether all goals are met.

    Args:
        name: one of `BENCHMARKS`.
        broker: host:port; None starts a Kafka, which needs Java.
        output: where the report goes.
        options: of the command line, those that were given: events (track), rate and seconds (latency).
    """
    from bench import latency, track  # noqa: PLC0415 - heavy
    from stagewatch.settings import load_settings  # noqa: PLC0415 - heavy

    data_dir = load_settings(None, os.environ).data_dir
    given = options or {}
    if name == "track":
        report = track.run(broker, output, data_dir=data_dir, **given)
    else:
        report = latency.run(broker, output, data_dir=data_dir, **given)
    report.show(output)
    return report.met
