"""Gateways for SMS and mail that refuse, hang, die after accepting, and answer twice, while workers are killed.

The gateways are the project's own receivers, which the contract tests of the sinks prove to behave as real peers do.
"""

import random
from dataclasses import replace
from functools import partial

from stagewatch.receivers import Fault as Misbehaviour
from tests.fault.harness import Fault, Options, World
from tests.fault.promise import ENDED_WELL

BETWEEN_CHECKS = 4
PATIENCE_S = 180.0
"""A message that nobody took is tried again after 5, 15, 45 s; then the gateways are well again."""
CHANGE_S = 0.3


def _behave(world: World, how: Misbehaviour) -> None:
    world.sms.fault = world.smtp.fault = how
    world.hit[f"gateways: {how}"] += 1


def misbehave(world: World, times: int, *, hows: tuple[Misbehaviour, ...], is_killed: bool = True) -> None:
    """Let both gateways misbehave for seconds, kill a worker in the middle every other time, let them be well."""
    rng = random.Random(f"gateways/{world.seed}")
    world.wanted = 1
    for number in range(times):
        world.run_for(rng.uniform(0.2, 1.0))
        _behave(world, hows[number % len(hows)])
        world.run_for(rng.uniform(2.0, 5.0))
        if is_killed and number % 2:
            rng.choice(world.awake).kill()
            world.hit["a worker killed meanwhile"] += 1
            world.run_for(rng.uniform(0.0, 4.0))
        _behave(world, Misbehaviour.NONE)
        if number % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 or number == times - 1:
            world.verify()


def do_anything(world: World, times: int) -> None:
    """Change the behaviour of each gateway several times a second, at random."""
    rng = random.Random(f"gateways/{world.seed}")
    world.wanted = 2
    for _ in range(times):
        for _ in range(rng.randint(10, 30)):
            world.sms.fault, world.smtp.fault = rng.choice(list(Misbehaviour)), rng.choice(list(Misbehaviour))
            world.run_for(CHANGE_S)
            world.hit["gateways: changed"] += 1
        if rng.random() < 0.5:
            rng.choice(world.awake).kill()
            world.hit["a worker killed meanwhile"] += 1
        _behave(world, Misbehaviour.NONE)
        world.verify()


ANY_END = Options(states=ENDED_WELL | {"refused"}, patience_s=PATIENCE_S)
OR_UNKNOWN = replace(ANY_END, states=ENDED_WELL)
ONLY_DELIVERED = replace(ANY_END, states=frozenset({"delivered"}))
REFUSING = (Misbehaviour.REFUSE,)
BUSY = (Misbehaviour.BUSY,)
HANGING = (Misbehaviour.HANG, Misbehaviour.HANG_BEFORE)
DYING = (Misbehaviour.DIE_AFTER_ACCEPT, Misbehaviour.DIE_BEFORE)
TWICE = (Misbehaviour.TWICE,)
FAULTS = [
    Fault("gateway-refusing", partial(misbehave, hows=REFUSING), 2, 20, ANY_END),
    Fault("gateway-busy", partial(misbehave, hows=BUSY, is_killed=False), 1, 20, ONLY_DELIVERED),
    Fault("gateway-hanging", partial(misbehave, hows=HANGING), 2, 20, OR_UNKNOWN),
    Fault("gateway-dying", partial(misbehave, hows=DYING), 2, 20, OR_UNKNOWN),
    Fault("gateway-answering-twice", partial(misbehave, hows=TWICE, is_killed=False), 1, 20, ONLY_DELIVERED),
    Fault("gateway-anything", do_anything, 1, 20, ANY_END),
]
