"""What the loop remembers: per alert its tasks, per work order who holds it. Rows of the agent's changelog.

A field is added at the end, with a default: rows of an older version are read on.
"""

import hashlib
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from schemas import Act, AlertEvent, Channel, Command, Recipient, TaskView

MOST_ACTS = 40
"""Of one task; the first and the last are kept."""
UNTOLD = frozenset({"muted", "cancelled"})
"""What became of a message that somebody, or the settings, wanted nobody to get."""
REFUSED = "REFUSED"
"""In a task's history: somebody else's mobile sent its number."""


class TaskState(StrEnum):
    """Where a supervision task stands (domain.md, P08)."""

    CREATED = "CREATED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    SEND_FAILED = "SEND_FAILED"
    UNROUTABLE = "UNROUTABLE"
    OVERDUE = "OVERDUE"
    ESCALATED = "ESCALATED"
    REOPENED = "REOPENED"
    CLOSED = "CLOSED"
    CONVERTED = "CONVERTED"
    """Nobody answered in time: its alert goes the long way now."""


class OrderState(StrEnum):
    """Where a work order stands (domain.md, P21)."""

    PENDING = "PENDING"
    LOCKED = "LOCKED"
    DONE = "DONE"
    APPROVED = "APPROVED"


def was_done(acts: Sequence[Act], what: str, command: Command) -> bool:
    """Tell whether a command was done before: what came twice (a second click, a client's retry) counts once."""
    return any((act.at, act.by, act.what) == (command.at, command.by, what) for act in acts)


def is_first(heard: list[str], reply: Command) -> bool:
    """Tell whether a reply was not heard before; from now on it was. It is named by who wrote what when."""
    said = f"{reply.at}\x1f{reply.by}\x1f{reply.text}".encode()
    name = hashlib.blake2b(said, digest_size=8).hexdigest()
    if name in heard:
        return False
    heard.append(name)
    del heard[:-MOST_ACTS]
    return True


class Upper(msgspec.Struct, array_like=True):
    """One step of a task's chain, as it was when the task was made."""

    after_ms: int
    """Working time after the step before."""
    role: str
    told: list[tuple[Recipient, Channel]]


class Task(msgspec.Struct, kw_only=True):
    """One person's task about one alert. Times are epoch ms."""

    number: str
    recipient: Recipient
    channel: Channel
    text: str
    created_at: int
    reply_due: int
    finish_due: int
    chain: list[Upper]
    state: TaskState = TaskState.CREATED
    step: int = 0
    """Of the chain, the next."""
    step_at: int | None = None
    reminded: int = 0
    remind_at: int | None = None
    acknowledged_until: int | None = None
    verify_at: int | None = None
    reopened: int = 0
    is_overdue: bool = False
    replied_at: int | None = None
    closed_at: int | None = None
    closed_by: str = ""
    remark: str = ""
    version: int = 0
    acts: list[Act] = []
    acknowledged: int = 0
    """How often, since it was opened."""
    heard: list[str] = []
    """Names of the last replies of whose task it is: each counts once, also if its record comes again."""
    others: list[str] = []
    """The same of the last replies of other mobiles."""
    told: str = ""
    """Who was told of it first."""
    former: list[str] = []
    """Mobiles of those who handed it over."""

    @property
    def is_open(self) -> bool:
        """Somebody still has to do something."""
        return self.state not in {TaskState.CLOSED, TaskState.CONVERTED}

    @property
    def is_untold(self) -> bool:
        """Its message was muted or cancelled, and nobody was told since: nobody is late."""
        told = next((act.note for act in reversed(self.acts) if act.by == "outbox"), "")
        return self.state is TaskState.SEND_FAILED and told in UNTOLD

    def note(self, at: int, by: str, what: str, text: str = "") -> None:
        """Write a step into the history; that is a new version."""
        self.version += 1
        self.acts.append(Act(at, by, what, text))
        if len(self.acts) > MOST_ACTS:
            noise = (place for place, act in enumerate(self.acts) if act.what == REFUSED)
            del self.acts[next(noise, 1)]  # texts of others must not drive out what happened


