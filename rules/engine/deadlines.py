"""When the rungs of a deadline rule are reached, for one instance or one visit of a stage.

Compiled once from `rules.models.DeadlineRule`; called on the hot path. All times are epoch ms UTC.
Time rules: contract, section 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, Protocol

from rules.durations import Duration, clock_deadline, parse_duration, share
from rules.engine.conditions import Fields, Test, compile_condition
from rules.models import DeadlineRule, LimitRow, Rung
from rules.state import Instance, Place, Row, Visit
from rules.workdays import WorkCalendar
from schemas import SEVERITIES, Severity

Span = tuple[int, int]
EARLIEST, LATEST = 0, 7_258_118_400_000
"""1970 and 2200: a time outside (1900, 9999: what people type for "none") is a finding, not a time."""


class RuleFace(NamedTuple):
    """The part of a rule that alerts show."""

    code: str
    version: int
    title: str
    tell: tuple[str, ...]
    text: str


class Times(NamedTuple):
    """The rungs of a rule in order of time, and the deadline that they belong to."""

    deadline: int
    rungs: tuple[tuple[Severity, int], ...]
    start: int


class Applying(NamedTuple):
    """A limit, for which instances, and where it was set."""

    test: Test | None
    limit: Duration
    row: LimitRow | None
    """None: the rule has it itself."""


class Facts(Protocol):
    """What a rule may ask beyond the instance's own rows."""

    def reference(self, entity: str, key: str) -> Fields | None:
        """Give a reference row as it was known at the partition's clock."""

    def reference_place(self, entity: str, key: str) -> Place | None:
        """Give where the reference row was read that was known at the partition's clock."""


def usable(ms: object) -> int | None:
    """Give a time that can be reckoned with, or None."""
    return ms if isinstance(ms, int) and EARLIEST < ms < LATEST else None


