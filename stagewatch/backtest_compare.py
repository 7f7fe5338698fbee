"""What differs between two versions of the definitions: alert by alert, and summed up. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from rules import WorkCalendar
from schemas import AlertEvent
from stagewatch.backtest_judge import Both, Message


class Outcome(StrEnum):
    """What became of one alert under the changed version."""

    SAME = "same"
    RAISED = "raised"
    """Only the changed version raises it."""
    SPARED = "spared"
    """Only the running version raised it."""
    EARLIER = "earlier"
    LATER = "later"


class Window(NamedTuple):
    """The time that is looked at, both ends included, epoch ms."""

    begin: int
    end: int

    def holds(self, at: int) -> bool:
        """Say whether a moment lies in it."""
        return self.begin <= at <= self.end


@dataclass(frozen=True, slots=True)
class Compared:
    """One alert (rule, process, instance, stage, visit, object, rung) as both versions raised it; one at least did."""

    running: AlertEvent | None
    changed: AlertEvent | None

    @property
    def alert(self) -> AlertEvent:
        """The alert as the changed version words it, if it has it."""
        alert = self.changed or self.running
        assert alert is not None  # noqa: S101 - the class's promise
        return alert

    @property
    def moved_ms(self) -> int:
        """How much later the changed version raises it; below zero: earlier."""
        if self.running is None or self.changed is None:
            return 0
        return self.changed.raised_at - self.running.raised_at

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        if self.running is None or self.changed is None:
            return Outcome.RAISED if self.running is None else Outcome.SPARED
        if self.moved_ms == 0:
            return Outcome.SAME
        return Outcome.LATER if self.moved_ms > 0 else Outcome.EARLIER


def compare(both: Both, window: Window) -> list[Compared]:
    """Give every alert that either version raised in the window, by rule, time and instance."""
    running, changed = both.running.alerts, both.changed.alerts
    found = [Compared(running.get(key), changed.get(key)) for key in running.keys() | changed.keys()]
    kept = [each for each in found if any(window.holds(alert.raised_at) for alert in _sides(each))]
    return sorted(kept, key=lambda c: (c.alert.rule, c.alert.raised_at, c.alert.instance, c.alert.alert_id))


def _sides(compared: Compared) -> Iterator[AlertEvent]:
    return (alert for alert in (compared.running, compared.changed) if alert is not None)


class Tally(NamedTuple):
    """How many alerts of one rule, unit or person became what."""

    name: str
    counts: Counter[Outcome]
    moved_ms: int
    """Sum over the alerts that moved: later less earlier."""

    @property
    def running(self) -> int:
        """Alerts of the running version."""
        return self.counts.total() - self.counts[Outcome.RAISED]

    @property
    def changed(self) -> int:
        """Alerts of the changed version."""
        return self.counts.total() - self.counts[Outcome.SPARED]

    @property
    def differing(self) -> int:
        """Alerts that are not the same."""
        return self.counts.total() - self.counts[Outcome.SAME]


def tallied(compared: Iterable[Compared], name_of: Callable[[AlertEvent], str]) -> list[Tally]:
    """Sum up by name; the names with most differences first."""
    counts: dict[str, Counter[Outcome]] = {}
    moved: Counter[str] = Counter()
    for each in compared:
        name = name_of(each.alert)
        counts.setdefault(name, Counter())[each.outcome] += 1
        moved[name] += each.moved_ms
    tallies = [Tally(name, found, moved[name]) for name, found in counts.items()]
    return sorted(tallies, key=lambda t: (-t.differing, t.name))


class Sent(NamedTuple):
    """Messages under one name (a day, a person): of the running and of the changed version, by channel."""

    name: str
    running: Counter[str]
    changed: Counter[str]


@dataclass(frozen=True, slots=True)
class Load:
    """The messages that both versions mean, before muting and digests: by local day in order, by person most first."""

    by_day: list[Sent]
    by_person: list[Sent]


def load_of(both: Both, window: Window, calendar: WorkCalendar) -> Load:
    """Count the messages of the window."""
    sides = [[m for m in judged.messages if window.holds(m[3])] for judged in (both.running, both.changed)]
    days = _sent(sides, lambda message: calendar.local_date(message[3]))
    people = _sent(sides, lambda message: message[1])
    return Load(
        sorted(days, key=lambda sent: sent.name),
        sorted(people, key=lambda sent: (-max(sent.running.total(), sent.changed.total()), sent.name)),
    )


def _sent(sides: list[list[Message]], name_of: Callable[[Message], str]) -> list[Sent]:
    counted: list[dict[str, Counter[str]]] = [{}, {}]
    for counts, messages in zip(counted, sides, strict=True):
        for message in messages:
            counts.setdefault(name_of(message), Counter())[message[0]] += 1
    names = counted[0].keys() | counted[1].keys()
    return [Sent(name, counted[0].get(name, Counter()), counted[1].get(name, Counter())) for name in names]
