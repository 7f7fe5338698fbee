"""What should be there and is not: the row of a day, or the same thing in another system."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial

from rules.durations import parse_duration
from rules.engine.deadlines import usable
from rules.engine.row_ground import Ground, Matching
from rules.engine.rows import Finding, Rows, SubjectRow, number
from rules.row_models import AbsenceRule, ReconciliationRule, Side
from rules.state import Place, is_time
from rules.workdays import WorkCalendar
from schemas import SEVERITIES, Value

LONG_AGO = 0
"""Ended before any deadline: what was raised about it had no ground."""


class Absence:
    """One finding for each day of which no row was there in time."""

    is_timed = True

    def __init__(self, rule: AbsenceRule, calendar: WorkCalendar) -> None:
        """Compile the rule."""
        self.severities = frozenset(rule.rungs)
        self.ground = Ground(rule, is_timed=True)
        self._rule, self._calendar = rule, calendar
        self._expected = Matching(rule.expects.entity, rule.expects.when, rule.expects.match)
        hours, minutes = (int(part) for part in rule.at.split(":"))
        self._into_day_ms = (hours * 60 + minutes) * 60_000
        self._lags = tuple((s, _lag_ms(rule.rungs[s])) for s in SEVERITIES if s in rule.rungs)

    def find(self, rows: Rows) -> list[Finding]:
        """Give the days in sight, the next one to fall due included; days that are there are given as ended."""
        return [finding for row in self.ground.subjects(rows) for finding in self._of(rows, row)]

    def _of(self, rows: Rows, row: SubjectRow) -> Iterator[Finding]:
        there = self._there(rows, row)
        today = self._today(rows)
        first = self._first(row, there)
        ended_at = self.ground.ended_at(rows, row, None)
        ahead = max(today + timedelta(days=1), first or today)
        while ahead in there:
            ahead += timedelta(days=1)
        in_sight = {ahead, *(today - timedelta(days=n) for n in range(self._rule.back + 1))}
        for day in sorted(in_sight | there.keys()):
            due = self._due(day)
            if day not in there and (first is None or day < first or (ended_at is not None and due > ended_at)):
                continue
            rungs = tuple((severity, due + lag) for severity, lag in self._lags)
            subject = day.isoformat() if row.key is None else f"{row.key}|{day.isoformat()}"
            finding = self.ground.finding(rows, row, rungs, deadline=due, detail=day.isoformat(), subject=subject)
            rests_on = partial(self._came, rows, row, day if day in there else min(there, default=day))
            finding = finding._replace(further=(rests_on, *finding.further))
            yield finding._replace(ended_at=there[day]) if day in there else finding

    def _came(self, rows: Rows, row: SubjectRow, day: date) -> Iterator[Place | None]:
        """Give where the rows of a day were read: of the day itself, or of the first, from which on they are due."""
        for other in self._expected.of(rows, row):
            if self._day(other.fields.get(self._rule.expects.date)) == day:
                yield other.place

    def forgets(self, rows: Rows, subject: str | None) -> bool:
        """Tell whether a day is too long ago to be found again."""
        day = date.fromisoformat((subject or "")[-10:])
        return day < self._today(rows) - timedelta(days=self._rule.back)

    def _today(self, rows: Rows) -> date:
        local = date.fromisoformat(self._calendar.local_date(rows.clock))
        return local - timedelta(days=self._rule.days_later)

    def _there(self, rows: Rows, row: SubjectRow) -> dict[date, int]:
        found: dict[date, int] = {}
        for other in self._expected.of(rows, row):
            day = self._day(other.fields.get(self._rule.expects.date))
            if day is not None:
                arrived = usable(other.fields.get(self._rule.expects.arrived or "")) or LONG_AGO
                found[day] = min(arrived, found.get(day, arrived))
        return found

    def _day(self, value: Value) -> date | None:
        if isinstance(value, str):
            try:
                return date.fromisoformat(value[:10])
            except ValueError:
                return None
        time = usable(value)  # a date is the end of its local day
        return None if time is None else date.fromisoformat(self._calendar.local_date(time - 1))

    def _first(self, row: SubjectRow, there: dict[date, int]) -> date | None:
        if self._rule.since is None:
            return min(there) + timedelta(days=1) if there else None
        since = usable(row.fields.get(self._rule.since))
        return date.fromisoformat(self._calendar.local_date(since)) + timedelta(days=1) if since is not None else None

    def _due(self, day: date) -> int:
        return self._calendar.start_of_day(day + timedelta(days=self._rule.days_later)) + self._into_day_ms


def _lag_ms(text: str) -> int:
    return 0 if text == "deadline" else parse_duration(text).clock_ms


class Reconciliation:
    """What one system has and the other lacks, or tells otherwise, for too long."""

    is_timed = True

    def __init__(self, rule: ReconciliationRule) -> None:
        """Compile the rule."""
        self.severities = frozenset({rule.severity})
        self.ground = Ground(rule, is_timed=True)
        self._rule = rule
        self._after_ms = parse_duration(rule.after).clock_ms
        self._tolerance_ms = parse_duration(rule.tolerance).clock_ms
        self._sides = Matching(rule.left.entity, rule.left.when, {}), Matching(rule.right.entity, rule.right.when, {})

    def find(self, rows: Rows) -> list[Finding]:
        """Give what each side has, whether the other has it or not."""
        rows = rows.as_told()
        if not (self._feeds(rows, self._rule.left) and self._feeds(rows, self._rule.right)):
            return []
        whole = SubjectRow(None, {}, None)
        lefts, rights = (
            [row for row in matching.of(rows, whole) if side.since is None or usable(row.fields.get(side.since))]
            for matching, side in zip(self._sides, (self._rule.left, self._rule.right), strict=True)
        )
        findings, met = [], set()
        for left in lefts:
            right = next((each for each in rights if self._is_same(left, each)), None)
            if right is not None:
                met.add(right.key)
            findings.append(self._finding(rows, left, right, self._rule.left))
        findings += [self._finding(rows, each, None, self._rule.right) for each in rights if each.key not in met]
        return findings

    @staticmethod
    def _feeds(rows: Rows, side: Side) -> bool:
        """Tell whether anything of a list has ever come: what is not connected lacks everything."""
        return bool(rows.of(side.entity)) or rows.has_any(side.entity)

    def _is_same(self, left: SubjectRow, right: SubjectRow) -> bool:
        on = self._rule.on.items()
        return all(left.fields.get(a) is not None and left.fields.get(a) == right.fields.get(b) for a, b in on)

    def _finding(self, rows: Rows, row: SubjectRow, other: SubjectRow | None, side: Side) -> Finding:
        times = [usable(row.fields.get(side.since or ""))]
        lacking = f"{self._rule.right.entity if side is self._rule.left else self._rule.left.entity}中没有"
        ended_at = usable(row.fields.get(side.until or ""))
        if other is not None:
            theirs = usable(other.fields.get(self._rule.right.since or ""))
            differing = [name for name in self._rule.compare if self._differs(name, row, other)]
            times.append(theirs)
            lacking = "、".join(differing) + "不一致"
            if not differing:
                ended_at = theirs if theirs is not None else LONG_AGO
        lacks_left = side is self._rule.right and row.key is not None
        subject = f"{side.entity}:{row.key}" if lacks_left else None  # the two systems may use the same keys
        since = max((time for time in times if time is not None), default=None)
        due = None if since is None else since + self._after_ms
        finding = self.ground.finding(
            rows, row, ((self._rule.severity, due),), since=since, deadline=due, detail=lacking, subject=subject
        )
        known = [time for time in (ended_at, finding.ended_at) if time is not None]
        places = finding.places if other is None or other.place is None else (*finding.places, other.place)
        return finding._replace(ended_at=min(known, default=None), places=places)

    def _differs(self, name: str, one: SubjectRow, other: SubjectRow) -> bool:
        ours, theirs = one.fields.get(name), other.fields.get(name)
        if ours is None or theirs is None:
            return False
        if isinstance(ours, int) and isinstance(theirs, int) and is_time(name, ours):
            return abs(ours - theirs) > self._tolerance_ms
        a, b = number(ours), number(theirs)
        if a is not None and b is not None:
            return abs(a - b) > self._rule.amount_tolerance
        return ours != theirs
