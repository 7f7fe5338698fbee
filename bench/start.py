"""`stagewatch bench start`: how long `stagewatch --help` takes, and a worker from its start to the line `ready`.

Whole processes, several times, median. The worker is the one that ships, on the embedded broker that it starts
itself, and on a real Kafka with the captured topics there and empty.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.connector import BY_ROW
from bench.report import Goal, Report, machine
from bench.trial import Trial, trial_on
from bench.worker_process import running_worker
from stagewatch import Output

HELPS, STARTS = 7, 3
GOALS: dict[str, Goal] = {"help_s": ("<=", 0.3), "ready_kafka_s": ("<=", 3), "ready_embedded_s": ("<=", 3)}
EMBEDDED = "embedded"


def run(bootstrap: str | None, output: Output, *, data_dir: Path) -> Report:
    """Measure; raises StagewatchError when a worker does not start."""
    about = machine()
    figures = {"help_s": _median(help_s, HELPS)}
    with trial_on(bootstrap, data_dir, output) as trial:
        trial.lay_out(BY_ROW)
        figures["ready_kafka_s"] = _median(lambda: ready_s(trial, trial.broker.url), STARTS)
        figures["ready_embedded_s"] = _median(lambda: ready_s(trial, EMBEDDED), STARTS)
    return Report(name="start", figures=figures, goals=GOALS, machine=about)


def help_s() -> float:
    """Seconds of one `stagewatch --help`."""
    begin = time.monotonic()
    subprocess.run([Path(sys.executable).with_name("stagewatch"), "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def ready_s(trial: Trial, broker: str) -> float:
    """Seconds from a worker's start until it is ready."""
    begin = time.monotonic()
    with running_worker(broker, trial.folder, trial.fresh("start")):
        return time.monotonic() - begin


def _median(measure: Callable[[], float], times: int) -> float:
    return median(measure() for _ in range(times))
