"""Zombies: SIGSTOP past the session timeout, then SIGCONT. Fenced, and not a record of theirs after the take-over."""

import random
from collections.abc import Mapping

from tests.fault.aiming import aimed, phases_of
from tests.fault.epochs import Lease, batches, leases, stale
from tests.fault.harness import Fault, World
from tests.fault.phases import Phase
from tests.fault.workers import Worker

BETWEEN_CHECKS = 5
TAKEN_S = 90.0
WAKE_S = 5.0
"""So long a zombie is watched after it woke."""
LONGER_S = (0.2, 1.0, 3.0, 14.0)
"""How long it stays frozen after the take-over; the last one beyond the time-out of its transaction."""


def run(world: World, times: int) -> None:
    """Freeze so many workers until others have their partitions, and wake them."""
    rng = random.Random(f"freeze/{world.seed}")
    world.wanted = 2
    for number in range(times):
        world.wait("no two workers", lambda: len(_ready(world)) > 1, 90.0)
        victim = aimed(world, Phase.TRANSACTION) if number % 2 else None
        if victim is None or not victim.is_ready:
            world.run_for(rng.uniform(0.1, 2.0))
            victim = rng.choice(_ready(world))
        freeze(world, victim, rng.choice(LONGER_S))
        if number % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 or number == times - 1:
            world.verify()


def freeze(world: World, victim: Worker, longer_s: float) -> None:
    """Freeze it until its leases are another's and a bit longer, wake it, and prove that it wrote nothing."""
    before = leases(world.observed.admin)
    victim.freeze()
    world.hit["freeze"] += 1
    if phases_of(world, victim).is_in(Phase.TRANSACTION):
        world.hit["freeze inside a transaction"] += 1
    world.wait("nobody took over from a frozen worker", lambda: _has_moved(world, before), TAKEN_S)
    world.run_for(longer_s)
    wake(world, victim)


def wake(world: World, victim: Worker) -> None:
    """Wake a frozen worker whose leases are another's, and prove that it wrote nothing. Raises PromiseBroken."""
    taken, ends = leases(world.observed.admin), world.observed.raw_ends()
    victim.thaw()
    world.run_for(WAKE_S)
    written = stale(batches(world.folder / "kafka" / "data", ends), taken)
    if written:
        raise world.broken([f"a zombie wrote {len(written)} batches, such as {written[0]}"])
    world.hit["zombie left, fenced" if not victim.is_running else "zombie let go and joined again"] += 1


def _ready(world: World) -> list[Worker]:
    return [w for w in world.awake if w.is_ready]


def _has_moved(world: World, before: Mapping[str, Lease]) -> bool:
    now = leases(world.observed.admin)
    return any(lease.epoch > before[name].epoch for name, lease in now.items() if name in before)


FAULTS = [Fault("freeze", run, short=2, long=20)]
