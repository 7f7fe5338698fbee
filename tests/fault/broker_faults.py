"""Faults of the broker and of the line to it: killed and restarted, out of reach, slow, transactions timed out."""

import random
import time
from dataclasses import replace

from tests.fault.broker_line import KafkaBehindALine
from tests.fault.harness import Fault, Options, World
from tests.fault.proxy import BLACK_HOLE, FAIR, slow

PATIENCE_S = 120.0
"""A worker that was cut off gives a transaction up after 30 s, waits for the broker and begins anew."""
CHECK_EVERY = 4
READY_S = 90.0
SHORT_OUTAGE_S = 8.0
LONG_OUTAGE_S = 60.0


def restart_broker(world: World, times: int) -> None:
    """Kill the broker at random moments and start it again, after nothing or some seconds."""
    rng = random.Random(world.seed)
    world.wanted = 2
    for number in range(times):
        world.run_for(rng.uniform(0.5, 4.0))
        world.kafka.kill()
        world.run_for(rng.choice([0.0, rng.uniform(0.0, 4.0)]))
        world.kafka.start()
        world.hit["broker killed and restarted"] += 1
        if number % CHECK_EVERY == CHECK_EVERY - 1:
            world.verify()
    world.verify()


def _out_of_reach(world: World, times: int, seconds: float) -> None:
    rng = random.Random(world.seed)
    world.wanted = 2
    for _ in range(times):
        world.run_for(rng.uniform(0.5, 3.0))
        world.kafka.line.become(BLACK_HOLE)
        world.run_for(seconds)
        world.kafka.line.become(FAIR)
        world.hit[f"broker out of reach for {seconds:.0f} s"] += 1
        world.verify()


def reach_no_broker_for_seconds(world: World, times: int) -> None:
    """Nothing passes between workers and broker, and nobody is told: longer than the session, not the commit."""
    _out_of_reach(world, times, SHORT_OUTAGE_S)


def reach_no_broker_for_a_minute(world: World, times: int) -> None:
    """The same for 60 s."""
    _out_of_reach(world, times, LONG_OUTAGE_S)


def lose_connections(world: World, times: int) -> None:
    """Lose every open connection without a word: only time-outs tell a client, new connections would work."""
    rng = random.Random(world.seed)
    world.wanted = 2
    for _ in range(times):
        world.wait("no two workers", lambda: sum(w.is_ready for w in world.awake) > 1, READY_S)
        world.run_for(rng.uniform(1.0, 3.0))
        world.hit["connections lost without a word"] += world.kafka.line.forget()
        world.run_for(rng.uniform(1.0, 5.0))
        world.verify()


def slow_broker(world: World, times: int) -> None:
    """Delay everything and cut connections in the middle of what is said."""
    rng = random.Random(world.seed)
    world.wanted = 2
    line = world.kafka.line
    for number in range(times):
        line.become(slow(rng.uniform(0.0, 0.08), rng.uniform(0.0, 0.15), rng.choice([0.0, 0.002, 0.01])))
        before, deadline = line.cuts, time.monotonic() + rng.uniform(4.0, 10.0)
        while time.monotonic() < deadline:
            world.run_for(rng.uniform(0.5, 3.0))
            if rng.random() < 0.3:
                line.cut()
        line.become(FAIR)
        world.hit["slow broker"] += 1
        world.hit["connections cut"] += line.cuts - before
        if number % CHECK_EVERY == CHECK_EVERY - 1:
            world.verify()
    world.verify()


OPTIONS = Options(server=KafkaBehindALine, broker_url=lambda kafka: kafka.line_url, patience_s=PATIENCE_S)
"""A world whose workers reach the broker over a line."""
DIVIDED = replace(OPTIONS, broker_url=lambda kafka: kafka.every_other_url)
"""The same, but every other worker is beside the broker: what the one loses the other takes over."""


FAULTS = [
    Fault("broker-restart", restart_broker, 1, 20, OPTIONS),
    Fault("broker-unreachable-8s", reach_no_broker_for_seconds, 1, 20, OPTIONS),
    Fault("broker-unreachable-60s", reach_no_broker_for_a_minute, 0, 20, OPTIONS),
    Fault("broker-unreachable-by-one", reach_no_broker_for_seconds, 1, 20, DIVIDED),
    Fault("broker-connections-lost", lose_connections, 0, 20, OPTIONS),
    Fault("broker-slow", slow_broker, 1, 20, OPTIONS),
]
