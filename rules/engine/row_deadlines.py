"""Deadlines of rows: of each coordination notice, document, payment; and of instances, told by other rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial

from rules.engine.deadlines import Applying, Deadline, RuleFace, Times, usable
from rules.engine.row_ground import Ground
from rules.engine.row_ground import Times as TimesOf
from rules.engine.rows import Finding, Rows, SubjectRow
from rules.models import DeadlineRule, LimitRow
from rules.state import Place
from rules.workdays import WorkCalendar

DAY_MS = 86_400_000


class RowDeadline:
    """One deadline rule that asks for rows; suspensions are those of stages and do not count here."""

    is_timed = True

    def __init__(self, rule: DeadlineRule, limits: Sequence[LimitRow], calendar: WorkCalendar) -> None:
        """Compile the rule; `limits` are those of its process."""
        self.code, self.severities = rule.code, frozenset(rule.rungs)
        self.ladder = Deadline(rule, limits, calendar)
        self.face: RuleFace = self.ladder.face
        self.ground = Ground(rule, is_timed=True)
        self._rule, self._calendar = rule, calendar
        self._start = rule.start if isinstance(rule.start, str) else TimesOf(rule.start)

    def find(self, rows: Rows) -> list[Finding]:
        """Give when each row falls due."""
        findings = []
        for row in self.ground.subjects(rows):
            times = self.times(rows, row)
            if times is not None:
                finding = self.ground.finding(rows, row, times.rungs, since=times.start, deadline=times.deadline)
                rests_on = partial(self._rests_on, rows, row, times.start)
                findings.append(finding._replace(further=(rests_on, *finding.further)))
        return findings

    def _rests_on(self, rows: Rows, row: SubjectRow, start: int) -> Iterator[Place | None]:
        """Give where the rows were read that its times come from."""
        if not isinstance(self._start, str):
            yield from self._start.places(rows, row, start)
        due = self._rule.due
        if due is None:
            yield from self.ladder.limited_by(rows.instance, rows.around)
        elif due.reference is not None:
            yield rows.place(due.reference, row.fields.get(due.key or ""))

    def times(self, rows: Rows, row: SubjectRow) -> Times | None:
        """Give when the rungs are reached for one row; None while nothing can fall due."""
        start = self._started(rows, row)
        if start is None:
            return None
        if self._rule.due is not None:
            due = self._due(rows, row, start)
            return None if due is None else self.ladder.reckoned(start, due)
        applying = self.applying(rows)
        if applying is None:
            return None if self._rule.limit is not None else self.ladder.reckoned(start, None)
        limit = applying.limit
        return self.ladder.reckoned(start, self.ladder.deadline(start, limit), limit)

    def applying(self, rows: Rows) -> Applying | None:
        """Give the limit that applies to the instance."""
        return self.ladder.applying(rows.instance, rows.around)

    def _started(self, rows: Rows, row: SubjectRow) -> int | None:
        if isinstance(self._start, str):
            return usable(row.fields.get(self._start))
        return max((time for time, _ in self._start.of(rows, row)), default=None)

    def _due(self, rows: Rows, row: SubjectRow, start: int) -> int | None:
        due = self._rule.due
        if due is None:
            return None
        fields = row.fields
        if due.reference is not None:
            key = fields.get(due.key or "")
            fields = rows.look_up(due.reference, key) or {}
        value = fields.get(due.field)
        if due.is_days:
            is_number = isinstance(value, int | Decimal) and not isinstance(value, bool) and value > 0
            return self._calendar.by_clock(start) + int(value * DAY_MS) if is_number else None  # type: ignore[operator]
        time = usable(value)
        return self._calendar.ceil_day(time) if time is not None and due.end_of_day else time
