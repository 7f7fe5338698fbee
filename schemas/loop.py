"""What closes the loop: commands of people, what the loop's agent is told, and tasks as others see them.

`stagewatch.commands` is written by anyone (JSON); `stagewatch.loop` only by our agents, to the partition of who
owns the task; `stagewatch.tasks` (compacted, JSON) is what everybody may read.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from schemas.alert import AlertEvent
from schemas.notice import Notice

TaskCommandKind = Literal["acknowledge", "reply", "close", "hand_over"]
OrderCommandKind = Literal["lock", "unlock", "feed_back", "finish", "approve", "reject"]
AnomalyCommandKind = Literal["confirm", "dismiss", "merge", "package", "dispatch", "rectify", "forward", "archive"]
CommandKind = Literal[
    "acknowledge", "reply", "close", "hand_over", "lock", "unlock", "feed_back", "finish", "approve", "reject",
    "confirm", "dismiss", "merge", "package", "dispatch", "rectify", "forward", "archive",
]  # fmt: skip
TASK_KINDS: frozenset[str] = frozenset({"acknowledge", "reply", "close", "hand_over"})
"""Commands about a supervision task; the others are about a work order."""


class Command(msgspec.Struct, frozen=True, kw_only=True, tag="command", tag_field="type"):
    """What somebody wants done. Times are epoch ms here, ISO 8601 on the wire."""

    kind: CommandKind
    key: str
    """Number of the task or of the work order; of a `reply` the mobile or anything else of the sender's."""
    by: str
    """Number of the person; of a `reply` the mobile that it came from."""
    at: int
    text: str = ""
    """What a reply says; a remark; what was found."""
    version: int | None = None
    """The version that the sender saw; None: whatever it is now."""
    to: str = ""
    """Number of a person: whom it is handed over or forwarded to; of an `archive` whose duty it was.

    Of a `merge` the number of the anomaly that is the same.
    """
    dept: str = ""
    """Department: of a `confirm` the one that has to act; of an `archive` the one whose duty it was."""
    energy_kwh: Decimal = Decimal(0)
    """Of a `rectify`: energy that it recovered."""
    money: Decimal = Decimal(0)
    """Of a `rectify`: money that it recovered, yuan."""
    errors: int = 0
    """Of a `rectify`: errors that it put right."""
    points: Decimal = Decimal(0)
    """Of an `archive`: points taken off for it."""


class Assigned(msgspec.Struct, frozen=True, kw_only=True, tag="assigned", tag_field="type"):
    """Somebody is to be told of an alert and has to see to it; the owner of the task tells them, with its number."""

    number: str = ""
    """Only of older versions, which told people before the owner knew."""
    event: AlertEvent
    notice: Notice
    parent: str | None = None
    """There are several persons, and a number stands for the tasks of all: ``, the owner gives it. None: one person."""
    anomaly: str = ""
    """Number of the anomaly that its alert becomes if nobody answers in time; none: it never does."""


class Raised(msgspec.Struct, frozen=True, kw_only=True, tag="raised", tag_field="type"):
    """An alert goes the long way, from now on: it is an anomaly."""

    number: str
    event: AlertEvent
    strategy: str


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag="happened", tag_field="type"):
    """The data say something new about an alert: it ended, or is there again."""

    event: AlertEvent
    anomaly: str = ""
    """Number of the anomaly that its task became: it was passed on, and is about that alone."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag="outcome", tag_field="type"):
    """What became of the message that told of a task."""

    number: str
    state: str
    """`sinks.State`, one that is final, or `held`."""
    until: int = 0
    """Of a message that is held: when it leaves, epoch ms."""
    to: str = ""
    """Number of the person; older versions left it out."""


LoopRecord = Command | Assigned | Raised | Happened | Outcome
"""What `stagewatch.loop` holds; a `Command` there was sent on by the agent that read it."""


class Act(msgspec.Struct, frozen=True, array_like=True):
    """One step in the life of a task or an order."""

    at: int
    by: str
    """Number of a person; `data`: the data showed it; `clock`: it fell due; `outbox`."""
    what: str
    note: str = ""


class RectifyOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What was put right about an anomaly, and what that was worth: where the effect of control is counted from."""

    at: int
    by: str
    text: str
    energy_kwh: Decimal = Decimal(0)
    money: Decimal = Decimal(0)
    """Yuan."""
    errors: int = 0
    is_rejected: bool = False
    """The leader did not accept it: it counts for nothing."""


class AnomalyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the long loop adds to a task as others see it (domain.md 4.7)."""

    domain: str
    """One of the nine domains under control."""
    dept: str = ""
    """The department that has to act."""
    package: str = ""
    order: str = ""
    """Its work order."""
    is_dismissed: bool = False
    is_self_cleared: bool = False
    """The data stopped showing it before anybody had done anything about it; it is dealt with all the same."""
    feedback: str = ""
    """What was found on site, the last time."""
    rectifications: tuple[RectifyOrder, ...] = ()
    leader: str = ""
    """Number of whom it was forwarded to."""
    duty_dept: str = ""
    duty_person: str = ""
    duty_reason: str = ""
    deducted_score: Decimal = Decimal(0)
    refused: tuple[Act, ...] = ()
    """The last commands that came out of order: when, by whom, what, and why they changed nothing."""
    strategy: str = ""
    """The one that it goes by."""
    merged_into: str = ""
    """Number of the anomaly that is the same: that one goes the way, and both are closed together."""


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """A task, work order, anomaly or package as it stands: one record of `stagewatch.tasks`. Holds no phone number."""

    number: str
    kind: Literal["task", "parent", "order", "anomaly", "package"]
    state: str
    version: int
    """Grows with every change."""
    updated_at: int
    alert_id: str | None = None
    rule: str | None = None
    severity: str | None = None
    process: str | None = None
    instance: str | None = None
    org_no: str | None = None
    parent: str | None = None
    person_no: str | None = None
    """Whose task it is; who holds the order."""
    person_name: str | None = None
    method: str | None = None
    text: str = ""
    created_at: int | None = None
    reply_due: int | None = None
    finish_due: int | None = None
    replied_at: int | None = None
    closed_at: int | None = None
    is_overdue: bool = False
    remark: str = ""
    acts: tuple[Act, ...] = ()
    anomaly: AnomalyFacts | None = None
    """Of an anomaly only."""
