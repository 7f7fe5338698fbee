"""Judgement of one instance: deadlines of its stages and of the whole, order, back-dating, unknown codes.

Called after every change and when a timer falls due. Idempotent: judged twice at one clock, the second
time says nothing.
"""

from __future__ import annotations

from rules.calendar import WorkCalendar
from rules.compiler import CompiledProcess, Definitions
from rules.durations import parse_duration
from rules.engine.alerting import Alerting, Claim, RuleFace
from rules.engine.deadlines import Deadline, Times, suspended, usable
from rules.engine.equipment import object_of
from rules.engine.partition import Partition, Step
from rules.models import BackdatedRule, CodeRule, OrderRule, OrphanRule, ReleasedRule
from rules.state import Instance, Visit

Single = OrderRule | BackdatedRule | CodeRule | OrphanRule | ReleasedRule


class Judgement:
    """The rules of all processes, applied to instances."""

    def __init__(self, definitions: Definitions, alerting: Alerting) -> None:
        self._definitions = definitions
        self._calendar: WorkCalendar = definitions.calendar
        self._alerting = alerting
        self._orphans = next((p.orphan for p in definitions.processes.values() if p.orphan), None)
        self._orphan_ms = parse_duration(self._orphans.after).clock_ms if self._orphans else 0

    # -- deadlines

    def judge_visit(self, partition: Partition, instance: Instance, visit: Visit, step: Step) -> None:
        """Bring the rungs about one visit up to the clock and set when the next is due."""
        process = self._definitions.processes.get(instance.process or "")
        visit.due = None
        if process is None:
            return
        rules = process.by_stage.get(visit.stage or "", ())
        ended_at, has_ended = _end_of_visit(process, instance, visit, partition.clock)
        for rule in rules:
            if has_ended and not instance.raised:
                continue
            times = rule.times(instance, visit, partition)
            claim = _visit_claim(rule, process, visit, times)
            due = self._settle(partition, instance, claim, times, step, ended_at=ended_at, has_ended=has_ended)
            if due is not None and (visit.due is None or due < visit.due):
                visit.due = due

    def judge_whole(self, partition: Partition, instance: Instance, step: Step) -> None:
        """Bring the rungs about the instance as a whole up to the clock and set when the next is due."""
        instance.due = None
        process = self._definitions.processes.get(instance.process or "")
        if process is None:
            self._judge_orphan(partition, instance, step)
            return
        for rule in process.of_instance:
            ended_at, has_ended = _end_of_whole(process, rule, instance, partition.clock)
            if has_ended and not instance.raised:
                continue
            times = rule.times(instance, None, partition)
            claim = self.whole_claim(rule, process, instance)
            due = self._settle(partition, instance, claim, times, step, ended_at=ended_at, has_ended=has_ended)
            if due is not None and (instance.due is None or due < instance.due):
                instance.due = due

    def whole_claim(self, rule: Deadline, process: CompiledProcess, instance: Instance) -> Claim:
        """Give the claim of a rule about the whole instance."""
        places = (instance.main.place,) if instance.main else ()
        thing = object_of(instance) if process.entity == "negative_item" else None
        return Claim(_face(rule), object=thing, places=places)

    def _settle(  # noqa: PLR0913 - one rule, one thing, its times and its end
        self, partition: Partition, instance: Instance, claim: Claim, times: Times | None, step: Step, *,
        ended_at: int | None, has_ended: bool,
    ) -> int | None:  # fmt: skip
        """Raise, end or reopen the rungs; give when the next unraised rung is due."""
        if has_ended:
            known = dict(times.rungs) if times else {}
            for severity in ("INFO", "WARN", "ALARM", "CRITICAL"):
                self._alerting.end_rung(
                    partition, instance, claim, step, severity=severity, ended_at=ended_at, due=known.get(severity)
                )
            return None
        if times is None:
            return None
        next_due: int | None = None
        raised = instance.raised or {}
        for severity, due in times.rungs:
            if due <= partition.clock:
                self._alerting.raise_rung(
                    partition, instance, claim, step, severity=severity, due=due, deadline=times.deadline
                )
                continue
            if raised:
                self._alerting.end_rung(partition, instance, claim, step, severity=severity, ended_at=None)
            if next_due is None or due < next_due:
                next_due = due
        return next_due

    def measure(self, visit: Visit, instance: Instance, partition: Partition, rule_code: str | None) -> None:
        """Note whether the visit ended in time and how many net workdays it took (indicators)."""
        finished, entered = usable(visit.finished_at), usable(visit.entered_at)
        visit.is_on_time = visit.took = None
        if finished is None or entered is None:
            return
        visit.took = self._calendar.workdays_between(entered, finished, suspended(visit) or ())
        process = self._definitions.processes.get(instance.process or "")
        rule = process.by_code.get(rule_code or "") if process else None
        times = rule.times(instance, visit, partition) if rule else None
        if times is not None:
            visit.is_on_time = finished <= times.deadline

    # -- findings

    def judge_order(self, partition: Partition, instance: Instance, step: Step) -> None:
        """Find stages that were entered before one that they come after had ended (R-T18)."""
        process = self._definitions.processes.get(instance.process or "")
        if process is None or process.order is None:
            return
        for visit in instance.visits:
            stage = process.stages.get(visit.stage or "")
            if stage is None or not stage.after or visit.is_deleted:
                continue
            broken = _broken_predecessor(process, instance, visit, stage.after)
            claim = _finding(process.order, visit, other=process.stages[broken].title if broken else None)
            if broken is None:
                if instance.raised:
                    self._end(partition, instance, claim, process.order, step, visit.finished_at)
            elif not (partition.is_history and visit.finished_at is not None):
                self._alerting.raise_rung(partition, instance, claim, step, severity=process.order.severity)

    def judge_times(
        self, partition: Partition, instance: Instance, visit: Visit, before: tuple[int | None, int | None], step: Step
    ) -> None:
        """Find a visit that ended before it began, or whose newly told times lie far back (R-T19)."""
        process = self._definitions.processes.get(instance.process or "")
        if process is None or process.backdated is None:
            return
        entered, finished = usable(visit.entered_at), usable(visit.finished_at)
        detail = None
        if entered is not None and finished is not None and finished < entered:
            detail = "结束早于开始"
        news = [t for t, old in zip((entered, finished), before, strict=True) if t is not None and t != old]
        if detail is None and not partition.is_history and news and partition.clock - min(news) > process.max_lag_ms:
            detail = "登记时间远晚于发生时间"
        claim = _finding(process.backdated, visit, detail=detail)
        if detail is not None and not (partition.is_history and finished is not None):
            self._alerting.raise_rung(partition, instance, claim, step, severity=process.backdated.severity)
        elif detail is None and instance.raised and (entered, finished) != before:
            self._end(partition, instance, claim, process.backdated, step, None)

    def judge_codes(self, partition: Partition, instance: Instance, visit: Visit, step: Step) -> None:
        """Find an unknown stage and times that no calendar means (1900, 9999) (R-D02)."""
        process = self._definitions.processes.get(instance.process or "")
        if process is None or process.unknown_code is None:
            return
        detail = None if visit.stage in process.stages else f"环节{visit.stage}"
        for time in (visit.entered_at, visit.finished_at, visit.suspend_from, visit.suspend_to):
            if detail is None and time is not None and usable(time) is None:
                detail = f"环节{visit.stage}的时间"
        claim = _finding(process.unknown_code, visit, detail=detail)
        if detail is not None and not visit.is_deleted:
            self._alerting.raise_rung(partition, instance, claim, step, severity=process.unknown_code.severity)
        elif instance.raised:
            self._end(partition, instance, claim, process.unknown_code, step, None)

    def judge_class(self, partition: Partition, instance: Instance, step: Step) -> None:
        """Find an instance whose row fits no process (R-D02): kept, marked, not judged."""
        rule = next((p.unknown_code for p in self._definitions.processes.values() if p.unknown_code), None)
        if rule is None or instance.main is None:
            return
        value = instance.main.fields.get("volt_class")
        claim = Claim(face_of(rule), places=(instance.main.place,), values={"detail": f"电压等级类别{value}"})
        if instance.process is None and not instance.main.is_deleted:
            self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)

    def _judge_orphan(self, partition: Partition, instance: Instance, step: Step) -> None:
        rule = self._orphans
        if rule is None or instance.main is not None:
            return
        rows = [v.place for v in instance.visits if not v.is_deleted]
        claim = Claim(face_of(rule), places=tuple(rows[:1]), values={"since": instance.since})
        due = instance.since + self._orphan_ms
        if due <= partition.clock and rows:
            self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity, due=due)
        elif rows:
            instance.due = due

    def end_orphan(self, partition: Partition, instance: Instance, step: Step) -> None:
        """The application of waiting rows has arrived."""
        if self._orphans is not None:
            claim = Claim(face_of(self._orphans), values={"since": instance.since})
            self._end(partition, instance, claim, self._orphans, step, None)

    def end_all(self, partition: Partition, instance: Instance, process: CompiledProcess, step: Step) -> None:
        """End what is still open about the instance's visits under a process that it no longer has."""
        for visit in instance.visits:
            for rule in process.by_stage.get(visit.stage or "", ()):
                claim = _visit_claim(rule, process, visit, None)
                self._settle(partition, instance, claim, None, step, ended_at=None, has_ended=True)
        for rule in process.of_instance:
            claim = self.whole_claim(rule, process, instance)
            self._settle(partition, instance, claim, None, step, ended_at=None, has_ended=True)

    def _end(  # noqa: PLR0913 - one rung and its end
        self, partition: Partition, instance: Instance, claim: Claim, rule: Single, step: Step, ended_at: int | None
    ) -> None:
        self._alerting.end_rung(partition, instance, claim, step, severity=rule.severity, ended_at=ended_at)


