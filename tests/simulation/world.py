"""One seeded world: sources, a broker, a few workers, and everything that can go wrong between their steps.

A world is a function of its seed (and of the product). It runs through chaos, in which faults strike, into calm, in
which nothing goes wrong any more and all that is owed must be done; then `tests.simulation.oracle` looks at it.
"""

import random
from collections import Counter
from collections.abc import Iterator

from schemas import Broken
from schemas.notice import Channel
from streams.logic import Lease, SourcePartition
from tests.helpers.records import Record
from tests.simulation.broker import Broker
from tests.simulation.clock import VirtualLoop, WallClock, breathe
from tests.simulation.crowd import Crowd
from tests.simulation.desk_material import DeskMaterial, desk_material
from tests.simulation.desk_process import STATES, DeskProcess
from tests.simulation.faults import Faults
from tests.simulation.gateway import GOOD, OUTCOMES, Gateway
from tests.simulation.group import Group
from tests.simulation.material import GOOD as AS_IT_IS
from tests.simulation.material import (
    REPEAT,
    SOURCE_SYSTEMS,
    Captured,
    Material,
    numbered_rows,
    source_system,
    spoiled,
)
from tests.simulation.process import NAMES, PERSONAL_TOPICS, Process, leases, policy
from tests.simulation.rule_changes import SOURCE as RULES
from tests.simulation.rule_changes import moments, publications
from tests.simulation.sabotage import SOUND, Sabotage
from tests.simulation.worker import END_OF_PROCESS, MOST, Owned, Worker

STEPS = (250, 600, 1200)
"""Of a world's chaos."""
STRIKE_SHARES = (0.01, 0.02, 0.05)
"""Of the steps, those at which a fault strikes."""
CALM_ROUNDS = 400
"""Whatever is left to do takes far fewer; a world that still moves then will never stop."""
HOUR_MS = 3_600_000
ACTED_SHARE = 0.25
"""Of a world's steps, those at which somebody acts, if it is about people."""
WRITTEN_MS = 20
"""The product takes a record to be in its log so long after its stamp."""


class Stuck(AssertionError):
    """Work is left that nobody does."""


def _material(kind: str, seed: int, rng: random.Random) -> Material:
    if kind == "real":
        return source_system(seed % SOURCE_SYSTEMS)
    return desk_material(rng) if kind == "desk" else numbered_rows(rng)


