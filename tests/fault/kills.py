"""kill -9 of workers: at random moments, and aimed into transactions, recoveries and rebalances.

What a worker was in the middle of is read after its death from the file that it shares with the harness, so the
counts are of what was hit, not of what was aimed at.
"""

import random

from tests.fault.aiming import aimed, phases_of
from tests.fault.harness import Fault, Options, World
from tests.fault.phases import Phase
from tests.fault.workers import Worker

BETWEEN_CHECKS = 10
BEGIN_S = 90.0
"""A worker that is killed while it imports its modules hits nothing; on a busy machine that takes a while."""
AIMS: tuple[Phase | None, ...] = (
    None, Phase.TRANSACTION, Phase.RECOVERY, None, Phase.REBALANCE, Phase.TRANSACTION, Phase.FENCING,
)  # fmt: skip
"""None: no aim, any moment."""


def run(world: World, times: int) -> None:
    """Kill so many workers; a supervisor starts others. Verified after every burst."""
    rng = random.Random(f"kill/{world.seed}")
    for number in range(times):
        world.wanted = rng.choice((1, 2, 2, 3))
        aim = AIMS[number % len(AIMS)]
        if aim is None:
            world.run_for(rng.uniform(0.1, 4.0))
        victim = aimed(world, aim) if aim is not None else None
        if victim is None:
            world.wait("no worker has begun", lambda: any(w.has_begun for w in world.awake), BEGIN_S)
            victim = rng.choice([w for w in world.awake if w.has_begun])
        _kill(world, victim)
        if number % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 or number == times - 1:
            world.verify()


def _kill(world: World, victim: Worker) -> None:
    is_ready = victim.is_ready
    victim.kill()
    inside = phases_of(world, victim).current
    world.hit["kill -9"] += 1
    for phase in inside:
        world.hit[f"kill -9 inside a {phase.name.lower()}"] += 1
    if not inside:
        world.hit["kill -9 between" if is_ready else "kill -9 at the start"] += 1


FAULTS = [
    Fault("kill", run, short=5, long=200),
    # Captured topics that are keyed by the instance go another way through the worker.
    Fault("kill-keyed", run, short=4, long=50, options=Options(is_keyed=True)),
]
