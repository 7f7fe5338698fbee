"""Builders of what the engine is fed: changes by entity, and a small world that says what came of them.

A `World` is one engine with one partition. Times are written as people write them (`2026-03-02T09:00`, local
to Shanghai); a date alone is the beginning of that day. Every change arrives at `World.now` unless it says `at`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from rules import Definitions, Engine, Partition, Reference, Step, describe, load_definitions
from schemas import AlertEvent, Change, Notice, Number, Op

SHANGHAI = timezone(timedelta(hours=8))
REFERENCE = frozenset(
    {"negative_item", "customer", "project_schedule", "tg", "tg_manager", "customer_manager", "stakeholder"}
)
HV = {"volt_class": "HV", "app_type": "new", "source_count": 1, "org_no": "3340101", "status_code": "running"}
MONDAY = "2026-03-02T09:00"
"""A Monday with two ordinary weeks after it."""


@lru_cache
def ms(text: str) -> int:
    """Epoch ms of a local time."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def local(at: int | None) -> str | None:
    """Undo `ms`."""
    if at is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    return moment.astimezone(SHANGHAI).replace(tzinfo=None).isoformat(timespec="auto").removesuffix(":00")


@lru_cache
def shipped() -> Definitions:
    """The definitions that come with the product."""
    return load_definitions()


def fields_of(given: dict[str, Any]) -> dict[str, Any]:
    """Give fields with times as epoch ms; an argument `...` leaves a field out (missing, not null)."""
    times = ("_at", "_from", "_to", "_finish")
    return {
        name: ms(value) if isinstance(value, str) and name.endswith(times) else value
        for name, value in given.items()
        if value is not ...
    }


