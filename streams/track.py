"""The tracking agent: changes of instances in, alerts, differences and notices out.

It brings the changes of all source partitions into one order (`merge.py`), keeps the clock of each partition
(contract, section 7) and lets the engine judge. What the engine concludes, the state that led to it and the
position in the log go into one transaction.
"""

import time
from collections.abc import Callable, Mapping

import msgspec

from streams.definitions import RuleBook
from streams.direct import DirectTopic
from streams.ends import Ends
from streams.inbox import LoopInbox
from streams.logic import Lease, SourcePartition
from streams.metrics import Metrics
from streams.partitioner import Partitioner
from streams.reference import ReferenceReader
from streams.tracking import Tracking

MOST_QUEUED = 5_000
"""Changes of one direct source that wait for another: enough for many steps, little in memory."""


class TrackTopics(msgspec.Struct, frozen=True):
    """Names of what the agent reads and writes."""

    changes: str
    alerts: str
    deltas: str
    notices: str
    deadletters: str
    changelog: str
    inbox: str = ""
    """Of the loop; empty: nobody has tasks."""


class TrackAgent:
    """Makes the logic of each partition; knows what all of them share."""

    name = "track"
    interval_s = 0.1
    quick_s = 0.03

    def __init__(  # noqa: PLR0913 - what a partition of it shares with the others
        self,
        book: RuleBook,
        *,
        out: TrackTopics,
        counts: Mapping[str, int],
        ends: Ends,
        reference: ReferenceReader,
        metrics: Metrics,
        direct: Mapping[str, DirectTopic] | None = None,
        by_entity: Mapping[str, Partitioner] | None = None,
        is_exact: bool = True,
        inhibits: bool = False,
        merge_wait_s: float = 300.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take what all partitions share; `by_entity` says where the instances of an entity are, if not by key."""
        self.out, self.ends, self.reference, self.metrics = out, ends, reference, metrics
        self.book = book
        self.direct = dict(direct or {})
        self.by_entity = dict(by_entity or {})
        self.topics = frozenset({out.changes, *self.direct})
        self.direct_topics = frozenset(self.direct)
        self.changelog = out.changelog
        self.is_exact = is_exact
        self.merge_wait_s = merge_wait_s
        self.by_key = {
            t: Partitioner(counts[t]) for t in (out.changes, out.alerts, out.deltas, out.notices, out.deadletters)
        }
        self.inbox = LoopInbox(out.inbox, counts[out.inbox], inhibits=inhibits) if out.inbox else None
        self.now = now
        self.started_at = int(now() * 1000)
        self.owned: dict[int, Tracking] = {}

    def open(self, lease: Lease) -> Tracking:
        """Make the logic of a partition just taken over."""
        tracking = self.owned[lease.number] = Tracking(self, lease)
        return tracking

    def is_held(self, source: SourcePartition) -> bool:
        """Hold back a direct source that is far ahead of the others; never `changes`, which may unblock them."""
        if source.topic not in self.direct or source.partition not in self.owned:
            return False
        return self.owned[source.partition].queued(source) > MOST_QUEUED

    def read_to(self, source: SourcePartition) -> int | None:
        """How far a direct source of this worker has been read; None if another has it."""
        tracking = self.owned.get(source.partition) if source.topic in self.direct else None
        return None if tracking is None else tracking.read_to(source)
