"""Seeded lives of connection applications as rows of source tables: for records in Debezium's form, and for SQL.

Richer than the sample capture: deleted and reborn rows, changed primary keys, second visits after a rejection,
low-voltage customers whose type is known early, late or never, lines, several suspensions of one stage, works
reports, moved and cancelled applications, rows that come before their application, moments at midnight sharp.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from schemas import Recorded

SHANGHAI = timezone(timedelta(hours=8))
START = datetime(2026, 2, 2, 8, 30, tzinfo=SHANGHAI)
END = START + timedelta(days=150)
KEYS = {
    "mkt.mkt_app": "app_no", "mkt.mkt_app_progress": "progress_id", "mkt.mkt_cons": "cons_no",
    "mkt.tg_manager": "tg_no", "ymd.ymd_tg": "tg_no", "lean.lean_neg_trans": "nl_no",
    "lean.lean_neg_line": "nl_no", "ech.ech_works_report": "report_no",
}  # fmt: skip
HV = ("ACCEPT", "SURVEY", "SCHEME", "DESIGN", "DESIGN_REVIEW", "BUILD", "TEST", "COMPLETE", "CONNECT", "ARCHIVE")
LV = ("ACCEPT", "SCHEME", "COMPLETE", "CONNECT", "ARCHIVE")
MEAN_DAYS = {
    "ACCEPT": 0.8, "SURVEY": 5, "SCHEME": 9, "DESIGN": 25, "DESIGN_REVIEW": 8, "BUILD": 12, "TEST": 8,
    "COMPLETE": 5, "CONNECT": 4, "ARCHIVE": 3,
}  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One statement of the source: `before` is None for an insert, `after` for a delete."""

    at: datetime
    table: str
    before: Row | None
    after: Row | None

    @property
    def key_changes(self) -> bool:
        key = KEYS[self.table]
        return bool(self.before and self.after and self.before[key] != self.after[key])


@dataclass
class _Operation:
    at: datetime
    handle: str
    table: str
    changes: Row | None
    is_insert: bool = False


