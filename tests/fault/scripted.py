"""Two owners at the worst moments, by script: what random chaos hits once in a thousand times.

late-fence      A is assigned partitions and freezes before it takes the leases; B takes over and works; A wakes and
                takes the leases away from B.
in-transaction  A freezes between the last write of a transaction with alerts and its commit; B takes over; A wakes
                and commits: refused.
between-owners  A freezes at work; B is assigned and freezes before it takes the leases; A wakes, no longer a member,
                and commits what it had begun; then B wakes and takes the leases.
slow-resume     A keeps part of its partitions while B comes and goes, and is slow between seek and resume: a fetch on
                its way during the rebalance is dropped; its records must come again.
refused         For seconds the broker takes no alerts: their transactions must not be committed without them.
lost-batch      A batch that was fetched never reaches its agent: the worker must notice and begin anew.

Each may be run in a world with parts of the product switched off (`Options.off`): some then fail (`sabotage`).
"""

import re
from collections.abc import Callable

from kafka.admin import ConfigResource, ConfigResourceType

from tests.fault.harness import APPLICATION_ID, Fault, World
from tests.fault.observed import ALERTS
from tests.fault.workers import PATIENCE_S, Worker

WORK_S = 1.5
"""So long an owner works alone."""
REFUSED_S = 5.0
TOO_SMALL, LARGE = "300", str(32 << 20)
"""Bytes that a record of alerts may have: none fits, and what the worker asks for."""
TOOK_OVER = re.compile(r"took over [1-9]\d* partitions")


def only(world: World) -> Worker:
    """Give the one worker that is there, with work, and nobody else."""
    world.wanted = 1
    world.wait("no worker has work", lambda: any(take_overs(w) for w in world.awake), PATIENCE_S)
    kept = [w for w in world.awake if take_overs(w)][-1]
    world.wanted = 0
    for worker in [w for w in world.workers if w is not kept]:
        worker.kill()
    world.tend()
    return kept


def enter(world: World, *freezes: str) -> Worker:
    """Start a worker that freezes, or is slow, there."""
    return world.start_worker(*(part for name in freezes for part in ("--freeze", name)))


def until_frozen(worker: Worker) -> None:
    """Wait until a worker has frozen itself."""
    worker.wait("did not freeze", lambda: worker.is_stopped, PATIENCE_S)
    worker.is_frozen = worker.was_frozen = True


def take_overs(worker: Worker) -> int:
    """Give how often a worker has taken partitions over."""
    return len(TOOK_OVER.findall(worker.said))


def until_taken(worker: Worker, before: int = 0) -> None:
    """Wait until it has done so once more than `before`."""
    worker.wait("took nothing over", lambda: take_overs(worker) > before, PATIENCE_S)


def end(world: World) -> None:
    """Let a supervisor see to it that somebody works, and check the promise."""
    world.wanted = 1
    world.run_for(WORK_S)
    world.verify()


def late_fence(world: World) -> None:
    """See the module's text."""
    _thaw_after_a_take_over(world, "before-fence")


def in_transaction(world: World) -> None:
    """See the module's text."""
    _thaw_after_a_take_over(world, "before-commit")


def _thaw_after_a_take_over(world: World, phase: str) -> None:
    """Freeze a worker in a phase, let another one take over and work, and wake the first."""
    b = only(world)
    a = enter(world, phase)
    until_frozen(a)
    until_taken(b, take_overs(b))
    world.run_for(WORK_S)
    a.thaw()
    end(world)


def between_owners(world: World) -> None:
    """See the module's text."""
    a = only(world)
    a.freeze()
    b = enter(world, "before-fence")
    until_frozen(b)
    a.thaw()
    world.run_for(WORK_S)
    b.thaw()
    end(world)


def slow_resume(world: World) -> None:
    """See the module's text."""
    b = only(world)
    until_taken(enter(world, "slow-resume"))
    b.stop()
    world.run_for(WORK_S)
    until_taken(enter(world))
    end(world)


def refused(world: World) -> None:
    """See the module's text."""
    only(world)
    world.wanted = 1
    _let_alerts_have(world, TOO_SMALL)
    world.run_for(REFUSED_S)
    _let_alerts_have(world, LARGE)
    end(world)


def _let_alerts_have(world: World, size: str) -> None:
    configs = {"max.message.bytes": size}
    world.observed.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, ALERTS, configs=configs)])


def lost_batch(world: World) -> None:
    """See the module's text."""
    only(world).kill()
    enter(world, "lose-a-batch").wait_said("LOST", PATIENCE_S)
    end(world)


def lost_changelog(world: World) -> None:
    """Empty the tracking changelog while nobody runs: nobody may go on as if nothing had been known.

    Nothing can bring that state back, so the promise cannot be kept; what is right is to refuse, loudly.
    """
    world.stop_all()
    name, admin = f"{APPLICATION_ID}-track-changelog", world.observed.admin
    admin.delete_topics([name])
    world.wait("the changelog is still there", lambda: name not in admin.list_topics())
    admin.create_topics({name: {"num_partitions": world.options.partitions, "configs": {"cleanup.policy": "compact"}}})
    admin.wait_for_topics([name])
    worker = world.start_worker()
    world.wait("it neither began nor left", lambda: worker.is_ready or not worker.is_running, PATIENCE_S)
    if worker.is_running:
        end(world)
    world.hit["refused to go on without its state"] += 1


Script = Callable[[World], None]
SCRIPTS: dict[str, Script] = {
    "late-fence": late_fence,
    "in-transaction": in_transaction,
    "between-owners": between_owners,
    "slow-resume": slow_resume,
    "refused": refused,
    "lost-batch": lost_batch,
}


def _fault(name: str, script: Script) -> Fault:
    def run(world: World, times: int) -> None:
        for _ in range(times):
            script(world)
            world.hit[f"script {name}"] += 1

    return Fault(name, run, short=1, long=3)


FAULTS = [_fault(name, script) for name, script in SCRIPTS.items()]
