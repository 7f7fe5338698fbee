"""The summing agent: differences in, indicator values out, and alerts about values that breach their thresholds.

All values of an indicator have one owner, the partition of its code, so that contributions of instances on any
partition meet, and units, periods and peers can be compared. What breaches a threshold is judged by `rules`, on a clock
that is the least of what all tracking partitions have reported with their differences (`ClockMark`).
"""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from rules import Definitions, ReportClock, ThresholdJudge, Total, Totals, indicator_value
from schemas import AlertEvent, BadInput, Broken, Notice, Raw
from schemas.codec import CLOCK_KEY, decode_clock, decode_delta, encode_alert, encode_indicator, encode_notice
from streams.definitions import RuleBook
from streams.ends import Ends
from streams.inbox import LoopInbox
from streams.logic import Batch, Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from streams.partitioner import Partitioner
from streams.recovery import POSITION_KEY, LogPosition, Recovered, recovered_position
from streams.reference import ReferenceReader

SUMS_FORMAT = 2
"""Of what is in the changelog. In format 1 the sums of an indicator were spread over all partitions."""
KEEP_CLOCK_MS = 5_000
"""The clock alone is written this often: what a crash takes back of it has shown to nobody."""


class TotalsPosition(LogPosition, array_like=True, gc=False):
    """The last changelog record of every transaction."""

    sums_format: int = 1
    clock: int = 0
    """How far thresholds were judged, epoch ms."""
    marks: dict[int, int] = msgspec.field(default_factory=dict)
    """How far each tracking partition had come."""
    serial: int = 0
    """Of the set of rules that thresholds were judged by."""
    notify_from: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode_total = msgspec.msgpack.Decoder(Total).decode
_decode_position = msgspec.msgpack.Decoder(TotalsPosition).decode


def totals_clock(data: bytes) -> int:
    """Give how far thresholds were judged (epoch ms) by a position record, for those who look from outside."""
    return _decode_position(data).clock


class TotalsTopics(msgspec.Struct, frozen=True):
    """Names of what the agent reads and writes."""

    deltas: str
    indicators: str
    alerts: str
    notices: str
    changelog: str
    inbox: str = ""
    """Of the loop; empty: nobody has tasks."""


