"""The long loop of one anomaly: from the alert to the archive, no state skipped (domain.md 4.7). Pure.

A command that is not the next step, or whose sender may not do it, is refused: it is noted with its reason beside the
history, and neither state nor version changes.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from rules.loop.state import Order, Upper
from schemas import Act, AlertEvent, AnomalyFacts, Command, RectifyOrder, TaskView

MOST_REFUSALS = 10
"""Kept of one anomaly: the last ones."""


class AnomalyState(StrEnum):
    """Where an anomaly stands, in order."""

    RAISED = "RAISED"
    SCREENED = "SCREENED"
    PACKAGED = "PACKAGED"
    DISPATCHED = "DISPATCHED"
    CHECKING = "CHECKING"
    FED_BACK = "FED_BACK"
    RECTIFIED = "RECTIFIED"
    FORWARDED = "FORWARDED"
    APPROVED = "APPROVED"
    ARCHIVED = "ARCHIVED"


class Refusal(StrEnum):
    """Why a command changed nothing."""

    STALE = "STALE"
    """It has changed since the sender saw it."""
    OUT_OF_ORDER = "OUT_OF_ORDER"
    """Not the next step from where it stands."""
    NO_REASON = "NO_REASON"
    """A dismissal, a rejection, a finding or points without a text."""
    NO_DEPARTMENT = "NO_DEPARTMENT"
    """Neither the alert, the strategy nor the command names who has to act."""
    NO_PERSON = "NO_PERSON"
    """A leader or a person on duty is not named."""
    NOT_HOLDER = "NOT_HOLDER"
    """Somebody else holds the work order, or nobody does."""
    NOT_LEADER = "NOT_LEADER"
    """It was forwarded to somebody else."""
    NO_OTHER = "NO_OTHER"
    """The unit has no other open anomaly of the number that it is to be merged into."""
    OWN_WORK = "OWN_WORK"
    """Nobody approves what they checked, rectified or forwarded themselves."""


class Anomaly(msgspec.Struct, kw_only=True):
    """One alert on the long way. A row of the agent's changelog: fields are added at the end, with a default."""

    number: str
    event: AlertEvent
    strategy: str
    facts: AnomalyFacts
    created_at: int
    state: AnomalyState = AnomalyState.RAISED
    version: int = 0
    updated_at: int = 0
    closed_at: int | None = None
    acts: list[Act] = []
    round: int = 1
    """How often its alert has become an anomaly: the data showed it again after the archive."""
    chain: list[Upper] = []
    step: int = 0
    """Of the chain, the next."""
    step_at: int | None = None
    finish_due: int | None = None
    """Until when it is to be rectified, since it was dispatched or rejected."""
    is_overdue: bool = False

    def note(self, at: int, by: str, what: str, text: str = "") -> None:
        """Write a step into the history; that is a new version. Nothing of it is ever dropped."""
        self.version += 1
        self.updated_at = max(self.updated_at, at)
        self.acts.append(Act(at, by, what, text))

    def move(self, state: AnomalyState, command: Command, text: str = "") -> None:
        """Go on to a state."""
        self.state = state
        self.note(command.at, command.by, state, text or command.text)

    def tell(self, **facts: object) -> None:
        """Replace some of the facts."""
        self.facts = msgspec.structs.replace(self.facts, **facts)

    def refuse(self, command: Command, why: Refusal) -> None:
        """Keep that a command was refused; that is no new version."""
        self.updated_at = max(self.updated_at, command.at)
        refused = Act(command.at, command.by, command.kind, why)
        if refused not in self.facts.refused:
            self.tell(refused=(*self.facts.refused, refused)[-MOST_REFUSALS:])

    @property
    def is_at_work(self) -> bool:
        """Staff on site have to do something about it."""
        return self.state in AT_WORK

    @property
    def is_open(self) -> bool:
        """Only what is archived leaves the open counts."""
        return self.state is not AnomalyState.ARCHIVED


