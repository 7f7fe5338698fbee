"""The tests inside strategies: an alert that somebody is told of, what happens then, and where its task ends.

`at` is when the manager (M1) was told; `then` has commands (`kind`) and what the data say (`data`); `people` answer to
`role:unit`. Of a long one `state` is the anomaly's, and `refused` says why commands changed nothing. Called by
`rules.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from rules.loop.anomaly import ORDER_KINDS, Anomaly
from rules.loop.anomaly_numbers import anomaly_number, order_number
from rules.loop.machine import Loop
from rules.loop.people import Told
from rules.loop.state import Task
from rules.loop.strategies import Strategies
from rules.loop.strategy import StrategyFile
from rules.loop.task_numbers import task_number
from rules.workdays import WorkCalendar
from schemas import AlertEvent, Assigned, Command, Happened, Notice, Raised, Recipient, iso

MANAGER = Recipient(no="M1", name="M1", mobile="13900000001")
_NUMBER = task_number("A1", MANAGER.no, owner=0, owners=1)
_ANOMALY = anomaly_number("0" * 16, "")
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
    strategies = Strategies.of([file], calendar)
    loop = Loop(strategies, _People(test.get("people", {})))
    event = _alert(test["alert"], time(test["at"]))
    strategy = strategies.find(event.rule, event.severity)
    if strategy is not None and strategy.loop == "long":
        loop.begin(Raised(number=_ANOMALY, event=event, strategy=strategy.id), time(test["at"]))
    else:
        loop.assign(Assigned(event=event, notice=_notice(event)), time(test["at"]))
    for each in test.get("then", []):
        at = time(each["at"])
        loop.advance(at)
        if "data" in each:
            loop.happened(Happened(event=_alert(test["alert"], at, each["data"])), at)
        else:
            loop.command(_command(loop, each, at), "0-0")
    loop.advance(time(test["until"]))
    if _ANOMALY in loop.anomalies.rows:
        yield from _anomaly_faults(test, loop.anomalies.rows[_ANOMALY], time)
    else:
        yield from _task_faults(test, loop.cases["A1"].tasks[_NUMBER] if loop.cases else None, time)
    yield from _told_faults(test, loop, time)


def _command(loop: Loop, each: Mapping[str, Any], at: int) -> Command:
    anomaly, kind = loop.anomalies.rows.get(_ANOMALY), each["kind"]
    key = _NUMBER
    if anomaly is not None:
        key = order_number(_ANOMALY) if kind in ORDER_KINDS else _ANOMALY
        key = anomaly.facts.package if kind == "dispatch" else key
    amounts = {name: Decimal(str(each[name])) for name in ("energy_kwh", "money", "points") if name in each}
    texts = {name: str(each[name]) for name in ("to", "text", "dept") if name in each}
    by = str(each.get("by", MANAGER.mobile if kind == "reply" else MANAGER.no))
    command = Command(kind=kind, key=key, by=by, at=at, errors=each.get("errors", 0))
    return msgspec.structs.replace(command, **amounts, **texts)


def _anomaly_faults(test: Mapping[str, Any], anomaly: Anomaly, time: Time) -> Iterator[str]:
    if anomaly.state != test["state"]:
        yield f"the anomaly is {anomaly.state}, expected {test['state']}"
    refused = [act.note for act in anomaly.facts.refused]
    if test.get("refused", refused) != refused:
        yield f"refused are {refused}, expected {test['refused']}"
    yield from _time_faults(test, anomaly, time)


def _task_faults(test: Mapping[str, Any], task: Task | None, time: Time) -> Iterator[str]:
    state = None if task is None else str(task.state)
    if state != test["state"]:
        yield f"the task is {state}, expected {test['state']}"
    if task is None:
        return
    yield from _time_faults(test, task, time)


def _time_faults(test: Mapping[str, Any], found: Task | Anomaly, time: Time) -> Iterator[str]:
    if test.get("is_overdue", found.is_overdue) != found.is_overdue:
        yield "it is overdue" if found.is_overdue else "it is not overdue"
    for name in ("reply_due", "finish_due"):
        due = getattr(found, name, None)
        if name in test and time(test[name]) != due:
            yield f"{name} is {'none' if due is None else iso(due)}, expected {test[name]}"


def _told_faults(test: Mapping[str, Any], loop: Loop, time: Time) -> Iterator[str]:
    todo = loop.take_todo()
    kinds: list[str] = [event.event for event in todo.events]
    if test.get("events", kinds) != kinds:
        yield f"events are {kinds}, expected {test['events']}"
    later = [notice for notice in todo.notices if notice.rung and not notice.rung.startswith("answer:")]
    told = [(notice.recipient.no, notice.at) for notice in later]
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
