"""What an agent must offer to live on the partition core: the seam between plumbing and meaning.

Why: fencing, recovery, group commit and rebalance are the same for every agent; what a record means is
not. `partitions.py` calls these, `rekey.py`, `track.py`, `totals.py` and `notify.py` implement them.
Nothing here may await: a step is never seen half done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from schemas import Raw


class SourcePartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Committed(NamedTuple):
    """What the group has committed for one input partition; `metadata` is the agent's own note."""

    offset: int
    metadata: str = ""


CATCH_UP_MS = 5_000
"""What is read was written so long ago: nobody waits for the single alert, and rows that change again soon need be
written only once."""

Records = list[tuple[bytes | None, bytes | None]]


@dataclass(slots=True)
class Batch:
    """Everything that one transaction writes: all of it or nothing."""

    writes: dict[SourcePartition, Records] = field(default_factory=dict)
    """In the order of sending: outputs first, the changelog last."""
    offsets: dict[SourcePartition, Committed] = field(default_factory=dict)
    """Next offset to read, per input partition that moved."""


class Lease(NamedTuple):
    """What one owner holds: a partition number of an agent, fenced by one transactional id."""

    agent: str
    group: str
    """Tells leases of one agent and number apart: "" but for re-keying (partition count and topics)."""
    number: int

    @property
    def name(self) -> str:
        """The end of the transactional id."""
        return "-".join(part for part in (self.agent, self.group, str(self.number)) if part)


class Logic(Protocol):
    """One owned partition of one agent: its state and what is not yet written."""

    def load(self, records: Sequence[Raw]) -> None:
        """Take committed changelog records, in order. May be called many times, before `recover`."""

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """End of recovery: where the state says to read on. Partitions left out start at their beginning.

        Raises Broken if the log and the state disagree.
        """

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:
        """Take records of one input partition; `next_offset` is where reading goes on after them."""

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:
        """Do what time alone makes due; `positions` as for `is_due`, empty if not known."""

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:
        """A tick would do something. Asked often, must be cheap.

        Args:
            positions: where fetching goes on in each input partition, past control records too.
        """

    def has_more(self) -> bool:
        """`tick` should be called again at once: there is work left that was too much for one step."""

    def is_dirty(self) -> bool:
        """There is something to write."""

    def is_urgent(self) -> bool:
        """What is to be written must not wait for company."""

    def is_catching_up(self) -> bool:
        """Nobody waits for the single result: fewer and larger transactions are worth more."""

    def take(self) -> Batch:
        """Hand over what is to be written and start afresh."""

    def on_committed(self) -> None:
        """The batch taken last is durable."""

    def backlog(self) -> int:
        """Records waiting to be written; a bound on memory."""

    def close(self) -> None:
        """The partition goes to another owner: forget what is shared with the worker."""


class Agent(Protocol):
    """One kind of work on one or more topics."""

    @property
    def name(self) -> str:
        """The word in transactional ids and metrics."""

    @property
    def topics(self) -> frozenset[str]:
        """What it reads."""

    @property
    def changelog(self) -> str | None:
        """Where its state is; without one, the committed offset alone says where to read on."""

    @property
    def interval_s(self) -> float:
        """A busy partition commits this often; an idle one at once."""

    @property
    def quick_s(self) -> float:
        """Least time between the transactions of a partition that is not busy."""

    def open(self, lease: Lease) -> Logic:
        """Make the empty state of a partition just taken over."""

    def is_held(self, source: SourcePartition) -> bool:
        """Do not fetch this input partition for now."""
