"""What the loop wants done: events of alerts and notices, made in one place. Pure."""

from dataclasses import dataclass, field

import msgspec

from rules.loop.anomaly import Anomaly
from rules.loop.state import Case, Task
from schemas import AlertEvent, AlertEventKind, Channel, Command, Happened, Instruction, Notice, Raised, Recipient


@dataclass(slots=True)
class Todo:
    """Collected until it is taken; what is written with the state that led to it."""

    events: list[AlertEvent] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    passed: list[tuple[str, Raised | Happened]] = field(default_factory=list)
    """What the owner of an anomaly is told, by its number."""
    withdrawn: list[Instruction] = field(default_factory=list)
    """What need not be told any more, if it is still held."""

    def tell_event(self, of: Case | Anomaly, kind: AlertEventKind, suffix: str, person: str | None = None) -> None:
        """Add an event of the alert; `suffix` says what happened and when, so that no two are alike."""
        event = of.event
        self.events.append(
            msgspec.structs.replace(event, event=kind, text=event.text + suffix, person=person or event.person)
        )

    def tell(  # noqa: PLR0913 - the parts of a notice
        self, of: Case | Anomaly, told: tuple[Recipient, Channel], text: str, *, at: int, rung: str, task: str = ""
    ) -> None:
        """Add a notice about an alert to somebody; `task`: what it makes theirs; its owner hears what became of it."""
        event, (recipient, channel) = of.event, told
        self.notices.append(
            Notice(
                alert_id=event.alert_id,
                rule=event.rule,
                severity=event.severity,
                process=event.process,
                instance=event.instance,
                org_no=event.org_no,
                recipient=recipient,
                channel=channel,
                text=text,
                at=at,
                due_at=event.due_at,
                rung=rung,
                task=task,
                outlives=isinstance(of, Anomaly),
            )
        )

    def answer(self, command: Command, text: str, place: str, case: Case | None = None) -> None:
        """Answer the mobile that a reply came from; `place` is the reply's own, so that each is answered once."""
        event = case.event if case else None
        self.notices.append(
            Notice(
                alert_id=event.alert_id if event else "",
                rule=event.rule if event else "-",
                severity="INFO",
                process=event.process if event else "supervision_task",
                instance=event.instance if event else command.key,
                org_no=event.org_no if event else None,
                recipient=Recipient(no=f"reply:{place}", mobile=command.by),
                channel="sms",
                text=text,
                at=command.at,
                due_at=None,
                rung=f"answer:{command.key}",
            )
        )

    def withdraw(self, case: Case, task: Task, at: int) -> None:
        """Let go of what is held about a task, for everybody who was told of it."""
        upper = (told[0].no for step in task.chain[: task.step] for told in step.told)
        for no in dict.fromkeys([task.recipient.no, *upper]):
            self.let_go(case, no, task.number, at=at, reason=f"task {task.number} was over before it left")

    def let_go(self, of: Case | Anomaly, person: str, number: str, *, at: int, reason: str) -> None:
        """Cancel what is held for one person about a task or an anomaly; `reason` is shown with it."""
        self.withdrawn.append(
            Instruction(
                instruction="withdraw", key=of.event.alert_id, by="clock", to=person, task=number, at=at, reason=reason
            )
        )

    def remind(self, case: Case, task: Task, text: str, *, at: int, rung: str) -> None:
        """Add a notice to whose task it is."""
        if task.channel != "none":
            self.tell(case, (task.recipient, task.channel), text, at=at, rung=f"{rung}:{task.number}")
