"""What strikes a world: drawn by its seed, counted by name.

Each world has some kinds of fault and not the others, so that none hides another.
"""

from typing import TYPE_CHECKING

from streams.logic import SourcePartition
from tests.simulation.clock import WallClock
from tests.simulation.gateway import GOOD
from tests.simulation.worker import Owned, Worker

if TYPE_CHECKING:
    from tests.simulation.world import World

STRIKES = ("crash", "leave", "rebalance", "freeze", "thaw", "zombie", "clock back", "clock forward", "slow", "expiry")
"""Those that the world lets strike; the others happen where they are asked for."""
OTHERS = ("gateway", "poison", "repeat", "redelivery", "refused write", "truncated", "crash in a rebalance")
HOUR_MS = 3_600_000
EXPIRY_MS = 16_000
"""A little more than transactions may last."""


class Faults:
    """The faults of one world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        rng = world.rng
        self.kinds = frozenset(kind for kind in (*STRIKES, *OTHERS) if rng.random() < 0.45)
        self._is_over = False
        self._ahead: list[tuple[WallClock, int]] = []
        self.windows: list[tuple[int, int]] = []
        """Spans in which some clock was ahead, and an hour more: what is judged then may be judged early."""

    def spoils(self, kind: str) -> dict[str, float]:
        """Give the shares of what is wrong with the sources; a world about people has its own kinds of that."""
        kinds = frozenset() if kind == "desk" else self.kinds
        return {
            "poisoned": 0.04 if "poison" in kinds else 0.0,
            "repeated": 0.04 if "repeat" in kinds else 0.0,
        }  # fmt: skip

    def happens(self, kind: str, share: float) -> bool:
        """Tell whether a fault happens here; it is counted then."""
        if self._is_over or kind not in self.kinds or self._world.rng.random() >= share:
            return False
        self._world.counted[kind] += 1
        return True

    def lost_tail(self, tp: SourcePartition) -> int | None:
        """Give where a changelog ends that has lost its tail, as a recovery finds it once; None: it has not."""
        moved_to = self._world.broker.logs[tp].moved_to
        return self._world.rng.randrange(moved_to) if moved_to and self.happens("truncated", 0.3) else None

    def explains(self, owned: Owned) -> bool:
        """A recovery that ends the process is right: another owner took the lease meanwhile, or the log is short."""
        return owned.is_short or owned.producer is None or not self._world.broker.is_latest(owned.producer)

    def strike(self) -> None:
        """Let one of the world's faults strike somebody."""
        world, rng = self._world, self._world.rng
        kinds = [kind for kind in STRIKES if kind in self.kinds and not self._is_senseless(kind)]
        running = [worker for worker in world.workers if not worker.is_frozen]
        if self._ahead and rng.random() < 0.5:
            self._set_right()
        elif kinds and running:
            kind = rng.choice(kinds)
            world.counted[kind] += 1
            self._strike(kind, self._victim(running) if kind == "crash" else rng.choice(running))

    def _victim(self, running: list[Worker]) -> Worker:
        """One who is in a phase drawn from those that there are: most of the time most are idle."""
        rng = self._world.rng
        phases = sorted({owned.phase for worker in running for owned in worker.owned.values()})
        if not phases:
            return rng.choice(running)
        phase = rng.choice(phases)
        return next(worker for worker in running for owned in worker.owned.values() if owned.phase == phase)

    def _strike(self, kind: str, worker: Worker) -> None:  # noqa: C901 - one line for each kind
        world = self._world
        match kind:
            case "crash":
                world.counted.update({f"crash: {owned.phase}" for owned in worker.owned.values()})
                world.kill(worker)
            case "leave":
                world.group.leave(worker)
            case "rebalance":
                world.group.rebalance()
            case "freeze":
                worker.is_frozen = True
                world.group.give_up(worker)
            case "thaw":
                world.group.thaw()
            case "zombie":
                world.group.give_up(worker)
            case "clock back":
                worker.clock.step_ms -= HOUR_MS
            case "clock forward":
                worker.clock.step_ms += HOUR_MS
                self._ahead.append((worker.clock, world.loop.now_ms))
            case "slow":
                tps = sorted(tp for each in world.leases.values() for tp in each)
                world.slow = set(world.rng.sample(tps, world.rng.randint(0, len(tps) // 2)))
            case "expiry":
                world.pass_to(world.loop.now_ms + EXPIRY_MS)
                world.broker.expire()
            case _:
                raise NotImplementedError(kind)

    def _set_right(self) -> None:
        """The clocks that were ahead show the time again."""
        for clock, since in self._ahead:
            clock.step_ms = 0
            self.windows.append((since, self._world.loop.now_ms + HOUR_MS))
        self._ahead.clear()

    def end(self) -> None:
        """Nothing goes wrong any more; what was wrong is set right."""
        world = self._world
        self._is_over = True
        self._set_right()
        world.slow.clear()
        for worker in world.workers:
            worker.clock.step_ms = 0
        for gateway in world.gateways.values():
            gateway.outcomes = (GOOD,)

    def _is_senseless(self, kind: str) -> bool:
        """A clock that is ahead changes what is right; only with the real engine can be said how."""
        return kind == "clock forward" and self._world.material.kind != "real"
