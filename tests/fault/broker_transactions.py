"""Transactions that the coordinator times out, while their worker is frozen or its commit is held up on the line."""

import random

from tests.fault.aiming import aimed
from tests.fault.broker_line import KafkaBehindALine
from tests.fault.harness import Fault, Options, World
from tests.fault.phases import Phase
from tests.fault.proxy import BLACK_HOLE, FAIR

TIMEOUT_S = 2.0
SESSION_S = 30.0
"""Above the transaction's: the group does not move the partitions, only the coordinator acts."""
BETWEEN_CHECKS = 4
OVERDUE_S = TIMEOUT_S + 2.5
"""The coordinator has looked for what is overdue by then."""
READY_S = 90.0


def time_out(world: World, times: int) -> None:
    """Hold a worker up in the middle of a transaction until the coordinator has aborted it; it must not commit it."""
    rng = random.Random(f"transactions/{world.seed}")
    for number in range(times):
        world.wanted = 1
        world.wait("no worker", lambda: any(w.is_ready for w in world.awake), READY_S)
        world.run_for(rng.uniform(0.2, 2.0))
        victim = aimed(world, Phase.TRANSACTION)
        world.wanted = 0
        if victim is None:
            raise world.broken(["no worker was ever in a transaction"])
        if number % 2:
            world.kafka.line.become(BLACK_HOLE)
            world.run_for(OVERDUE_S)
            world.kafka.line.become(FAIR)
            world.hit["transaction timed out on the line"] += 1
        else:
            victim.freeze()
            world.run_for(OVERDUE_S)
            victim.thaw()
            world.hit["transaction timed out in a frozen worker"] += 1
        world.run_for(rng.uniform(1.0, 3.0))
        world.hit["worker left"] += not victim.is_running
        world.wanted = 1
        if number % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 or number == times - 1:
            world.verify()


FAULTS = [
    Fault(
        "transaction-timeout", time_out, 2, 20,
        Options(
            server=KafkaBehindALine, broker_url=lambda kafka: kafka.line_url, session_timeout_s=SESSION_S,
            settings={"transaction_timeout_s": str(TIMEOUT_S)}, patience_s=120.0,
            kafka={"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"},
        ),
    ),
]  # fmt: skip
