"""The life of one supervision task: what a command, the data and the clock do to it (domain.md, P08). Pure."""

from __future__ import annotations

import unicodedata

from rules.loop import answers
from rules.loop.chain import begin_chain, step_up
from rules.loop.state import UNTOLD, Case, Task, TaskState
from rules.loop.strategies import Strategies
from rules.loop.strategy import Strategy
from rules.loop.todo import Todo
from schemas import Channel, Command, Outcome, Raised, Recipient

_SENT = {"delivered": TaskState.DELIVERED} | dict.fromkeys(
    ("refused", "failed", "no_channel", *UNTOLD), TaskState.SEND_FAILED
)
_HELD = "held"
_HANDED_OVER = "HANDED_OVER"
_ON_ITS_WAY_AGAIN = frozenset({TaskState.DELIVERED, TaskState.SEND_FAILED})
HELD_MS = 3_600_000
"""A message that is delivered so long after it was asked for was held back (quiet hours), not under way."""
_CHINA = ("0086", "86")
_NATIONAL = 11
"""Digits of a mobile number without its country code."""


class TaskSteps:
    """The steps of the tasks of one set of strategies; what they want done goes to `todo`."""

    def __init__(self, strategies: Strategies, todo: Todo) -> None:
        self._all, self._todo = strategies, todo
        self._when = strategies.calendar.local_text

    # -- beginning

    def begin(self, task: Task, strategy: Strategy, at: int) -> None:
        """The message is on its way (or nobody could be found)."""
        task.note(at, "clock", TaskState.CREATED)
        task.state = TaskState.UNROUTABLE if task.channel == "none" else TaskState.SENT
        task.note(at, "outbox", task.state)
        self._set_timers(task, strategy, at)

    def _set_timers(self, task: Task, strategy: Strategy, at: int) -> None:
        task.reply_due, task.finish_due = self._all.reply_due(strategy, at), self._all.finish_due(strategy, at)
        since = at if task.channel == "none" else task.reply_due
        task.reminded = 0
        begin_chain(task, self._all, strategy, since)
        task.remind_at = self._next_reminder(task, strategy, at)

    def _next_reminder(self, task: Task, strategy: Strategy, at: int) -> int | None:
        if strategy.remind_every is None or task.reminded >= strategy.remind_most or task.channel == "none":
            return None
        return self._all.working(strategy, at, strategy.remind_every.clock_ms)

    def sent(self, task: Task, strategy: Strategy, outcome: Outcome, at: int) -> bool:
        """Note what became of the message; tell whether that is news.

        One that is held back gives its full time to reply, and one that is muted or cancelled begins none: nobody is
        late who was not told. Once it was handed over, only the message to the new person counts.
        """
        if task.state is not TaskState.SENT or outcome.to not in {"", task.recipient.no}:
            return False
        handed_over = max((act.at for act in task.acts if act.what == _HANDED_OVER), default=None)
        if handed_over is not None and not outcome.to:
            return False
        if outcome.state == _HELD:
            task.note(at, "outbox", "HELD", self._when(outcome.until))
            self._set_timers(task, strategy, max(outcome.until, at))
            return True
        state = _SENT.get(outcome.state)
        if state is None:
            return False
        task.state = state
        task.note(at, "outbox", state, outcome.state)
        if state is TaskState.DELIVERED and (handed_over or task.created_at) + HELD_MS < at < task.reply_due:
            self._set_timers(task, strategy, at)
        return True

    # -- people

    def reply(self, case: Case, task: Task, command: Command, strategy: Strategy) -> str:
        """Close the task by its number; give the answer. A second one changes nothing but who was first."""
        is_late = command.at > task.reply_due and not task.is_untold
        if task.state is TaskState.CONVERTED:
            return answers.CONVERTED
        if not task.is_open:
            if task.replied_at is None or command.at < task.replied_at:
                task.replied_at = command.at
            return answers.ALREADY_CLOSED
        task.replied_at, task.remark = command.at, command.text
        self.close(case, task, at=command.at, by=task.recipient.no, strategy=strategy)
        return answers.CLOSED_LATE if is_late else answers.CLOSED

    def close(self, case: Case, task: Task, *, at: int, by: str, strategy: Strategy) -> None:
        """Nobody need do more; if the data still show the fault, it is looked at again."""
        task.is_overdue = at > task.reply_due and not task.is_untold
        task.state, task.closed_at, task.closed_by = TaskState.CLOSED, at, by
        task.step_at = task.remind_at = task.acknowledged_until = None
        task.note(at, by, TaskState.CLOSED, task.remark)
        if not case.is_faulty:
            return
        task.verify_at = self._all.verify_at(strategy, at)
        if any(each.is_open for each in case.tasks.values()):
            self._todo.withdraw(case, task, at)
        else:
            self._todo.tell_event(case, "closed", f"（督办{task.number}于{self._when(at)}办结）", by)

    def acknowledge(self, case: Case, task: Task, command: Command, strategy: Strategy) -> bool:
        """Somebody sees to it: no step up for a while. Tell whether that is news."""
        until = command.at + strategy.acknowledged_for.clock_ms
        if not task.is_open or (task.acknowledged_until or 0) >= until or task.acknowledged > strategy.acknowledge_most:
            return False
        task.acknowledged += 1
        if task.acknowledged > strategy.acknowledge_most:
            task.note(command.at, command.by, "NOT_ACKNOWLEDGED", f"{strategy.acknowledge_most} times are enough")
            return True
        task.acknowledged_until = until
        task.note(command.at, command.by, "ACKNOWLEDGED", command.text)
        self._todo.tell_event(case, "acknowledged", f"（{command.by}已确认，至{self._when(until)}）", command.by)
        return True

    def hand_over(
        self, case: Case, task: Task, command: Command, told: tuple[Recipient, Channel], *, strategy: Strategy
    ) -> bool:
        """Make it another person's task; the number stays. If nobody was told before, its time begins.

        What is held for the old person about it is cancelled: they need do nothing any more.
        """
        old, is_untold = task.recipient, task.is_untold or task.state is TaskState.UNROUTABLE
        if not task.is_open or old.no == told[0].no:
            return False
        if old.mobile:
            task.former.append(old.mobile)
        task.recipient, task.channel = told
        if task.channel != "none" and (is_untold or task.state in _ON_ITS_WAY_AGAIN):
            task.state = TaskState.SENT
        if is_untold:
            self._set_timers(task, strategy, command.at)
        task.note(command.at, command.by, _HANDED_OVER, told[0].no)
        reason = f"task {task.number} was handed over to {told[0].no} before it left"
        self._todo.let_go(case, old.no, task.number, at=command.at, reason=reason)
        if task.channel != "none":
            text, rung = answers.handing_over(case.event, task.number), f"handed-over-{task.version}:{task.number}"
            self._todo.tell(case, told, text, at=command.at, rung=rung, task=task.number)
        return True

    # -- the data and the clock

    def reopen(self, case: Case, task: Task, strategy: Strategy, *, at: int, by: str) -> None:
        """It was closed and is not done."""
        task.state, task.closed_at, task.closed_by, task.verify_at = TaskState.REOPENED, None, "", None
        task.replied_at, task.remark, task.acknowledged = None, "", 0
        task.reopened += 1
        task.note(at, by, TaskState.REOPENED)
        self._set_timers(task, strategy, at)
        task.is_overdue = False
        text = answers.reopening(case.event, task.number)
        self._todo.remind(case, task, text, at=at, rung=f"reopened-{task.reopened}")

    def next_due(self, task: Task) -> int | None:
        """When the clock does the next thing to a task; None: never."""
        if not task.is_open:
            return task.verify_at
        if task.is_untold:
            return task.acknowledged_until
        times = [task.step_at, task.remind_at, task.acknowledged_until, None if task.is_overdue else task.reply_due]
        return min((time for time in times if time is not None), default=None)

    def fire(self, case: Case, task: Task, strategy: Strategy, due: int) -> None:
        """Do what is due at `due`; stamped with that time, whenever somebody came to it."""
        if not task.is_open:
            self.reopen(case, task, strategy, at=due, by="clock")
            self._todo.tell_event(case, "reopened", f"（督办{task.number}于{self._when(due)}复查未整改）")
        elif due == task.acknowledged_until:
            task.acknowledged_until = None
            task.note(due, "clock", "ACKNOWLEDGEMENT_OVER")
            self._todo.tell_event(case, "reopened", f"（督办{task.number}的确认于{self._when(due)}到期）")
            if task.is_overdue and self._convert(case, strategy, due):
                return
            text = answers.acknowledgement_over(case.event, task.number)
            self._todo.remind(case, task, text, at=due, rung=f"acknowledged-{task.version}")
        elif not task.is_overdue and due == task.reply_due:
            task.is_overdue = True
            if task.state is not TaskState.UNROUTABLE:
                task.state = TaskState.OVERDUE
            task.note(due, "clock", TaskState.OVERDUE)
            if task.acknowledged_until is None:
                self._convert(case, strategy, due)
        elif due == task.remind_at:
            self._remind(case, task, strategy, due)
        else:
            self._escalate(case, task, strategy, due)

    def _convert(self, case: Case, strategy: Strategy, due: int) -> bool:
        """Nobody answered in time: the alert goes the long way, if it has one, and nobody need answer any more."""
        if not case.anomaly or not strategy.overdue_becomes:
            return False
        for task in case.tasks.values():
            if task.is_open:
                task.state, task.closed_at, task.closed_by = TaskState.CONVERTED, due, "clock"
                task.step_at = task.remind_at = task.acknowledged_until = task.verify_at = None
                task.note(due, "clock", TaskState.CONVERTED, case.anomaly)
                self._todo.withdraw(case, task, due)
        begun = Raised(number=case.anomaly, event=case.event, strategy=strategy.overdue_becomes)
        self._todo.passed.append((case.anomaly, begun))
        return True

    def _remind(self, case: Case, task: Task, strategy: Strategy, due: int) -> None:
        if task.acknowledged_until is not None:
            task.remind_at = self._next_reminder(task, strategy, task.acknowledged_until)
            return
        task.reminded += 1
        task.note(due, "clock", "REMINDED")
        text = answers.reminder(case.event, task.number, task.reminded)
        self._todo.remind(case, task, text, at=due, rung=f"reminder-{task.reopened}-{task.reminded}")
        task.remind_at = self._next_reminder(task, strategy, due)

    def _escalate(self, case: Case, task: Task, strategy: Strategy, due: int) -> None:
        if task.acknowledged_until is not None:
            task.step_at = self._all.working(strategy, task.acknowledged_until, 0)
            return
        upper = step_up(task, self._all, strategy, due)
        if not upper.told:
            task.note(due, "clock", "NOBODY", upper.role)
            return
        task.state = TaskState.UNROUTABLE if task.state is TaskState.UNROUTABLE else TaskState.ESCALATED
        for told in upper.told:
            task.note(due, "clock", TaskState.ESCALATED, told[0].no)
            text = answers.escalation(case.event, task.number, task.recipient.name or task.recipient.no)
            self._todo.tell(case, told, text, at=due, rung=f"escalated-{task.reopened}-{task.step}:{task.number}")
        suffix = f"（督办{task.number}于{self._when(due)}上报{upper.told[0][0].no}）"
        self._todo.tell_event(case, "escalated", suffix, upper.told[0][0].no)


def is_same_mobile(one: str | None, other: str | None) -> bool:
    """Tell whether two numbers are one: however they are written, with or without China's country code."""
    return one is not None and other is not None and _national(one) == _national(other) != ""


def _national(mobile: str) -> str:
    digits = "".join(c for c in unicodedata.normalize("NFKC", mobile) if c.isdigit())
    prefix = next((p for p in _CHINA if digits.startswith(p) and len(digits) == len(p) + _NATIONAL), "")
    return digits.removeprefix(prefix)
