"""`stagewatch replay`: the same engine offline over recorded events, without broker, clock or randomness.

Two runs over the same input write byte-identical files (contract, section 6).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from connectors import SourceCatalog
from rules import (
    Definitions,
    Engine,
    Reference,
    ReportClock,
    Step,
    ThresholdJudge,
    Totals,
    describe,
    indicator_value,
)
from schemas import (
    LATEST_ARRIVAL,
    AlertEvent,
    BadInput,
    Change,
    DeadLetter,
    Decoder,
    FanOut,
    IndicatorValue,
    Notice,
    Recorded,
    decoder_of,
    encode_alert,
    encode_dead_letter,
    encode_indicator,
    iso,
    message_text,
    parse_recorded,
    too_late,
)
from stagewatch.cli import Failed

Progress = Callable[[int], None]
"""Called now and then with the number of bytes read."""


@dataclass(slots=True)
class Outcome:
    """What a replay found."""

    records: int = 0
    changes: int = 0
    dropped: int = 0
    unmapped: int = 0
    alerts: list[AlertEvent] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)


class Replay:
    """One replay: feed it records in order of arrival, then read what it found."""

    def __init__(self, definitions: Definitions, sources: SourceCatalog, *, mail_domain: str) -> None:
        sources = sources.told(definitions.by_entity)
        entities = frozenset(m.entity for m in sources.mappings if m.is_reference)
        self._reference = Reference(entities, sources.believed)
        self._tracked = sources.entities(reference=False)
        self._definitions = definitions
        self._sources = sources
        self._engine = Engine(definitions, self._reference, mail_domain=mail_domain)
        self._partition = self._engine.new_partition(0)
        self._engine.finish_recovery(self._partition)
        self._decoders: dict[str, Decoder | FanOut | None] = {}
        self.outcome = Outcome()
        self._thresholds = ThresholdJudge(definitions, self._reference, self.outcome.totals, mail_domain=mail_domain)
        self._reports = ReportClock(lambda _name: True, self._reference, mail_domain=mail_domain)

    @property
    def clock(self) -> int:
        """Epoch ms of the last thing judged."""
        return self._partition.clock

    def feed(self, records: Iterable[Recorded]) -> None:
        """Judge records that are sorted by arrival."""
        for _, together in groupby(records, key=lambda r: r.timestamp):
            self._feed_together(list(together))

    def advance(self, until: int) -> None:
        """Let time pass up to and including `until`, but not into the year 2200: no time there can be reckoned with."""
        until = min(until, LATEST_ARRIVAL - 1)
        step = self._new_step()
        self._engine.advance(self._partition, until, step)
        self._take(step)
        self._judge_values(until)

    def _feed_together(self, records: list[Recorded]) -> None:
        """Judge the records of one moment: reference data first, then by place, as a worker does."""
        records.sort(key=lambda r: (r.topic, r.partition, r.offset))
        changes = []
        for record in records:
            for change in self._decode(record):
                if change.entity in self._reference.entities:
                    self._reference.add(change)
                if change.instance:
                    changes.append(change)
                elif change.left:  # it belongs to none any more
                    changes.append(change.leaving())
                elif change.op == "d" and change.entity in self._tracked:
                    changes.append(change)
        step = self._new_step()
        self._engine.arrive(self._partition, records[0].timestamp, step)
        self._engine.apply(self._partition, changes, step)
        self._take(step)
        self._judge_values(records[0].timestamp - 1)  # at this moment there may still come more

    def _decode(self, record: Recorded) -> Sequence[Change]:
        self.outcome.records += 1
        if record.topic not in self._decoders:
            mapping = self._sources.mapping_for(record.topic)
            self._decoders[record.topic] = decoder_of(mapping, schema_of=self._sources.schema_of) if mapping else None
        decoder = self._decoders[record.topic]
        if decoder is None:
            self.outcome.unmapped += 1
            return ()
        try:
            changes = decoder.decode_all(
                key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp,
                topic=record.topic, partition=record.partition, offset=record.offset,
            )  # fmt: skip
        except BadInput as error:
            self.refuse(error, record)
            return ()
        self.outcome.changes += len(changes)
        return changes

    def refuse(self, error: BadInput, record: Recorded) -> None:
        """Keep a record that cannot be understood as a dead letter."""
        self.outcome.dead_letters.append(
            DeadLetter.of(
                error.reason,
                error.detail,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                timestamp=record.timestamp,
                key=record.key,
                value=record.value,
            )
        )

    def _take(self, step: Step) -> None:
        outcome = self.outcome
        outcome.alerts += step.alerts
        outcome.notices += step.notices
        outcome.dropped += step.dropped
        for delta in step.deltas:
            self._thresholds.note(outcome.totals.add(delta), delta)
        if step.votes:
            following = self._new_step()
            self._engine.apply(self._partition, step.votes, following)
            self._take(following)

    def _new_step(self) -> Step:
        return Step(grids=self._definitions.thresholds.grids)

    def _judge_values(self, until: int) -> None:
        """Judge thresholds over indicator values up to `until`, and let go the reports of that time."""
        self._reports.advance(self._thresholds.clock, until, self._definitions.reports)
        self._thresholds.advance(until)
        alerts, notices = self._thresholds.take_alerts()
        self.outcome.alerts += alerts
        self.outcome.notices += [*notices, *self._reports.take()]
        self._thresholds.take_rows()

    # -- what is written

    def instances(self) -> Iterator[dict[str, Any]]:
        """Give the documents of all instances, sorted by key."""
        for key in sorted(self._partition.instances):
            yield describe(self._partition.instances[key])

    def indicators(self) -> Iterator[IndicatorValue]:
        """Give the last value per key, sorted."""
        for key, total in sorted(self.outcome.totals.rows.items(), key=lambda item: item[0].split("|", 3)):
            yield indicator_value(key, total)

    def notifications(self) -> Iterator[dict[str, Any]]:
        """Give what would be sent, in order; notices of one group to one person at one time are one message."""
        messages: dict[tuple[Any, ...], list[Notice]] = {}
        for number, notice in enumerate(self.outcome.notices):
            own = (notice.group, notice.at) if notice.group else (number,)
            messages.setdefault((notice.recipient.no, notice.channel, *own), []).append(notice)
        for notices in messages.values():
            first = notices[0]
            address = first.recipient.mobile if first.channel == "sms" else first.recipient.mail
            yield {
                "channel": first.channel,
                "recipient": first.recipient.no,
                "address": address if first.channel in ("sms", "mail") else None,
                "text": message_text(notices),
                "at": iso(first.at),
                "rule": first.rule,
                "severity": first.severity,
                "alerts": [n.alert_id for n in notices],
            }

    @property
    def warnings(self) -> list[str]:
        """What the records say against the declarations of their tables, as a worker logs it."""
        return [warning for decoder in self._decoders.values() if decoder is not None for warning in decoder.warnings]

    def summary(self) -> dict[str, Any]:
        """Give the counts of the run."""
        raised = [a for a in self.outcome.alerts if a.event == "raised"]
        by_rule: dict[str, dict[str, int]] = {}
        for alert in raised:
            counts = by_rule.setdefault(alert.rule, {})
            counts[alert.severity] = counts.get(alert.severity, 0) + 1
        events = [a.event for a in self.outcome.alerts]
        return {
            "records": self.outcome.records,
            "changes": self.outcome.changes,
            "dropped": self.outcome.dropped,
            "unmapped": self.outcome.unmapped,
            "dead_letters": len(self.outcome.dead_letters),
            "instances": len(self._partition.instances),
            "alerts_raised": len(raised),
            "alerts_by_event": {name: events.count(name) for name in sorted(set(events))},
            "alerts_by_rule": {rule: dict(sorted(by_rule[rule].items())) for rule in sorted(by_rule)},
            "notifications": sum(1 for _ in self.notifications()),
            "clock": iso(self.clock),
            "limits": self._definitions.limits_id,
        }

    def write(self, folder: Path) -> None:
        """Write the six files of the contract into `folder`, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        outcome = self.outcome
        _write_lines(folder / "alerts.jsonl", map(encode_alert, outcome.alerts))
        _write_lines(folder / "instances.jsonl", map(msgspec.json.encode, self.instances()))
        _write_lines(folder / "indicators.jsonl", map(encode_indicator, self.indicators()))
        _write_lines(folder / "notifications.jsonl", map(msgspec.json.encode, self.notifications()))
        _write_lines(folder / "deadletters.jsonl", map(encode_dead_letter, outcome.dead_letters))
        summary = msgspec.json.format(msgspec.json.encode(self.summary()), indent=2)
        (folder / "summary.json").write_bytes(summary + b"\n")


