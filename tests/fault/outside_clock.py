"""Clocks of workers that step back and forward by an hour, and timers that fall due during a rebalance."""

import random
import time
from functools import partial
from pathlib import Path

from tests.fault.harness import Fault, Options, World
from tests.fault.lives import IDLE_ALARM_MS, IDLE_WARN_MS, PROGRESS
from tests.fault.workers import Worker

HOUR_S = 3600.0
STEPS = (-HOUR_S, 0.0, HOUR_S, 0.0)
"""Back, right again, forward, right again."""
READY_S = 60.0
REBALANCE_S = 2.0
"""A worker that joins is ready so soon after the others let go."""


def step_clock(world: World, times: int) -> None:
    """Step the clock of all workers; every other time one is killed while it is wrong."""
    rng = random.Random(f"clock/{world.seed}")
    offset = world.folder / "clock-offset"
    _set(offset, 0.0)
    world.program = lambda _number: ("-m", "tests.fault.outside_clock_worker", str(offset), "worker")
    world.stop_all()  # the first one has the clock of the machine
    world.wanted = 2
    for number in range(times):
        world.wait("no two workers", lambda: sum(w.is_ready for w in world.awake) > 1, READY_S)
        for step in STEPS:
            _set(offset, step)
            world.hit[f"clock of the workers {step / HOUR_S:+.0f} h"] += 1
            world.run_for(rng.uniform(1.0, 4.0))
            if step and number % 2:
                rng.choice(world.awake).kill()
                world.hit["a worker killed meanwhile"] += 1
                world.run_for(rng.uniform(1.0, 6.0))
        world.verify()


def _set(offset: Path, seconds: float) -> None:
    """Write the offset as the worker reads it: in one go."""
    new = offset.with_suffix(".new")
    new.write_text(str(seconds), encoding="ascii")
    new.replace(offset)


def rebalance_at_timers(world: World, times: int) -> None:
    """Let a worker join, and leave again, while timers fall due."""
    rng = random.Random(f"timers/{world.seed}")
    world.wanted = 1
    while times > 0:
        world.run_for(rng.uniform(0.5, 2.0))
        worker = world.start_worker()
        world.wait("the worker that joins is not ready", partial(_is_ready, worker), READY_S)
        joined = time.time()
        due = _due_between(world, joined - REBALANCE_S, joined)
        worker.ask_to_end()
        world.wait("the worker does not leave", partial(_has_left, worker))
        world.run_for(1.0)
        if due:
            times -= 1
            world.hit["rebalance with timers"] += 1
            world.hit["timers due in it"] += due
    world.verify()


def _is_ready(worker: Worker) -> bool:
    return worker.is_ready


def _has_left(worker: Worker) -> bool:
    return not worker.is_running


def _due_between(world: World, begin_s: float, end_s: float) -> int:
    rows = [sent.row for sent in list(world.feed.sent) if sent.topic == PROGRESS]
    dues = [
        (row["entered_at"] + age) / 1000
        for row in rows
        if row["stage_code"] == "DESIGN" and row["finished_at"] is None
        for age in (IDLE_WARN_MS, IDLE_ALARM_MS)
    ]
    return sum(begin_s < due < end_s for due in dues)


FAULTS = [
    Fault("clock-steps", step_clock, 1, 20, Options(is_exact=False, patience_s=120.0)),
    Fault("timer-in-rebalance", rebalance_at_timers, 1, 20),
]
