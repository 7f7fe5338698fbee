"""The independent recount: which alerts must exist, told from what the generator wrote.

Shares no code with `rules` and reads none of its definitions: the limits stand here once more, from domain.md
section 3 (P01, P02) and 4.2, and so do the time rules of contract section 7. If this and the worker disagree,
one of them is wrong, and the demo says so.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stagewatch.demo.source import Happening, Row
from stagewatch.demo.workdays import DAY_MS, HOUR_MS, Span, end_of, idle_deadline, workday_deadline

BACKDATED_MS = 72 * HOUR_MS
HV, LV = "hv_connection", "lv_connection"
RESIDENT = "resident"
LIMITED = {
    HV: {"SURVEY": ("R-T03", 5, 1), "DESIGN_REVIEW": ("R-T06", 10, 2), "COMPLETE": ("R-T11", 5, 1),
         "CONNECT": ("R-T12", 5, 1), "ARCHIVE": ("R-T13", 3, 1)},
    LV: {"COMPLETE": ("R-T11", 5, 1), "CONNECT": ("R-T12", 5, 1), "ARCHIVE": ("R-T13", 3, 1)},
}  # fmt: skip
"""Rule, limit in workdays, and how many before it the warning comes."""
IDLE = {"DESIGN": ("R-T05", 45, 60), "TEST": ("R-T10", 10, 15)}
"""Rule, and the days after which silence is warned of and alarmed (HV only)."""
BEFORE = {
    HV: {"ACCEPT": ["RESERVE"], "SURVEY": ["ACCEPT"], "SCHEME": ["ACCEPT"], "DESIGN": ["SCHEME"],
         "DESIGN_REVIEW": ["DESIGN"], "BUILD": ["DESIGN_REVIEW"], "TEST": ["BUILD"], "COMPLETE": ["BUILD", "TEST"],
         "CONNECT": ["COMPLETE"], "ARCHIVE": ["CONNECT"]},
    LV: {"ACCEPT": ["RESERVE"], "SCHEME": ["ACCEPT"], "COMPLETE": ["SCHEME"], "CONNECT": ["SCHEME", "COMPLETE"],
         "ARCHIVE": ["CONNECT"]},
}  # fmt: skip
"""Which stages must have ended before one may be entered."""


class Key(NamedTuple):
    """What tells one rung of one alert from every other."""

    rule: str
    severity: str
    process: str
    instance: str
    stage: str | None = None
    visit: int | None = None
    item: str | None = None


class Firing(NamedTuple):
    """When an alert must have been raised (epoch ms)."""

    at: int
    matters_until: int
    """The deadline that it is about; without one, when it was raised."""
    by_arrival: bool
    """Raised by the arrival of a record at `at`, not by the passing of time."""


Firings = dict[Key, Firing]


class Rung(NamedTuple):
    """A time at which something becomes an alert, as things stand."""

    key: Key
    due: int
    deadline: int


def recount(happenings: Sequence[Happening], until: int) -> Firings:
    """Give every alert that must have been raised by `until` (inclusive). `happenings` are in order of arrival."""
    from stagewatch.demo.recount_list import count_list

    firings: Firings = {}
    for app_no, records in _by_application(happenings).items():
        for key, firing in _Life(app_no).firings(records, until):
            firings.setdefault(key, firing)
    for key, firing in count_list(happenings, until):
        firings.setdefault(key, firing)
    return firings


def _by_application(happenings: Iterable[Happening]) -> dict[str, list[Happening]]:
    """Sort what concerns each application: its rows, its customer, the schedules of its works."""
    found: dict[str, list[Happening]] = defaultdict(list)
    of_customer: dict[str, list[Happening]] = defaultdict(list)
    of_project: dict[str, str] = {}
    for happening in happenings:
        row = happening.row
        if happening.garbage is not None:
            continue
        if happening.table == "mkt.mkt_cons":
            of_customer[str(row["cons_no"])].append(happening)
        elif happening.table == "lean.lean_prj_schedule":
            found[of_project[str(row["prj_no"])]].append(happening)
        elif "app_no" in row:
            app_no = str(row["app_no"])
            if happening.table == "mkt.mkt_app" and happening.op == "c":
                found[app_no] += of_customer[str(row["cons_no"])]
            if happening.table == "mkt.mkt_cust_prj":
                of_project[str(row["prj_no"])] = app_no
            found[app_no].append(happening)
    return found


@dataclass(slots=True)
class _Life:
    """What is known of one application while its records are read in order."""

    app_no: str
    main: Row | None = None
    is_resident: bool = False
    visits: dict[str, Row] = field(default_factory=dict)
    plans: list[int] = field(default_factory=list)

    def firings(self, records: list[Happening], until: int) -> Iterator[tuple[Key, Firing]]:
        """Read the records; at each, say what fires before the next one."""
        for number, happening in enumerate(records):
            if happening.at > until:
                return
            following = records[number + 1].at if number + 1 < len(records) else until + 1
            before = self.visits.get(str(happening.row.get("progress_id")))
            self._learn(happening)
            if self.main is None:
                continue
            for key in self._findings(happening, before):
                yield key, Firing(happening.at, happening.at, by_arrival=True)
            for key, due, deadline in self._rungs():
                at = max(due, happening.at)
                if at < min(following, until + 1):
                    yield key, Firing(at, deadline, by_arrival=due <= happening.at)

    def _learn(self, happening: Happening) -> None:
        row = happening.row
        if happening.table == "mkt.mkt_app":
            self.main = row
        elif happening.table == "mkt.mkt_cons":
            self.is_resident = row["cons_type"] == RESIDENT
        elif happening.table == "mkt.mkt_app_progress":
            self.visits[str(row["progress_id"])] = row
        elif happening.table == "lean.lean_prj_schedule":
            self.plans.append(end_of(row["plan_finish"]))  # type: ignore[arg-type]

    @property
    def _process(self) -> str:
        assert self.main is not None  # noqa: S101 - asked only once it is known
        return HV if self.main["volt_class"] == "HV" else LV

    # -- times

    def _rungs(self) -> Iterator[Rung]:
        if self.main is None or self.main["archived_at"] is not None:
            return
        for visit in self.visits.values():
            spans = _spans(visit)
            if visit["finished_at"] is None and spans is not None:
                for rule, severity, due, deadline in self._of_visit(visit, spans):
                    yield Rung(self._key(rule, severity, visit), due, deadline)
        yield from self._of_whole(self.main)

    def _of_visit(self, visit: Row, spans: list[Span]) -> Iterator[tuple[str, str, int, int]]:
        stage, entered = str(visit["stage_code"]), _time(visit["entered_at"])
        if stage == "ACCEPT":
            deadline = workday_deadline(entered, 1 if self._process == HV else 0, spans)
            yield "R-T02", "WARN", entered + (deadline - entered) // 2, deadline
            yield "R-T02", "ALARM", deadline, deadline
        elif stage == "SCHEME":
            yield from self._limited("R-T04", _time(self.main["accepted_at"]), self._scheme_limit(), 3, spans)  # type: ignore[index]
        elif stage in IDLE and self._process == HV:
            rule, warn, alarm = IDLE[stage]
            deadline = idle_deadline(entered, alarm * DAY_MS, spans)
            yield rule, "WARN", idle_deadline(entered, warn * DAY_MS, spans), deadline
            yield rule, "ALARM", deadline, deadline
        elif stage == "BUILD" and self.plans:
            plan = max(self.plans)
            yield "R-T07", "WARN", plan - 3 * DAY_MS, plan
            yield "R-T07", "ALARM", plan, plan
        elif stage in LIMITED[self._process]:
            rule, limit, before = LIMITED[self._process][stage]
            is_short = self._process == LV and stage == "CONNECT" and self.is_resident
            yield from self._limited(rule, entered, 3 if is_short else limit, before, spans)

    def _limited(
        self, rule: str, start: int, limit: int, before: int, spans: list[Span]
    ) -> Iterator[tuple[str, str, int, int]]:
        deadline = workday_deadline(start, limit, spans)
        yield rule, "WARN", workday_deadline(start, max(limit - before, 0), spans), deadline
        yield rule, "ALARM", deadline, deadline

    def _scheme_limit(self) -> int:
        if self._process == LV:
            return 3 if self.is_resident else 7
        return 30 if self._has_two_sources() else 15

    def _has_two_sources(self) -> bool:
        assert self.main is not None  # noqa: S101 - asked only once it is known
        return _time(self.main["source_count"]) > 1

    def _of_whole(self, main: Row) -> Iterator[Rung]:
        """R-T14: from acceptance until the connection is made, all suspensions off."""
        if any(v["stage_code"] == "CONNECT" and v["finished_at"] is not None for v in self.visits.values()):
            return
        spans: list[Span] = []
        for visit in self.visits.values():
            of_visit = _spans(visit)
            if of_visit is None:
                return
            spans += of_visit
        accepted = _time(main["accepted_at"])
        deadline = workday_deadline(accepted, self._total_limit(), spans)
        share = accepted + (deadline - accepted) * 80 // 100
        yield Rung(Key("R-T14", "WARN", self._process, self.app_no), share, deadline)
        yield Rung(Key("R-T14", "ALARM", self._process, self.app_no), deadline, deadline)

    def _total_limit(self) -> int:
        if self._process == LV:
            return 11 if self.is_resident else 17
        return 61 if self._has_two_sources() else 46

    # -- findings

    def _findings(self, happening: Happening, before: Row | None) -> Iterator[Key]:
        for visit in self.visits.values():
            if self._is_out_of_order(visit):
                yield self._key("R-T18", "ALARM", visit)
        if happening.table == "mkt.mkt_app_progress" and _is_back_dated(happening, before):
            yield self._key("R-T19", "ALARM", happening.row)

    def _is_out_of_order(self, visit: Row) -> bool:
        entered = _time(visit["entered_at"])
        for stage in BEFORE[self._process].get(str(visit["stage_code"]), ()):
            earlier = [
                v for v in self.visits.values() if v["stage_code"] == stage and _time(v["entered_at"]) <= entered
            ]
            if earlier:
                last = max(earlier, key=lambda v: _time(v["visit_no"]))
                finished = last["finished_at"]
                if finished is None or _time(finished) > entered or last["result_code"] == "rejected":
                    return True
        return False

    def _key(self, rule: str, severity: str, visit: Row) -> Key:
        return Key(rule, severity, self._process, self.app_no, str(visit["stage_code"]), _time(visit["visit_no"]))


def _is_back_dated(happening: Happening, before: Row | None) -> bool:
    row = happening.row
    entered, finished = row["entered_at"], row["finished_at"]
    if finished is not None and _time(finished) < _time(entered):
        return True
    known = before or {}
    news = [_time(row[name]) for name in ("entered_at", "finished_at") if row[name] not in {None, known.get(name)}]
    return bool(news) and happening.at - min(news) > BACKDATED_MS


def _spans(visit: Row) -> list[Span] | None:
    """Give the suspensions of a visit; None while one has no end."""
    begin, end = visit["suspend_from"], visit["suspend_to"]
    if begin is None:
        return []
    if end is None:
        return [] if visit["finished_at"] is not None else None
    return [(_time(begin), _time(end))]


def _time(cell: object) -> int:
    assert isinstance(cell, int)  # noqa: S101 - the generator wrote it
    return cell