def over_at(process: CompiledProcess, instance: Instance, clock: int) -> int | None:
    """Give when the instance was over, or None while it runs."""
    if instance.main is None:
        return None
    fields = instance.main.fields
    for name in process.over_when:
        time = usable(fields.get(name))
        if time is not None:
            return time
    return clock if instance.main.is_deleted or fields.get("status_code") in process.over_status else None


def _end_of_visit(
    process: CompiledProcess, instance: Instance, visit: Visit, clock: int
) -> tuple[int | None, bool]:
    if visit.is_deleted:
        return None, True
    finished = usable(visit.finished_at)
    ended_at = finished if finished is not None else over_at(process, instance, clock)
    return ended_at, ended_at is not None


def _end_of_whole(
    process: CompiledProcess, rule: Deadline, instance: Instance, clock: int
) -> tuple[int | None, bool]:
    if instance.main is None or instance.main.is_deleted:
        return None, True
    times = [t for name in rule.until if (t := usable(instance.main.fields.get(name))) is not None]
    times += [
        t
        for visit in instance.visits
        if rule.until_stage and visit.stage == rule.until_stage and (t := usable(visit.finished_at)) is not None
    ]
    over = over_at(process, instance, clock)
    if over is not None:
        times.append(over)
    return (min(times), True) if times else (None, False)


