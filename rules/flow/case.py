"""One instance as history tells it: its visits in the order in which they were entered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rules.compiler import CompiledProcess
from rules.durations import Span
from rules.engine.deadlines import suspended, usable
from rules.flow.told import told_visits
from rules.state import Instance, Visit


@dataclass(frozen=True, slots=True)
class Case:
    """An instance of the process, ready to be measured."""

    instance: Instance
    events: tuple[Visit, ...]
    """Visits with a stage and a usable time of entry, by that time; at equal times in the definition's order."""
    unlogged: tuple[Visit, ...]
    """Visits that tell an end or a result, but not when they were entered."""

    @property
    def key(self) -> str:
        """The instance's key."""
        return self.instance.key

    @property
    def org_no(self) -> str | None:
        """The unit that it belongs to."""
        org_no = self.instance.main.fields.get("org_no") if self.instance.main else None
        return None if org_no is None else str(org_no)

    @property
    def is_over(self) -> bool:
        """It has ended, by its own row."""
        return self.instance.over_at is not None

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages in the order in which they were entered: its variant."""
        return tuple(stage_of(visit) for visit in self.events)

    @property
    def last_at(self) -> int:
        """When it was last heard of: entry, end of a visit, or its own end; epoch ms, 0 if never."""
        ends = (usable(visit.finished_at) or 0 for visit in self.events)
        return max(self.instance.over_at or 0, *(entered(visit) for visit in self.events), *ends, 0)


def case_of(process: CompiledProcess, instance: Instance) -> Case:
    """Give the case of an instance of the process; the visits that other rows tell become the instance's own."""
    instance.visits += told_visits(process, instance)
    order = {code: number for number, code in enumerate(process.stages)}
    told = [visit for visit in instance.visits if not visit.is_deleted and visit.stage is not None]
    events = [visit for visit in told if usable(visit.entered_at) is not None]
    events.sort(key=lambda v: (entered(v), order.get(v.stage or "", len(order)), v.visit or 0, v.row))
    unlogged = [visit for visit in told if usable(visit.entered_at) is None and tells_result(visit)]
    return Case(instance, tuple(events), tuple(unlogged))


def tells_result(visit: Visit) -> bool:
    """Tell whether a visit has an end or a result."""
    return usable(visit.finished_at) is not None or visit.result is not None


def stage_of(visit: Visit) -> str:
    """Give the stage of a case's visit: it has one."""
    return visit.stage or ""


def entered(visit: Visit) -> int:
    """Give when a case's visit was entered, epoch ms: it has such a time."""
    return usable(visit.entered_at) or 0


def spans_of(visit: Visit, at: int) -> Sequence[Span]:
    """Give the suspensions of a visit; one without an end goes on up to `at`."""
    known = suspended(visit)
    return known if known is not None else (*visit.spans, (usable(visit.suspend_from) or at, at))
