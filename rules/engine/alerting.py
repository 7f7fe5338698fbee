"""Raising, ending and reopening rungs: from a claim about an instance to alert events and notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rules.compiler import CompiledProcess, Definitions
from rules.engine.deadlines import RuleFace
from rules.engine.partition import Partition, Step
from rules.indicator_models import Indicator
from rules.message_models import Message
from rules.routing import Routing
from rules.state import Instance, Place, Raised, rung_key
from rules.wording import OBJECT_WORDS, SEVERITY_WORDS, Wording
from schemas import (
    AlertEvent,
    AlertEventKind,
    AlertObject,
    Evidence,
    Notice,
    Severity,
    alert_id,
)


class Claim(NamedTuple):
    """What one rule may say about one thing: a visit of a stage, an instance, an item of equipment."""

    rule: RuleFace
    stage: str | None = None
    visit: int | None = None
    thing: AlertObject | None = None
    dept: str | None = None
    places: tuple[Place, ...] = ()
    """Where the rows were read that it rests on, the one that it is about first."""
    further: Callable[[], Iterable[Place | None]] = tuple
    """Gives more of them; asked only once there is something to say. None: of a row that is not known."""
    values: dict[str, object] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    """Further parameters of the sentence."""
    counts_workdays: bool = False
    """The deadline was reckoned in workdays, so it is provisional in a year without a calendar."""
    repeat: str | None = None
    """Tells apart what a rule says more than once of the same thing: the time, or the row that it is about."""
    group_text: str | None = None
    """Template of the message that stands for all notices of this rule and item to one person."""
    below: str = ""
    """Equipment above the thing that the same instance has an alert about: what is said here repeats that."""

    def key(self, severity: str) -> str:
        """Give the key of one rung among those of its rule in the instance's state."""
        return rung_key(self.stage, self.visit, self.thing.item if self.thing else self.repeat, severity)


def alert_dims(indicator: Indicator, process: str, event: AlertEvent) -> str:
    """Give the dimensions that an alert counts under; beside what others count there is the process alone."""
    if indicator.part == "denominator" or indicator.severities:
        return f'{{"process":"{process}"}}'
    of_rule = f',"rule":"{event.rule}"' if indicator.rules else ""
    return f'{{"process":"{process}"{of_rule},"severity":"{event.severity}"}}'


MESSAGE = "message"
"""How the ids of what is no alert begin."""


class Telling(NamedTuple):
    """What people are told that is no alert."""

    message: Message
    subject: str
    """The row or visit that it is about; empty: the instance."""
    number: int
    """Of a message that comes several times, which it is; from 1."""
    due: int
    """When it was to be told, epoch ms."""
    values: dict[str, object]
    """Parameters of the sentence."""


