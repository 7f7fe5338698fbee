"""Proves that every chain went on, person by person and rung by rung. Pure.

Whoever was told has a task, whose task it is was told, and each task's steps came when they were due and were told.

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
_NAMES_WHO_IS_TOLD = frozenset({"ESCALATED", "HANDED_OVER"})
"""Steps of a task whose note is the number of a person who is told then."""
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
    rungs = _by_rung(notifications)
    first: dict[tuple[str, str], NotificationRow] = {}
    for row in notifications:  # of two channels one is enough
        if _is_first(row) and (row.state not in _UNTOLD or (row.alert_id, row.recipient_no) not in first):
            first[row.alert_id, row.recipient_no] = row
    for anomaly in anomalies:
        if anomaly.state in _AT_WORK:
            found += _work_steps(anomaly, strategies, now)
    for task in own:
        if task.state not in _OVER:
            message = first.get((task.alert_id or "", task.person_no or ""))
            handed = _handed_over(task, rungs)
            found += _steps(task, message if handed is None else handed, strategies, now)
            if message is None or message.state in _UNTOLD:
                found += _never_told(task, rungs, message, now)
    for task in (*own, *anomalies):
        found += _untold_rungs(task, rungs, now)
    return sorted(found, key=lambda each: (each.since, each.alert_id, each.number))


_Rungs = dict[tuple[str, str, str], list[NotificationRow]]
"""Messages after the first one, by alert, by the task or work order that they are about, and by person."""


def _by_rung(notifications: Iterable[NotificationRow]) -> _Rungs:
    rungs: _Rungs = {}
    for row in notifications:
        if not _is_first(row):
            rungs.setdefault((row.alert_id, row.key.rpartition(":")[2], row.recipient_no), []).append(row)
    return rungs


def _handed_over(task: TaskView, rungs: _Rungs) -> NotificationRow | None:
    """Give the message by which a task became the person's whose it is; None: it was theirs from the beginning."""
    rows = rungs.get((task.alert_id or "", task.number, task.person_no or ""), ())
    handed = (row for row in rows if row.key.rpartition(":")[0].rpartition(":")[2].startswith("handed-over-"))
    return max(handed, key=lambda row: row.at, default=None)


def _untold_rungs(task: TaskView, rungs: _Rungs, now: int) -> Iterator[Stopped]:
    """Look for the message of each act that names who was told; it bears the act's time."""
    number = task.anomaly.order if task.anomaly is not None else task.number
    for act in task.acts:
        if act.what not in _NAMES_WHO_IS_TOLD or act.at >= now - GRACE_MS:
            continue
        rows = [row for row in rungs.get((task.alert_id or "", number, act.note), ()) if row.at == act.at]
        if act.note and all(row.state in _UNTOLD for row in rows):
            yield _not_told(act.at, task, act.note, rows)


def _never_told(task: TaskView, rungs: _Rungs, first: NotificationRow | None, now: int) -> Iterator[Stopped]:
    """Whose open task it is was told of it neither first nor later; whom it was handed to is looked for by rung."""
    if task.method == "none" or task.created_at is None or task.created_at >= now - GRACE_MS:
        return
    later = rungs.get((task.alert_id or "", task.number, task.person_no or ""), [])
    was_handed_over = any(act.what == "HANDED_OVER" for act in task.acts)
    if not was_handed_over and all(row.state in _UNTOLD for row in later):
        yield _not_told(task.created_at, task, task.person_no or "", [first] if first is not None else [])


def _not_told(since: int, task: TaskView, person: str, rows: Sequence[NotificationRow]) -> Stopped:
    why = "".join(f": {state}" for state in dict.fromkeys(row.state for row in rows))
    return _stopped("not_told", since, task, f"{person} was to be told of it and was not{why}")


def _is_first(row: NotificationRow) -> bool:
    """Tell whether it is an alert's first message to a person: later ones have a rung in their key."""
    return row.key == f"{row.alert_id}:{row.recipient_no}:{row.channel}"


def _messages(
    notifications: Sequence[NotificationRow], tasks: Sequence[TaskView], strategies: Strategies, now: int
) -> Iterator[Stopped]:
    tasks_of: dict[str, list[TaskView]] = {}
    for task in tasks:
        tasks_of.setdefault(task.alert_id or "", []).append(task)
    without: dict[str, dict[str, NotificationRow]] = {}
    for row in notifications:
        wait = LONGEST_WAIT_MS.get(row.state)
        if wait is not None and row.updated_at + wait < now:
            text = f"{row.channel} to {row.recipient_no} is still {row.state}"
            yield _of_row("stuck", row.updated_at + wait, row, text)
        is_task = _is_first(row) and _makes_task(row, strategies, now) and row.added_at < now - GRACE_MS
        if is_task and not _has_task(row, tasks_of.get(row.alert_id, ())):
            without.setdefault(row.alert_id, {})[row.recipient_no] = row
    for alert_id, rows in without.items():
        # A task that was handed over no longer names who was told first.
        handed_over = sum(any(act.what == "HANDED_OVER" for act in task.acts) for task in tasks_of.get(alert_id, ()))
        who = "they have no task" if alert_id in tasks_of else "nobody has a task"
        for row in list(rows.values())[handed_over:]:
            yield _of_row("no_task", row.added_at, row, f"{row.recipient_no} was told and {who}")


def _has_task(row: NotificationRow, tasks: Iterable[TaskView]) -> bool:
    """Tell whether who was told has a task of the alert, or the alert went the long way, which is nobody's alone."""
    return any(task.kind == "anomaly" or task.person_no == row.recipient_no for task in tasks)


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
