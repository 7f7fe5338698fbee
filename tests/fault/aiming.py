"""Hitting a worker in the middle of something: workers that say what they are in, and the wait for it."""

import time

from tests.fault.harness import TEND_S, World
from tests.fault.phases import Phase, Phases
from tests.fault.workers import Worker

AIM_S, AIM_POLL_S = 25.0, 0.001


def phases_of(world: World, worker: Worker) -> Phases:
    """Give what a worker is in the middle of, or was when it died; nothing for one that is not watched."""
    return Phases(world.phases_file(worker.number))


def aimed(world: World, aim: Phase) -> Worker | None:
    """Wait until a worker is in the middle of that, and give it; None if none came to be."""
    deadline = time.monotonic() + AIM_S
    next_tend = 0.0
    known: dict[int, Phases] = {}
    while time.monotonic() < deadline:
        if time.monotonic() >= next_tend:
            world.tend()
            next_tend = time.monotonic() + TEND_S
        for worker in world.workers:
            phases = known.get(worker.number) or known.setdefault(worker.number, phases_of(world, worker))
            if phases.is_in(aim) and not worker.is_frozen:
                return worker
        time.sleep(AIM_POLL_S)
    return None
