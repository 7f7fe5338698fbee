"""Proves that every chain went on: whoever was told has a task, and each task's steps came when they were due. Pure.

Works on what is published (tasks, notifications) and on the strategies, not on what the loop believes: an error of the
loop shows here. Deadlines are reckoned anew; the strategies are those of today, a task keeps those of its beginning.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rules import Strategies
from schemas import TaskView
from schemas.loop import Act
from sinks.store import NotificationRow

GRACE_MS = 10 * 60_000
"""A worker that is behind, or was just started, is given so long."""
LONGEST_WAIT_MS = {"queued": 3_600_000, "sending": 3_600_000, "retry": 2 * 3_600_000, "held": 15 * 86_400_000}
"""By state, how long a notification may stay in it: an hour for a carrier that is down, a peer's own wish (an hour),
and the longest holidays."""
_OVER = frozenset({"CLOSED", "CONVERTED"})
_AT_WORK = frozenset({"DISPATCHED", "CHECKING", "FED_BACK"})
"""Anomalies that staff on site have to rectify."""
_BEGINS_ANEW = frozenset({"REOPENED", "DISPATCHED", "REJECTED"})
"""Steps from which on a chain is counted."""
_UNTOLD = frozenset({"no_channel", "unroutable", "refused", "failed"})
"""States of a message that certainly reached nobody, and that nobody decided."""
_SETTLED = frozenset({"delivered", "refused", "failed", "no_channel", "muted", "cancelled"})


class Stopped(NamedTuple):
    """A chain that did not go on."""

    kind: str
    """`stuck`, `no_task`, `unheard`, `not_overdue`, `no_step`, `not_told`."""
    since: int
    """When it should have gone on, epoch ms."""
    alert_id: str
    number: str
    """Of the task; empty if there is none."""
    person: str
    rule: str
    instance: str
    text: str


def audit(
    tasks: Iterable[TaskView], notifications: Sequence[NotificationRow], strategies: Strategies, now: int
) -> list[Stopped]:
    """Give what did not go on at `now` (epoch ms), the oldest first. Empty: every chain progressed."""
    every = list(tasks)
    own = [task for task in every if task.kind == "task"]
    anomalies = [task for task in every if task.kind == "anomaly"]
    found = [*_messages(notifications, [*own, *anomalies], strategies, now)]
    ups = [row for row in notifications if ":escalated-" in row.key]
    told = {(row.alert_id, row.recipient_no) for row in ups if row.state not in _UNTOLD}
    first = {(row.alert_id, row.recipient_no): row for row in notifications if _is_first(row)}
    for anomaly in anomalies:
        if anomaly.state in _AT_WORK:
            found += _work_steps(anomaly, strategies, now)
    for task in own:
        if task.state not in _OVER:
            found += _steps(task, first.get((task.alert_id or "", task.person_no or "")), strategies, now)
    for task in (*own, *anomalies):
        found += [
            _stopped("not_told", act.at, task, f"{act.note} was to be told of it and was not{_why(ups, task, act)}")
            for act in task.acts
            if act.what == "ESCALATED" and (task.alert_id, act.note) not in told and act.at < now - GRACE_MS
        ]
    return sorted(found, key=lambda each: (each.since, each.alert_id, each.number))


def _why(ups: Sequence[NotificationRow], task: TaskView, act: Act) -> str:
    """Give what became of the message up the chain; empty if there is none."""
    states = (row.state for row in ups if (row.alert_id, row.recipient_no) == (task.alert_id, act.note))
    return "".join(f": {state}" for state in dict.fromkeys(states))


def _is_first(row: NotificationRow) -> bool:
    """Tell whether it is an alert's first message to a person: later ones have a rung in their key."""
    return row.key == f"{row.alert_id}:{row.recipient_no}:{row.channel}"


def _messages(
    notifications: Sequence[NotificationRow], tasks: Sequence[TaskView], strategies: Strategies, now: int
) -> Iterator[Stopped]:
    alerts_with_task = {task.alert_id for task in tasks}
    for row in notifications:
        wait = LONGEST_WAIT_MS.get(row.state)
        if wait is not None and row.updated_at + wait < now:
            text = f"{row.channel} to {row.recipient_no} is still {row.state}"
            yield _of_row("stuck", row.updated_at + wait, row, text)
        is_task = _is_first(row) and _makes_task(row, strategies, now)
        if is_task and row.alert_id not in alerts_with_task and row.added_at < now - GRACE_MS:
            yield _of_row("no_task", row.added_at, row, f"{row.recipient_no} was told and nobody has a task")


