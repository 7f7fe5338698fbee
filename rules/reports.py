"""Which reports leave when, and to whom: the pure half of mails with figures (P24, domain.md 6.4).

A clock in, notices out; what the mail says of figures is read when it is made (`sinks.report`). One notice per report,
unit, period and person, whose key is the same whoever makes it and however often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self

import msgspec

from rules.routing import Routing
from rules.threshold_periods import DAY, Timetable
from schemas import Notice, Recipient, ReportIndicator, ReportOrder, ReportUnit

if TYPE_CHECKING:
    from rules.indicator_models import Indicator
    from rules.reference import Reference
    from rules.report_models import ReportFile, ReportTest
    from rules.workdays import WorkCalendar

MOST_UNITS = 200
"""Lines of the table: a province has about as many counties, and nobody reads a longer one in a mail."""


class Report:
    """One report made ready: its timetable and its columns."""

    def __init__(self, file: ReportFile, indicators: Mapping[str, Indicator], calendar: WorkCalendar) -> None:
        self.file, self.id = file, file.id
        self.timetable = Timetable(file.execution, calendar)
        self._calendar = calendar
        columns = [indicators[code] for code in file.indicators]
        self._columns = tuple(ReportIndicator(each.code, each.title, each.unit, each.is_ratio) for each in columns)

    def next_after(self, ms: int) -> int:
        """Give the first time after `ms` (epoch ms) at which it leaves."""
        found = self.timetable.next_after(ms)
        assert found is not None  # noqa: S101 - none is realtime, as the model says
        return found

    def order(self, org_no: str, at: int, reference: Reference, *, known_at: int | None = None) -> ReportOrder:
        """Give what a mail about a unit is to show if it leaves at `at`, with the units of `known_at` (epoch ms)."""
        period, file = self.timetable.period_at(at), self.file
        known = at if known_at is None else known_at
        end = self._calendar.start_of_day(period.last + DAY)
        return ReportOrder(
            report=file.id, title=file.title, org_no=org_no, name=_name(org_no, known, reference), period=period.label,
            first=period.first.isoformat(), last=period.last.isoformat(),
            begin=self._calendar.start_of_day(period.first), end=min(end, at),
            indicators=self._columns, units=tuple(_below(org_no, file.depth, known, reference))[:MOST_UNITS],
            anomalies=file.anomalies, rows=file.rows, link=file.link.replace("{org_no}", org_no),
        )  # fmt: skip

    def notices(
        self, at: int, reference: Reference, routing: Routing, *, is_late: bool = False, known_at: int | None = None
    ) -> Iterator[Notice]:
        """Give one notice per unit and person for its leaving at `at`, in order of both.

        `known_at`: as of when people and units are looked up; None: `at`. Times are epoch ms.
        """
        known = at if known_at is None else known_at
        told = {(org_no, who.no): who for role in self.file.roles for org_no, who in routing.having(role, known)}
        orders: dict[str, ReportOrder] = {}
        for (org_no, _), who in sorted(told.items(), key=lambda item: item[0]):
            if self.file.units and org_no not in self.file.units:
                continue
            if org_no not in orders:
                orders[org_no] = self.order(org_no, at, reference, known_at=known)
            notice = notice_of(orders[org_no], who, at, is_late=is_late)
            yield msgspec.structs.replace(notice, channel=self.file.channel)


def notice_of(order: ReportOrder, who: Recipient, at: int, *, is_late: bool = False, rung: str = "") -> Notice:
    """Give the notice that makes a person get a report. The same report, unit, period and `rung` leave once."""
    return Notice(
        alert_id=f"report:{order.report}:{order.org_no}:{order.period}", rule=order.report, severity="INFO",
        process="report", instance=f"{order.org_no}:{order.period}", org_no=order.org_no, recipient=who,
        channel="mail", text=f"{order.title} {order.place}", at=at, due_at=None, is_late=is_late, rung=rung,
        report=order,
    )  # fmt: skip


class Reports:
    """All reports of a set of definitions."""

    def __init__(self, reports: Iterable[Report] = ()) -> None:
        self.by_id = {report.id: report for report in reports}

    @classmethod
    def of(cls, files: Iterable[ReportFile], indicators: Iterable[Indicator], calendar: WorkCalendar) -> Self:
        """Make those of some files ready; all their indicators are known."""
        known = {each.code: each for each in indicators}
        return cls(Report(file, known, calendar) for file in files)

    def next_after(self, ms: int) -> int | None:
        """Give the first time after `ms` at which one leaves; None: there are none."""
        return min((report.next_after(ms) for report in self.by_id.values()), default=None)

    def leaving(self, after: int, until: int, is_mine: Callable[[str], bool]) -> Iterator[tuple[int, Report]]:
        """Give what leaves after `after`, up to and including `until`, in order of time; epoch ms."""
        found: list[tuple[int, str]] = []
        for name in filter(is_mine, self.by_id):
            at = self.by_id[name].next_after(after)
            while at <= until:
                found.append((at, name))
                at = self.by_id[name].next_after(at)
        for at, name in sorted(found):
            yield at, self.by_id[name]


class ReportClock:
    """The reports that one owner sees to, each time once: all up to its clock were told of."""

    def __init__(self, is_mine: Callable[[str], bool], reference: Reference, *, mail_domain: str) -> None:
        self._is_mine, self._reference = is_mine, reference
        self._routing = Routing(reference, mail_domain=mail_domain)
        self.notify_from = 0
        """What was to leave before is told to nobody: it was before the very first start. Epoch ms."""
        self.live_from = 0
        """When this owner began: what was to leave before is late. Epoch ms."""
        self.notices: list[Notice] = []
        self._asked: tuple[Reports, int, int | None] | None = None
        """Of what was asked last: reports, since when, and when one leaves; it is asked at every step of the clock."""

    def due_after(self, ms: int, reports: Reports) -> int | None:
        """Give when one of its reports leaves next; None: it has none."""
        if self._asked is not None:
            known, since, due = self._asked
            if known is reports and since <= ms and (due is None or ms < due):
                return due
        due = min((r.next_after(ms) for name, r in reports.by_id.items() if self._is_mine(name)), default=None)
        self._asked = (reports, ms, due)
        return due

    def advance(self, after: int, until: int, reports: Reports) -> None:
        """Note who is to get what left since `after`; of what was missed while nobody ran, the last of each only."""
        due = self.due_after(after, reports)
        if not after or due is None or due > until:  # at the first word of the clock nothing was promised before
            return
        for at, report in reports.leaving(max(after, self.notify_from - 1), until, self._is_mine):
            is_late = at < self.live_from
            if is_late and report.next_after(at) < self.live_from:
                continue
            self.notices += report.notices(at, self._reference, self._routing, is_late=is_late)

    def take(self) -> list[Notice]:
        """Give what is to be told, once."""
        found, self.notices = self.notices, []
        return found


def report_test_faults(file: ReportFile, test: ReportTest, calendar: WorkCalendar) -> Iterator[str]:
    """Give what does not come out as a test of a report says."""
    timetable = Timetable(file.execution, calendar)
    at = timetable.next_after(_ms(test.after))
    if at is None or at != _ms(test.leaves):
        yield f"it leaves at {'-' if at is None else calendar.local_text(at)}, expected {test.leaves.isoformat()}"
    elif timetable.period_at(at).label != test.period:
        yield f"it is about {timetable.period_at(at).label}, expected {test.period}"


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _name(org_no: str, at: int, reference: Reference) -> str:
    row = reference.get("org", org_no, at)
    return str(row.get("org_name") or "") if row else ""


def _below(org_no: str, depth: int, at: int, reference: Reference, level: int = 1) -> Iterator[ReportUnit]:
    """Give the units below one, each before its own. Numbers of lower units begin with the upper one's: no circles."""
    if level > depth:
        return
    for below, row in reference.linked("org", "parent_org_no", org_no, at):
        if below.startswith(org_no) and below != org_no:
            yield ReportUnit(below, str(row.get("org_name") or ""), level)
            yield from _below(below, depth, at, reference, level + 1)
