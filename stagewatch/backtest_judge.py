"""The second half of a backtest: both versions judge the same changes of one share, with the worker's engine.

Pure but for the file that is read. Each version has a partition of its own; reference data they share. List items
are judged in every share, so what they raise is the same there and is counted once (`merged`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rules import ITEM, Definitions, Engine, Reference, Step
from schemas import AlertEvent, Change, IndicatorDelta, Notice
from stagewatch.backtest_decode import read_share
from stagewatch.backtest_versions import Versions

AT_ONCE = 40_000
"""Changes that are judged in one step (some 20 MB): what changes several times in it is encoded once, which saves
about a fifth of the time against steps of a tenth of this; larger ones saved nothing more."""

OF_ITEMS = '"process":"negative_list"'
"""What the dimensions of an indicator say that list items count for."""
Message = tuple[str, str, str, int]
"""One message: channel, recipient, what makes it one (a group or an alert), when (epoch ms)."""


@dataclass(slots=True)
class Judged:
    """What one version raised, by alert id, and what it would have sent."""

    alerts: dict[str, AlertEvent] = field(default_factory=dict)
    messages: set[Message] = field(default_factory=set)
    deltas: list[IndicatorDelta] = field(default_factory=list)
    """Differences of the indicators that thresholds judge."""

    def take(self, step: Step) -> None:
        """Take in what a step raised, and what its values are to be judged for."""
        self.hear(step.alerts, step.notices)
        if step.grids:
            self.deltas += [delta for delta in step.deltas if delta.indicator in step.grids]

    def hear(self, alerts: Iterable[AlertEvent], notices: Iterable[Notice]) -> None:
        """Take in what was raised, and who was told."""
        for alert in alerts:
            if alert.event == "raised":
                self.add(alert)
        self.messages.update(map(_message, notices))

    def add(self, alert: AlertEvent) -> None:
        """Take in an alert; of one that several shares raised, the earliest."""
        known = self.alerts.get(alert.alert_id)
        if known is None or alert.raised_at < known.raised_at:
            self.alerts[alert.alert_id] = alert


@dataclass(slots=True)
class Both:
    """What both versions made of the same changes."""

    running: Judged = field(default_factory=Judged)
    changed: Judged = field(default_factory=Judged)


class _Version:
    """One version at work on one share."""

    def __init__(self, definitions: Definitions, reference: Reference, mail_domain: str) -> None:
        self._grids = definitions.thresholds.grids
        self._engine = Engine(definitions, reference, mail_domain=mail_domain)
        self._partition = self._engine.new_partition(0)
        self._engine.finish_recovery(self._partition)
        self.judged = Judged()

    def apply(self, changes: Sequence[Change]) -> None:
        step = Step(grids=self._grids)
        self._engine.apply(self._partition, changes, step)
        self._take(step)

    def advance(self, until: int) -> None:
        step = Step(grids=self._grids)
        self._engine.advance(self._partition, until, step)
        self._take(step)

    def _take(self, step: Step) -> None:
        self.judged.take(step)
        if step.votes:
            self.apply(step.votes)


def judge_share(path: Path, versions: Versions, until: int, *, mail_domain: str, told: Callable[[int], None]) -> Both:
    """Let both versions judge a share's changes and let time pass up to and including `until` (epoch ms).

    `told` is called with the number of changes done by now.
    """
    reference = Reference(versions.sources.entities(reference=True), versions.sources.believed)
    both = [_Version(each, reference, mail_domain) for each in (versions.running, versions.changed)]
    done = 0
    for piece in _gathered(read_share(path)):
        for run in _runs(piece):
            for change in run:
                if change.entity in reference.entities:
                    reference.add(change)
            changes = [c for c in run if c.instance or c.entity not in reference.entities]
            for version in both:
                version.apply(changes)
        done += len(piece)
        told(done)
    for version in both:
        version.advance(until)
    return Both(*(version.judged for version in both))


def _gathered(pieces: Iterable[list[Change]]) -> Iterator[list[Change]]:
    """Join pieces to larger ones."""
    whole: list[Change] = []
    for piece in pieces:
        whole += piece
        if len(whole) >= AT_ONCE:
            yield whole
            whole = []
    yield whole


def _runs(changes: Sequence[Change]) -> Iterator[Sequence[Change]]:
    """Cut after the moment of each change of a list item: what applications say of it is judged before the next."""
    begin = 0
    for index, change in enumerate(changes):
        if change.entity == ITEM and (index + 1 == len(changes) or changes[index + 1].at != change.at):
            yield changes[begin : index + 1]
            begin = index + 1
    yield changes[begin:]


def merged(shares: Iterable[Both]) -> Both:
    """Join what the shares judged; list items, which are in all of them, count for values in the first alone."""
    whole = Both()
    for number, share in enumerate(shares):
        for into, judged in ((whole.running, share.running), (whole.changed, share.changed)):
            for alert in judged.alerts.values():
                into.add(alert)
            into.messages |= judged.messages
            into.deltas += [delta for delta in judged.deltas if not number or not _is_of_items(delta)]
    return whole


def _is_of_items(delta: IndicatorDelta) -> bool:
    return OF_ITEMS in delta.dims


def _message(notice: Notice) -> Message:
    what, at = (notice.group, notice.at) if notice.group else (notice.alert_id, notice.at)
    return notice.channel, notice.recipient.no, what, at
