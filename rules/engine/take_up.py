"""A partition's way from one set of rules to the next: every instance is judged anew, in portions.

Each instance is judged by one set at a time: by the old one until it is its turn or something touches it, then by
the new. What the new rules make late is raised, what they no longer find late is cleared, timers move; the past
stays as it was judged. Used by `Engine.take_up` and `Engine.carry_on` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from rules.compiler import CompiledProcess
from rules.engine.alerting import MESSAGE, Claim
from rules.engine.deadlines import RuleFace, usable
from rules.engine.equipment import equipment
from rules.engine.findings import Single, face_of
from rules.engine.judgement import over_at
from rules.engine.membership import ITEM
from rules.engine.partition import Part, Partition, Step
from rules.state import Instance, RulesMark, rung_parts
from schemas import AlertObject, Severity

if TYPE_CHECKING:
    from rules.engine.engine import Engine

GROUP_TEXT = "【业扩管控】时限规则已调整，您的{count}项在途申请随即预警或告警：{list}。请逐项处理。"
"""One message to a person for all that a change of rules makes late at once: a changed limit is no hundred events."""


class _Standing(NamedTuple):
    """What one rule may have open about an instance."""

    face: RuleFace
    stages: frozenset[str | None] | None
    """None: any stage."""
    severities: frozenset[Severity]


class TakeUp:
    """What is left to do until a partition judges by other rules."""

    def __init__(self, new: Engine, before: Engine, partition: Partition) -> None:
        """Begin, or go on where the partition's position says; sorted keys are the same after a restart."""
        self._new, self._before, self._partition = new, before, partition
        self._serial = new.definitions.serial
        mark, named = partition.rules, (new.definitions.serial, new.definitions.digest)
        is_resumed = mark.before >= 0 and (mark.serial, mark.digest) == named
        cursor = mark.cursor if is_resumed else ""
        self._times = mark.times if is_resumed else mark.times + 1
        self._at = mark.at if is_resumed else partition.clock
        self._keys = sorted((key for key in partition.instances.rows if key > cursor), reverse=True)
        self._has_same_indicators = _indicators(new) == _indicators(before)
        self.cursor = cursor
        self.step = Step()
        """Where to write; set by the engine before anything is judged."""
        partition.instances.on_open = self._touch
        partition.rules = self.mark

    @property
    def mark(self) -> RulesMark:
        """What the position record says of it."""
        definitions = self._new.definitions
        before = self._before.definitions.serial
        return RulesMark(definitions.serial, definitions.digest, before, self.cursor, self._times, self._at)

    def carry_on(self, limit: int) -> bool:
        """Judge up to `limit` more instances; tell whether there are still more. No instance may be open."""
        instances, keys = self._partition.instances, self._keys
        for _ in range(min(limit, len(keys))):
            key = keys.pop()
            instance = instances[key]
            if instance.rules != self._times:
                instances.add(instance)
                self._judge(instance)
                if instances.differs(instance):
                    self.step.changed.add(key)
            self.cursor = key
        self._partition.rules = self.mark
        return bool(keys)

    def end(self) -> None:
        """The partition judges by the new rules alone."""
        self._partition.instances.on_open = self._partition.take_up = None
        self._partition.rules = msgspec.structs.replace(self.mark, before=-1, cursor="")

    def _touch(self, instance: Instance) -> None:
        """Judge an instance before its turn, since something is about to change it."""
        if instance.rules == self._times or instance.key <= self.cursor:
            return
        instance.rules = self._times
        self._judge(instance)
        self.step.changed.add(instance.key)

    # -- one instance

    def _judge(self, instance: Instance) -> None:
        """Judge what is open about an instance by the new rules, as of the moment at which they came to count."""
        if instance.over_at is not None and self._has_same_indicators:
            return
        partition, step = self._partition, self.step
        was_history, partition.is_history = partition.is_history, False
        now, partition.clock = partition.clock, self._at
        told, before = len(step.notices), _parts(self._before, instance)
        if instance.main is None and instance.process is None:
            self._new.judges.findings.judge_orphan(partition, instance, step)
        elif instance.over_at is None:
            self._judge_running(instance)
        after = _parts(self._new, instance)
        if before != after:
            step.count(before, after, partition.clock)
        self._new.judges.recount(partition, self._new.definitions.process_of(instance), instance, step)
        self._new.judges.count_open(partition, instance, step)
        partition.schedule(instance)
        while (due := instance.scheduled) is not None and due < now:  # what fell due since then
            partition.clock = due
            self._new.fire(partition, instance, due, step)
        self._gather(told)
        partition.clock, partition.is_history = now, was_history

    def _judge_running(self, instance: Instance) -> None:
        before, partition, step = self._before, self._partition, self.step
        process = before.definitions.process_of(instance)
        if process is None:
            return
        following = self._following(process, instance)
        if following is None or following.id != process.id:
            before.own.leave(partition, instance, following, step)
        else:
            self._withdraw(process, following, instance)
        if following is None:
            return
        instance.over_at = over_at(following, instance, partition.clock)
        judges = self._new.judges
        for visit in instance.visits:
            if usable(visit.finished_at) is None:
                judges.judgement.judge_visit(partition, following, instance, visit, step)
                judges.findings.judge_codes(partition, following, instance, visit, step)
        judges.findings.judge_row(partition, following, instance, step)
        judges.judgement.judge_whole(partition, following, instance, step)
        if following.id != process.id:  # else it has not arrived under a list item just now
            judges.membership.judge_instance(partition, instance, following, step)
        judges.judge_end(partition, instance, following, step)
        partition.index(instance, judges.membership.index_keys(partition, instance, following))

    def _following(self, process: CompiledProcess, instance: Instance) -> CompiledProcess | None:
        """Give what judges the instance from now on, as far as it keeps what it began with; None: nothing fits."""
        definitions = self._new.definitions
        if (process.id, instance.edition) not in definitions.held:
            instance.edition = self._serial if (process.id, self._serial) in definitions.held else 0
        if instance.edition:
            return definitions.held[process.id, instance.edition]
        fields = instance.main.fields if instance.main else {}
        return next((p for p in definitions.by_entity.get(process.entity, ()) if p.fits(fields)), None)

    def _withdraw(self, process: CompiledProcess, following: CompiledProcess, instance: Instance) -> None:
        """End what is open of rules and rungs that there are no more; what is no rule's of ours is left alone."""
        if not instance.raised:
            return
        before, after = _standing(process), _standing(following)
        for code in [code for code in instance.raised if code in before]:
            for key in [key for key, raised in instance.raised[code].items() if raised.is_open]:
                stage, visit, item, severity = rung_parts(key)
                rule = after.get(code)
                if rule and severity in rule.severities and (rule.stages is None or stage in rule.stages):
                    continue
                is_of_rows = process.rows is not None and code in process.rows.faces
                thing = None if is_of_rows and process.entity != ITEM else self._thing(item)
                claim = Claim(before[code].face, stage, visit, thing=thing, repeat=item)
                self._before.judges.alerting.end_rung(
                    self._partition, instance, claim, self.step, severity=cast("Severity", severity), ended_at=None
                )

    def _thing(self, item: str | None) -> AlertObject | None:
        if item is None:
            return None
        fields = self._new.reference.last_known(ITEM, item, self._partition.clock) or {}
        return equipment(item, fields) or AlertObject("", "", item)

    def _gather(self, told: int) -> None:
        """Let each person get one message about everything that the change made late; customers are told as ever."""
        notices, group = self.step.notices, f"rules:{self._serial}"
        for index in range(told, len(notices)):
            if notices[index].group is None and not notices[index].alert_id.startswith(f"{MESSAGE}:"):
                notices[index] = msgspec.structs.replace(notices[index], group=group, group_text=GROUP_TEXT)