class Deadline:
    """One deadline rule of one process, with its limits looked up."""

    def __init__(self, rule: DeadlineRule, limits: Sequence[LimitRow], calendar: WorkCalendar) -> None:
        self.code, self.stage = rule.code, rule.stage
        self.face = RuleFace(rule.code, rule.version, rule.title, tuple(rule.tell), rule.text)
        self.until, self.until_stage = tuple(rule.until), rule.until_stage
        self.restarts_on = rule.restarts_on
        self.severities = frozenset(rule.rungs)
        self._rule = rule
        self._start_field = rule.start if isinstance(rule.start, str) else ""
        self._starts_at_entry = rule.start == "entered_at"
        self._calendar = calendar
        self._limits = _limit_rows(rule, limits)
        self._asks_customer = any("cons_type" in row.when for row in limits)
        self.counts_workdays = any(each.limit.unit == "wd" for each in self._limits)
        self._reaches = tuple(
            _reach(severity, rule.rungs[severity]) for severity in SEVERITIES if severity in rule.rungs
        )

    def times(self, instance: Instance, visit: Visit | None, facts: Facts) -> Times | None:
        """Give when its rungs are reached; None while nothing can fall due (no start, no limit, suspended)."""
        start = self._start(instance, visit)
        spans = self._spans(instance, visit)
        if start is None or spans is None:
            return None
        if self._rule.due is not None:
            due = self._due_column(instance, facts)
            return None if due is None else self.reckoned(start, due)
        applying = self.applying(instance, facts)
        if applying is None:
            return None if self._rule.limit is not None else self.reckoned(start, None, None, spans)
        limit = applying.limit
        return self.reckoned(start, self.deadline(start, limit, spans), limit, spans)

    def deadline(self, start: int, limit: Duration, spans: Sequence[Span] = ()) -> int:
        """Give when a limit counted from the start is over."""
        if limit.unit == "wd":
            return self._calendar.workday_deadline(start, limit.amount, spans)
        return self._clock_deadline(start, limit, spans)

    def _clock_deadline(self, start: int, limit: Duration, spans: Sequence[Span]) -> int:
        """Give when a limit by the clock is over; a date, of a span too, is 24:00 of its day."""
        sharp = self._calendar.by_clock
        return clock_deadline(sharp(start), limit.clock_ms, [(sharp(begin), sharp(end)) for begin, end in spans])

    def reckoned(
        self, start: int, deadline: int | None, limit: Duration | None = None, spans: Sequence[Span] = ()
    ) -> Times:
        """Give when the rungs are reached that belong to a deadline; None: the last of them is the deadline."""
        at = self._calendar.by_clock(start if deadline is None else deadline)
        rungs = _in_order(
            tuple(
                [
                    (r.severity, at if r.amount is None else self._reached(r, limit, start, at, spans))
                    for r in self._reaches
                ]
            )
        )
        return Times(rungs[-1][1] if deadline is None else at, rungs, start)

    def _reached(self, reach: _Reach, limit: Duration | None, start: int, deadline: int, spans: Sequence[Span]) -> int:
        amount = reach.amount
        if amount is None:
            return deadline
        if reach.kind == "before":
            if amount.unit != "wd":
                return deadline - amount.clock_ms
            days = (limit.amount if limit else 0) - amount.amount
            return self._calendar.workday_deadline(start, max(days, 0), spans)
        if reach.kind == "share":
            return share(self._calendar.by_clock(start), deadline, amount)
        if reach.kind == "after":
            return self._clock_deadline(start, amount, spans)
        return deadline + amount.clock_ms

    def applying(self, instance: Instance, facts: Facts) -> Applying | None:
        """Give the limit that applies to the instance, or None."""
        fields: Fields | None = None
        for each in self._limits:
            if each.test is None:
                return each
            if fields is None:
                fields = self._conditions(instance, facts)
            if each.test(fields):
                return each
        return None

    def _conditions(self, instance: Instance, facts: Facts) -> Fields:
        fields = instance.main.fields if instance.main else {}
        cons_no = fields.get("cons_no") if self._asks_customer else None
        customer = facts.reference("customer", str(cons_no)) if cons_no is not None else None
        return {**fields, "cons_type": customer.get("cons_type")} if customer else fields

    def rests_on(self, instance: Instance, visit: Visit | None, facts: Facts) -> Iterator[Place | None]:
        """Give where the rows were read that its times come from, beside the row that it is about (alerts only)."""
        rule, main = self._rule, instance.main
        by_column = rule.due is not None and rule.due.reference is None
        if main is not None and (by_column or not self._starts_at_entry):
            yield main.place
        if rule.due is None:
            yield from self.limited_by(instance, facts)
        if rule.due is not None and rule.due.reference is not None:
            for row in rows_of(instance, rule.due.through or ""):
                yield row.place
                yield facts.reference_place(rule.due.reference, str(row.fields.get(rule.due.key or "")))
        if self.restarts_on and visit is not None:
            last = self._last_report(instance, usable(visit.finished_at))
            reports = rows_of(instance, self.restarts_on) if last else []
            yield from (row.place for row in reports if row.fields.get("submitted_at") == last)
        if rule.spans == "all":
            yield from (each.place for each in instance.visits if suspended(each) != ())

    def limited_by(self, instance: Instance, facts: Facts) -> Iterator[Place | None]:
        """Give where the rows were read that decide which limit applies; none where there is but one."""
        main = instance.main
        if main is not None and self._limits and self._limits[0].test is not None:
            yield main.place
            if self._asks_customer and main.fields.get("cons_no") is not None:
                yield facts.reference_place("customer", str(main.fields["cons_no"]))

    def _due_column(self, instance: Instance, facts: Facts) -> int | None:
        due = self._rule.due
        if due is None:
            return None
        if due.reference is None:
            time = usable(instance.main.fields.get(due.field)) if instance.main else None
        else:
            keys = (row.fields.get(due.key or "") for row in rows_of(instance, due.through or ""))
            found = [facts.reference(due.reference, str(key)) for key in keys if key is not None]
            times = [t for fields in found if fields and (t := usable(fields.get(due.field))) is not None]
            time = max(times, default=None)
        if time is not None and due.end_of_day:
            time = self._calendar.ceil_day(time)
        return time

    def _start(self, instance: Instance, visit: Visit | None) -> int | None:
        if self._starts_at_entry:
            start = visit.entered_at if visit else None
            if start is not None and not EARLIEST < start < LATEST:
                return None
            if self.restarts_on and visit and start is not None:
                start = max(start, visit.restarted_at or 0, self._last_report(instance, usable(visit.finished_at)))
            return start
        return usable(instance.main.fields.get(self._start_field)) if instance.main else None

    def _last_report(self, instance: Instance, finished_at: int | None) -> int:
        """Give when the last report was submitted, up to the end of the stage; 0 if none was."""
        reports = rows_of(instance, self.restarts_on or "") if instance.others else []
        times = [t for row in reports if (t := usable(row.fields.get("submitted_at"))) is not None]
        return max((t for t in times if finished_at is None or t <= finished_at), default=0)

    def suspended_from(self, instance: Instance, visit: Visit | None) -> int | None:
        """Give since when a suspension without an end keeps the rule from falling due; None if none does."""
        if self._rule.spans == "none":
            return None
        visits = instance.visits if self._rule.spans == "all" else [visit] if visit else []
        return min((usable(v.suspend_from) or 0 for v in visits if suspended(v) is None), default=None)

    def _spans(self, instance: Instance, visit: Visit | None) -> Sequence[Span] | None:
        """Give the suspensions that are not counted; None while one is open."""
        kind = self._rule.spans
        if kind == "stage" and visit is not None:
            if visit.suspend_from is None and not visit.spans:
                return ()
            return suspended(visit)
        if kind != "all":
            return ()
        spans: list[Span] = []
        for each in instance.visits:
            of_visit = suspended(each)
            if of_visit is None:
                return None
            spans.extend(of_visit)
        return spans


