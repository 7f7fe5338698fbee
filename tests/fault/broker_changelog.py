"""State that is gone from the broker: changelogs truncated, deleted, deleted and made anew while workers run.

There is nothing to recover it from. So the product must stop, say loudly what is missing, stay stopped however often
it is started, and raise nothing on half a state.
"""

import json
import random
import time
from collections.abc import Callable
from functools import partial

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from tests.fault.harness import APPLICATION_ID, CERTAIN_S, Fault, Options, World
from tests.fault.observed import ALERTS
from tests.fault.oracle import last_due, truth
from tests.fault.promise import event_faults, shown
from tests.fault.workers import Worker
from tests.helpers.capture import committed_values

AGENTS = ("track", "totals", "notify")
WORK_S = 4.0
CONFIGURED_S = 0.5
"""A broker heeds a new setting of a topic so soon."""
GONE_S = 90.0
STOPS_S = 90.0
STARTS = 2
"""How often it is started again: it must not get used to it."""
Damage = Callable[[World, str, random.Random], None]


def lose_state(world: World, times: int, *, damage: Damage, is_running: bool) -> None:
    """Damage the changelog of each agent in turn, in a world of its own each time."""
    for number in range(times):
        agent = AGENTS[(world.seed + number) % len(AGENTS)]
        if number == 0:
            _lose(world, agent, damage, is_running=is_running)
            continue
        with World(world.folder / f"again-{number}", world.seed + number, world.options) as again:
            _lose(again, agent, damage, is_running=is_running)
            world.hit.update(again.hit)


def _lose(world: World, agent: str, damage: Damage, *, is_running: bool) -> None:
    rng = random.Random(f"changelog/{world.seed}")
    topic = f"{APPLICATION_ID}-{agent}-changelog"
    world.wanted = 1
    world.run_for(WORK_S)
    world.verify()
    if is_running:
        world.run_for(rng.uniform(0.0, 1.0))
        world.wanted = 0
        damage(world, topic, rng)
        world.run_for(WORK_S)  # whatever it makes of it: it may end, and it may not know it yet
        for worker in world.workers:
            worker.kill()
        world.tend()
    else:
        world.stop_all()
        damage(world, topic, rng)
    for _ in range(STARTS):
        _must_stop(world, world.start_worker(), topic)
    _raised_nothing_wrong(world)
    world.hit[f"{damage.__name__.replace('_', ' ')}: {agent}"] += 1


def _must_stop(world: World, worker: Worker, topic: str) -> None:
    deadline = time.monotonic() + STOPS_S
    while worker.is_running and time.monotonic() < deadline:
        time.sleep(0.05)
    told = [line for line in worker.said.splitlines() if "CRITICAL" in line or "ERROR" in line]
    if worker.is_running:
        worker.kill()
        raise world.broken([f"a worker works on without {topic}", worker.log_tail()])
    if worker.process.returncode == 0 or not any(topic in line for line in told):
        raise world.broken([f"a worker ended with {worker.process.returncode} and does not say why", *told[-3:]])
    world.tend()


def _raised_nothing_wrong(world: World) -> None:
    """Whatever was raised is in the truth, and once; what is missing waits for a person."""
    world.feed.pause()
    last = last_due(world.feed.sent, int(time.time() * 1000))
    world.run_for(max(0.0, last / 1000 + CERTAIN_S - time.time()))  # the oracle wants to be sure
    alerts = [json.loads(value) for value in committed_values(world.kafka.bootstrap, ALERTS)]
    expected = truth(world.feed.sent, int(time.time() * 1000))
    faults = [f for f in event_faults(expected, alerts) if not f.startswith("missing")]
    if faults:
        raise world.broken(shown("alert events", faults))


# -- damages


def truncated(world: World, topic: str, rng: random.Random) -> None:
    """Delete the first records of every partition, as retention by time or size would."""
    ends = world.observed.ends([topic])
    _delete(world, topic, {TopicPartition(*place): rng.randrange(end // 2, end) for place, end in ends.items()})


def emptied(world: World, topic: str, rng: random.Random) -> None:
    """Delete all records of every partition."""
    _delete(world, topic, {TopicPartition(*place): -1 for place in world.observed.ends([topic])})


def _delete(world: World, topic: str, before: dict[TopicPartition, int]) -> None:
    """Delete what lies before these offsets; -1: all. A broker does it only where a topic may lose records."""
    admin = world.observed.admin
    for policy, is_deleted in (("delete", True), ("compact", False)):
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"cleanup.policy": policy})])
        if is_deleted:
            time.sleep(CONFIGURED_S)
            admin.delete_records(before)


def deleted(world: World, topic: str, rng: random.Random) -> None:
    """Delete the topic."""
    admin = world.observed.admin
    admin.delete_topics([topic])
    world.wait("the topic is still there", lambda: topic not in admin.list_topics(), GONE_S)


def deleted_and_made_anew(world: World, topic: str, rng: random.Random) -> None:
    """Delete the topic, and make it again at once, as a person in doubt would."""
    admin = world.observed.admin
    admin.delete_topics([topic])
    world.wait("the topic is still there", lambda: topic not in admin.list_topics(), GONE_S)
    admin.create_topics({topic: {"num_partitions": world.options.partitions, "configs": {"cleanup.policy": "compact"}}})


OPTIONS = Options(kafka={"auto.create.topics.enable": "false"})
"""As every broker in use is set: else any client that asks for the topic makes it again."""
FAULTS = [
    Fault("changelog-truncated", partial(lose_state, damage=truncated, is_running=False), 1, 3, OPTIONS),
    Fault("changelog-emptied", partial(lose_state, damage=emptied, is_running=False), 0, 3, OPTIONS),
    Fault("changelog-missing", partial(lose_state, damage=deleted, is_running=False), 1, 3, OPTIONS),
    Fault("changelog-truncated-at-work", partial(lose_state, damage=truncated, is_running=True), 0, 3, OPTIONS),
    Fault("changelog-missing-at-work", partial(lose_state, damage=deleted, is_running=True), 0, 3, OPTIONS),
    Fault(
        "changelog-replaced-at-work", partial(lose_state, damage=deleted_and_made_anew, is_running=True), 1, 3, OPTIONS
    ),
]