def _write_lines(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in lines)


def read_recorded(path: Path, refuse: Callable[[BadInput, Recorded], None], progress: Progress) -> Iterator[Recorded]:
    """Give the records of a file in order of arrival; a line that is no record goes to `refuse`.

    A file in order is read as a stream. Its records arrive at the running maximum of their source partition's
    timestamps, as they do in a worker; a file that is not sorted by that is sorted in memory first.
    """
    if _is_sorted(path):
        yield from _records(path, refuse, progress)
    else:
        yield from sorted(_records(path, refuse, progress), key=lambda r: r.timestamp)


def _is_sorted(path: Path) -> bool:
    last = 0
    for record in _records(path, lambda _error, _record: None, lambda _bytes: None):
        if record.timestamp < last:
            return False
        last = record.timestamp
    return True


@contextmanager
def lines_of(path: Path) -> Iterator[tuple[BinaryIO, Iterator[bytes]]]:
    """Open a file, `.gz` or not; give it, as it is read, and its lines.

    Raises Failed, which names the file and the last line, if it is no gzip file or was cut short.
    """
    with path.open("rb") as raw, gzip.open(raw) if path.suffix == ".gz" else nullcontext(raw) as file:
        yield raw, _whole_lines(path, file)


def _whole_lines(path: Path, file: Iterable[bytes]) -> Iterator[bytes]:
    number = 0
    try:
        for line in file:
            number += 1
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Failed(f"{path}: cannot be unpacked behind line {number}: {error}") from error


def _records(path: Path, refuse: Callable[[BadInput, Recorded], None], progress: Progress) -> Iterator[Recorded]:
    newest: dict[tuple[str, int], int] = {}
    with lines_of(path) as (raw, lines):
        for number, line in enumerate(lines, start=1):
            if number % 1000 == 0:
                progress(raw.tell())
            if not line.strip():
                continue
            try:
                record = parse_recorded(line)
            except BadInput as error:
                refuse(error, Recorded(path.name, 0, number, 0, None, line, {}))
                continue
            if record.timestamp >= LATEST_ARRIVAL:
                refuse(too_late(record.timestamp), record)
                continue
            tp = (record.topic, record.partition)
            at = newest[tp] = max(record.timestamp, newest.get(tp, 0))
            yield record if at == record.timestamp else msgspec.structs.replace(record, timestamp=at)
        progress(raw.tell())