@dataclass
class World:
    """A seed's source system. Small enough that a difference can be looked at."""

    seed: int
    applications: int = 40
    operations: list[_Operation] = field(default_factory=list)
    numbers: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.districts = [f"TG{i:02d}" for i in range(12)]
        self._topology()
        for number in range(self.applications):
            self._application(number)
        for number in range(max(6, self.applications // 5)):
            self._item(number)

    # -- writing

    def insert(self, at: datetime, handle: str, table: str, **row: Any) -> None:
        self.operations.append(_Operation(at, handle, table, row, is_insert=True))

    def update(self, at: datetime, handle: str, table: str, **changes: Any) -> None:
        self.operations.append(_Operation(at, handle, table, changes))

    def delete(self, at: datetime, handle: str, table: str) -> None:
        self.operations.append(_Operation(at, handle, table, None))

    def events(self) -> Iterator[Event]:
        """Give the statements in order of business time; what refers to a deleted row is left out."""
        rows: dict[str, Row] = {}
        for op in sorted(self.operations, key=lambda op: op.at):
            before = rows.get(op.handle)
            if op.at > END or (before is None and not op.is_insert):
                continue
            after = None if op.changes is None else {**(before or {}), **op.changes, "upd_at": op.at}
            yield Event(op.at, op.table, before, after)
            if after is None:
                del rows[op.handle]
            else:
                rows[op.handle] = after

    def records(self) -> list[Recorded]:
        """Give the records as Debezium's PostgreSQL connector writes them, arrival being the business time."""
        found: list[Recorded] = []
        offsets: dict[str, int] = {}
        for number, event in enumerate(self.events()):
            for op, key, before, after in _debezium(event):
                topic = f"cdc.{event.table}"
                offset = offsets[topic] = offsets.get(topic, -1) + 1
                envelope = {"before": before, "after": after, "op": op, "source": {"lsn": 1000 + 10 * number}}
                value = None if op == "tombstone" else json.dumps(envelope, ensure_ascii=False).encode()
                found.append(Recorded(topic, 0, offset, _ms(event.at), json.dumps(key).encode(), value, {}))
        return found

    # -- chance

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def days(self, low: float, high: float) -> timedelta:
        return timedelta(microseconds=round(self.rng.uniform(low, high) * 86_400_000_000))

    def sharp(self, at: datetime) -> datetime:
        """Now and then a moment falls on the midnight before it, where deadlines lie."""
        if not self.chance(0.15):
            return at
        return at.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)

    # -- lives

    def _topology(self) -> None:
        for number, tg in enumerate(self.districts):
            at = START - timedelta(days=20) + timedelta(seconds=number)
            self.insert(at, f"tg{tg}", "ymd.ymd_tg", tg_no=tg, trans_no=f"T{number:02d}", line_no=f"L{number % 4}",
                        org_no=f"334010{number % 3}", rated_kva=400, is_public=True)  # fmt: skip
            self.insert(at, f"mgr{tg}", "mkt.tg_manager", tg_no=tg, mgr_no=f"M{number % 5}", mgr_name="经理",
                        mobile="13800000000", sup_method="sms", valid_from=at, valid_to=None)  # fmt: skip

    def _application(self, number: int) -> None:
        rng, app = self.rng, f"3326{self.seed:03d}{number:05d}"
        accepted = self.sharp(START + self.days(0, 55))
        is_hv = self.chance(0.6)
        tg = rng.choice(self.districts)
        cons = f"C{number:05d}"
        appears = accepted + (self.days(0, 2) if self.chance(0.05) else timedelta(0))
        self.insert(appears, app, "mkt.mkt_app", app_no=app, cons_no=cons, org_no="3340101", app_type="new",
                    volt_class="HV" if is_hv else "LV", source_count=2 if self.chance(0.2) else 1,
                    apply_cap_kva=rng.randrange(50, 4000), tg_no=tg, line_no=self._line(tg), mgr_no="M0",
                    accepted_at=accepted, status_code="running", archived_at=None)  # fmt: skip
        if self.chance(0.8):
            known = accepted + (self.days(-5, 0) if self.chance(0.6) else self.days(0, 12))
            kind = rng.choice(["resident", "resident", "other"])
            self.insert(known, cons, "mkt.mkt_cons", cons_no=cons, cons_type=kind, volt_class="LV", tg_no=tg)
            if self.chance(0.1):
                self.update(known + self.days(1, 10), cons, "mkt.mkt_cons", cons_type="other")
        if self.chance(0.1):
            to = rng.choice(self.districts)
            self.update(appears + self.days(1, 40), app, "mkt.mkt_app", tg_no=to, line_no=self._line(to))
        if self.chance(0.04):
            self.update(appears + self.days(5, 60), app, "mkt.mkt_app", status_code="cancelled")
        if self.chance(0.03):
            self.delete(appears + self.days(5, 60), app, "mkt.mkt_app")
        self._stages(app, accepted, HV if is_hv else LV)

    def _line(self, tg: str) -> str | None:
        return None if self.chance(0.3) else f"L{int(tg[2:]) % 4}"

    def _stages(self, app: str, at: datetime, stages: tuple[str, ...]) -> None:
        plan = [(stage, 1) for stage in stages if stage != "COMPLETE" or stages is HV or self.chance(0.4)]
        while plan:
            stage, visit = plan.pop(0)
            is_rejected = stage == "COMPLETE" and visit < 3 and self.chance(0.3)
            end = self._visit(app, stage, visit, at, "rejected" if is_rejected else "ok")
            if end is None:
                return
            if stage == "SURVEY" and self.chance(0.4):  # the scheme runs beside it
                begin, at = at, end
                end = self._visit(app, "SCHEME", 1, begin, "ok")
                plan.pop(0)
                if end is None:
                    return
                end = max(end, at)
            if is_rejected:
                plan = [("BUILD", visit + 1)] * (stages is HV) + [("COMPLETE", visit + 1), *plan]
            at = end + timedelta(minutes=self.rng.randrange(20))
        self.update(at, app, "mkt.mkt_app", status_code="archived", archived_at=at)

    def _visit(self, app: str, stage: str, visit: int, entered: datetime, result: str) -> datetime | None:
        """Play one visit; give when the next stage may begin, None if it never ends."""
        rng, table, handle = self.rng, "mkt.mkt_app_progress", f"v{self._number()}"
        mean = MEAN_DAYS[stage]
        lasts = self.days(0, 2.5 * mean) if self.chance(0.5) else timedelta(days=rng.expovariate(1 / mean))
        ended = self.sharp(entered + lasts)
        ended = max(ended, entered)
        row = {
            "app_no": app, "stage_code": stage, "visit_no": visit, "dept_code": "MKT", "handler_no": "H1",
            "entered_at": entered, "finished_at": None, "result_code": None, "suspend_from": None,
            "suspend_to": None,
        }  # fmt: skip
        told = entered + (self.days(0, 9) if self.chance(0.08) else timedelta(0))
        self.insert(told, handle, table, progress_id=self._number(), **row)
        self._suspensions(handle, entered, ended)
        if stage in {"DESIGN", "TEST"} and self.chance(0.4):
            report = self._number()
            said = entered + lasts * rng.random()
            self.insert(said + self.days(0, 1), f"r{report}", "ech.ech_works_report", report_no=f"R{report}",
                        app_no=app, party="design", submitted_at=said)  # fmt: skip
        if self.chance(0.05):
            self.update(entered + lasts * rng.uniform(0.1, 1.2), handle, table, progress_id=self._number())
        if self.chance(0.04):
            gone = entered + lasts * rng.uniform(0.1, 1.2)
            self.delete(gone, handle, table)
            if self.chance(0.7):
                handle = f"v{self._number()}"
                self.insert(gone + self.days(0, 3), handle, table, progress_id=self._number(), **row)
        if self.chance(0.04):
            return None
        news = self.sharp(ended + timedelta(hours=rng.choice([0, 0, 0, 0, 1, 30, 100])))
        news = max(news, ended)
        self.update(news, handle, table, finished_at=ended, result_code=result)
        if self.chance(0.03):
            self.update(news + self.days(0, 3), handle, table, finished_at=None, result_code=None)
            self.update(news + self.days(3, 6), handle, table, finished_at=ended, result_code=result)
        return news

    def _suspensions(self, handle: str, entered: datetime, ended: datetime) -> None:
        table, at = "mkt.mkt_app_progress", entered
        while self.chance(0.15) and ended - at > timedelta(days=1):
            begin = at + (ended - at) * self.rng.uniform(0.05, 0.4)
            end = begin + (ended - begin) * self.rng.uniform(0.1, 0.6)
            begin, end = self.sharp(begin), self.sharp(end)
            if not at <= begin < end:
                return
            self.update(begin + self.days(0, 1) * self.chance(0.2), handle, table, suspend_from=begin, suspend_to=None)
            if self.chance(0.05):
                return
            self.update(max(end, begin + timedelta(days=1)), handle, table, suspend_from=begin, suspend_to=end)
            at = max(end, begin + timedelta(days=1))

    def _item(self, number: int) -> None:
        rng, handle = self.rng, f"N{self.seed:03d}{number:03d}"
        is_line = self.chance(0.3)
        table = "lean.lean_neg_line" if is_line else "lean.lean_neg_trans"
        index = rng.randrange(len(self.districts))
        where: dict[str, str | None] = {"trans_no": f"T{index:02d}", "tg_no": f"TG{index:02d}"}
        if is_line:
            where = {"line_no": f"L{index % 4}"}
        elif self.chance(0.2):
            where["tg_no"] = None
        determined = START + self.days(0, 80)
        planned: date = (determined + self.days(2, 50)).astimezone(SHANGHAI).date()
        self.insert(determined + self.days(0, 2) * self.chance(0.3), handle, table, nl_no=handle, org_no="3340101",
                    determined_at=determined, plan_finish_at=None if self.chance(0.1) else planned,
                    limit_level=rng.choice("123"), published_at=None, cleared_at=None, **where)  # fmt: skip
        told = determined + self.days(2.1, 9)
        published = self.sharp(told + (self.days(0, 4) if self.chance(0.2) else timedelta(0)))
        if self.chance(0.9):
            self.update(told, handle, table, published_at=published)
        if self.chance(0.2):
            self.update(told + self.days(1, 20), handle, table, plan_finish_at=planned + timedelta(days=15))
        if self.chance(0.6):
            cleared = published + self.days(1, 50)
            self.update(max(told, cleared + self.days(-2, 2)), handle, table, cleared_at=cleared)
        if self.chance(0.08):
            self.delete(told + self.days(1, 30), handle, table)

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers


def statement(event: Event) -> tuple[str, list[Any]]:
    """Give the SQL of an event and its parameters."""
    key = KEYS[event.table]
    if event.after is None:
        assert event.before is not None
        return f"delete from {event.table} where {key} = %s", [event.before[key]]
    names, values = list(event.after), list(event.after.values())
    if event.before is None:
        marks = ", ".join(["%s"] * len(names))
        return f"insert into {event.table} ({', '.join(names)}) values ({marks})", values
    changes = ", ".join(f"{name} = %s" for name in names)
    return f"update {event.table} set {changes} where {key} = %s", [*values, event.before[key]]


def _debezium(event: Event) -> Iterator[tuple[str, Row, Row | None, Row | None]]:
    """Give operation, key and images of the records that one statement becomes."""
    name = KEYS[event.table]
    before, after = _image(event.before), _image(event.after)
    if event.key_changes or after is None:
        assert before is not None
        is_full = event.table == "mkt.mkt_app"
        bare = before if is_full else {k: v if k == name else None for k, v in before.items()}
        yield "d", {name: before[name]}, bare, None
        yield "tombstone", {name: before[name]}, None, None
    if after is not None:
        is_new = event.key_changes or before is None
        yield "c" if is_new else "u", {name: after[name]}, None, after


def _image(row: Row | None) -> Row | None:
    return None if row is None else {name: _json(value) for name, value in row.items()}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (value - date(1970, 1, 1)).days if isinstance(value, date) else value


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