@dataclass
class World:
    """One engine, one partition, and all that came of what it was fed."""

    now: str = MONDAY
    definitions: Definitions = field(default_factory=shipped)
    notify_from: str | None = None
    live_from: str | None = None
    steps: list[Step] = field(default_factory=list)
    positions: int = 0

    def __post_init__(self) -> None:
        self.reference = Reference(REFERENCE)
        self.engine = Engine(self.definitions, self.reference)
        self.partition = self._new_partition()
        self.engine.finish_recovery(self.partition)

    def _new_partition(self) -> Partition:
        return self.engine.new_partition(
            0, notify_from=ms(self.notify_from) if self.notify_from else 0, live_from=ms(self.live_from or "1970-01-02")
        )

    # -- what arrives

    def app(self, key: str = "A1", *, op: Op = "c", at: str | None = None, **fields: Any) -> Change:
        """An HV application of one source, accepted now."""
        given = {**HV, "app_no": key, "accepted_at": at or self.now, "archived_at": None, **fields}
        return self.feed("application", key, key, op=op, at=at, given=given)

    def lv_app(self, key: str = "A1", **fields: Any) -> Change:
        return self.app(key, **{"volt_class": "LV", **fields})

    def visit(
        self, stage: str | None = "SURVEY", key: str = "A1", *, row: str | None = None, op: Op = "c",
        at: str | None = None, visit: int | None = 1, **fields: Any,
    ) -> Change:  # fmt: skip
        """A progress row with all its columns, entered now."""
        empty = dict.fromkeys(("finished_at", "result", "suspend_from", "suspend_to", "dept", "handler"))
        given = {"stage": stage, "visit": visit, "entered_at": at or self.now, **empty, **fields}
        return self.feed("visit", key, row or f"{key}-{stage}-{visit}", op=op, at=at, given=given)

    def item(self, key: str = "N1", *, op: Op = "c", at: str | None = None, **fields: Any) -> Change:
        """A listed transformer T1 of district TG1, level 2, determined and published now, to be mended next year."""
        given = {
            "nl_type": "PUB_TRANS", "org_no": "3340101", "tg_no": "TG1", "trans_no": "T1", "limit_level": "2",
            "determined_at": at or self.now, "published_at": at or self.now, "plan_finish_at": "2027-12-31",
            "cleared_at": None, **fields,
        }  # fmt: skip
        return self.feed("negative_item", key, key, op=op, at=at, given=given)

    def line_item(self, key: str = "N1", line_no: str = "L1", **fields: Any) -> Change:
        return self.item(key, nl_type="DIST_LINE", tg_no=..., trans_no=..., line_no=line_no, **fields)

    def row(
        self, entity: str, row: str, key: str = "", *, op: Op = "c", at: str | None = None, **fields: Any
    ) -> Change:
        """Any other row: of an instance (`key`), or of reference data."""
        return self.feed(entity, key, row, op=op, at=at, given=fields)

    def manager(self, tg_no: str = "TG1", no: str = "M1", **fields: Any) -> Change:
        given = {"mgr_no": no, "mgr_name": f"经理{no}", "mobile": "13800000001", "sup_method": "sms", **fields}
        return self.row("tg_manager", tg_no, **given)

    def delete(self, entity: str, row: str, key: str = "", *, at: str | None = None, **fields: Any) -> Change:
        """A delete; without `key` its image names no instance."""
        return self.feed(entity, key, row, op="d", at=at, given=fields)

    def feed(self, entity: str, key: str, row: str, *, op: Op, at: str | None, given: dict[str, Any]) -> Change:
        self.positions += 1
        self.now = at or self.now
        arrival = ms(self.now)
        change = Change(
            entity, key, row, op, self.positions, arrival, f"cdc.{entity}", 0, self.positions, fields_of(given)
        )
        self.take(change)
        return change

    def take(self, change: Change) -> Step:
        """Feed a change as it stands."""
        if change.entity in REFERENCE:
            self.reference.add(change)
        step = Step()
        if change.instance or change.entity not in REFERENCE:
            self.engine.apply(self.partition, [change], step)
        else:
            self.engine.arrive(self.partition, change.at, step)
        return self._keep(step)

    def until(self, time: str) -> "World":
        """Let time pass up to and including `time`."""
        self.now = time
        step = Step()
        self.engine.advance(self.partition, ms(time), step)
        self._keep(step)
        return self

    def _keep(self, step: Step) -> Step:
        self.steps.append(step)
        if step.votes:
            following = Step()
            self.engine.apply(self.partition, step.votes, following)
            self._keep(following)
        return step

    def restart(self) -> None:
        """Write everything down, forget it, and read it again, as a worker that takes over does."""
        kept = self.partition.instances.rows
        position = self.engine.dump_position(self.partition)
        self.engine.release(self.partition)
        self.partition = self._new_partition()
        for key, data in kept.items():
            self.engine.load(self.partition, key, data)
        self.engine.load_position(self.partition, position)
        self.engine.finish_recovery(self.partition)

    # -- what came of it

    @property
    def alerts(self) -> list[AlertEvent]:
        return [alert for step in self.steps for alert in step.alerts]

    @property
    def notices(self) -> list[Notice]:
        return [notice for step in self.steps for notice in step.notices]

    def events(self, *rules: str) -> list[tuple[str, str, str]]:
        """Give (rule, severity, event) of all alert events, of some rules if any are named."""
        return [(a.rule, a.severity, a.event) for a in self.alerts if not rules or a.rule in rules]

    def raised(self, *rules: str) -> list[tuple[str, str, str | None]]:
        """Give (rule, severity, local time) of what was raised, of some rules if any are named."""
        found = [a for a in self.alerts if a.event == "raised" and (not rules or a.rule in rules)]
        return [(a.rule, a.severity, local(a.raised_at)) for a in found]

    def open(self, *rules: str, key: str = "A1") -> list[tuple[str, str]]:
        """Give (rule, severity) of what is open about an instance."""
        alerts = self.document(key)["alerts"]
        return [(a["rule"], a["severity"]) for a in alerts if a["open"] and (not rules or a["rule"] in rules)]

    def last(self, rule: str, severity: str | None = None) -> AlertEvent:
        """Give the last event of a rule."""
        return [a for a in self.alerts if a.rule == rule and severity in (None, a.severity)][-1]

    def document(self, key: str = "A1") -> dict[str, Any]:
        return describe(self.partition.instances[key])

    def documents(self) -> list[dict[str, Any]]:
        return [describe(self.partition.instances[key]) for key in sorted(self.partition.instances)]

    def indicator(self, code: str, date: str = "", severity: str | None = None) -> tuple[Number, Number]:
        """Give numerator and denominator as the differences add up, over all units and processes."""
        found = [
            d
            for step in self.steps
            for d in step.deltas
            if d.indicator == code and d.date == date and (severity is None or severity in d.dims)
        ]
        return sum(d.numerator for d in found), sum(d.denominator for d in found)


def feed_all(world: World, changes: Iterable[Change]) -> None:
    for change in changes:
        world.take(change)


def sums(steps: Sequence[Step]) -> dict[tuple[str, str, str, str], tuple[Number, Number]]:
    """Add up all differences; what comes to nothing is left out."""
    totals: dict[tuple[str, str, str, str], tuple[Number, Number]] = {}
    for step in steps:
        for d in step.deltas:
            key = (d.indicator, d.org_no, d.date, d.dims)
            numerator, denominator = totals.get(key, (0, 0))
            totals[key] = numerator + d.numerator, denominator + d.denominator
    return {key: total for key, total in totals.items() if total != (0, 0)}
