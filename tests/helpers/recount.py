"""An independent count of the alerts that a capture must raise. Shares nothing with `rules`.

Works by hand-sized steps: for each application (or list item), the state after each piece of news, and what falls
due until the next one. Rules: contract section 7, `shared/samples/README.md`, domain 4.2 and 4.3.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple

import chinese_calendar

from schemas import Recorded

DAY = 86_400_000
SHANGHAI = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WORKDAY_RULES: dict[str, tuple[str, int]] = {
    "SURVEY": ("R-T03", 1), "DESIGN_REVIEW": ("R-T06", 2), "COMPLETE": ("R-T11", 1), "CONNECT": ("R-T12", 1),
    "ARCHIVE": ("R-T13", 1),
}  # fmt: skip
"""Stage to rule, and how many workdays before the deadline it warns."""
HV_LIMITS = {"ACCEPT": 1, "SURVEY": 5, "DESIGN_REVIEW": 10, "COMPLETE": 5, "CONNECT": 5, "ARCHIVE": 3}
IDLE = {"DESIGN": ("R-T05", 45, 60), "TEST": ("R-T10", 10, 15)}
COUNTED = frozenset(
    {"R-T02", "R-T03", "R-T04", "R-T05", "R-T06", "R-T10", "R-T11", "R-T12", "R-T13", "R-T14"}
    | {"R-N01", "R-N02", "R-N04", "R-N05", "R-N06", "R-N07"}
)
Row = dict[str, Any]
Spans = list[tuple[int, int]]


class Key(NamedTuple):
    """What makes a raised alert the one it is."""

    rule: str
    severity: str
    process: str
    instance: str
    stage: str | None
    visit: int | None
    item: str | None


class News(NamedTuple):
    """A row as it was told at a time; None: deleted."""

    at: int
    place: tuple[bool, str, int, int]
    """Reference data comes first, then by topic, partition and offset."""
    table: str
    row: str
    image: Row | None


@dataclass
class Progress:
    """One progress row: what it says now, and suspensions that it told of before."""

    row: Row
    spans: Spans = field(default_factory=list)

    @property
    def is_suspended(self) -> bool:
        return self.row["suspend_from"] is not None and self.row["suspend_to"] is None

    @property
    def all_spans(self) -> Spans:
        begin, end = self.row["suspend_from"], self.row["suspend_to"]
        return [*self.spans, (begin, end)] if begin is not None and end is not None else self.spans

    def told(self, row: Row) -> "Progress":
        begin, end = self.row["suspend_from"], self.row["suspend_to"]
        following = row["suspend_from"]
        is_next = None not in {begin, end, following} and following >= end
        return Progress(row, [*self.spans, (begin, end)] if is_next else self.spans)


def recount(records: Iterable[Recorded], until: int) -> dict[Key, int]:
    """Give every alert of `COUNTED` that must be raised by `until`, and when, epoch ms."""
    return _Count(list(_news(records)), until).count()


# -- reading

_TIMES = (
    "accepted_at", "archived_at", "entered_at", "finished_at", "suspend_from", "suspend_to", "determined_at",
    "published_at", "cleared_at", "submitted_at",
)  # fmt: skip
_KEYS = {
    "mkt_app": "app_no", "mkt_app_progress": "progress_id", "mkt_cons": "cons_no", "ymd_tg": "tg_no",
    "lean_neg_trans": "nl_no", "lean_neg_line": "nl_no", "ech_works_report": "report_no",
}  # fmt: skip
_REFERENCE = {"mkt_cons", "ymd_tg", "lean_neg_trans", "lean_neg_line"}


def _news(records: Iterable[Recorded]) -> Iterator[News]:
    for record in records:
        table = record.topic.rsplit(".", 1)[1]
        if table not in _KEYS or record.value is None:
            continue
        value = json.loads(record.value)
        image = value["after"] if value["op"] != "d" else None
        key = (image or value["before"] or json.loads(record.key or b"{}"))[_KEYS[table]]
        row = {name: _time(v) if name in _TIMES else v for name, v in image.items()} if image else None
        place = (table not in _REFERENCE, record.topic, record.partition, record.offset)
        yield News(record.timestamp, place, table, str(key), row)


def _time(text: str | None) -> int | None:
    return None if text is None else (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


# -- the calendar


@lru_cache(maxsize=10_000)
def is_workday(day: date) -> bool:
    return chinese_calendar.is_workday(day) if day.year <= 2026 else day.weekday() < 5


def day_of(ms: int) -> date:
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(SHANGHAI).date()


@lru_cache(maxsize=10_000)
def midnight(day: date) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) - EPOCH) // timedelta(milliseconds=1)


def workdays_after(start: int, count: int, spans: Spans) -> int:
    """Give the end of the `count`-th workday after the day of `start`, day by day."""
    day = day_of(start)
    while count > 0:
        day += timedelta(days=1)
        begin = midnight(day)
        is_suspended = any(a < b and a < begin + DAY and b > begin for a, b in spans)
        count -= is_workday(day) and not is_suspended
    return midnight(day) + DAY


def time_after(start: int, length: int, spans: Spans) -> int:
    """Give when `length` ms have run since `start` outside the spans (which do not overlap)."""
    at = start
    for begin, end in sorted(spans):
        if end <= at or begin >= end:
            continue
        if begin - at >= length:
            break
        length -= max(begin - at, 0)
        at = end
    return at + length


# -- counting


class _Count:
    def __init__(self, news: Sequence[News], until: int) -> None:
        self.news = sorted(news, key=lambda n: (n.at, n.place))
        self.until = until
        self.raised: dict[Key, int] = {}
        self.of_row: dict[tuple[str, str], list[News]] = {}
        for each in self.news:
            self.of_row.setdefault((each.table, each.row), []).append(each)
        self.items = {row: versions for (table, row), versions in self.of_row.items() if table.startswith("lean_neg_")}
        self.lives: dict[str, _Life] = {}

    def count(self) -> dict[Key, int]:
        owners: dict[str, str] = {}
        by_app: dict[str, list[News]] = {}
        for each in self.news:
            if each.table not in {"mkt_app", "mkt_app_progress", "ech_works_report"}:
                continue
            if each.image is not None:
                owners[f"{each.table}:{each.row}"] = each.image["app_no"]
            by_app.setdefault(owners[f"{each.table}:{each.row}"], []).append(each)
        for app_no, news in by_app.items():
            customers = {n.image["cons_no"] for n in news if n.table == "mkt_app" and n.image}
            told = [n for c in customers if c for n in self.of_row.get(("mkt_cons", c), [])]
            self.lives[app_no] = _Life(self, app_no, sorted([*news, *told], key=lambda n: (n.at, n.place)))
        for life in self.lives.values():
            life.run()
        for nl_no, versions in self.items.items():
            self._item(nl_no, versions)
        return self.raised

    def fire(self, key: Key, due: int, since: int, before: int | None) -> None:
        """Raise what is due while a state lasts: from `since` on, until just before `before`."""
        at = max(due, since)
        is_in_time = at == since or (at < before if before is not None else at <= self.until)
        if is_in_time and at < self.raised.get(key, at + 1):
            self.raised[key] = at

    # -- reference data at a time

    def known(self, table: str, row: str | None, at: int) -> Row | None:
        versions = [n for n in self.of_row.get((table, str(row)), ()) if n.at <= at]
        return versions[-1].image if versions else None

    def item_at(self, nl_no: str, at: int) -> Row | None:
        versions = [n for n in self.items[nl_no] if n.at <= at]
        return versions[-1].image if versions else None

    def open_items(self, app: Row, at: int) -> Iterator[tuple[str, Row]]:
        for nl_no in self.items:
            item = self.item_at(nl_no, at)
            if item and is_open(item, at) and self.hangs_below(app, item, at):
                yield nl_no, item

    def hangs_below(self, app: Row, item: Row, at: int) -> bool:
        tg = self.known("ymd_tg", app["tg_no"], at) or {}
        if "trans_no" not in item:
            return bool(item["line_no"] == (app["line_no"] or tg.get("line_no")))
        is_below = item["tg_no"] is not None and item["tg_no"] == app["tg_no"]
        return bool(is_below or (item["trans_no"] is not None and item["trans_no"] == tg.get("trans_no")))

    # -- list items

    def _item(self, nl_no: str, versions: list[News]) -> None:
        was_open_until = 0
        for news, following in zip(versions, [*versions[1:], None], strict=True):
            item, end = news.image, following.at if following else None
            if item is None:
                continue
            self._owed(nl_no, item, news.at, end)
            published, cleared = item["published_at"], item["cleared_at"]
            if published is None:
                continue
            opens = max(published, news.at)
            closes = min(t for t in (cleared, end, self.until + 1) if t is not None)
            is_continued = opens == news.at and was_open_until == news.at
            if opens < closes and not is_continued and opens <= self.until:
                self._opened(nl_no, item, opens)
            was_open_until = closes if opens < closes else 0

    def _owed(self, nl_no: str, item: Row, since: int, before: int | None) -> None:
        determined, cleared, published = item["determined_at"], item["cleared_at"], item["published_at"]
        if determined is None:
            return
        plan = item["plan_finish_at"]
        dues: list[tuple[str, str, int, int | None]] = []
        if plan is not None:
            end = midnight(date(1970, 1, 1) + timedelta(days=plan)) + DAY
            dues += [("R-N05", "WARN", end - 7 * DAY, cleared), ("R-N06", "ALARM", end, cleared),
                     ("R-N06", "CRITICAL", end + 30 * DAY, cleared)]  # fmt: skip
        ends = [t for t in (published, cleared) if t is not None]
        dues.append(("R-N07", "WARN", workdays_after(determined, 3, []), min(ends, default=None)))
        for rule, severity, due, stop in dues:
            at = max(due, determined, since)
            if stop is None or at < stop:
                self.fire(Key(rule, severity, "negative_list", nl_no, None, None, nl_no), at, since, before)

    def _opened(self, nl_no: str, item: Row, at: int) -> None:
        for app_no, life in self.lives.items():
            app, visits = life.state_before(at)
            if app is None or is_over(app) or not self.hangs_below(app, item, at):
                continue
            if not any(v.row["stage_code"] == "CONNECT" and v.row["entered_at"] is not None for v in visits):
                self.fire(Key("R-N04", "ALARM", process_of(app), app_no, None, None, nl_no), at, at, None)


class _Life:
    """One application: its own row, its progress rows, its customer, its works reports."""

    def __init__(self, count: _Count, app_no: str, news: list[News]) -> None:
        self.total = count
        self.app_no = app_no
        self.news = news

    def run(self) -> None:
        app: Row | None = None
        visits: dict[str, Progress] = {}
        reports: dict[str, Row] = {}
        for news, following in zip(self.news, [*self.news[1:], None], strict=True):
            before = app
            app = _apply(news, app, visits, reports)
            if app is None or is_over(app):
                continue
            where = (app["tg_no"], app["line_no"])
            if news.table == "mkt_app" and (before is None or where != (before["tg_no"], before["line_no"])):
                self._constrained(app, news.at)
            for rung in self._rungs(app, visits, list(reports.values()), news.at):
                self.total.fire(*rung, news.at, following.at if following else None)

    def state_before(self, at: int) -> tuple[Row | None, list[Progress]]:
        """Give the application and its visits as told before `at`: the list comes first at one moment."""
        app: Row | None = None
        visits: dict[str, Progress] = {}
        for news in self.news:
            if news.at < at:
                app = _apply(news, app, visits, {})
        return app, list(visits.values())

    def _constrained(self, app: Row, at: int) -> None:
        for nl_no, item in self.total.open_items(app, at):
            rule = "R-N01" if "trans_no" in item else "R-N02"
            severity = "WARN" if item["limit_level"] == "1" else "ALARM"
            self.total.fire(Key(rule, severity, process_of(app), self.app_no, None, None, nl_no), at, at, None)

    def _rungs(self, app: Row, visits: dict[str, Progress], reports: list[Row], at: int) -> Iterator[tuple[Key, int]]:
        customer = self.total.known("mkt_cons", app["cons_no"], at) or {}
        is_resident = customer.get("cons_type") == "resident"
        yield from self._whole(app, visits, is_resident=is_resident)
        for visit in visits.values():
            row = visit.row
            if row["finished_at"] is not None or row["entered_at"] is None or visit.is_suspended:
                continue
            for rule, severity, due in _stage_rungs(app, visit, reports, is_resident=is_resident):
                yield Key(rule, severity, process_of(app), self.app_no, row["stage_code"], row["visit_no"], None), due

    def _whole(self, app: Row, visits: dict[str, Progress], *, is_resident: bool) -> Iterator[tuple[Key, int]]:
        start = app["accepted_at"]
        is_done = any(v.row["stage_code"] == "CONNECT" and v.row["finished_at"] is not None for v in visits.values())
        is_held = any(v.is_suspended and v.row["finished_at"] is None for v in visits.values())
        if start is None or is_done or is_held:
            return
        days = (61 if app["source_count"] >= 2 else 46) if app["volt_class"] == "HV" else 11 if is_resident else 17
        due = workdays_after(start, days, [span for v in visits.values() for span in v.all_spans])
        for severity, time in (("WARN", start + (due - start) * 80 // 100), ("ALARM", due)):
            yield Key("R-T14", severity, process_of(app), self.app_no, None, None, None), time


def _stage_rungs(app: Row, visit: Progress, reports: list[Row], *, is_resident: bool) -> Iterator[tuple[str, str, int]]:
    stage, entered, spans = visit.row["stage_code"], visit.row["entered_at"], visit.all_spans
    is_hv = app["volt_class"] == "HV"
    if stage == "ACCEPT":
        due = workdays_after(entered, 1 if is_hv else 0, spans)
        yield "R-T02", "WARN", entered + (due - entered) // 2
        yield "R-T02", "ALARM", due
    elif stage == "SCHEME" and app["accepted_at"] is not None:
        days = (30 if app["source_count"] >= 2 else 15) if is_hv else 3 if is_resident else 7
        yield "R-T04", "WARN", workdays_after(app["accepted_at"], days - 3, spans)
        yield "R-T04", "ALARM", workdays_after(app["accepted_at"], days, spans)
    elif stage in IDLE and is_hv:
        rule, warn, alarm = IDLE[stage]
        begin = max([entered, *(r["submitted_at"] for r in reports if r["submitted_at"] is not None)])
        yield rule, "WARN", time_after(begin, warn * DAY, spans)
        yield rule, "ALARM", time_after(begin, alarm * DAY, spans)
    elif stage in WORKDAY_RULES and (is_hv or stage in {"COMPLETE", "CONNECT", "ARCHIVE"}):
        rule, before = WORKDAY_RULES[stage]
        days = 3 if stage == "CONNECT" and not is_hv and is_resident else HV_LIMITS[stage]
        yield rule, "WARN", workdays_after(entered, days - before, spans)
        yield rule, "ALARM", workdays_after(entered, days, spans)


def _apply(news: News, app: Row | None, visits: dict[str, Progress], reports: dict[str, Row]) -> Row | None:
    """Take in a piece of news; give the application's own row after it."""
    row = news.image
    if news.table == "mkt_app":
        return row
    if news.table == "ech_works_report" and row is not None:
        reports[news.row] = row
    if news.table == "mkt_app_progress":
        if row is None:
            visits.pop(news.row, None)
        else:
            visits[news.row] = visits[news.row].told(row) if news.row in visits else Progress(row)
    return app


def is_open(item: Row, at: int) -> bool:
    published, cleared = item["published_at"], item["cleared_at"]
    return bool(published is not None and published <= at and (cleared is None or cleared > at))


def is_over(app: Row) -> bool:
    return app["archived_at"] is not None or app["status_code"] in {"cancelled", "terminated"}


def process_of(app: Row) -> str:
    return "hv_connection" if app["volt_class"] == "HV" else "lv_connection"