class World:
    """Everything there is, and the choices of one seed."""

    def __init__(self, seed: int, kind: str, loop: VirtualLoop, sabotage: frozenset[Sabotage] = SOUND) -> None:
        self.seed, self.loop, self.sabotage = seed, loop, sabotage
        self.rng = rng = random.Random(f"{kind}-{seed}")
        self.faults = Faults(self)
        self.material = _material(kind, seed, rng)
        self._decoders = self.material.new_decoders()
        self.feed = spoiled(self.material, rng, **self.faults.spoils(kind))
        self.rules_at = self._publish() if kind == "real" else []
        """When other rules come into effect, epoch ms."""
        self.letters: dict[tuple[str, int, int], tuple[str, bytes | None]] = {}
        """Place of each record that must become a dead letter: reason and value."""
        self.broker = Broker()
        self.counts = self._counts()
        self.gateways = self._gateways()
        self.outbox = policy(idempotent=frozenset(c for c, g in self.gateways.items() if g.drops_repeats))
        self.crowd = Crowd(self, self.material) if isinstance(self.material, DeskMaterial) else None
        """Those who act on what they see, in a world about people."""
        self.group = Group(self)
        self.workers: list[Worker] = []
        self.on_their_way: list[Iterator[None]] = []
        """Requests of dead workers that the broker has not got yet."""
        self.slow: set[SourcePartition] = set()
        self.most_fetched = rng.choice((3, 10, 40))
        self.is_calm = False
        self._fed = 0
        self._started = 0
        self.counted: Counter[str] = Counter()
        """What struck and what was done, by name."""
        history = rng.random()
        self.first_ms = self._moment(int(history * len(self.feed))) + WRITTEN_MS
        self.settled_ms: int | None = None
        """When every tracking partition had committed for the first time."""
        self.leases: dict[Lease, list[SourcePartition]] = {}
        self.pass_to(self.first_ms)

    def _publish(self) -> list[int]:
        """Let rules change in the midst of the records."""
        times = moments(self.seed, self.feed[0].at, self.feed[-1].at) if self.feed else []
        for at, records in zip(times, publications() if times else (), strict=True):
            self.feed += [Captured(at, RULES, at, key, value, AS_IT_IS) for key, value in records]
        self.feed.sort(key=lambda record: record.at)
        return times

    def _counts(self) -> dict[str, int]:
        counts = dict(self.material.counts)
        if self.material.kind == "desk":
            return counts | {NAMES.changelog(agent): counts[topic] for agent, topic in STATES.items()}
        for topic in PERSONAL_TOPICS:
            counts[topic] = self.rng.randint(1, 2)
        counts[NAMES.changes] = self.material.changes_count
        for agent, topic in (("track", NAMES.changes), ("totals", NAMES.deltas), ("notify", NAMES.notices)):
            counts[NAMES.changelog(agent)] = counts[topic]
        return counts

    def _gateways(self) -> dict[Channel, Gateway]:
        channels: tuple[Channel, ...] = ("sms", "mail")
        outcomes = OUTCOMES if "gateway" in self.faults.kinds else (GOOD, "slow")
        return {
            c: Gateway(c, random.Random(f"{c}{self.seed}"), outcomes, drops_repeats=self.rng.random() < 0.3)
            for c in channels
        }

    # -- time

    def _moment(self, index: int) -> int:
        return self.feed[index].at if index < len(self.feed) else self.material.until

    def pass_to(self, now: int) -> None:
        """Let time pass; what the sources say until then is in their logs."""
        self.loop.now_ms = self.broker.now = max(now, self.loop.now_ms)
        while self._fed < len(self.feed) and self.feed[self._fed].at <= self.loop.now_ms:
            _, tp, timestamp, key, value, fate = self.feed[self._fed]
            offset = self.broker.append(tp, key, value, timestamp)
            if fate not in {AS_IT_IS, REPEAT}:
                self.letters[(*tp, offset)] = (fate, value)
            self._fed += 1
        if self.settled_ms is None and self.group.has_settled():
            self.settled_ms = self.loop.now_ms

    def pass_time(self) -> None:
        """Let a while pass: some milliseconds, or up to one of the next records, or days after the last."""
        rng, now = self.rng, self.loop.now_ms
        short = rng.choice((1, 15, 30, 300, 6_000))
        if rng.random() < 0.4 or not self.group.has_settled():
            self.pass_to(now + short)
        elif self._fed < len(self.feed):
            self.pass_to(self._moment(min(self._fed + rng.randint(0, 8), len(self.feed) - 1)) + short)
        elif now < self.material.until:
            self.pass_to(min(now + (self.material.until - now) // rng.randint(2, 12) + short, self.material.until))

    # -- what the workers ask the world

    def read(self, tp: SourcePartition, position: int, limit: int) -> tuple[list[Record], int]:
        """Give committed records, or with sabotage all there are."""
        if Sabotage.UNCOMMITTED in self.sabotage:
            records = [r for r in self.broker.logs[tp].records[position : position + limit] if r is not None]
            return records, min(position + limit, len(self.broker.logs[tp].records))
        return self.broker.read(tp, position, limit)

    def redelivers(self) -> bool:
        """A fetch brings what was brought before."""
        return self.faults.happens("redelivery", 0.05)

    def refuses(self) -> bool:
        """The broker does not take a produce request."""
        return self.faults.happens("refused write", 0.02)

    # -- workers

    def start_worker(self) -> Worker:
        """Start a process; it joins the group at the next rebalance."""
        clock = WallClock(self.loop)
        checks = Sabotage.NO_POSITION_CHECK not in self.sabotage
        process: Process
        if self.crowd is not None:
            process = DeskProcess(self.counts, clock, self.gateways, outbox=self.outbox, checks_position=checks)
        else:
            process = Process(
                self.material, self._decoders, self.counts, clock, self.gateways, outbox=self.outbox,
                checks_position=checks,
            )  # fmt: skip
        self._started += 1
        worker = Worker(self, self._started, clock, process)
        self.workers.append(worker)
        if not self.leases:
            self.leases = leases(process, self.counts)
        return worker

    def kill(self, worker: Worker) -> None:
        """End a process as `kill -9` does."""
        worker.die()
        self.workers.remove(worker)

    def do(self, worker: Worker, owned: Owned) -> bool:
        """Let a worker do one step of one lease; a step that ends the process ends it."""
        was_starting = owned.starting is not None
        try:
            return worker.work_off(owned) if self.is_calm else worker.step(owned, self.rng)
        except END_OF_PROCESS as end:
            self.counted[f"ended by {type(end).__name__}"] += 1
            if isinstance(end, Broken) and not (was_starting and self.faults.explains(owned)):
                raise
            self.kill(worker)
            return True

    # -- life

    async def run(self) -> None:
        """Go through chaos and calm."""
        for _ in range(self.rng.randint(1, 3)):
            self.start_worker()
        strikes = self.rng.choice(STRIKE_SHARES)
        for number in range(self.rng.choice(STEPS)):
            self._chaos(strikes)
            if number % 4 == 0:  # sends under way are tasks
                await breathe()
        self.group.thaw()
        for _ in range(40):  # zombies go on for a while
            self._work()
        await self._calm()

    def _chaos(self, strikes: float) -> None:
        choice = self.rng.random()
        if choice < strikes:
            self.faults.strike()
        elif choice < strikes + 0.05:
            self.pass_time()
        elif choice < strikes + 0.12:
            self._broker_works()
        elif self.crowd is not None and choice < strikes + 0.12 + ACTED_SHARE:
            self.crowd.act()
        else:
            self._work()
        if self.broker.is_ending and self.rng.random() < 0.7:
            self.broker.mark(*self.rng.choice(self.broker.markers()))

    def _broker_works(self) -> None:
        """A request of a dead worker arrives, the group notices who is there."""
        if self.on_their_way and self.rng.random() < 0.5:
            try:
                next(self.on_their_way.pop(), None)
            except END_OF_PROCESS:
                self.counted["late request refused"] += 1
        self.group.look_after()

    def _work(self) -> None:
        running = [worker for worker in self.workers if not worker.is_frozen]
        if not running:
            return
        worker, choice = self.rng.choice(running), self.rng.random()
        if choice < 0.05 or not worker.has_answer():
            worker.ask()
        elif choice < 0.1:
            worker.refer(self.rng.randint(1, 30))
        else:
            owned = list(worker.owned.values())
            for each in self.rng.sample(owned, min(len(owned), self.rng.randint(1, 4))):
                if worker in self.workers:
                    self.do(worker, each)

    async def _calm(self) -> None:
        self.faults.end()
        self.is_calm = True
        end = max(self.loop.now_ms, self.material.until + WRITTEN_MS)
        for moment in (self.loop.now_ms, end, end + HOUR_MS, end + 2 * HOUR_MS):
            self.pass_to(moment)
            await self._drain()

    async def _drain(self) -> None:
        """Do all that can be done now; what time alone ends, ends first."""
        for _ in range(3):
            await breathe()
        for _ in range(CALM_ROUNDS):
            self.broker.expire()
            self.group.be_complete()
            did = False
            for worker in list(self.workers):
                worker.ask(at_once=True)
                did = worker.refer(MOST) or did
                for owned in list(worker.owned.values()):
                    did = (worker in self.workers and self.do(worker, owned)) or did
            self.broker.settle()
            for _ in range(3):
                await breathe()
            did = (self.crowd is not None and self.crowd.finish()) or did
            if not did:
                return
        raise Stuck(f"still moving after {CALM_ROUNDS} rounds")
