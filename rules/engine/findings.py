"""Findings about one instance: order, back-dating, unknown codes, rows without their application.

Called after every change, like `rules.engine.judgement`, and as idempotent: a finding stands in no relation to the
clock but for the news that is late and the row that waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from rules.compiler import CompiledProcess, Definitions
from rules.durations import parse_duration
from rules.engine.alerting import Alerting, Claim
from rules.engine.deadlines import EARLIEST, LATEST, RuleFace, usable
from rules.engine.partition import Partition, Step
from rules.models import (
    BackdatedRule,
    CodeRule,
    DisagreementRule,
    IntervalRule,
    OrderRule,
    OrphanRule,
    ReleasedRule,
    Stage,
)
from rules.reconciliation import compared, differences, stands_beside
from rules.state import Instance, Place, Visit, is_time, rung_parts
from schemas import BEFORE_ALL, WireValue

Single = OrderRule | BackdatedRule | CodeRule | DisagreementRule | OrphanRule | ReleasedRule | IntervalRule
_NO_STAGES: frozenset[str] = frozenset()
MOST_VISITS = 9_999
"""Nobody goes through a stage more often; a larger number is a slip."""
MOST_SHOWN = 20
"""Characters of an unknown code that a sentence quotes; such codes are anything at all."""


class Findings:
    """The rules of all processes that need no deadline, applied to instances."""

    def __init__(self, definitions: Definitions, alerting: Alerting) -> None:
        self._definitions = definitions
        self._alerting = alerting
        self._orphans = orphan_rule(definitions)
        self._orphan_ms = parse_duration(self._orphans.after).clock_ms if self._orphans else 0

    def judge_order(
        self, partition: Partition, process: CompiledProcess, instance: Instance, visit: Visit, step: Step
    ) -> None:
        """Find whether this visit, or one of a stage that follows it, was entered too early (R-T18)."""
        rule = process.order
        if rule is None:
            return
        stages, followers = process.stages, process.followers.get(visit.stage or "", _NO_STAGES)
        raised = instance.raised is not None and rule.code in instance.raised
        for each in instance.visits:
            if (each is not visit and each.stage not in followers) or each.is_deleted:
                continue
            stage = stages.get(each.stage or "")
            if stage is None or not stage.after:
                continue
            code = broken_predecessor(process, instance, each, stage.after)
            broken = stages[code].title if code is not None else _missed(process, instance, each, stage)
            if broken is not None and not (partition.is_history and each.finished_at is not None):
                claim = _finding(rule, each, other=broken)
                claim = claim._replace(further=partial(_came_before, process, instance, each, stage))
                self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)
            elif broken is None and raised:
                claim = _finding(rule, each)._replace(further=partial(_came_before, process, instance, each, stage))
                self._end(partition, instance, claim, rule, step)

    def judge_times(  # noqa: PLR0913, PLR0917 - a visit, now and before
        self, partition: Partition, process: CompiledProcess, instance: Instance, visit: Visit,
        before: tuple[int | None, int | None], step: Step,
    ) -> None:  # fmt: skip
        """Find a visit that ended before it began, or whose newly told times lie far back (R-T19)."""
        rule = process.backdated
        entered, finished = usable(visit.entered_at), usable(visit.finished_at)
        if rule is None or visit.is_deleted:
            return
        was_entered, was_finished = before
        is_reversed = entered is not None and finished is not None and finished < entered
        if entered == was_entered and finished == was_finished and not is_reversed:
            return
        earliest = partition.clock - process.max_lag_ms
        is_late = not partition.is_history and (
            (entered is not None and entered < earliest and entered != was_entered)
            or (finished is not None and finished < earliest and finished != was_finished)
        )
        if is_reversed or is_late:
            if not (partition.is_history and finished is not None):
                claim = _finding(rule, visit, detail="结束早于开始" if is_reversed else "登记时间远晚于发生时间")
                self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)
            return
        has_moved = (was_entered not in (None, entered)) or (was_finished not in (None, finished))
        if has_moved and instance.raised and rule.code in instance.raised:
            self._end(partition, instance, _finding(rule, visit), rule, step)

    def judge_codes(
        self, partition: Partition, process: CompiledProcess, instance: Instance, visit: Visit, step: Step
    ) -> None:
        """Find an unknown stage and times that no calendar means (1900, 9999) (R-D02)."""
        rule = process.unknown_code
        if rule is None:
            return
        if visit.is_deleted or (visit.stage is None and ("stage", BEFORE_ALL) in visit.older):
            return  # a stage that was not told yet is missing, not null
        detail = None
        if visit.stage not in process.stages:
            detail = f"环节{visit.stage}"
        elif _has_odd_time(visit):
            detail = f"环节{visit.stage}的时间"
        elif visit.visit is not None and not 0 <= visit.visit <= MOST_VISITS:
            detail = f"环节{visit.stage}的办理次数"
        if detail is not None:
            claim = _finding(rule, visit, detail=detail)
            self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)
        elif instance.raised and rule.code in instance.raised:
            self._end(partition, instance, _finding(rule, visit), rule, step)

    def judge_row(self, partition: Partition, process: CompiledProcess, instance: Instance, step: Step) -> None:
        """Find unknown codes, and times that no calendar means, in the instance's own row (R-D02)."""
        rule, main = process.unknown_code, instance.main
        if rule is None or main is None or main.is_deleted:
            return
        details = [f"{name}的时间" for name, v in main.fields.items() if is_time(name, v) and usable(v) is None]
        for name, known in process.codes.items():
            value = main.fields.get(name)
            if isinstance(value, str | int) and value not in known:
                details.append(f"{name}为{str(value)[:MOST_SHOWN]}")
        claim = Claim(face_of(rule), places=(main.place,), values={"detail": "、".join(details)})
        if details:
            self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)
        elif instance.raised and rule.code in instance.raised and not _has_nameless(instance):
            self._end(partition, instance, claim, rule, step)

    def judge_disagreement(
        self, partition: Partition, process: CompiledProcess, instance: Instance, step: Step
    ) -> None:
        """Find what other sources tell otherwise: an alert for each item and source (R-D04)."""
        rule = process.disagreement
        is_raised = rule is not None and instance.raised is not None and rule.code in instance.raised
        if rule is None or not (is_raised or stands_beside(instance)):
            return
        found = differences(instance, tolerance_ms=parse_duration(rule.tolerance).clock_ms)
        told = dict.fromkeys(f"{each.item}@{each.source}" for each in found)
        for item in told:
            claim = _disagreement(rule, instance, item)
            self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)
        for key in list(instance.raised[rule.code]) if instance.raised and is_raised else ():
            known = rung_parts(key)[2]
            if known not in told:
                self._end(partition, instance, _disagreement(rule, instance, known), rule, step)

    def judge_interval(
        self, partition: Partition, process: CompiledProcess, instance: Instance, before: Mapping[str, WireValue],
        step: Step,
    ) -> None:  # fmt: skip
        """Report times of the instance's own row that moved on by more than they should."""
        main = instance.main
        for field, limit, rule in process.intervals if main is not None and not main.is_deleted else ():
            was, now = usable(before.get(field)), usable(main.fields.get(field) if main else None)
            if was is not None and now is not None and now - was > limit and not partition.is_history:
                places = (main.place,) if main else ()
                claim = Claim(face_of(rule), places=places, values={"since": was}, repeat=str(was))
                self._alerting.report(partition, instance, claim, step, severity=rule.severity, due=was + limit)

    def judge_class(self, partition: Partition, instance: Instance, step: Step) -> None:
        """Find an instance whose row fits no process (R-D02): kept, marked, not judged."""
        rule = next((p.unknown_code for p in self._definitions.processes.values() if p.unknown_code), None)
        if rule is None or instance.main is None:
            return
        value = instance.main.fields.get("volt_class")
        claim = Claim(face_of(rule), places=(instance.main.place,), values={"detail": f"电压等级类别{value}"})
        if instance.process is None and not instance.main.is_deleted:
            self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)

    def judge_orphan(self, partition: Partition, instance: Instance, step: Step) -> None:
        """Report rows whose instance is still unknown after a while (R-D03)."""
        instance.due = None
        rule = self._orphans
        if rule is None or instance.main is not None:
            return
        rows = [v.place for v in instance.visits if not v.is_deleted]
        claim = Claim(face_of(rule), places=tuple(rows), values={"since": instance.since})
        due = instance.since + self._orphan_ms
        if due <= partition.clock and rows:
            self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity, due=due)
        elif rows:
            instance.due = due
        else:
            self._end(partition, instance, claim, rule, step)

    def end_orphan(self, partition: Partition, instance: Instance, step: Step) -> None:
        """The application of waiting rows has arrived."""
        if self._orphans is not None:
            places = (instance.main.place,) if instance.main else ()
            claim = Claim(face_of(self._orphans), places=places, values={"since": instance.since})
            self._end(partition, instance, claim, self._orphans, step)

    def _end(self, partition: Partition, instance: Instance, claim: Claim, rule: Single, step: Step) -> None:
        self._alerting.end_rung(partition, instance, claim, step, severity=rule.severity, ended_at=None)


