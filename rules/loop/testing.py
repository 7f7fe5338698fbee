"""The tests inside strategies: an alert that somebody is told of, what happens then, and where its task ends.

`at` is when the manager (M1) was told; `then` has commands (`kind`) and what the data say (`data`); `people` answer to
`role:unit`. Called by `rules.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rules.loop.machine import Loop, Told
from rules.loop.state import Task
from rules.loop.strategies import Strategies
from rules.loop.strategy import StrategyFile
from rules.loop.task_numbers import task_number
from rules.workdays import WorkCalendar
from schemas import AlertEvent, Assigned, Command, Happened, Notice, Recipient, iso

MANAGER = Recipient(no="M1", name="M1", mobile="13900000001")
_NUMBER = task_number("A1", MANAGER.no, owner=0, owners=1)
Time = Callable[[str], int]


class _People:
    """Those of one test."""

    def __init__(self, by_place: Mapping[str, str]) -> None:
        self._by_place = by_place

    def with_role(self, role: str, org_no: str, at: int) -> list[Told]:  # noqa: ARG002 - always the same
        no = self._by_place.get(f"{role}:{org_no}")
        return [] if no is None else [self.person(no, 0)]

    def person(self, no: str, at: int) -> Told:  # noqa: ARG002 - always the same
        return Recipient(no=no), "sms"


def strategy_test_faults(
    file: StrategyFile, test: Mapping[str, Any], calendar: WorkCalendar, time: Time
) -> Iterator[str]:
    """Give what does not come out as a test says. Raises LookupError, ValueError or TypeError for a wrong test."""
    loop = Loop(Strategies.of([file], calendar), _People(test.get("people", {})))
    event = _alert(test["alert"], time(test["at"]))
    loop.assign(Assigned(number=_NUMBER, event=event, notice=_notice(event)), time(test["at"]))
    for each in test.get("then", []):
        at = time(each["at"])
        loop.advance(at)
        if "data" in each:
            loop.happened(Happened(event=_alert(test["alert"], at, each["data"])), at)
            continue
        by = str(each.get("by", MANAGER.mobile if each["kind"] == "reply" else MANAGER.no))
        loop.command(Command(kind=each["kind"], key=_NUMBER, by=by, at=at, to=str(each.get("to", ""))), "0-0")
    loop.advance(time(test["until"]))
    task = loop.cases["A1"].tasks[_NUMBER] if loop.cases else None
    yield from _task_faults(test, task, time)
    yield from _told_faults(test, loop, time)


def _task_faults(test: Mapping[str, Any], task: Task | None, time: Time) -> Iterator[str]:
    state = None if task is None else str(task.state)
    if state != test["state"]:
        yield f"the task is {state}, expected {test['state']}"
    if task is None:
        return
    if test.get("is_overdue", task.is_overdue) != task.is_overdue:
        yield "it is overdue" if task.is_overdue else "it is not overdue"
    for name, found in (("reply_due", task.reply_due), ("finish_due", task.finish_due)):
        if name in test and time(test[name]) != found:
            yield f"{name} is {iso(found)}, expected {test[name]}"


def _told_faults(test: Mapping[str, Any], loop: Loop, time: Time) -> Iterator[str]:
    todo = loop.take_todo()
    kinds: list[str] = [event.event for event in todo.events]
    if test.get("events", kinds) != kinds:
        yield f"events are {kinds}, expected {test['events']}"
    told = [(notice.recipient.no, notice.at) for notice in todo.notices if not notice.rung.startswith("answer:")]
    wanted = [(each["person"], time(each["at"])) for each in test.get("told", [])]
    if "told" in test and told != wanted:
        yield f"told are {[(no, iso(at)) for no, at in told]}, expected {[(no, iso(at)) for no, at in wanted]}"


def _alert(given: Mapping[str, Any], at: int, kind: Any = "raised") -> AlertEvent:  # noqa: ANN401 - YAML's
    return AlertEvent(
        alert_id="A1", event=kind, rule=given["rule"], rule_version=1, severity=given["severity"],
        process="hv_connection", instance="1", stage=None, visit=None, raised_at=at, due_at=None,
        org_no=given.get("org_no"), dept=None, person=MANAGER.no, object=None, text="-", evidence=(),
    )  # fmt: skip


def _notice(event: AlertEvent) -> Notice:
    return Notice(
        alert_id=event.alert_id, rule=event.rule, severity=event.severity, process=event.process,
        instance=event.instance, org_no=event.org_no, recipient=MANAGER, channel="sms", text=event.text,
        at=event.raised_at, due_at=None,
    )  # fmt: skip