class Case(msgspec.Struct, kw_only=True):
    """One alert that somebody was told of."""

    event: AlertEvent
    strategy: str
    is_faulty: bool = True
    """The data still show what the alert is about."""
    parent: str | None = None
    tasks: dict[str, Task] = {}
    updated_at: int = 0
    anomaly: str = ""
    """Number of the anomaly that it becomes if nobody answers in time."""

    @property
    def is_converted(self) -> bool:
        """It is an anomaly now."""
        return any(task.state is TaskState.CONVERTED for task in self.tasks.values())


class Order(msgspec.Struct, kw_only=True):
    """One work order that somebody has touched."""

    number: str
    state: OrderState = OrderState.PENDING
    holder: str = ""
    until: int | None = None
    """When the lock runs out."""
    finished_by: str = ""
    version: int = 0
    updated_at: int = 0
    acts: list[Act] = []
    anomaly: str = ""
    """Number of the anomaly that it is about; none: the order is not ours."""
    finish_due: int | None = None
    """Until when an anomaly's is to be rectified."""
    is_overdue: bool = False


class Early(msgspec.Struct, kw_only=True):
    """Commands about a task that has not come yet: they wait, for topics are read in any order."""

    commands: list[tuple[Command, str]] = []
    until: int = 0


def view_of_task(case: Case, task: Task) -> TaskView:
    """Give a task as everybody may see it."""
    event = case.event
    return TaskView(
        number=task.number, kind="task", state=task.state, version=task.version, updated_at=case.updated_at,
        alert_id=event.alert_id, rule=event.rule, severity=event.severity, process=event.process,
        instance=event.instance, org_no=event.org_no, parent=case.parent, person_no=task.recipient.no,
        person_name=task.recipient.name, method=task.channel, text=task.text, created_at=task.created_at,
        reply_due=task.reply_due, finish_due=task.finish_due, replied_at=task.replied_at, closed_at=task.closed_at,
        is_overdue=task.is_overdue, remark=task.remark, acts=tuple(task.acts),
    )  # fmt: skip


def meant_by_number(found: Sequence[tuple[Case, Task]]) -> tuple[Case, Task]:
    """Give the task that a number is about: in older versions tasks shared some. The first open one, else the last."""
    in_order = sorted(found, key=lambda pair: (pair[1].created_at, pair[0].event.alert_id))
    return next((pair for pair in in_order if pair[1].is_open), in_order[-1])


def view_of_number(found: Sequence[tuple[Case, Task]]) -> TaskView:
    """Give what readers see under a number: the task that a command about it is about."""
    view = view_of_task(*meant_by_number(found))
    return msgspec.structs.replace(view, updated_at=max(case.updated_at for case, _ in found))


def view_of_parent(case: Case) -> TaskView:
    """Give what stands for the tasks of all managers of a line: closed when all of them are."""
    tasks, event = list(case.tasks.values()), case.event
    is_open = any(task.is_open for task in tasks)
    return TaskView(
        number=case.parent or "", kind="parent", state="OPEN" if is_open else TaskState.CLOSED,
        version=sum(task.version for task in tasks), updated_at=case.updated_at, alert_id=event.alert_id,
        rule=event.rule, severity=event.severity, process=event.process, instance=event.instance,
        org_no=event.org_no, text=event.text, created_at=min(task.created_at for task in tasks),
        closed_at=None if is_open else max(task.closed_at or 0 for task in tasks),
        is_overdue=any(task.is_overdue for task in tasks),
    )  # fmt: skip


def view_of_order(order: Order) -> TaskView:
    """Give a work order with who holds it."""
    return TaskView(
        number=order.number, kind="order", state=order.state, version=order.version, updated_at=order.updated_at,
        parent=order.anomaly or None, person_no=order.holder or None, acts=tuple(order.acts),
        finish_due=order.finish_due, is_overdue=order.is_overdue,
    )  # fmt: skip