_BEFORE: dict[str, AnomalyState] = {
    "confirm": AnomalyState.RAISED, "dismiss": AnomalyState.RAISED, "merge": AnomalyState.RAISED,
    "package": AnomalyState.SCREENED,
    "dispatch": AnomalyState.PACKAGED, "feed_back": AnomalyState.CHECKING, "rectify": AnomalyState.FED_BACK,
    "forward": AnomalyState.RECTIFIED, "approve": AnomalyState.FORWARDED, "reject": AnomalyState.FORWARDED,
    "archive": AnomalyState.APPROVED,
}  # fmt: skip
"""From which state alone a command leads on."""
DOES: dict[str, str] = {
    "confirm": AnomalyState.SCREENED, "dismiss": "DISMISSED", "merge": "MERGED", "package": AnomalyState.PACKAGED,
    "forward": AnomalyState.FORWARDED, "approve": AnomalyState.APPROVED, "reject": "REJECTED",
    "archive": AnomalyState.ARCHIVED,
}  # fmt: skip
"""What a command about the anomaly itself writes into its history."""
_WHILE_CHECKED = frozenset({AnomalyState.CHECKING, AnomalyState.FED_BACK})
AT_WORK = _WHILE_CHECKED | {AnomalyState.DISPATCHED}
"""Dispatched and not yet rectified."""
_ITS_ORDERS: dict[str, frozenset[AnomalyState]] = {
    "lock": AT_WORK, "unlock": _WHILE_CHECKED, "hand_over": _WHILE_CHECKED,
}  # fmt: skip
ORDER_KINDS = frozenset({"lock", "unlock", "hand_over", "feed_back", "rectify"})
"""Commands about the work order of an anomaly; all others are about the anomaly."""
_WORK = frozenset({AnomalyState.FED_BACK, AnomalyState.RECTIFIED, AnomalyState.FORWARDED})


def is_out_of_order(anomaly: Anomaly, kind: str) -> bool:
    """Tell whether a command is not the next step, whatever else it says."""
    return anomaly.state is not _BEFORE.get(kind) and anomaly.state not in _ITS_ORDERS.get(kind, ())


def step(anomaly: Anomaly, command: Command) -> Refusal | None:
    """Do what a command about the anomaly itself says, or give why not; then nothing has changed."""
    if command.version is not None and command.version != anomaly.version:
        return Refusal.STALE
    does = _STEPS.get(command.kind)
    if does is None or is_out_of_order(anomaly, command.kind):
        return Refusal.OUT_OF_ORDER
    return does(anomaly, command)


def _confirm(anomaly: Anomaly, command: Command) -> Refusal | None:
    dept = command.dept or anomaly.facts.dept
    if not dept:
        return Refusal.NO_DEPARTMENT
    anomaly.tell(dept=dept)
    anomaly.move(AnomalyState.SCREENED, command)
    return None


def _dismiss(anomaly: Anomaly, command: Command) -> Refusal | None:
    if not command.text:
        return Refusal.NO_REASON
    anomaly.tell(is_dismissed=True)
    anomaly.note(command.at, command.by, "DISMISSED", command.text)
    _close(anomaly, command)
    return None


def merge(anomaly: Anomaly, main: Anomaly, command: Command) -> None:
    """Let one go with another: from here on what is said about it is said about that one."""
    anomaly.tell(merged_into=main.number)
    anomaly.state = AnomalyState.SCREENED
    anomaly.note(command.at, command.by, "MERGED", main.number)
    main.note(command.at, command.by, "MERGED_WITH", anomaly.number)


def close_with(anomaly: Anomaly, main: Anomaly, command: Command) -> None:
    """Close what was merged into another one with that one."""
    anomaly.tell(is_dismissed=main.facts.is_dismissed)
    anomaly.closed_at = command.at
    anomaly.move(AnomalyState.ARCHIVED, command, main.number)


def _close(anomaly: Anomaly, command: Command) -> None:
    anomaly.closed_at = command.at
    anomaly.move(AnomalyState.ARCHIVED, command)


def _forward(anomaly: Anomaly, command: Command) -> Refusal | None:
    if not command.to:
        return Refusal.NO_PERSON
    if command.to == command.by or command.to in _workers(anomaly):
        return Refusal.OWN_WORK
    anomaly.tell(leader=command.to)
    anomaly.move(AnomalyState.FORWARDED, command, command.text or command.to)
    return None


