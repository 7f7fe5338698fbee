"""The consumer group of a world: who is a member, who owns what, and who has not heard of it."""

from typing import TYPE_CHECKING

from streams.logic import Lease, SourcePartition
from tests.simulation.worker import END_OF_PROCESS, Worker

if TYPE_CHECKING:
    from tests.simulation.world import World


class Group:
    """Assigns leases to workers, as the group coordinator does with partitions."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._tracked: set[SourcePartition] | None = None

    @property
    def members(self) -> list[Worker]:
        """Workers that the coordinator believes in."""
        return [worker for worker in self._world.workers if worker.is_member]

    def rebalance(self) -> None:
        """All members commit what they processed; then every lease has one owner among those who are there."""
        world = self._world
        for worker in self.members:
            self._settle(worker)
        for worker in world.workers:
            if not worker.is_frozen and not worker.owned:
                worker.is_member = True
        members = self.members
        if not members:
            return
        world.counted["rebalance"] += 1
        for lease, tps in world.leases.items():
            self._assign(lease, tps, members)

    def _settle(self, worker: Worker) -> None:
        world = self._world
        try:
            for owned in list(worker.owned.values()):
                if world.faults.happens("crash in a rebalance", 0.02):
                    world.kill(worker)
                    return
                worker.settle(owned)
        except END_OF_PROCESS as end:
            world.counted[f"ended by {type(end).__name__}"] += 1
            world.kill(worker)
            return
        for lease in [lease for lease, owned in worker.owned.items() if owned.starting is not None]:
            worker.let_go(lease)  # a take-over under way is given up

    def _assign(self, lease: Lease, tps: list[SourcePartition], members: list[Worker]) -> None:
        rng = self._world.rng
        owner = next((worker for worker in members if lease in worker.owned), None)
        chosen = owner if owner is not None and rng.random() < 0.6 else rng.choice(members)
        if owner is chosen:
            chosen.seek(chosen.owned[lease])
            return
        if owner is not None:
            owner.let_go(lease)
        chosen.take_over(lease, tps)

    def leave(self, worker: Worker) -> None:
        """A process ends in good order: it commits what it processed, and cuts off what it was sending."""
        self._settle(worker)
        if worker in self._world.workers:
            self._world.kill(worker)

    def give_up(self, worker: Worker) -> None:
        """The coordinator counts on a worker no more; it goes on with what it has, and does not know."""
        worker.is_member = False
        self.rebalance()

    def hear(self, worker: Worker) -> None:
        """A worker that was given up learns of it: it missed a generation and forgets everything."""
        for lease in list(worker.owned):
            worker.let_go(lease)

    def look_after(self) -> None:
        """Now and then: a zombie learns the truth, a process is started, what nobody owns is given out."""
        world, rng = self._world, self._world.rng
        for worker in [w for w in world.workers if not w.is_member and not w.is_frozen and w.owned]:
            if rng.random() < 0.1:
                self.hear(worker)
        if len(world.workers) < 3 and rng.random() < (0.5 if not self.members else 0.15):
            world.start_worker()
        if not self._is_complete() and rng.random() < 0.5:
            self.rebalance()

    def _is_complete(self) -> bool:
        members = self.members
        owned = {lease for worker in members for lease in worker.owned}
        return owned == set(self._world.leases) and bool(members)

    def thaw(self) -> None:
        """Every frozen process runs again."""
        for worker in self._world.workers:
            worker.is_frozen = False

    def be_complete(self) -> None:
        """See to it that somebody owns everything."""
        world = self._world
        for worker in [w for w in world.workers if not w.is_member]:
            self.hear(worker)
        while not self._is_complete():
            if not world.workers:
                world.start_worker()
            self.rebalance()

    def has_settled(self) -> bool:
        """Every tracking partition has committed at least once."""
        world = self._world
        if self._tracked is None:
            if not world.leases:
                return False
            self._tracked = {tp for lease, tps in world.leases.items() if lease.agent == "track" for tp in tps}
        return self._tracked <= world.broker.offsets.keys()
