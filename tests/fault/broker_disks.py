"""Full disks: the broker's, which holds the outbox and all other state, and that of a worker's own store.

The kernel is told that no file of the process may grow (RLIMIT_FSIZE): a disk that is full just then, on any machine
and without rights, and that has room again when the limit is lifted. Programs get EFBIG where a full disk gives
ENOSPC; both are an I/O error to them.
"""

import random
import resource
from functools import partial
from pathlib import Path

from bench.server_process import ServerProcess
from tests.fault.broker_line import QUICK_RETURN
from tests.fault.harness import Fault, Options, World

BETWEEN_CHECKS = 4
ENDS_S = 60.0
FULL_S = 6.0
READY_S = 60.0
LOG_ROOM = 64 << 10
"""Bytes: enough for a worker's log. SQLite writes over what its files have before they grow: the store needs more."""
UNLIMITED = resource.RLIM_INFINITY


def fill_broker(world: World, times: int) -> None:
    """Let the broker find its disk full in the middle of its work: it ends; it comes back when there is room."""
    rng = random.Random(f"disks/{world.seed}")
    world.wanted = 2
    for number in range(times):
        world.run_for(rng.uniform(1.0, 4.0))
        broker = world.kafka.process
        _grow_no_more(broker.pid, _largest(world.folder / "kafka" / "data", "*-notify-changelog-*/*.log"))
        world.wait("the broker works on without a disk", partial(_has_ended, broker), ENDS_S)
        world.hit["the broker's disk was full"] += 1
        world.run_for(rng.uniform(0.0, 3.0))
        world.kafka.start()
        if number % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 or number == times - 1:
            world.verify()


def fill_store(world: World, times: int) -> None:
    """Let a worker find no room for its store: it goes on without, and the store catches up when there is room."""
    rng = random.Random(f"disks/{world.seed}")
    world.wanted = 1
    for number in range(times):
        world.run_for(rng.uniform(1.0, 3.0))
        world.wait("no worker is ready", partial(_is_ready, world), READY_S)  # another follows one that was killed
        (worker,) = world.awake
        _grow_no_more(worker.process.pid, LOG_ROOM)
        world.hit["the store's disk was full"] += 1
        world.wait("no alert while the store is full", partial(_has_more_alerts, world, _alerts(world)))
        world.run_for(FULL_S)
        if number % 2:
            worker.kill()
            world.hit["a worker killed meanwhile"] += 1
        else:
            resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
            if "the store is away" not in worker.said:
                raise world.broken(["the worker did not say that its store is full", worker.log_tail()])
        if number % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 or number == times - 1:
            world.verify()


def _has_ended(server: ServerProcess) -> bool:
    return not server.is_running


def _is_ready(world: World) -> bool:
    return [worker.is_ready for worker in world.awake] == [True]


def _has_more_alerts(world: World, before: int) -> bool:
    return _alerts(world) > before


def _alerts(world: World) -> int:
    world.observed.look()
    return len(world.observed.alerts)


def _largest(folder: Path, pattern: str) -> int:
    return max((path.stat().st_size for path in folder.glob(pattern)), default=0)


def _grow_no_more(pid: int | None, size: int) -> None:
    """Allow a process no file beyond this size, in bytes; larger ones stay as they are."""
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, UNLIMITED))


FAULTS = [
    Fault("disk-full-broker", fill_broker, 1, 20, Options(kafka=QUICK_RETURN, patience_s=120.0)),
    Fault("disk-full-store", fill_store, 1, 20),
]