def _workers(anomaly: Anomaly) -> set[str]:
    return {act.by for act in anomaly.acts if act.what in _WORK}


def _may_decide(anomaly: Anomaly, command: Command) -> Refusal | None:
    if command.by in _workers(anomaly):
        return Refusal.OWN_WORK
    return None if command.by == anomaly.facts.leader else Refusal.NOT_LEADER


def _approve(anomaly: Anomaly, command: Command) -> Refusal | None:
    refusal = _may_decide(anomaly, command)
    if refusal is None:
        anomaly.move(AnomalyState.APPROVED, command)
    return refusal


def _reject(anomaly: Anomaly, command: Command) -> Refusal | None:
    """Back to the check on site; what was put right so far counts for nothing."""
    refusal = _may_decide(anomaly, command) or (None if command.text else Refusal.NO_REASON)
    if refusal is None:
        *before, last = anomaly.facts.rectifications
        rejected = msgspec.structs.replace(last, is_rejected=True)
        anomaly.tell(rectifications=(*before, rejected), leader="")
        anomaly.note(command.at, command.by, "REJECTED", command.text)
        anomaly.move(AnomalyState.CHECKING, command)
    return refusal


def _archive(anomaly: Anomaly, command: Command) -> Refusal | None:
    """Close it for good, with whose duty it was."""
    if not command.to:
        return Refusal.NO_PERSON
    if command.points and not command.text:
        return Refusal.NO_REASON
    anomaly.tell(
        duty_dept=command.dept or anomaly.facts.dept, duty_person=command.to, duty_reason=command.text,
        deducted_score=command.points,
    )  # fmt: skip
    _close(anomaly, command)
    return None


_STEPS: dict[str, Callable[[Anomaly, Command], Refusal | None]] = {
    "confirm": _confirm, "dismiss": _dismiss, "forward": _forward, "approve": _approve, "reject": _reject,
    "archive": _archive,
}  # fmt: skip


def refused_on_order(anomaly: Anomaly, order: Order, command: Command) -> Refusal | None:
    """Give why the work order of an anomaly does not take a command; None: it does."""
    if command.version is not None and command.version != order.version:
        return Refusal.STALE
    if command.kind not in ORDER_KINDS or is_out_of_order(anomaly, command.kind):
        return Refusal.OUT_OF_ORDER
    if command.kind == "feed_back" and not command.text:
        return Refusal.NO_REASON
    return None


def follow_order(anomaly: Anomaly, command: Command) -> None:
    """Go on after the work order has taken a command."""
    if command.kind == "lock" and anomaly.state is AnomalyState.DISPATCHED:
        anomaly.move(AnomalyState.CHECKING, command)
    elif command.kind == "feed_back":
        anomaly.tell(feedback=command.text)
        anomaly.move(AnomalyState.FED_BACK, command)
    elif command.kind == "rectify":
        made = RectifyOrder(
            at=command.at, by=command.by, text=command.text, energy_kwh=command.energy_kwh, money=command.money,
            errors=command.errors,
        )  # fmt: skip
        anomaly.tell(rectifications=(*anomaly.facts.rectifications, made))
        anomaly.move(AnomalyState.RECTIFIED, command)


def view_of_anomaly(anomaly: Anomaly) -> TaskView:
    """Give an anomaly as everybody may see it."""
    event, facts = anomaly.event, anomaly.facts
    return TaskView(
        number=anomaly.number, kind="anomaly", state=anomaly.state, version=anomaly.version,
        updated_at=anomaly.updated_at, alert_id=event.alert_id, rule=event.rule, severity=event.severity,
        process=event.process, instance=event.instance, org_no=event.org_no,
        parent=facts.package or facts.merged_into or None,
        person_no=facts.duty_person or facts.leader or None, text=event.text, created_at=anomaly.created_at,
        closed_at=anomaly.closed_at, finish_due=anomaly.finish_due, is_overdue=anomaly.is_overdue,
        acts=tuple(anomaly.acts), anomaly=facts,
    )  # fmt: skip