def _has_odd_time(visit: Visit) -> bool:
    """Tell whether a time is one that no calendar means, or a suspension ends before it begins (hot path)."""
    entered, finished, begin, end = visit.entered_at, visit.finished_at, visit.suspend_from, visit.suspend_to
    return (
        (entered is not None and not EARLIEST < entered < LATEST)
        or (finished is not None and not EARLIEST < finished < LATEST)
        or (begin is not None and not EARLIEST < begin < LATEST)
        or (end is not None and (not EARLIEST < end < LATEST or (begin is not None and end < begin)))
    )


def _has_nameless(instance: Instance) -> bool:
    """Tell whether a visit without stage and number could hold a finding in the place of the instance's own."""
    return any(v.stage is None and v.visit is None and not v.is_deleted for v in instance.visits)


def broken_predecessor(process: CompiledProcess, instance: Instance, visit: Visit, after: list[str]) -> str | None:
    """Give the first of the stages `after` that had not ended, or was rejected, when the visit began (R-T18)."""
    entered = usable(visit.entered_at)
    if entered is None:
        return None
    for code in after:
        last = _last_before(instance, code, entered)
        if last is not None and _is_broken(process, last, entered):
            return code
    return None


def _last_before(instance: Instance, code: str, entered: int) -> Visit | None:
    """Give the last visit of a stage that had begun by then."""
    last: Visit | None = None
    for each in instance.visits:
        if each.stage != code or each.is_deleted or _entered(each) > entered:
            continue
        if last is None or (each.visit or 0, _entered(each)) > (last.visit or 0, _entered(last)):
            last = each
    return last