class TotalsAgent:
    """Makes the logic of each partition of the differences."""

    name = "totals"
    interval_s = quick_s = 0.5
    """Nobody waits for an indicator to the half second; fewer transactions leave more to the trackers."""

    def __init__(  # noqa: PLR0913 - what a partition of it shares with the others
        self,
        book: RuleBook,
        *,
        out: TotalsTopics,
        counts: Mapping[str, int],
        trackers: int,
        ends: Ends,
        reference: ReferenceReader,
        metrics: Metrics,
        mail_domain: str = "stagewatch.local",
        is_exact: bool = True,
        inhibits: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take what all partitions share; `trackers` is the number of tracking partitions."""
        self.topics = frozenset({out.deltas})
        self.book, self.out, self.changelog = book, out, out.changelog
        self.by_key = {topic: Partitioner(counts[topic]) for topic in (out.indicators, out.alerts, out.notices)}
        self.inbox = LoopInbox(out.inbox, counts[out.inbox], inhibits=inhibits) if out.inbox else None
        self._owner = Partitioner(counts[out.deltas])
        self.trackers, self.ends, self.reference = trackers, ends, reference
        self.metrics, self.mail_domain, self.is_exact = metrics, mail_domain, is_exact
        self.started_at = int(now() * 1000)
        self.owned: dict[int, Totalling] = {}

    def open(self, lease: Lease) -> "Totalling":
        """Make the logic of a partition just taken over."""
        totalling = self.owned[lease.number] = Totalling(self, lease)
        return totalling

    def owner_of(self, name: str) -> int:
        """Give the partition that an indicator or a report belongs to."""
        return self._owner.of(name)[1]

    def is_held(self, source: SourcePartition) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False


class Totalling:
    """One partition of the differences: its sums, its clock, and what was told of them."""

    def __init__(self, agent: TotalsAgent, lease: Lease) -> None:
        self._agent = agent
        self._number = lease.number
        self._source = SourcePartition(agent.out.deltas, lease.number)
        self.totals = Totals()
        self._serial = agent.book.newest.definitions.serial
        self._rows: dict[str, bytes] = {}
        self.judge = ThresholdJudge(
            self._definitions(), agent.book.newest.reference, self.totals, mail_domain=agent.mail_domain
        )
        self.reports = ReportClock(
            lambda name: agent.owner_of(name) == lease.number, agent.book.newest.reference,
            mail_domain=agent.mail_domain,
        )  # fmt: skip
        self._marks: dict[int, int] = {}
        self._kept: TotalsPosition | None = None
        self._position: int | None = None
        self._kept_clock = 0
        self._moved = False
        self._notify_from = 0
        self._alerts: list[AlertEvent] = []

    def _definitions(self) -> Definitions:
        engine = self._agent.book.engine(self._serial) or self._agent.book.newest
        return engine.definitions

    # -- recovery

    def load(self, records: Sequence[Raw]) -> None:
        """Take sums, the judge's rows and the position from the changelog."""
        for record in records:
            if record.key == POSITION_KEY:
                self._kept = _decode_position(record.value or b"")
                continue
            key = (record.key or b"").decode()
            if ThresholdJudge.is_row(key):
                self._rows.pop(key, None)
                if record.value is not None:
                    self._rows[key] = record.value
            elif record.value is not None:
                self.totals.rows[key] = _decode_total(record.value)

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        """Check the state's position against the committed one."""
        agent, log = self._agent, SourcePartition(self._agent.out.changelog, self._number)
        kept, rows = self._kept, len(self.totals) + len(self._rows)
        position = recovered_position(self._source, committed, kept, Recovered(log, rows), is_exact=agent.is_exact)
        if kept is not None and kept.rows and kept.sums_format != SUMS_FORMAT:
            raise Broken(
                f"{log.topic} is of format {kept.sums_format} and this version reads {SUMS_FORMAT}: run the version "
                "that wrote it, or begin anew with another application_id"
            )
        if kept is not None:
            self._serial, self._marks, self._notify_from = kept.serial, dict(kept.marks), kept.notify_from
        elif not committed:  # the very first start: what was judged before it is raised, and nobody is told
            self._notify_from = agent.started_at
        self.judge.use(self._definitions())
        self.judge.note_run(notify_from=self._notify_from, live_from=agent.started_at)
        self.reports.notify_from, self.reports.live_from = self._notify_from, agent.started_at
        self.judge.load(self._rows, 0 if kept is None else kept.clock)
        self._position, self._kept_clock, self._rows = position, self.judge.clock, {}
        return {} if position is None else {self._source: position}

    # -- work

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:  # noqa: ARG002
        """Add differences up, note how far the trackers are, judge what may be judged."""
        for record in records:
            try:
                if record.key == CLOCK_KEY:
                    mark = decode_clock(record.value or b"")
                    self._marks[mark.number] = max(mark.clock, self._marks.get(mark.number, 0))
                    continue
                delta = decode_delta(record.value or b"")
            except BadInput:
                self._agent.metrics.on_dropped("undecodable_delta", 1)
                continue
            self.judge.note(self.totals.add(delta), delta)
        self._position = next_offset
        self._moved = True
        self._judge()

    def _reached(self) -> int:
        """Up to when everything has come: from all trackers, and of the reference data that judging looks up."""
        agent = self._agent
        latest = agent.ends.latest
        clocks = [self._marks.get(number, 0) for number in range(agent.trackers)]
        if latest is None or not all(clocks):
            return 0
        bound = agent.reference.bound(latest.reference_ends)
        asked = latest.asked_at - agent.ends.written_by
        return min(*clocks, asked if bound is None else min(bound - 1, asked))

    def _judge(self) -> None:
        until = self._reached()
        while (following := self._agent.book.following(self._serial)) is not None and following[0] <= until:
            self._advance(following[0])
            self._serial = following[1]
            self.judge.go_over(self._definitions())
            self._moved = True
        if until > self.judge.clock:
            self._advance(until)

    def _advance(self, until: int) -> None:
        """Judge up to a time by the rules in effect, and let go the reports whose time has come."""
        before = self.judge.clock
        self.judge.advance(until)
        self.reports.advance(before, until, self._definitions().reports)

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:  # noqa: ARG002 - the protocol's
        """Something is to be judged that could not be when the last record came."""
        of_reports = self.reports.due_after(self.judge.clock, self._definitions().reports)
        due = min((each for each in (self.judge.next_due, of_reports) if each is not None), default=None)
        following = self._agent.book.following(self._serial)
        if following is not None:
            due = following[0] if due is None else min(due, following[0])
        latest = self._agent.ends.latest
        return due is not None and latest is not None and due <= latest.asked_at and due <= self._reached()

    def tick(self, positions: Mapping[SourcePartition, int]) -> None:  # noqa: ARG002 - the protocol's
        """Judge what may be judged now."""
        self._judge()

    def has_more(self) -> bool:
        """A batch is always taken whole."""
        return False

    def is_dirty(self) -> bool:
        """Something was read or judged."""
        return self._moved or self.is_urgent() or self.judge.clock - self._kept_clock >= KEEP_CLOCK_MS

    def is_urgent(self) -> bool:
        """A sum moved, or there is something to tell."""
        return bool(self.totals.changed or self.reports.notices) or self.judge.has_news

    def is_catching_up(self) -> bool:
        """Never: there is little to write."""
        return False

    def backlog(self) -> int:
        """Sums not yet written."""
        return len(self.totals.changed)

    # -- writing

    def take(self) -> Batch:
        """Alerts and notices, one value per changed key, then the sums and the judge's rows, last the position."""
        batch = Batch()
        self._alerts, notices = self.judge.take_alerts()
        rows: Records = []

        def write(topic: str, key: str, value: bytes) -> bytes:
            data, number = self._agent.by_key[topic].of(key)
            batch.writes.setdefault(SourcePartition(topic, number), []).append((data, value))
            return data

        out = self._agent.out
        for alert in self._alerts:
            write(out.alerts, alert.instance, encode_alert(alert))
        told: Sequence[Notice] = notices
        if self._agent.inbox is not None:
            told = self._agent.inbox.tell(batch, self._alerts, notices, self._definitions().strategies)
        for notice in (*told, *self.reports.take()):
            write(out.notices, notice.recipient.no, encode_notice(notice))
        for key in sorted(self.totals.changed):
            total = self.totals.rows[key]
            rows.append((write(out.indicators, key, encode_indicator(indicator_value(key, total))), _encode(total)))
        rows += [(key.encode(), value) for key, value in self.judge.take_rows()]
        rows.append((POSITION_KEY, _encode(self._dump())))
        batch.writes[SourcePartition(out.changelog, self._number)] = rows
        batch.offsets[self._source] = Committed(self._position or 0)
        self.totals.changed, self._moved, self._kept_clock = set(), False, self.judge.clock
        return batch

    def _dump(self) -> TotalsPosition:
        return TotalsPosition(
            self._position or 0, len(self.totals) + len(self.judge), SUMS_FORMAT, self.judge.clock, self._marks,
            self._serial, self._notify_from,
        )  # fmt: skip

    def on_committed(self) -> None:
        """Count what is now visible to others."""
        for alert in self._alerts:
            self._agent.metrics.on_alert(alert)
        self._alerts = []

    def close(self) -> None:
        """Nothing is shared but the list of what this worker owns."""
        if self._agent.owned.get(self._number) is self:
            del self._agent.owned[self._number]