def _makes_task(row: NotificationRow, strategies: Strategies, now: int) -> bool:
    """Tell whether there must be a task: not of what is muted below equipment, nor when it is over and forgotten."""
    strategy = strategies.find(row.rule, row.severity)
    if strategy is None or row.reason.startswith("inhibited"):
        return False
    return row.added_at + strategy.forget_after.clock_ms > now


def _steps(task: TaskView, message: NotificationRow | None, strategies: Strategies, now: int) -> Iterator[Stopped]:
    settled = message if message is not None and message.state in _SETTLED else None
    if task.state == "SENT" and settled is not None and settled.updated_at < now - GRACE_MS:
        yield _stopped("unheard", settled.updated_at, task, f"its message is {settled.state}, it is still SENT")
    if task.reply_due is not None and not task.is_overdue and task.reply_due < now - GRACE_MS:
        yield _stopped("not_overdue", task.reply_due, task, "nobody answered in time and it is not marked overdue")
    yield from _missing_step(task, _due_steps(task, strategies), now)


def _work_steps(anomaly: TaskView, strategies: Strategies, now: int) -> Iterator[Stopped]:
    """Look at the chain of a work order: it begins when the work is overdue."""
    due = anomaly.finish_due
    if due is None:
        return
    if not anomaly.is_overdue and due < now - GRACE_MS:
        yield _stopped("not_overdue", due, anomaly, "nobody rectified it in time and it is not marked overdue")
    name = anomaly.anomaly.strategy if anomaly.anomaly is not None else ""
    strategy, steps = strategies.named(name), list[int]()
    if strategy is not None:
        for rung in strategy.escalation or ():
            due = strategies.working(strategy, due, rung.after.clock_ms)
            steps.append(due)
    yield from _missing_step(anomaly, steps, now)


def _missing_step(task: TaskView, due: Sequence[int], now: int) -> Iterator[Stopped]:
    done = len({act.at for act in _since_reopened(task) if act.what in {"ESCALATED", "NOBODY"}})
    if len(due) > done and due[done] < now - GRACE_MS:
        yield _stopped("no_step", due[done], task, f"step {done + 1} of its chain did not come")


def _due_steps(task: TaskView, strategies: Strategies) -> list[int]:
    """Give when each step up was due, by working hours; none while somebody has acknowledged it."""
    strategy = strategies.find(task.rule or "", task.severity or "")
    acts = _since_reopened(task)
    since = task.reply_due if task.method != "none" else min((act.at for act in acts), default=task.created_at)
    if strategy is None or since is None or _is_acknowledged(acts):
        return []
    over = max((act.at for act in acts if act.what == "ACKNOWLEDGEMENT_OVER"), default=0)
    due: list[int] = []
    for rung in strategy.escalation or ():
        since = strategies.working(strategy, since, rung.after.clock_ms)
        if since < over:
            since = strategies.working(strategy, over, 0)
        due.append(since)
    return due


def _is_acknowledged(acts: Sequence[Act]) -> bool:
    spoken = [act.what for act in acts if act.what in {"ACKNOWLEDGED", "ACKNOWLEDGEMENT_OVER"}]
    return bool(spoken) and spoken[-1] == "ACKNOWLEDGED"


def _since_reopened(task: TaskView) -> Sequence[Act]:
    places = [number for number, act in enumerate(task.acts) if act.what in _BEGINS_ANEW]
    return task.acts[places[-1] :] if places else task.acts


def _stopped(kind: str, since: int, task: TaskView, text: str) -> Stopped:
    return Stopped(
        kind, since, task.alert_id or "", task.number, task.person_no or "", task.rule or "", task.instance or "", text
    )


def _of_row(kind: str, since: int, row: NotificationRow, text: str) -> Stopped:
    return Stopped(kind, since, row.alert_id, "", row.recipient_no, row.rule, row.instance, text)
