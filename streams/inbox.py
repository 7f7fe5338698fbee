"""What the loop is told by the other agents, in their own transactions: `stagewatch.loop`, by the owner of the task.

The owner is the partition of the alert's instance; a task's number names it, so replies and the outbox find it, too.
An anomaly's owner is the partition of its unit, so that packages have one; its number names the unit.
"""

from collections import Counter
from collections.abc import Sequence

from rules import Strategies, anomaly_number, is_number, owner_of, unit_in
from schemas import (
    TASK_KINDS,
    AlertEvent,
    Assigned,
    Command,
    Happened,
    LoopRecord,
    Notice,
    Outcome,
    Raised,
    encode_loop,
)
from streams.logic import Batch, SourcePartition
from streams.partitioner import Partitioner


class LoopInbox:
    """The way into the loop. One per agent."""

    def __init__(self, topic: str, count: int, *, inhibits: bool = False) -> None:
        """`inhibits`: the outbox mutes what lies below constrained equipment, so it makes no task either."""
        self.topic, self.count, self._inhibits = topic, count, inhibits
        self._owners = Partitioner(count)

    def put(self, batch: Batch, owner: int, key: str, record: LoopRecord) -> None:
        """Write one record to an owner."""
        batch.writes.setdefault(SourcePartition(self.topic, owner), []).append((key.encode(), encode_loop(record)))

    def owners_of_command(self, command: Command) -> tuple[int, ...]:
        """Give who may own what a command is about: its number says so, or its key as for every topic.

        What is handed over under a number that a task may have is a task or a work order: both are asked.
        """
        if command.kind not in TASK_KINDS or not is_number(command.key):
            return (self.owner_of_key(command.key),)
        owner = owner_of(command.key, self.count)
        if command.kind != "hand_over":
            return (owner,)
        return tuple(dict.fromkeys((owner, self.owner_of_key(command.key))))

    def owner_of_key(self, key: str) -> int:
        """Give who owns an order or an anomaly: an anomaly's unit says so, or the key as for every topic."""
        unit = unit_in(key)
        return self._owners.of(key if unit is None else unit)[1]

    def tell(
        self, batch: Batch, alerts: Sequence[AlertEvent], notices: Sequence[Notice], strategies: Strategies | None
    ) -> Sequence[Notice]:
        """Tell the loop who is to be told of what, and what ended; give the notices that are no tasks.

        Of a task the loop tells its person: it alone knows a number that no other task has.
        """
        if strategies is None or not alerts:
            return notices
        ours = [alert for alert in alerts if strategies.find(alert.rule, alert.severity) is not None]
        raised = {alert.alert_id: alert for alert in ours if alert.event == "raised"}
        persons = Counter(notice.alert_id for notice in notices)
        others = [
            notice
            for notice in notices
            if notice.alert_id not in raised
            or (self._inhibits and notice.below)
            or not self._assign(
                batch, raised[notice.alert_id], notice, strategies, has_parent=persons[notice.alert_id] > 1
            )
        ]
        for alert in ours:
            self._pass_on(batch, alert, strategies, is_told=alert.alert_id in persons)
        return others

    def _pass_on(self, batch: Batch, alert: AlertEvent, strategies: Strategies, *, is_told: bool) -> None:
        """Tell the owner of the short loop or of the long one; what nobody was told of begins no long one."""
        strategy = strategies.find(alert.rule, alert.severity)
        if strategy is None or strategy.loop == "short":
            if alert.event != "raised":
                self.put(batch, self._owners.of(alert.instance)[1], alert.instance, Happened(event=alert))
            return
        number = anomaly_number(alert.alert_id, alert.org_no)
        if alert.event != "raised":
            self.put(batch, self.owner_of_key(number), number, Happened(event=alert))
        elif is_told:
            self.put(batch, self.owner_of_key(number), number, Raised(number=number, event=alert, strategy=strategy.id))

    def _assign(
        self, batch: Batch, event: AlertEvent, notice: Notice, strategies: Strategies, *, has_parent: bool
    ) -> bool:
        """Hand a notice to the owner of its task; tell whether it is one."""
        strategy = strategies.find(event.rule, event.severity)
        if strategy is None or strategy.loop == "long":
            return False
        anomaly = anomaly_number(event.alert_id, event.org_no) if strategy.overdue_becomes else ""
        record = Assigned(event=event, notice=notice, parent="" if has_parent else None, anomaly=anomaly)
        self.put(batch, self._owners.of(event.instance)[1], event.instance, record)
        return True

    def report(self, batch: Batch, notice: Notice, state: str, until: int) -> None:
        """Tell the loop what became of the message that opened a task; `until`: to when it is, or was, held."""
        number = notice.task
        if is_number(number):
            self.put(
                batch,
                owner_of(number, self.count),
                number,
                Outcome(number=number, state=state, until=until, to=notice.recipient.no),
            )
