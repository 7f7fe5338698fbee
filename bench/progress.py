"""How far a worker under measurement has come: what its group has committed, asked from outside."""

import time

from bench.broker import Broker
from bench.rows import PARTITIONS
from bench.worker_process import WorkerProcess
from schemas import StagewatchError
from stagewatch import Advance

CHANGES, ALERTS = "stagewatch.changes", "stagewatch.alerts"
POLL_S = 0.1
STUCK_S = 60.0
"""Nothing committed for so long: the run has failed."""


class Job:
    """What one worker has to do, and how far it has come."""

    def __init__(self, broker: Broker, group: str, agents: str | None, alerts: int) -> None:
        self.group, self.agents = group, agents
        self._broker, self._alerts = broker, alerts
        self._sources = broker.ends(PARTITIONS)

    def is_done(self) -> bool:
        """All captured records, and all changes made of them, are committed as read and judged."""
        found = self._broker.committed(self.group)
        if self.agents != "track" and any(found.get(place, 0) < end for place, end in self._sources.items()):
            return False
        # Asked after the sources: once they are read, only marks and votes are added.
        return self.agents == "rekey" or self._broker.is_read(found, self._broker.ends([CHANGES]))

    def share(self) -> float:
        """About how much is done: committed records, or alerts (tracking commits a place once all before is judged)."""
        if self.agents == "rekey":
            found = self._broker.committed(self.group)
            return sum(found.get(place, 0) for place in self._sources) / max(sum(self._sources.values()), 1)
        return sum(self._broker.ends([ALERTS]).values()) / max(self._alerts, 1)


def follow(worker: WorkerProcess, job: Job, progress: Advance) -> None:
    """Watch until all is done. Raises StagewatchError if it does not go on, or the worker dies."""
    share, moved = -1.0, time.monotonic()
    while not job.is_done():
        time.sleep(POLL_S)
        now, found = worker.at(0).wall_s, job.share()
        if found > share:
            share, moved = found, now
        elif now - moved > STUCK_S:
            raise StagewatchError(
                f"the worker has committed nothing new for {STUCK_S:.0f} s, at {share:.0%} of the work"
            )
        progress(min(int(100 * share), 99))
