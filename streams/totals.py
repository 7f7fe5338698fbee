"""The summing agent: differences in, indicator values out.

A value has one owner, the partition of its key, so that contributions of instances on any partition meet.
"""

from collections.abc import Mapping, Sequence

import msgspec

from schemas import BadInput, IndicatorDelta, IndicatorValue, Raw
from schemas.codec import decode_delta, encode_indicator, iso
from streams.logic import Batch, Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from streams.partitioner import Partitioner
from streams.recovery import POSITION_KEY, LogPosition, Recovered, decode_position, recovered_position


def delta_key(delta: IndicatorDelta) -> str:
    """The key of an indicator value: indicator, unit, date and dimensions."""
    return f"{delta.indicator}|{delta.org_no}|{delta.date}|{delta.dims}"


def indicator_value(key: str, numerator: int, denominator: int, at: int) -> IndicatorValue:
    """Give the value of a key; with nothing to divide by it is the numerator."""
    indicator, org_no, date, dims = key.split("|", 3)
    value = numerator / denominator if denominator else float(numerator)
    return IndicatorValue(
        indicator=indicator, org_no=org_no, date=date, dims=msgspec.json.decode(dims or "{}", type=dict[str, str]),
        numerator=numerator, denominator=denominator, value=value, at=iso(at),
    )  # fmt: skip


class Total(msgspec.Struct, array_like=True, gc=False):
    """The sum of all differences of one key."""

    numerator: int = 0
    denominator: int = 0
    at: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode_total = msgspec.msgpack.Decoder(Total).decode


class TotalsAgent:
    """Makes the logic of each partition of the differences."""

    name = "totals"
    interval_s = quick_s = 0.5
    """Nobody waits for an indicator to the half second; fewer transactions leave more to the trackers."""

    def __init__(  # noqa: PLR0913 - the topics it reads and writes
        self,
        *,
        deltas: str,
        indicators: str,
        changelog: str,
        counts: Mapping[str, int],
        metrics: Metrics,
        is_exact: bool = True,
    ) -> None:
        self.topics = frozenset({deltas})
        self.deltas, self.indicators, self.changelog = deltas, indicators, changelog
        self.partitioner = Partitioner(counts[indicators])
        self.metrics = metrics
        self.is_exact = is_exact

    def open(self, lease: Lease) -> "Totalling":
        """Make the logic of a partition just taken over."""
        return Totalling(self, lease)

    def is_held(self, source: SourcePartition) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False


class Totalling:
    """One partition of the differences: its sums."""

    def __init__(self, agent: TotalsAgent, lease: Lease) -> None:
        self._agent = agent
        self._number = lease.number
        self._source = SourcePartition(agent.deltas, lease.number)
        self.totals: dict[str, Total] = {}
        self._changed: set[str] = set()
        self._kept: LogPosition | None = None
        self._position: int | None = None
        self._moved = False

    def load(self, records: Sequence[Raw]) -> None:
        """Take sums and the position from the changelog."""
        for record in records:
            if record.key == POSITION_KEY:
                self._kept = decode_position(record.value or b"")
            elif record.value is not None:
                self.totals[(record.key or b"").decode()] = _decode_total(record.value)

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Check the state's position against the committed one."""
        agent, log = self._agent, SourcePartition(self._agent.changelog, self._number)
        position = recovered_position(
            self._source, committed, self._kept, Recovered(log, len(self.totals)), is_exact=agent.is_exact
        )
        self._position = position
        return {} if position is None else {self._source: position}

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:  # noqa: ARG002
        """Add differences up."""
        totals = self.totals
        for record in records:
            try:
                delta = decode_delta(record.value or b"")
            except BadInput:
                self._agent.metrics.on_dropped("undecodable_delta", 1)
                continue
            key = delta_key(delta)
            total = totals.get(key) or totals.setdefault(key, Total())
            total.numerator += delta.numerator
            total.denominator += delta.denominator
            total.at = max(total.at, delta.at)
            self._changed.add(key)
        self._position = next_offset
        self._moved = True

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:  # noqa: ARG002 - the protocol's
        """Time alone does nothing here."""
        return False

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:
        """Nothing."""

    def has_more(self) -> bool:
        """A batch is always taken whole."""
        return False

    def is_dirty(self) -> bool:
        """Something was read."""
        return self._moved

    def is_urgent(self) -> bool:
        """A sum moved."""
        return bool(self._changed)

    def is_catching_up(self) -> bool:
        """Never: there is little to write."""
        return False

    def backlog(self) -> int:
        """Sums not yet written."""
        return len(self._changed)

    def take(self) -> Batch:
        """One value per changed key, then the sums, last the position."""
        batch = Batch()
        rows: Records = []
        for key in sorted(self._changed):
            total = self.totals[key]
            value = indicator_value(key, total.numerator, total.denominator, total.at)
            data, number = self._agent.partitioner.of(key)
            target = SourcePartition(self._agent.indicators, number)
            batch.writes.setdefault(target, []).append((data, encode_indicator(value)))
            rows.append((data, _encode(total)))
        position = self._position or 0
        rows.append((POSITION_KEY, _encode(LogPosition(position, len(self.totals)))))
        batch.writes[SourcePartition(self._agent.changelog, self._number)] = rows
        batch.offsets[self._source] = Committed(position)
        self._changed, self._moved = set(), False
        return batch

    def on_committed(self) -> None:
        """Nothing waits for it."""

    def close(self) -> None:
        """Nothing is shared."""
