"""How far workers under measurement have come: what their group has committed, asked from outside."""

import time
from collections.abc import Sequence

from bench.broker import Broker
from bench.connector import Layout
from bench.worker_process import WorkerProcess
from schemas import StagewatchError
from stagewatch import Advance

CHANGES, ALERTS, DELTAS, NOTICES = (f"stagewatch.{name}" for name in ("changes", "alerts", "deltas", "notices"))
POLL_S = 0.1
STUCK_S = 60.0
"""Nothing committed for so long: the run has failed."""
ALL_AGENTS = "rekey,track,totals,notify,store"


class Job:
    """What the workers of one application have to do, and how far they have come."""

    def __init__(self, broker: Broker, group: str, layout: Layout, agents: str | None = None) -> None:
        self.group, self.agents = group, agents
        self._broker = broker
        running = (agents or ALL_AGENTS).split(",")
        captured = layout.partitions.keys()
        direct = layout.direct if "track" in running else frozenset()
        self._sources = broker.ends((captured - layout.direct if "rekey" in running else frozenset()) | direct)
        # In this order: once the earlier are read to their ends, only marks and votes are added to them.
        inputs = {"track": CHANGES, "totals": DELTAS, "notify": NOTICES}
        self._own = [topic for agent, topic in inputs.items() if agent in running]

    def is_done(self) -> bool:
        """All captured records, and all that was made of them, are committed as read and judged."""
        found = self._broker.committed(self.group)
        if any(found.get(place, 0) < end for place, end in self._sources.items()):
            return False
        return all(self._broker.is_read(found, self._broker.ends([topic])) for topic in self._own)

    def left(self) -> int:
        """Captured records that are not committed as read; 0 where none are read themselves."""
        found = self._broker.committed(self.group)
        return sum(end - found.get(place, 0) for place, end in self._sources.items())

    def share(self) -> float:
        """About how much of the captured records is done; above 1 while what was made of them is worked off."""
        found = self._broker.committed(self.group)
        made = sum(self._broker.ends([ALERTS, *self._own]).values()) + sum(found.values())
        sources = sum(self._sources.values())
        return sum(found.get(place, 0) for place in self._sources) / max(sources, 1) + made * 1e-9


def follow(workers: Sequence[WorkerProcess], job: Job, progress: Advance) -> None:
    """Watch until all is done. Raises StagewatchError if it does not go on, or a worker dies."""
    share, moved = -1.0, time.monotonic()
    while not job.is_done():
        time.sleep(POLL_S)
        now, found = max(worker.at(0).wall_s for worker in workers), job.share()
        if found > share:
            share, moved = found, now
        elif now - moved > STUCK_S:
            raise StagewatchError(
                f"the worker has committed nothing new for {STUCK_S:.0f} s, at {share:.0%} of the work"
            )
        progress(min(int(100 * share), 99))