def _parts(engine: Engine, instance: Instance) -> list[Part]:
    """Give what an instance contributes to the indicators of an engine's rules."""
    return engine.judges.all_parts(engine.definitions.process_of(instance), instance)


def _indicators(engine: Engine) -> dict[str, object]:
    return {process.id: process.indicators for process in engine.definitions.processes.values()}


def _standing(process: CompiledProcess) -> dict[str, _Standing]:
    """Give what each rule of a process may have open about an instance, by its code."""
    found: dict[str, _Standing] = {}
    for deadline in (*process.of_instance, *(rule for rules in process.by_stage.values() for rule in rules)):
        stages = found[deadline.code].stages if deadline.code in found else None
        found[deadline.code] = _Standing(
            deadline.face, frozenset({deadline.stage}) | (stages or frozenset()), deadline.severities
        )
    singles: list[Single | None] = [process.order, process.backdated, process.released, process.orphan]
    for rule in (*singles, process.unknown_code, process.disagreement):
        if rule is not None:
            found[rule.code] = _Standing(face_of(rule), None, frozenset({rule.severity}))
    for row_rule in process.rows.rules if process.rows else ():
        found[row_rule.code] = _Standing(row_rule.face, None, row_rule.kind.severities)
    for member in (*process.on_instance, *process.on_item):
        severities = frozenset({member.severity, *member.severity_by_level.values()})
        face = RuleFace(member.code, member.version, member.title, tuple(member.tell), member.text)
        found[member.code] = _Standing(face, None, severities)
    return found