def _in_order(rungs: tuple[tuple[Severity, int], ...]) -> tuple[tuple[Severity, int], ...]:
    """Give rungs by time; as good as always they are (a warning comes before its alarm)."""
    if len(rungs) == 2 and rungs[0][1] <= rungs[1][1]:  # noqa: PLR2004 - a pair (hot path)
        return rungs
    return tuple(sorted(rungs, key=itemgetter(1)))


def suspended(visit: Visit) -> Sequence[Span] | None:
    """Give the suspensions of a visit, or None while one has no end."""
    if visit.is_deleted:
        return ()
    begin, end = usable(visit.suspend_from), usable(visit.suspend_to)
    if begin is None:
        return visit.spans
    if end is None:
        return visit.spans if usable(visit.finished_at) is not None else None
    return (*visit.spans, (begin, end))


def rows_of(instance: Instance, entity: str) -> list[Row]:
    """Give the instance's further rows of an entity that were not deleted."""
    prefix = f"{entity}:"
    return [r for k, r in (instance.others or {}).items() if k.startswith(prefix) and not r.is_deleted]


def _limit_rows(rule: DeadlineRule, limits: Sequence[LimitRow]) -> list[Applying]:
    if rule.limit is None:
        return []
    if rule.limit not in ("stage", "total"):
        return [Applying(None, parse_duration(rule.limit), None)]
    is_total = rule.limit == "total"
    rows = [row for row in limits if row.total == is_total and (is_total or row.stage == rule.stage)]
    return [Applying(compile_condition(row.when) if row.when else None, parse_duration(row.limit), row) for row in rows]


class _Reach(NamedTuple):
    """How one rung's time is found."""

    severity: Severity
    kind: str
    amount: Duration | None


def _reach(severity: Severity, rung: Rung) -> _Reach:
    for kind, text in rung:
        if text is not None:
            return _Reach(severity, kind, None if kind == "at" else parse_duration(text))
    msg = f"the rung {severity} says no time"
    raise ValueError(msg)