def _broken_predecessor(
    process: CompiledProcess, instance: Instance, visit: Visit, after: list[str]
) -> str | None:
    entered = usable(visit.entered_at)
    if entered is None:
        return None
    for code in after:
        before = [v for v in instance.visits if v.stage == code and not v.is_deleted and _entered(v) <= entered]
        if not before:
            continue
        last = max(before, key=lambda v: (v.visit or 0, _entered(v)))
        finished = usable(last.finished_at)
        if finished is None or finished > entered or last.result in process.rejected:
            return code
    return None


def _entered(visit: Visit) -> int:
    return usable(visit.entered_at) or 0


def _visit_claim(rule: Deadline, process: CompiledProcess, visit: Visit, times: Times | None) -> Claim:
    stage = process.stages.get(visit.stage or "")
    dept = visit.dept or (stage.department if stage else None)
    values: dict[str, object] = {"since": times.start} if times else {}
    return Claim(_face(rule), visit.stage, visit.visit, dept=dept, places=(visit.place,), values=values)


def _finding(rule: Single, visit: Visit, **values: object) -> Claim:
    return Claim(face_of(rule), visit.stage, visit.visit, dept=visit.dept, places=(visit.place,), values=values)


def _face(rule: Deadline) -> RuleFace:
    return RuleFace(rule.code, rule.version, rule.title, rule.tell, rule.text)


def face_of(rule: Single) -> RuleFace:
    """Give the part of a rule that alerts show."""
    return RuleFace(rule.code, rule.version, rule.title, tuple(rule.tell), rule.text)
