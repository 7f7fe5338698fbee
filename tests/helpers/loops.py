"""A loop with people, as unit and property tests drive it."""

from collections.abc import Iterable
from functools import cache

from rules import SHIPPED, Strategies, StrategyFile, read_definitions, state_council_calendar
from rules.loop import Loop, task_number
from rules.loop.people import Told
from schemas import AlertEvent, AlertEventKind, Assigned, Command, CommandKind, Happened, Notice, Recipient

MOBILE = "13900000001"
HOUR, DAY = 3_600_000, 86_400_000
MONDAY = 1_772_413_200_000
"""2026-03-02T09:00 in Shanghai."""


class People:
    """Unit supervisors of every unit; everybody else by number."""

    def with_role(self, role: str, org_no: str, at: int) -> list[Told]:
        return [self.person(f"{role[0].upper()}{org_no}", at)] if role == "unit_supervisor" else []

    def person(self, no: str, at: int) -> Told:
        return Recipient(no=no, mobile=f"139{no}"), "sms"


@cache
def shipped() -> Strategies:
    """Give the strategies that come with the product."""
    return Strategies.of(read_definitions([SHIPPED / "strategies"]).of(StrategyFile), state_council_calendar())


def new_loop() -> Loop:
    return Loop(shipped(), People())


def alert(alert_id: str = "a1", kind: AlertEventKind = "raised", rule: str = "R-T03") -> AlertEvent:
    return AlertEvent(
        alert_id=alert_id, event=kind, rule=rule, rule_version=1, severity="ALARM", process="hv_connection",
        instance="332600000010", stage="SCHEME", visit=1, raised_at=MONDAY, due_at=MONDAY, org_no="3340101",
        dept=None, person="M1", object=None, text="【业扩管控】告警", evidence=(),
    )  # fmt: skip


def assigned(alert_id: str = "a1", person: str = "M1", parent: str | None = None) -> Assigned:
    event = alert(alert_id)
    notice = Notice(
        alert_id=alert_id, rule=event.rule, severity="ALARM", process=event.process, instance=event.instance,
        org_no=event.org_no, recipient=Recipient(no=person, mobile=MOBILE), channel="sms", text=event.text,
        at=MONDAY, due_at=MONDAY,
    )  # fmt: skip
    return Assigned(event=event, notice=notice, parent=parent)


def number_of(alert_id: str = "a1", person: str = "M1") -> str:
    return task_number(alert_id, person, owner=0, owners=1)


def said(  # the parts of a command
    kind: CommandKind, *, at: int = MONDAY + HOUR, key: str = "", by: str = MOBILE, text: str = "",
    version: int | None = None, to: str = "",
) -> Command:  # fmt: skip
    return Command(kind=kind, key=key or number_of(), by=by, at=at, text=text, version=version, to=to)


def happened(kind: AlertEventKind, alert_id: str = "a1") -> Happened:
    return Happened(event=alert(alert_id, kind))


def texts(loop: Loop) -> list[str]:
    """Give what is said after the first messages."""
    return [notice.text for notice in loop.todo.notices if notice.rung]


def first_texts(loop: Loop) -> list[str]:
    """Give what tells of tasks."""
    return [notice.text for notice in loop.todo.notices if not notice.rung]


def kinds(loop: Loop) -> list[str]:
    return [event.event for event in loop.todo.events]


def survived(loop: Loop, rows: dict[str, bytes]) -> Loop:
    """Give the loop as another worker takes it over from its rows."""
    keep(loop, rows)
    other = new_loop()
    for key, data in rows.items():
        other.load(key, data)
    other.recover()
    return other


def keep(loop: Loop, rows: dict[str, bytes]) -> None:
    """Write what changed to `rows`, as the changelog keeps it."""
    for key, data in loop.take_rows():
        rows.pop(key, None)
        if data is not None:
            rows[key] = data


def states(loop: Loop) -> dict[str, str]:
    """Give where every task and order stands."""
    every: Iterable[tuple[str, str]] = (
        (number, str(task.state)) for case in loop.cases.values() for number, task in case.tasks.items()
    )
    return dict(every) | {number: f"{order.state}:{order.holder}" for number, order in loop.orders.items()}