class Alerting:
    """Writes alert events, notices and alert indicators of one engine into steps."""

    def __init__(self, definitions: Definitions, routing: Routing) -> None:
        self._wording = Wording(definitions.templates, definitions.calendar, own=definitions.own_templates)
        self._calendar = definitions.calendar
        self._routing = routing
        self._definitions = definitions
        self._counting: dict[tuple[str, str, str], tuple[tuple[Indicator, str], ...]] = {}
        """By process, rule and severity, the indicators that count such an alert, and under which dimensions."""

    def raise_rung(  # noqa: PLR0913 - what a rung is
        self, partition: Partition, instance: Instance, claim: Claim, step: Step, *,
        severity: Severity, due: int | None = None, deadline: int | None = None, at: int | None = None,
    ) -> None:  # fmt: skip
        """Raise the rung at the partition's clock (or `at`), or reopen it if it had ended; nothing if it is open."""
        key = claim.key(severity)
        if instance.raised is None:
            instance.raised = {}
        of_rule = instance.raised.setdefault(claim.rule.code, {})
        raised = of_rule.get(key)
        if raised is None:
            raised = of_rule[key] = Raised(partition.clock if at is None else at, due, deadline)
            event = self._event(partition, instance, claim, "raised", severity, raised)
            raised.unit = event.org_no or ""
            step.alerts.append(event)
            self._count(partition, instance, event, step)
            self._tell(partition, instance, claim, event, raised, step)
            return
        raised.due, raised.deadline = due, deadline
        if not raised.is_open:
            raised.is_open = True
            step.alerts.append(self._event(partition, instance, claim, "reopened", severity, raised))

    def report(  # noqa: PLR0913 - what is told
        self, partition: Partition, instance: Instance, claim: Claim, step: Step, *, severity: Severity, due: int,
    ) -> None:  # fmt: skip
        """Raise what is over as soon as it is known: nothing of it is kept, and it never ends."""
        raised = Raised(partition.clock, due, due)
        event = self._event(partition, instance, claim, "raised", severity, raised)
        step.alerts.append(event)
        self._count(partition, instance, event, step)
        self._tell(partition, instance, claim, event, raised, step)

    def end_rung(  # noqa: PLR0913 - what an end is
        self, partition: Partition, instance: Instance, claim: Claim, step: Step, *,
        severity: Severity, ended_at: int | None, due: int | None = None, deadline: int | None = None,
    ) -> None:  # fmt: skip
        """End an open rung: `cleared` if it ended before its time (or was never due), else `closed` with how late.

        `ended_at` None means that its ground fell away. `due` replaces the time it was raised for, `deadline` what
        lateness is counted from; a rung without a deadline is late from its own time on.
        """
        of_rule = (instance.raised or {}).get(claim.rule.code)
        raised = of_rule.get(claim.key(severity)) if of_rule else None
        if raised is None or not raised.is_open:
            return
        raised.is_open = False
        stands_for = due if due is not None else raised.due
        is_over = ended_at is not None and stands_for is not None and ended_at > stands_for
        kind: AlertEventKind = "closed" if is_over else "cleared"
        counted = next((t for t in (deadline, raised.deadline, stands_for) if t is not None), None)
        ended = None if ended_at is None else self._process(instance).calendar.by_clock(ended_at)
        late = 0 if ended is None or counted is None else ended - counted
        step.alerts.append(self._event(partition, instance, claim, kind, severity, raised, late=late))

    def _event(  # noqa: PLR0913, PLR0917 - the parts of an event
        self, partition: Partition, instance: Instance, claim: Claim, kind: AlertEventKind, severity: Severity,
        raised: Raised, *, late: int = 0,
    ) -> AlertEvent:  # fmt: skip
        fields = self._routing.placed(instance.main.fields if instance.main else {}, partition.clock)
        process = self._process(instance)
        told = self._routing.tell(claim.rule.tell[:1], fields, partition.clock)
        person = told[0][0].no if told and told[0][1] != "none" else None
        item = claim.thing.item if claim.thing else claim.repeat
        values = {**self._values(process, instance, claim, severity, raised), "org": fields.get("org_no")}
        due = raised.deadline if claim.counts_workdays else None
        is_provisional = due is not None and process.calendar.is_provisional_due(due)
        suffix = self._suffix(kind, late, is_provisional=is_provisional)
        return AlertEvent(
            alert_id=alert_id(claim.rule.code, process.id, instance.key, claim.stage, claim.visit, item, severity),
            event=kind,
            rule=claim.rule.code,
            rule_version=claim.rule.version,
            severity=severity,
            process=process.id,
            instance=instance.key,
            stage=claim.stage,
            visit=claim.visit,
            raised_at=raised.at,
            due_at=raised.deadline,
            org_no=_text(fields.get("org_no")) if raised.unit is None else raised.unit or None,
            dept=claim.dept,
            person=person,
            object=claim.thing,
            text=self._wording.say(claim.rule.text, values, unit=values["org"]) + suffix,
            evidence=_evidence(claim),
            provisional=is_provisional,
        )

    def _suffix(self, kind: AlertEventKind, late: int, *, is_provisional: bool) -> str:
        ends = {
            "cleared": "（已解除）",
            "closed": f"（已办结，逾{self._wording.lateness(late)}）" if late > 0 else "（已办结）",
            "reopened": "（重新打开）",
        }
        return ends.get(kind, "") + ("（日历暂定）" if is_provisional else "")

    def _values(
        self, process: CompiledProcess, instance: Instance, claim: Claim, severity: Severity, raised: Raised
    ) -> dict[str, object]:
        stage = process.stages.get(claim.stage) if claim.stage else None
        thing = claim.thing
        return {
            "instance": instance.key,
            "severity": SEVERITY_WORDS[severity],
            "title": claim.rule.title,
            "stage": stage.title if stage else claim.stage,
            "verdict": "即将到期" if severity == "WARN" else "已超期",
            "due": self._wording.time(raised.deadline),
            "object": f"{OBJECT_WORDS.get(thing.type, thing.type)}{thing.no}" if thing else None,
            **{k: self._wording.time(v) if k == "since" and isinstance(v, int) else v for k, v in claim.values.items()},
        }

    def _process(self, instance: Instance) -> CompiledProcess:
        return self._definitions.process_of(instance) or next(iter(self._definitions.processes.values()))

    def _count(self, partition: Partition, instance: Instance, event: AlertEvent, step: Step) -> None:
        process = self._process(instance)
        key = process.id, event.rule, event.severity
        counting = self._counting.get(key)
        if counting is None:
            every = (i for i in process.indicators if i.kind == "alerts" and i.is_about(event.rule, event.severity))
            counting = self._counting[key] = tuple((i, alert_dims(i, process.id, event)) for i in every)
        for indicator, dims in counting:
            day = self._calendar.local_date(event.raised_at)
            amounts = (0, 1) if indicator.part == "denominator" else (1, 0)
            step.count((), ((indicator.code, event.org_no or "", day, dims, *amounts),), partition.clock)

    def _tell(  # noqa: PLR0913, PLR0917 - an event and what it stands on
        self, partition: Partition, instance: Instance, claim: Claim, event: AlertEvent, raised: Raised, step: Step
    ) -> None:
        matters_until = event.due_at if event.due_at is not None else event.raised_at
        is_before_first_run = max(matters_until, event.raised_at) < partition.notify_from
        is_old_news = partition.is_history and (event.due_at is None or matters_until < partition.clock)
        if is_before_first_run or is_old_news:
            return
        fields = self._routing.placed(instance.main.fields if instance.main else {}, partition.clock)
        group = group_text = None
        if claim.group_text and claim.thing:
            group = f"{event.rule}:{claim.thing.item}"
            thing = f"{OBJECT_WORDS.get(claim.thing.type, claim.thing.type)}{claim.thing.no}"
            group_text = self._wording.group(claim.group_text, {"object": thing}, unit=event.org_no)
        for recipient, channel in self._routing.tell(claim.rule.tell, fields, partition.clock):
            step.notices.append(
                Notice(
                    alert_id=event.alert_id,
                    rule=event.rule,
                    severity=event.severity,
                    process=event.process,
                    instance=event.instance,
                    org_no=event.org_no,
                    recipient=recipient,
                    channel=channel,
                    text=event.text,
                    at=event.raised_at,
                    due_at=event.due_at,
                    is_late=(event.raised_at if raised.due is None else raised.due) < partition.live_from,
                    group=group,
                    group_text=group_text,
                    object_no=claim.thing.no if claim.thing else "",
                    below=claim.below,
                )
            )

    def inform(self, partition: Partition, instance: Instance, process: str, telling: Telling, step: Step) -> None:
        """Tell people what is no alert, each once; as of alerts, history is not told."""
        now, message = partition.clock, telling.message
        if now < partition.notify_from or partition.is_history:
            return
        fields = self._routing.placed(instance.main.fields if instance.main else {}, now)
        org_no = _text(fields.get("org_no"))
        text = self._wording.say(message.code, telling.values, unit=org_no)
        for recipient, channel in self._routing.inform(tuple(message.to), message.code, fields, now):
            step.notices.append(
                Notice(
                    alert_id=f"{MESSAGE}:{message.family}:{instance.key}:{telling.subject}:{telling.number}",
                    rule=message.code,
                    severity="INFO",
                    process=process,
                    instance=instance.key,
                    org_no=org_no,
                    recipient=recipient,
                    channel=channel,
                    text=text,
                    at=now,
                    due_at=None,
                    is_late=telling.due < partition.live_from,
                )
            )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _evidence(claim: Claim) -> tuple[Evidence, ...]:
    """Give each record once; a place without a topic is none (what partitions tell one another)."""
    places = dict.fromkeys(place for place in (*claim.places, *claim.further()) if place is not None and place.topic)
    return tuple(Evidence(each.topic, each.partition, each.offset) for each in places)
