"""Poison: the hostile corpus as one record in a hundred of the stream, and every dead letter accounted for."""

import random
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from kafka import KafkaProducer

from tests.fault.feed import RawSent
from tests.fault.harness import Fault, Options, World
from tests.fault.lives import APP, PROGRESS
from tests.fault.promise import event_faults, instance_faults, letter_faults, shown
from tests.helpers.hostile_wire import FINDING, HOSTILE, OK, SILENT, Hostile

SHARE = 100
"""One in so many records of the feed."""
LARGEST = 32 << 20
STRANGERS = "A1", "NOBODY"
"""Applications of the corpus itself: no life of the feed."""
LETTERS = [h for h in HOSTILE if h.expect not in {OK, FINDING, SILENT}]
QUIET = [h for h in HOSTILE if h.expect == SILENT]
ODD = [h for h in HOSTILE if h.expect in {OK, FINDING}]
BEFORE_S, SETTLED_S = 3.0, 6.0
TOPICS = {APP, PROGRESS}
NO_KEY = b"none"
"""Stands for no key until it is serialized: the client refuses a record of neither key nor value, Kafka does not."""


class Poisoner:
    """Tells hostile records of any size, and notes those that must become dead letters. Close it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = random.Random(f"poison/{world.seed}")
        self._producer: Any = KafkaProducer(
            bootstrap_servers=world.kafka.bootstrap, acks="all", max_request_size=LARGEST, linger_ms=0,
            key_serializer=lambda key: None if key is NO_KEY else key,
        )  # fmt: skip

    def tell(self, hostile: Hostile) -> None:
        """Tell one and wait until the broker has it."""
        number = self._rng.randrange(self._world.options.partitions)
        # Row 1 is a life's own: the corpus must not move it to another application.
        value = hostile.value and hostile.value.replace(b'"progress_id":1,', b'"progress_id":987654321,')
        key = NO_KEY if hostile.key is None else hostile.key
        told = self._producer.send(hostile.topic, key=key, value=value, partition=number).get(60)
        if hostile in LETTERS:
            self._world.feed.raw.append(RawSent(hostile.topic, number, told.offset))
        self._world.hit[f"poison: {hostile.expect}"] += 1

    def close(self) -> None:
        """Disconnect."""
        self._producer.close()


def poison(world: World, times: int) -> None:
    """Tell so many hostile records, one in a hundred of the feed, a worker killed in the middle; then the odd ones."""
    rng = random.Random(f"poison/{world.seed}")
    world.wanted = 2
    poisoner = Poisoner(world)
    try:
        chosen = list(_shuffled(rng))[:times]
        for number, hostile in enumerate(chosen):
            world.wait("the feed stands still", partial(_has_sent, world, len(world.feed.sent) + SHARE))
            poisoner.tell(hostile)
            if number == times // 2:
                rng.choice(world.awake).kill()
                world.hit["a worker killed meanwhile"] += 1
        world.verify()
    finally:
        poisoner.close()


def _has_sent(world: World, count: int) -> bool:
    return len(world.feed.sent) >= count


def absurd(world: World, times: int) -> None:
    """Tell what is proper and absurd, in a world of its own: the oracle does not know what comes of it."""
    world.feed.pause()
    world.stop_all()  # the machine is the other's now
    with World(world.folder / "absurd", world.seed, world.options) as other:
        poisoner = Poisoner(other)
        try:
            _odd(other, poisoner, ODD[:times])
        finally:
            poisoner.close()
        world.hit.update(other.hit)


def _shuffled(rng: random.Random) -> Iterator[Hostile]:
    """Give the corpus in a random order, each kind first once."""
    kinds = [*LETTERS, *QUIET]
    rng.shuffle(kinds)
    kinds.sort(key=lambda h: len(h.value or b"") > LARGEST // 4)  # stable; the largest last
    yield from kinds


def _odd(world: World, poisoner: Poisoner, odd: Sequence[Hostile]) -> None:
    """Tell records that are proper and absurd: no dead letter, and the lives of others as they were.

    Raises PromiseBroken.
    """
    world.run_for(BEFORE_S)
    world.verify(resume=False)
    for hostile in odd:
        poisoner.tell(hostile)
    world.wait("the odd records are not read", lambda: not world.observed.stuck(), 60.0)
    world.run_for(SETTLED_S)
    observed = world.observed
    observed.look()
    alerts = [alert for alert in observed.alerts if alert["instance"] not in STRANGERS]
    instances = {key: found for key, found in observed.instances().items() if key not in STRANGERS}
    faults = [
        *shown("dead letters", letter_faults(world.feed.raw, observed.letters)),
        *shown("alert events", event_faults(world.truth, alerts)),
        *shown("instances", instance_faults(world.truth, instances)),
        *shown("partitions", observed.stuck()),
    ]
    if faults:
        raise world.broken(faults)


OPTIONS = Options(lives_per_s=60.0, kafka={"message.max.bytes": str(LARGEST)}, patience_s=120.0)
EVERY = len(LETTERS) + len(QUIET)
FAULTS = [Fault("poison", poison, 12, EVERY, OPTIONS), Fault("absurd", absurd, 10, len(ODD), OPTIONS)]
