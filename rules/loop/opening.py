"""How somebody who is to be told of an alert gets a task: its number, and the message that names it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from rules.loop.chain import chain_of
from rules.loop.people import People
from rules.loop.state import Case, Task
from rules.loop.strategy import Strategy
from rules.loop.task_numbers import TRIES, task_number
from schemas import Assigned, Notice

IN_BRACKETS = "括号内编号"
"""What stands for the number in the sentence for several tasks: it lists each with its own (`sinks.wording`)."""


class GivenNumbers:
    """The numbers that one owner's tasks and parents have: none is given out again until its task is forgotten."""

    def __init__(self, owner: int, owners: int) -> None:
        self._owner, self._owners = owner, owners
        self._alerts: dict[str, list[str]] = {}
        self._parents: dict[str, str] = {}

    def __contains__(self, number: object) -> bool:
        """Tell whether it is a task's."""
        return number in self._alerts

    def alerts(self, number: str) -> list[str]:
        """Give the ids of the alerts that tasks of this number are about: one, but for rows of old versions."""
        return self._alerts.get(number, [])

    def new(self, alert_id: str, person: str) -> str:
        """Give the first number for a task that nobody has; where (nearly) all are taken it shares one."""
        numbers = (
            task_number(alert_id, person, owner=self._owner, owners=self._owners, nth=nth) for nth in range(TRIES)
        )
        free = next((each for each in numbers if each not in self._alerts and each not in self._parents), None)
        return free or task_number(alert_id, person, owner=self._owner, owners=self._owners)

    def keep(self, case: Case) -> None:
        """Note the numbers of an alert's tasks, once or again."""
        key = case.event.alert_id
        for number in case.tasks:
            alerts = self._alerts.setdefault(number, [])
            if key not in alerts:
                alerts.append(key)
        if case.parent is not None:
            self._parents[case.parent] = key

    def forget(self, case: Case) -> Iterator[str]:
        """Let go of an alert's numbers; give those that nobody has any more."""
        for number in case.tasks:
            self._alerts[number].remove(case.event.alert_id)
            if not self._alerts[number]:
                del self._alerts[number]
                yield number
        if case.parent is not None:
            self._parents.pop(case.parent, None)
            yield case.parent


def new_task(record: Assigned, number: str, strategy: Strategy, people: People, *, at: int) -> Task:
    """Give a task that nothing has happened to."""
    notice = record.notice
    return Task(
        number=number, recipient=notice.recipient, channel=notice.channel, text=notice.text, created_at=at,
        reply_due=at, finish_due=at, chain=chain_of(strategy, record.event, people, at), told=notice.recipient.no,
    )  # fmt: skip


def known_task(case: Case, record: Assigned) -> Task | None:
    """Give the task that a record made before, or one of the same person over another channel."""
    if record.number:
        return case.tasks.get(record.number)
    person = record.notice.recipient.no
    return next((task for task in case.tasks.values() if (task.told or task.recipient.no) == person), None)


def first_message(notice: Notice, task: Task | None, strategy: Strategy | None) -> Notice:
    """Give the message that tells of a task, with what to answer; of no task it stays as it is."""
    if task is None:
        return notice
    hint = "" if strategy is None else strategy.hint
    grouped = notice.group_text and notice.group_text + hint.replace("{number}", IN_BRACKETS)
    text = notice.text + hint.replace("{number}", task.number)
    return msgspec.structs.replace(notice, task=task.number, text=text, group_text=grouped)
