"""The messages of one process, compiled: when each is due, and about what. They are no alerts.

Judged by `rules.engine.message_judgement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from rules.durations import parse_duration
from rules.engine.conditions import compile_condition
from rules.engine.deadlines import usable
from rules.engine.message_values import Values
from rules.engine.row_ground import Ground
from rules.engine.row_ground import Times as TimesOf
from rules.engine.rows import Rows, SubjectRow
from rules.message_models import Message
from rules.models import Process, Stage
from rules.row_models import RowGround
from rules.state import Instance, Visit
from rules.workdays import WorkCalendar
from schemas import Value


class RowMessage:
    """One message about rows, compiled."""

    def __init__(self, message: Message) -> None:
        self.message = message
        ground = RowGround(each=message.each, when=message.when, until=message.until, until_row=message.until_row)
        self.ground = Ground(ground, is_timed=False)
        self.lapses = parse_duration(message.lapses).clock_ms
        self.values = Values(message)
        self._at = message.at if isinstance(message.at, str) else TimesOf(message.at) if message.at else ""
        shift = parse_duration(message.after).clock_ms if message.after else 0
        self._shift = shift - (parse_duration(message.before).clock_ms if message.before else 0)
        every = parse_duration(message.every).clock_ms if message.every else 0
        self._steps = tuple(number * every for number in range(message.times))

    def subject(self, row: SubjectRow) -> str:
        """Name what it is about, among the messages of its code if several tell the same, else among its own rows."""
        names = self.message.once_per
        return "|".join(_plain(row.fields.get(name)) for name in names) if names else row.key or ""

    def moments(self, rows: Rows, row: SubjectRow) -> list[int]:
        """Give the times at which it is told about a row, in order."""
        if isinstance(self._at, str):
            time = usable(row.fields.get(self._at))
            begins = [] if time is None else [time]
        else:
            begins = [time for time, _ in self._at.of(rows, row)]
        sharp = rows.calendar.by_clock
        return sorted(sharp(begin) + self._shift + step for begin in begins for step in self._steps)


def _plain(value: Value) -> str:
    """Write a field as part of a key: 86.40 and 86.4 are the same."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


class StageMessage:
    """One message about stages, compiled."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.lapses = parse_duration(message.lapses).clock_ms
        self.values = Values(message)
        self._test = compile_condition(message.when) if message.when else None

    def due(self, instance: Instance, visit: Visit) -> int | None:
        """Give when it is told about a visit; None: it is not, since it is over already."""
        if visit.is_deleted or instance.over_at is not None:
            return None
        is_moot = self.message.on == "entered_at" and visit.finished_at is not None
        return None if is_moot else usable(getattr(visit, self.message.on))

    def is_about(self, own: SubjectRow) -> bool:
        """Tell whether instances like this are meant."""
        return self._test is None or self._test(own.fields)


@dataclass(frozen=True, slots=True)
class Messages:
    """All messages of a process."""

    of_rows: tuple[RowMessage, ...]
    of_stages: Mapping[str, tuple[StageMessage, ...]]
    """By the stage."""
    needs: frozenset[str | None]
    """Entities of one of which the instance must have a row before any of `of_rows` can be told; None: its own."""

    @property
    def own_fields(self) -> frozenset[str]:
        """Fields of the instance's own row whose change may make one be told."""
        found: set[str] = set()
        for each in self.of_rows:
            if each.message.each is None:
                found.update((*each.message.when, *each.message.until, *each.message.values.values()))
                if isinstance(each.message.at, str):
                    found.add(each.message.at)
        return frozenset(found)

    def concern(self, instance: Instance) -> bool:
        """Tell whether any message about rows can be told of an instance as it is (hot path)."""
        if not self.of_rows or None in self.needs:
            return bool(self.of_rows)
        others = instance.others
        return others is not None and any(name.partition(":")[0] in self.needs for name in others)


def compile_messages(process: Process, messages: Iterable[Message]) -> Messages | None:
    """Give the messages of a process; None: it has none."""
    chosen = [each for each in messages if each.enabled and process.is_among(each.processes)]
    if not chosen:
        return None
    of_rows = tuple(RowMessage(each) for each in chosen if not each.stages)
    of_stages = {
        stage.code: tuple(StageMessage(each) for each in chosen if stage.code in each.stages)
        for stage in process.stages
    }
    return Messages(
        of_rows,
        {code: found for code, found in of_stages.items() if found},
        frozenset(each.message.each for each in of_rows),
    )


class MessageBook(NamedTuple):
    """What is told of a process, with all that has to be known of it for that."""

    process: str
    entity: str
    calendar: WorkCalendar
    stages: Mapping[str, Stage]
    messages: Messages
