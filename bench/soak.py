"""`stagewatch bench soak`: whether the worker's memory grows while the same rows change on and on.

As many applications as there are, with as many stages as there are: after the warm-up nothing new is learned, so
what grows then leaks. Growth is the median of the last tenth of the samples over that of the first tenth.
"""

import random
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from statistics import median

import msgspec

from bench.connector import BY_INSTANCE, Connector
from bench.lives import LV_STAGES, Neighbourhood, new_application
from bench.openloop import send
from bench.report import Goal, Report, machine
from bench.rows import Happening, Progress, iso
from bench.trial import trial_on
from schemas import Recorded, StagewatchError
from stagewatch import Output, progress_bar

INSTANCES, RATE, SECONDS = 20_000, 2_000, 1_200
WARM_UP_SHARE, WARM_UP_S = 0.25, 300.0
"""Not counted at the start: a quarter of the time, at most five minutes, until every row has changed."""
SAMPLE_S = 0.5
LEAST_SAMPLES = 20
GOALS: dict[str, Goal] = {"growth_percent": ("<=", 2), "seconds": (">=", SECONDS)}


def run(  # noqa: PLR0913 - its options
    bootstrap: str | None, output: Output, *, data_dir: Path, instances: int = INSTANCES, rate: int = RATE,
    seconds: int = SECONDS,
) -> Report:  # fmt: skip
    """Measure for so many seconds after the warm-up; raises StagewatchError when it cannot."""
    about, warm_up = machine(), min(WARM_UP_SHARE * seconds, WARM_UP_S)
    with trial_on(bootstrap, data_dir, output) as trial:
        trial.lay_out(BY_INSTANCE)
        connector = Connector(BY_INSTANCE)
        with trial.worker(trial.fresh("soak")) as worker:
            worker.take_in(_applications(connector, instances), 2 * instances)
            samples: list[tuple[float, float]] = []
            total, begin = int(rate * (warm_up + seconds)), time.monotonic()
            with progress_bar(output.err, f"{rate:,} events/s", total) as progress:

                def sample(done: int) -> None:
                    now = time.monotonic() - begin
                    if not samples or now - samples[-1][0] >= SAMPLE_S:
                        samples.append((now, worker.process.rss_mb()))
                        progress(done)

                send(trial.broker.bootstrap, _changes(connector, instances, rate, total), sample)
            worker.settle()
    kept = [rss_mb for at, rss_mb in samples if at >= warm_up]
    figures = {
        "seconds": float(seconds), "warm_up_s": warm_up, "events": float(total), "instances": float(instances),
        "rss_mb": kept[-1], "growth_percent": growth(kept),
    }  # fmt: skip
    return Report(name="soak", figures=figures, goals=GOALS, machine=about)


def growth(samples: Sequence[float]) -> float:
    """Give by how many percent the last tenth lies above the first. Raises StagewatchError with too few samples."""
    if len(samples) < LEAST_SAMPLES:
        raise StagewatchError("the run was too short to measure; ask for more --seconds")
    tenth = len(samples) // 10
    return 100 * (median(samples[-tenth:]) / median(samples[:tenth]) - 1)


def _applications(connector: Connector, instances: int) -> Iterator[Recorded]:
    """Give applications in their first stage, accepted a minute ago."""
    at = int(time.time() * 1000)
    for number in range(instances):
        row = new_application(number, Neighbourhood(number % 400), at - 60_000, is_hv=False)
        yield connector.record(Happening(at, "r", row))
        yield connector.record(Happening(at, "r", _visit(row.app_no, number, 0, at - 60_000)))


def _changes(connector: Connector, instances: int, rate: int, total: int) -> Iterator[Recorded]:
    """Give changes of the same stages, over and over: entered again, or ended."""
    rng, start = random.Random(7), int(time.time() * 1000) + 200
    for serial in count():
        if serial == total:
            return
        at, number = start + serial * 1000 // rate, rng.randrange(instances)
        app_no = new_application(number, Neighbourhood(0), 0, is_hv=False).app_no
        visit = _visit(app_no, number, rng.randrange(len(LV_STAGES)), at - 2_000)
        if rng.random() < 0.5:  # noqa: PLR2004 - as many ends as beginnings
            visit = msgspec.structs.replace(visit, finished_at=iso(at - 1_000), result_code="pass")
        yield connector.record(Happening(at, "u", visit))


def _visit(app_no: str, number: int, serial: int, at: int) -> Progress:
    stage = LV_STAGES[serial]
    return Progress(
        number * 16 + serial, app_no, stage.code, 1, stage.dept, "H001", iso(at), None, None, None, None, None, None,
        iso(at),
    )  # fmt: skip
