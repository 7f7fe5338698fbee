"""An engine of a hundred lines in place of the real one: what was judged, in order, and one timer per row.

Many more worlds fit into a second with it, and its oracle is one pass over the sorted input.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec

from rules import Reference, Reports, Thresholds, state_council_calendar
from rules.state import RulesMark
from schemas import AlertEvent, Change, Notice, Recipient
from schemas.notice import Channel

CALENDAR = state_council_calendar()
DELAY_MS = 40
"""The one rule: a row is late so long after it came."""
LATE = "late "
CHANNELS: tuple[Channel, ...] = ("sms", "mail", "none")


@dataclass
class FakeInstances:
    """What was judged of each instance, in order."""

    rows: dict[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class FakePartition:
    """State of one partition."""

    clock: int = 0
    notify_from: int = 0
    live_from: int = 0
    instances: FakeInstances = field(default_factory=FakeInstances)
    timers: list[tuple[int, str]] = field(default_factory=list)
    rules: RulesMark = field(default_factory=RulesMark)
    take_up: None = None

    def next_due(self) -> int:
        return min(self.timers)[0] if self.timers else 1 << 62


class FakeEngine:
    """Keeps of each instance what was judged, and raises one alert per row when its time has come."""

    definitions = SimpleNamespace(
        serial=0, digest="", templates={}, own_templates={}, processes={}, calendar=CALENDAR,
        thresholds=Thresholds([], (), (), processes={}, calendar=CALENDAR), reports=Reports(),
    )  # fmt: skip

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def new_partition(self, number: int) -> FakePartition:
        return FakePartition()

    def apply(self, partition: FakePartition, changes: Sequence[Change], step: Any) -> None:
        for change in changes:
            if change.at > partition.clock:
                self._fire(partition, change.at - 1, step)
                partition.clock = change.at
            rows = partition.instances.rows.setdefault(change.instance, [])
            if change.row in rows:
                step.dropped += 1
                continue
            rows.append(change.row)
            partition.timers.append((partition.clock + DELAY_MS, f"{change.instance}/{change.row}"))
            self._keep(partition, change.instance, step)
            step.count((), [part(change.instance, 1, 1)], partition.clock)

    def advance(self, partition: FakePartition, now: int, step: Any) -> None:
        self._fire(partition, now, step)
        partition.clock = max(partition.clock, now)

    def _fire(self, partition: FakePartition, until: int, step: Any) -> None:
        for due, name in sorted(t for t in partition.timers if t[0] <= until):
            partition.timers.remove((due, name))
            instance = name.split("/", 1)[0]
            partition.instances.rows[instance].append(LATE + name)
            self._keep(partition, instance, step)
            step.alerts.append(alert(name, due))
            step.count((), [part(instance, 0, 1)], due)
            step.notices += notices(name, due)

    @staticmethod
    def _keep(partition: FakePartition, key: str, step: Any) -> None:
        timers = [t for t in partition.timers if t[1].startswith(f"{key}/")]
        step.rows[key] = msgspec.msgpack.encode((partition.instances.rows[key], timers))

    def load(self, partition: FakePartition, key: str, data: bytes) -> None:
        partition.instances.rows[key], timers = decode_rows(data)
        others = [t for t in partition.timers if not t[1].startswith(f"{key}/")]
        partition.timers = others + timers

    def dump_position(self, partition: FakePartition) -> bytes:
        return msgspec.msgpack.encode(partition.clock)

    def load_position(self, partition: FakePartition, data: bytes) -> None:
        partition.clock = msgspec.msgpack.decode(data)

    def finish_recovery(self, partition: FakePartition) -> None:
        """Nothing is derived."""

    def release(self, partition: FakePartition) -> None:
        """Nothing is shared."""


def decode_rows(data: bytes) -> tuple[list[str], list[tuple[int, str]]]:
    """Give the rows of an instance and its timers from a changelog record."""
    rows, timers = msgspec.msgpack.decode(data)
    return rows, [tuple(timer) for timer in timers]


def alert(name: str, due: int) -> AlertEvent:
    return AlertEvent(
        alert_id=name, event="raised", rule="R", rule_version=1, severity="WARN", process="p",
        instance=name.split("/", 1)[0], stage=None, visit=None, raised_at=due, due_at=due, org_no=None, dept=None,
        person=None, object=None, text="", evidence=(),
    )  # fmt: skip


def part(instance: str, numerator: int, denominator: int) -> tuple[str, str, str, str, int, int]:
    """What one row adds to the one indicator, of which each instance is a unit."""
    return "I", instance, "", "{}", numerator, denominator


def notices(name: str, due: int) -> list[Notice]:
    """One or two people are told of each alert."""
    return [
        Notice(
            alert_id=name, rule="R", severity="WARN", process="p", instance=name.split("/", 1)[0], org_no=None,
            recipient=Recipient(no=f"M{who}", mobile="13800138001", mail="m@example.com"),
            channel=CHANNELS[(len(name) + who) % len(CHANNELS)], text="late", at=due, due_at=due,
        )
        for who in range(1 + len(name) % 2)
    ]  # fmt: skip