def _is_broken(process: CompiledProcess, before: Visit, entered: int) -> bool:
    """Tell whether a visit had not ended, or was rejected, when a later one began."""
    finished = usable(before.finished_at)
    return finished is None or finished > entered or before.result in process.rejected


def _came_before(process: CompiledProcess, instance: Instance, visit: Visit, stage: Stage) -> Iterator[Place]:
    """Give where the rows were read that say whether a visit began too early: those that stood open, else all asked."""
    entered = usable(visit.entered_at)
    if entered is None:
        return
    asked = [last for code in stage.after if (last := _last_before(instance, code, entered)) is not None]
    broken = [last for last in asked if _is_broken(process, last, entered)]
    yield from (each.place for each in broken or asked)
    for entity, is_open, _ in process.awaited.get(stage.code, ()) if not broken else ():
        for name, row in sorted((instance.others or {}).items()):
            if name.startswith(f"{entity}:") and not row.is_deleted and is_open(row.fields):
                yield row.place


def _missed(process: CompiledProcess, instance: Instance, visit: Visit, stage: Stage) -> str | None:
    """Give what was left out or stood open when a visit began, in words: a stage that it needs, or rows of works.

    An instance of which nothing earlier is known has lost its past, and tells nothing of what was left out.
    """
    entered = usable(visit.entered_at)
    if entered is None or not (stage.needs or stage.waits_for):
        return None
    before = {each.stage for each in instance.visits if not each.is_deleted and _entered(each) <= entered}
    skipped = next((code for code in stage.needs if code not in before), None)
    if skipped is not None and before != {visit.stage}:
        return process.stages[skipped].title
    for entity, is_open, title in process.awaited.get(stage.code, ()):
        for name, row in sorted((instance.others or {}).items()):
            if name.startswith(f"{entity}:") and not row.is_deleted and is_open(row.fields):
                return f"{title}{name.partition(':')[2]}"
    return None


def _entered(visit: Visit) -> int:
    return usable(visit.entered_at) or 0


def _finding(rule: Single, visit: Visit, **values: object) -> Claim:
    return Claim(face_of(rule), visit.stage, visit.visit, dept=visit.dept, places=(visit.place,), values=values)


def _disagreement(rule: DisagreementRule, instance: Instance, item: str | None) -> Claim:
    """Give the claim about one `item@source`; None: an earlier version told of all of an instance in one alert."""
    name, _, source = (item or "").rpartition("@")
    detail = f"{name}（{source}）" if item else "现分项列出"
    further = partial(compared, instance, source, name)
    return Claim(face_of(rule), further=further, values={"detail": detail}, repeat=item)


def face_of(rule: Single) -> RuleFace:
    """Give the part of a rule that alerts show."""
    return RuleFace(rule.code, rule.version, rule.title, tuple(rule.tell), rule.text)


def orphan_rule(definitions: Definitions) -> OrphanRule | None:
    """Give the rule about rows without their application; the first that any process has counts for all."""
    return next((p.orphan for p in definitions.processes.values() if p.orphan), None)
