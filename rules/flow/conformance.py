"""Whether cases went as the definition says; each deviation with its place and what shows it.

What is judged is history as it is known in the end, so news that came late has arrived: an order that only looked
broken for a while is no deviation, though R-T18 may have been raised and cleared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rules.compiler import CompiledProcess
from rules.engine.deadlines import usable
from rules.engine.findings import broken_predecessor
from rules.flow.case import Case, entered, stage_of
from rules.flow.follows import ancestors
from rules.flow.history import BESIDE
from rules.state import Place, Visit


class Kind(StrEnum):
    """How a case deviates."""

    ORDER_BROKEN = "order_broken"
    """A stage was entered before its predecessor had ended, or in spite of its rejection."""
    UNDEFINED_RETURN = "undefined_return"
    """A stage was entered again without a rejection that leads back to it or before it."""
    UNKNOWN_STAGE = "unknown_stage"
    """A stage that the definition does not have."""
    STEP_WITHOUT_RECORD = "step_without_record"
    """No record of a stage that is not optional, though what comes after it was entered, or the end is told."""
    RESULT_WITHOUT_LOG = "result_without_log"
    """An end or a result is told, but nowhere that the stage was entered."""


RULES = {
    Kind.ORDER_BROKEN: "R-T18",
    Kind.UNKNOWN_STAGE: "R-D02",
    Kind.STEP_WITHOUT_RECORD: "A13",
    Kind.RESULT_WITHOUT_LOG: "A13",
}
"""Codes of domain.md section 4; none is about undefined returns."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One step of one case that is not as defined."""

    instance: str
    kind: Kind
    rule: str | None
    stage: str
    visit: int | None
    org_no: str | None
    other: str | None
    """The stage that is in conflict with it: the predecessor that had not ended, or what shows a missing step."""
    at: int | None
    """When it was entered or ended, epoch ms."""
    evidence: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A case with deviations. Its fitness is the share of its steps, recorded and missing, without any."""

    instance: str
    steps: int
    deviating: int
    fitness: float


@dataclass(frozen=True, slots=True)
class Fitness:
    """All cases together."""

    instances: int
    conforming: int
    """Cases without deviation."""
    steps: int
    """Recorded and missing ones."""
    deviating: int
    fitness: float
    """1 without any step."""
    by_kind: dict[str, int]
    by_stage: dict[str, int]


class Conformance:
    """Checks cases."""

    def __init__(self, process: CompiledProcess) -> None:
        self._process = process
        self._before = ancestors(process)
        self._instances = self._steps = 0
        self.deviations: list[Deviation] = []
        self.misfits: list[Misfit] = []
        """Cases with deviations; the fitness of all others is 1."""

    def add(self, case: Case) -> None:
        """Take in a case."""
        found = list(self._deviations(case))
        missing = sum(each.kind is Kind.STEP_WITHOUT_RECORD for each in found)
        told_elsewhere = sum(each.kind is Kind.RESULT_WITHOUT_LOG for each in found)
        steps = len(case.events) + missing + told_elsewhere
        self._instances += 1
        self._steps += steps
        if found:
            deviating = len({(each.kind in _ABSENT, each.stage, each.visit, each.at) for each in found})
            self.deviations += found
            self.misfits.append(Misfit(case.key, steps, deviating, _share(steps - deviating, steps)))

    def fitness(self) -> Fitness:
        """Sum up what was taken in."""
        deviating = sum(each.deviating for each in self.misfits)
        return Fitness(
            self._instances, self._instances - len(self.misfits), self._steps, deviating,
            _share(self._steps - deviating, self._steps),
            dict(Counter(each.kind.value for each in self.deviations).most_common()),
            dict(Counter(each.stage for each in self.deviations).most_common()),
        )  # fmt: skip

    # -- one case

    def _deviations(self, case: Case) -> Iterator[Deviation]:
        yield from self._of_events(case)
        unlogged = list(_without_log(case))
        yield from unlogged
        yield from self._missing(case, {each.stage for each in unlogged})

    def _of_events(self, case: Case) -> Iterator[Deviation]:
        seen: set[str] = set()
        for number, visit in enumerate(case.events):
            stage = self._process.stages.get(stage_of(visit))
            if stage is None:
                yield _of_visit(case, visit, Kind.UNKNOWN_STAGE, None)
                continue
            broken = broken_predecessor(self._process, case.instance, visit, stage.after)
            if broken is not None:
                yield _of_visit(case, visit, Kind.ORDER_BROKEN, broken)
            elif stage.code in seen and not stage.repeats and not self._is_led_back(case, number):
                yield _of_visit(case, visit, Kind.UNDEFINED_RETURN, None)
            seen.add(stage.code)

    def _is_led_back(self, case: Case, number: int) -> bool:
        """Tell whether a rejection leads back to an event: to its stage, or to one before it that was entered again."""
        visit, earlier = case.events[number], case.events[:number]
        stage = stage_of(visit)
        since = max(entered(each) for each in earlier if each.stage == stage)
        for rejected in earlier:
            of, ended = self._process.stages.get(stage_of(rejected)), usable(rejected.finished_at)
            if of is None or rejected.result not in self._process.rejected or ended is None:
                continue
            if not since <= ended <= entered(visit):
                continue
            again = {stage_of(each) for each in earlier if entered(each) >= ended}
            if stage in of.back_to or not (again & self._before[stage]).isdisjoint(of.back_to):
                return True
        return False

    def _missing(self, case: Case, unlogged: set[str]) -> Iterator[Deviation]:
        main = case.instance.main
        told = unlogged.union(map(stage_of, case.events))
        is_ended = main is not None and any(usable(main.fields.get(name)) for name in self._process.over_when)
        for code, stage in self._process.stages.items():
            if stage.optional or code in told:
                continue
            shows = next((visit for visit in case.events if code in self._before.get(stage_of(visit), ())), None)
            if shows is not None:
                yield _absent(case, Kind.STEP_WITHOUT_RECORD, code, shows.place, at=shows.entered_at, other=shows.stage)
            elif main is not None and is_ended:
                yield _absent(case, Kind.STEP_WITHOUT_RECORD, code, main.place, at=case.instance.over_at)


def _without_log(case: Case) -> Iterator[Deviation]:
    for visit in case.unlogged:
        yield _of_visit(case, visit, Kind.RESULT_WITHOUT_LOG, None)
    logged = {visit.stage for visit in (*case.events, *case.unlogged)}
    for name, row in sorted((case.instance.others or {}).items()):
        stage, finished = row.fields.get("stage"), usable(row.fields.get("finished_at"))
        has_result = finished is not None or row.fields.get("result") is not None
        if name.startswith(BESIDE) and has_result and not row.is_deleted and stage is not None and stage not in logged:
            yield _absent(case, Kind.RESULT_WITHOUT_LOG, str(stage), row.place, at=finished)


_ABSENT = frozenset({Kind.STEP_WITHOUT_RECORD, Kind.RESULT_WITHOUT_LOG})
"""Kinds about steps that are no events."""


def _of_visit(case: Case, visit: Visit, kind: Kind, other: str | None) -> Deviation:
    theirs = [each.place for each in case.events if each.stage == other and entered(each) <= entered(visit)]
    at = usable(visit.entered_at) or usable(visit.finished_at)
    evidence = (visit.place, *theirs[-1:])
    rule = RULES.get(kind)
    return Deviation(case.key, kind, rule, stage_of(visit), visit.visit, case.org_no, other, at, evidence)


def _absent(  # noqa: PLR0913 - a step that is none of the case's events, and what shows it
    case: Case, kind: Kind, stage: str, place: Place, *, at: int | None, other: str | None = None
) -> Deviation:  # fmt: skip
    return Deviation(case.key, kind, RULES.get(kind), stage, None, case.org_no, other, at, (place,))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0
