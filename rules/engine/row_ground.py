"""Which rows a row rule is about, and when what it says of one is over; compiled from `rules.row_models.RowGround`."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial

from rules.engine.computations import COMPUTATIONS
from rules.engine.conditions import Test, compile_condition
from rules.engine.deadlines import usable
from rules.engine.rows import Fields, Finding, Rows, SubjectRow, number
from rules.row_models import RowGround, RowTime
from rules.state import Place, is_time
from schemas import Severity

Rungs = tuple[tuple[Severity, int | None], ...]
MOST_SHOWN = 40
"""Characters of a field that a sentence quotes; fields are anything at all."""


class Matching:
    """The rows of an entity that fit a condition and agree with the row that a rule is about."""

    def __init__(self, entity: str, when: Mapping[str, object], match: Mapping[str, str]) -> None:
        """Compile the condition; `match` is their field -> the field of the row."""
        self.entity = entity
        self._test: Test | None = compile_condition(when) if when else None
        self._match = tuple(match.items())

    def of(self, rows: Rows, row: SubjectRow) -> Iterator[SubjectRow]:
        """Give those rows, sorted by key."""
        for other in rows.of(self.entity):
            if (self._test is None or self._test(other.fields)) and self.agrees(other.fields, row.fields):
                yield other

    def agrees(self, theirs: Fields, ours: Fields) -> bool:
        """Tell whether the fields that must match are equal and not null."""
        for their, our in self._match:
            value = theirs.get(their)
            if value is None or value != ours.get(our):
                return False
        return True


class Times:
    """The times that other rows tell (`rules.row_models.RowTime`)."""

    def __init__(self, told: RowTime) -> None:
        """Compile what is told."""
        self.entity, self.field, self.key = told.entity, told.field, told.key
        self._matching = Matching(told.entity, told.when, told.match)
        self._covers = next(iter(told.covers.items()), None)

    def of(self, rows: Rows, row: SubjectRow) -> Iterator[tuple[int, SubjectRow | None]]:
        """Give the usable times and their rows (None: reference data)."""
        if self.key is not None:
            key = row.fields.get(self.key)
            fields = rows.look_up(
                self.entity, key if key is not None or rows.main is None else rows.main.fields.get(self.key)
            )
            time = usable(fields.get(self.field)) if fields else None
            if time is not None:
                yield time, None
            return
        times = ((usable(other.fields.get(self.field)), other) for other in self._matching.of(rows, row))
        found = [(time, other) for time, other in times if time is not None]
        yield from found if self._covers is None else _covering(found, row, *self._covers)

    def places(self, rows: Rows, row: SubjectRow, time: int | None) -> Iterator[Place | None]:
        """Give where the rows were read that tell this time."""
        for each, other in self.of(rows, row):
            if each != time:
                continue
            if other is not None:
                yield other.place
            elif self.key is not None:
                own = rows.main.fields if rows.main else {}
                yield rows.place(self.entity, row.fields.get(self.key, own.get(self.key)))


def _covering(
    found: list[tuple[int, SubjectRow]], row: SubjectRow, theirs: str, ours: str
) -> list[tuple[int, SubjectRow]]:
    """Give the rows from the one on by which their numbers add up to the row's; one that is not known is enough."""
    needed, total = number(row.fields.get(ours)), Decimal(0)
    covering: list[tuple[int, SubjectRow]] = []
    for time, other in sorted(found, key=lambda each: (each[0], each[1].key or "")):
        amount = number(other.fields.get(theirs))
        total += amount if amount is not None else needed or 0
        if needed is None or total >= needed:
            covering.append((time, other))
        else:  # what was paid back is owed again
            covering.clear()
    return covering


class Ground:
    """The rows of a rule and their ends."""

    def __init__(self, rule: RowGround, *, is_timed: bool) -> None:
        """Compile it; what is timed is over with the instance, a fact stands."""
        self.each = rule.each
        self._test: Test | None = compile_condition(rule.when) if rule.when else None
        self._given = COMPUTATIONS[rule.given.function].bind(rule.given.parameters) if rule.given else None
        self._until = tuple(rule.until)
        self._until_rows = tuple(Times(each) for each in rule.until_row)
        self._say = _saying(rule.detail)
        self._dept = rule.dept
        self._is_timed = is_timed

    def subjects(self, rows: Rows) -> Iterator[SubjectRow]:
        """Give the rows that the rule is about."""
        candidates: Iterable[SubjectRow] = rows.of(self.each) if self.each else (rows.main,) if rows.main else ()
        return (row for row in candidates if self.is_about(rows, row))

    def is_about(self, rows: Rows, row: SubjectRow) -> bool:
        """Tell whether the rule is about a row of its entity."""
        return (self._test is None or self._test(row.fields)) and (
            self._given is None or self._given(rows, row) is not None
        )

    def holds(self, rows: Rows, subject: str | None) -> bool:
        """Tell whether a row is still in state; it may be deleted there, or not be one of the rule's any more."""
        return self.each is None or subject is None or rows.holds(self.each, subject)

    def ended_at(self, rows: Rows, row: SubjectRow, since: int | None) -> int | None:
        """Give when what is said of the row is over; it may lie ahead."""
        times = [t for name in self._until if (t := usable(row.fields.get(name))) is not None]
        for each in self._until_rows:
            times += [time for time, _ in each.of(rows, row) if since is None or time >= since]
        if self._is_timed and rows.instance.over_at is not None:
            times.append(rows.instance.over_at)
        return min(times, default=None)

    def finding(  # noqa: PLR0913 - the parts of a finding
        self, rows: Rows, row: SubjectRow, rungs: Rungs, *, since: int | None = None, deadline: int | None = None,
        detail: str = "", subject: str | None = None,
    ) -> Finding:  # fmt: skip
        """Give what the rule says of the row."""
        said = self._say(row.fields, rows) if self._say else ""
        dept = row.fields.get(self._dept) if self._dept else None
        ended_at = self.ended_at(rows, row, since)
        return Finding(
            subject if subject is not None else row.key,
            rungs,
            deadline,
            since,
            ended_at,
            "，".join(part for part in (said, detail) if part),
            None if dept is None else str(dept),
            () if row.place is None else (row.place,),
            () if ended_at is None else (partial(self._ended_by, rows, row, ended_at),),
        )

    def _ended_by(self, rows: Rows, row: SubjectRow, ended_at: int) -> Iterator[Place | None]:
        """Give where the rows were read by which it is over, once it is."""
        if ended_at > rows.clock:
            return
        for each in self._until_rows:
            yield from each.places(rows, row, ended_at)
        if self._is_timed and rows.instance.over_at == ended_at and rows.instance.main is not None:
            yield rows.instance.main.place


def _saying(template: str) -> Callable[[Fields, Rows], str] | None:
    """Give what fills the words of a rule with fields of the row, or of the instance's own row."""
    if not template:
        return None
    names = [name for _, name, _, _ in string.Formatter().parse(template) if name]

    def say(fields: Fields, rows: Rows) -> str:
        own = rows.main.fields if rows.main else {}
        return template.format_map({name: _shown(rows, name, fields.get(name, own.get(name))) for name in names})

    return say


def _shown(rows: Rows, name: str, value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, int) and is_time(name, value):
        return rows.calendar.local_text(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)[:MOST_SHOWN]
