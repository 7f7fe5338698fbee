"""Judgement of one instance: deadlines of its stages and of the whole.

Called after every change and when a timer falls due. Idempotent: judged twice at one clock, the second
time says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

from rules.compiler import CompiledProcess, Definitions
from rules.engine.alerting import Alerting, Claim
from rules.engine.deadlines import Deadline, RuleFace, Times, suspended, usable
from rules.engine.equipment import object_of
from rules.engine.findings import Single, face_of, orphan_rule
from rules.engine.message_judgement import MessageJudgement
from rules.engine.partition import Partition, Step
from rules.engine.row_judgement import RowJudgement
from rules.state import Instance, Place, Visit, rung_parts
from schemas import SEVERITIES, Severity

Told = tuple[str | None, int | None]
"""Stage and visit number as a row tells them."""


class Judgement:
    """The rules of all processes, applied to instances."""

    def __init__(self, definitions: Definitions, alerting: Alerting) -> None:
        self._definitions = definitions
        self._alerting = alerting
        self._rows = RowJudgement(alerting)
        self._messages = MessageJudgement(alerting)

    # -- deadlines

    def judge_visit(
        self, partition: Partition, process: CompiledProcess, instance: Instance, visit: Visit, step: Step
    ) -> None:
        """Bring the rungs about one visit up to the clock and set when the next is due."""
        visit.due = None
        if visit.is_deleted:
            return
        raised = instance.raised
        finished_at = usable(visit.finished_at)
        ended_at = instance.over_at if finished_at is None else finished_at
        for rule in process.by_stage.get(visit.stage or "", ()):
            is_raised = raised is not None and rule.code in raised
            if ended_at is not None:
                if is_raised and (instance.over_at is not None or not _has_open_twin(instance, visit)):
                    times = rule.times(instance, visit, partition)
                    claim = _visit_claim(partition, rule, process, instance, visit, times)
                    self._end_rungs(partition, instance, claim, times, step, ended_at)
                continue
            times = rule.times(instance, visit, partition)
            if times is None:
                if is_raised:
                    claim = _visit_claim(partition, rule, process, instance, visit, None)
                    self._withdraw(partition, instance, claim, rule.suspended_from(instance, visit), step)
                continue
            due = times.rungs[0][1]
            if due <= partition.clock or is_raised:
                claim = _visit_claim(partition, rule, process, instance, visit, times)
                upcoming = self._settle(partition, instance, claim, times, step)
                if upcoming is None:
                    continue
                due = upcoming
            if visit.due is None or due < visit.due:
                visit.due = due

    def judge_whole(
        self, partition: Partition, process: CompiledProcess, instance: Instance, step: Step, *,
        changed: str | None = None,
    ) -> None:  # fmt: skip
        """Bring the rungs about the instance as a whole up to the clock and set when the next is due.

        `changed` is the entity whose row has changed; None: anything may have.
        """
        self._judge_deadlines(partition, process, instance, step)
        rows = process.rows
        if rows is not None and rows.concern(instance):
            self._rows.judge(partition, process, instance, rows, step, changed=changed)
        told = process.told
        if told is not None and told.messages.concern(instance):
            self._messages.judge(partition, told, instance, step)

    def judge_entry(
        self, partition: Partition, process: CompiledProcess, instance: Instance, visit: Visit, step: Step
    ) -> None:
        """Tell people of a stage that was entered or ended, if they are to hear of it."""
        told = process.told
        if told is not None and visit.stage in told.messages.of_stages:
            self._messages.judge_visit(partition, told, instance, visit, step)

    def _judge_deadlines(self, partition: Partition, process: CompiledProcess, instance: Instance, step: Step) -> None:
        instance.due = None
        for rule in process.of_instance:
            ended_at, has_ended = _end_of_whole(rule, instance, partition.clock)
            is_raised = instance.raised is not None and rule.code in instance.raised
            if has_ended:
                if is_raised:
                    times = rule.times(instance, None, partition)
                    claim = _whole_claim(partition, rule, process, instance)
                    self._end_rungs(partition, instance, claim, times, step, ended_at)
                continue
            times = rule.times(instance, None, partition)
            if times is None:
                if is_raised:
                    claim = _whole_claim(partition, rule, process, instance)
                    self._withdraw(partition, instance, claim, rule.suspended_from(instance, None), step)
                continue
            due: int | None = max(times.rungs[0][1], times.start)
            if times.start <= partition.clock and (times.rungs[0][1] <= partition.clock or is_raised):
                claim = _whole_claim(partition, rule, process, instance)
                due = self._settle(partition, instance, claim, times, step)
            for time in (due, ended_at):
                if time is not None and (instance.due is None or time < instance.due):
                    instance.due = time

    def _settle(self, partition: Partition, instance: Instance, claim: Claim, times: Times, step: Step) -> int | None:
        """Raise or reopen what is due, end what is not due any more; give when the next rung is due."""
        next_due: int | None = None
        for severity, due in times.rungs:
            if due <= partition.clock:
                self._alerting.raise_rung(
                    partition, instance, claim, step, severity=severity, due=due, deadline=times.deadline
                )
                continue
            if instance.raised:
                self._alerting.end_rung(partition, instance, claim, step, severity=severity, ended_at=None)
            if next_due is None or due < next_due:
                next_due = due
        return next_due

    def _withdraw(self, partition: Partition, instance: Instance, claim: Claim, since: int | None, step: Step) -> None:
        """Take back what a deadline that is gone had raised; what was reached before a suspension (`since`) stands."""
        of_rule = (instance.raised or {}).get(claim.rule.code, {})
        for severity in SEVERITIES:
            raised = of_rule.get(claim.key(severity))
            if raised is not None and (since is None or raised.due is None or raised.due > since):
                self._alerting.end_rung(partition, instance, claim, step, severity=severity, ended_at=None)

    def _end_rungs(  # noqa: PLR0913, PLR0917 - one rule, one thing, its times and its end
        self, partition: Partition, instance: Instance, claim: Claim, times: Times | None, step: Step,
        ended_at: int | None,
    ) -> None:  # fmt: skip
        known = dict(times.rungs) if times else {}
        for severity in SEVERITIES:
            self._alerting.end_rung(
                partition, instance, claim, step, severity=severity, ended_at=ended_at, due=known.get(severity),
                deadline=times.deadline if times else None,
            )  # fmt: skip

    def measure(self, visit: Visit, instance: Instance, partition: Partition, rule: Deadline | None) -> None:
        """Note whether the visit ended in time and how many net workdays it took (indicators)."""
        visit.is_on_time = visit.took = None
        finished, entered = usable(visit.finished_at), usable(visit.entered_at)
        if finished is None or entered is None:
            return
        process = self._definitions.process_of(instance)
        calendar = process.calendar if process else self._definitions.calendar
        visit.took = calendar.workdays_between(entered, finished, suspended(visit) or ())
        times = rule.times(instance, visit, partition) if rule else None
        if times is not None:
            visit.is_on_time = finished <= times.deadline

    # -- what goes with a row

    def end_visit(  # noqa: PLR0913 - one visit of an instance, and what took it away
        self, partition: Partition, process: CompiledProcess, instance: Instance, told: Told, step: Step, *,
        place: Place,
    ) -> None:  # fmt: skip
        """End what is open about a stage and visit number that no row of the instance has any more.

        `place`: where the change was read that took the row away.
        """
        if any((v.stage, v.visit) == told and not v.is_deleted for v in instance.visits):
            return
        self._end_open(partition, instance, process, step, only=told, places=(place,))

    def end_all(self, partition: Partition, instance: Instance, process: CompiledProcess | None, step: Step) -> None:
        """End all that is open under a process that the instance leaves (but for list items: `Membership`)."""
        places = (instance.main.place,) if instance.main else ()
        self._end_open(partition, instance, process, step, only=None, places=places)

    def _end_open(  # noqa: PLR0913 - what is open of what, and why it ends
        self, partition: Partition, instance: Instance, process: CompiledProcess | None, step: Step, *,
        only: Told | None, places: tuple[Place, ...],
    ) -> None:  # fmt: skip
        faces = self._faces(process) if instance.raised else {}
        for code, rungs in (instance.raised or {}).items():
            for key in [key for key, raised in rungs.items() if raised.is_open] if code in faces else ():
                stage, visit, item, severity = rung_parts(key)
                is_of_rows = process is not None and process.rows is not None and code in process.rows.faces
                if item is not None and (only is not None or not is_of_rows):
                    continue
                if only in (None, (stage, visit)):
                    claim = Claim(faces[code], stage, visit, places=places, repeat=item)
                    rung = cast("Severity", severity)
                    self._alerting.end_rung(partition, instance, claim, step, severity=rung, ended_at=None)

    def _faces(self, process: CompiledProcess | None) -> dict[str, RuleFace]:
        """Give the rules that may have raised something about an instance of the process, but for list items."""
        if process is None:
            singles: list[Single | None] = [p.unknown_code for p in self._definitions.processes.values()]
        else:
            singles = [process.order, process.backdated, process.unknown_code]
        found = {rule.code: face_of(rule) for rule in (*singles, orphan_rule(self._definitions)) if rule is not None}
        of_rows = process.rows.faces if process and process.rows else {}
        return found | {rule.code: rule.face for rule in (process.by_code.values() if process else ())} | of_rows


def over_at(process: CompiledProcess, instance: Instance, clock: int) -> int | None:
    """Give when an instance was over by its own row (by a status or a delete: when told), or None while it runs."""
    main = instance.main
    if main is None:
        return None
    for name in process.over_when:
        time = usable(main.fields.get(name))
        if time is not None:
            return time
    if main.is_deleted or main.fields.get("status_code") in process.over_status:
        return clock if instance.over_at is None else instance.over_at
    return None


def _end_of_whole(rule: Deadline, instance: Instance, clock: int) -> tuple[int | None, bool]:
    """Give when the rule's ground ends (None: unknown), and whether it has ended by now."""
    if instance.main is None or instance.main.is_deleted:
        return None, True
    times = [t for name in rule.until if (t := usable(instance.main.fields.get(name))) is not None]
    if instance.over_at is not None:
        times.append(instance.over_at)
    if rule.until_stage:
        visits = (v for v in instance.visits if v.stage == rule.until_stage and not v.is_deleted)
        ends = [t for v in visits if (t := usable(v.finished_at)) is not None]
        if ends:
            return min(ends + times), True
    return (min(times), min(times) <= clock) if times else (None, False)


