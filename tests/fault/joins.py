"""Workers joining and leaving, up to four, by SIGTERM and by SIGKILL."""

import random
import time

from tests.fault.harness import MOST_WORKERS, Fault, World
from tests.fault.workers import STOP_S, NotInTime, Worker

BETWEEN_CHECKS = 10
LOOK_S = 0.2


def run(world: World, times: int) -> None:
    """Let so many workers join or leave; each that is asked to end must do so in time, with 0."""
    rng = random.Random(f"join/{world.seed}")
    world.wanted = 1
    leaving: dict[Worker, float] = {}
    for number in range(times):
        world.run_for(rng.uniform(0.3, 4.0))
        staying = [w for w in world.awake if w not in leaving]
        ready = [w for w in staying if w.is_ready]
        actions = ["join"] * (len(staying) < MOST_WORKERS) + ["term", "kill"] * (len(ready) > 1)
        match rng.choice(actions or ["wait"]):
            case "join":
                world.start_worker()
                world.hit["join"] += 1
            case "term":
                worker = rng.choice(ready)
                leaving[worker] = time.monotonic()
                worker.ask_to_end()
                world.hit["leave by SIGTERM"] += 1
            case "kill":
                rng.choice(ready).kill()
                world.hit["leave by SIGKILL"] += 1
            case _:
                world.wait("no second worker", lambda: sum(w.is_ready for w in world.awake) > 0)
        _see_off(world, leaving)
        if number % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 or number == times - 1:
            while leaving:
                world.run_for(LOOK_S)
                _see_off(world, leaving)
            world.verify()


def _see_off(world: World, leaving: dict[Worker, float]) -> None:
    """Look at those that were asked to end. Raises PromiseBroken or NotInTime."""
    for worker, asked in list(leaving.items()):
        code = worker.process.poll()
        if code is None:
            if time.monotonic() - asked > STOP_S:
                worker.tell_where()
                raise NotInTime(f"worker {worker.number} hangs on SIGTERM\n{worker.log_tail(60)}")
            continue
        del leaving[worker]
        if code != 0:
            raise world.broken([f"worker {worker.number} ended with {code} on SIGTERM", worker.log_tail()])


FAULTS = [Fault("join", run, short=4, long=100)]