def _has_open_twin(instance: Instance, visit: Visit) -> bool:
    """Tell whether another row stands for the same visit and has not ended (a changed primary key)."""
    return any(
        v is not visit
        and v.stage == visit.stage
        and v.visit == visit.visit
        and not v.is_deleted
        and usable(v.finished_at) is None
        for v in instance.visits
    )


def _whole_claim(partition: Partition, rule: Deadline, process: CompiledProcess, instance: Instance) -> Claim:
    """Give the claim of a rule about the whole instance."""
    places = (instance.main.place,) if instance.main else ()
    thing = object_of(instance) if process.entity == "negative_item" else None
    further = partial(_whole_rests_on, partition, rule, instance)
    return Claim(rule.face, thing=thing, places=places, further=further, counts_workdays=rule.counts_workdays)


def _whole_rests_on(partition: Partition, rule: Deadline, instance: Instance) -> Iterator[Place | None]:
    yield from rule.rests_on(instance, None, partition)
    for visit in instance.visits if rule.until_stage else ():
        if visit.stage == rule.until_stage and not visit.is_deleted and usable(visit.finished_at) is not None:
            yield visit.place


def _visit_rests_on(partition: Partition, rule: Deadline, instance: Instance, visit: Visit) -> Iterator[Place | None]:
    """Give what the times of a visit come from; of one that ended with its instance, what ended that."""
    yield from rule.rests_on(instance, visit, partition)
    if instance.over_at is not None and usable(visit.finished_at) is None and instance.main is not None:
        yield instance.main.place


def _visit_claim(  # noqa: PLR0913, PLR0917 - a rule, a visit of an instance, its times
    partition: Partition, rule: Deadline, process: CompiledProcess, instance: Instance, visit: Visit,
    times: Times | None,
) -> Claim:  # fmt: skip
    stage = process.stages.get(visit.stage or "")
    dept = visit.dept or (stage.department if stage else None)
    values: dict[str, object] = {"since": times.start} if times else {}
    return Claim(
        rule.face,
        visit.stage,
        visit.visit,
        dept=dept,
        places=(visit.place,),
        further=partial(_visit_rests_on, partition, rule, instance, visit),
        values=values,
        counts_workdays=rule.counts_workdays,
    )
