"""Which stage was entered after which: variants (whole sequences) and the graph of what directly follows what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from rules.compiler import CompiledProcess
from rules.engine.deadlines import usable
from rules.flow.case import Case, entered, stage_of
from rules.flow.spread import HOUR_MS, Lengths, Spread, WorkTime
from rules.state import Visit


@dataclass(frozen=True, slots=True)
class Variant:
    """A sequence of stages, by their entry, and the instances that went that way (so far)."""

    stages: tuple[str, ...]
    instances: int
    share: float
    over: int
    """How many of them have ended; the others may go on."""
    whole_h: Spread
    """Working hours from the first entry to the end, of those that have ended."""


@dataclass(frozen=True, slots=True)
class Follow:
    """How often one stage was entered directly after another."""

    source: str
    target: str
    count: int
    instances: int
    overlapping: int
    """How often the source had not ended by then; there is no wait between those."""
    wait_h: Spread
    """Working hours from the source's end to the target's entry."""
    is_back: bool
    """The definition has the target before the source, or both are one."""
    is_defined_back: bool
    """The definition leads back there after a rejection."""
    after_rejection: int
    """How often the source's result was a rejection."""


class Variants:
    """Counts sequences."""

    def __init__(self, work: WorkTime) -> None:
        self._work = work
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._whole: dict[tuple[str, ...], Lengths] = {}

    def add(self, case: Case) -> None:
        """Take in a case."""
        stages, over_at = case.stages, case.instance.over_at
        self._counts[stages] += 1
        lengths = self._whole.setdefault(stages, Lengths())
        if over_at is not None and case.events:
            lengths.add(self._work.between(entered(case.events[0]), over_at))

    def rows(self) -> list[Variant]:
        """Give the variants, the most frequent first."""
        total = self._counts.total()
        return [
            Variant(stages, count, round(count / total, 4), len(whole := self._whole[stages]), whole.spread(HOUR_MS))
            for stages, count in sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        ]


class _Edge:
    """What is counted of one pair of stages."""

    __slots__ = ("after_rejection", "count", "instances", "last", "overlapping", "wait")

    def __init__(self) -> None:
        self.count = self.instances = self.overlapping = self.after_rejection = 0
        self.last = ""
        """The instance that was counted last."""
        self.wait = Lengths()


class Follows:
    """Counts pairs of stages."""

    def __init__(self, process: CompiledProcess, work: WorkTime) -> None:
        self._process, self._work = process, work
        self._before = ancestors(process)
        self._edges: dict[tuple[str, str], _Edge] = {}
        self.begins: Counter[str] = Counter()
        """Instances by the stage that they entered first."""
        self.ends: Counter[str] = Counter()
        """Instances that have ended, by the stage that they entered last."""

    def add(self, case: Case) -> None:
        """Take in a case."""
        if not case.events:
            return
        self.begins[stage_of(case.events[0])] += 1
        if case.is_over:
            self.ends[stage_of(case.events[-1])] += 1
        for source, target in pairwise(case.events):
            edge = self._edges.setdefault((stage_of(source), stage_of(target)), _Edge())
            edge.count += 1
            edge.instances += edge.last != case.key
            edge.last = case.key
            edge.after_rejection += source.result in self._process.rejected
            self._wait(edge, source, target)

    def _wait(self, edge: _Edge, source: Visit, target: Visit) -> None:
        finished = usable(source.finished_at)
        if finished is None or finished > entered(target):
            edge.overlapping += 1
        else:
            edge.wait.add(self._work.between(finished, entered(target)))

    def rows(self) -> list[Follow]:
        """Give the pairs, the most frequent first."""
        ordered = sorted(self._edges.items(), key=lambda item: (-item[1].count, item[0]))
        return [self._row(source, target, edge) for (source, target), edge in ordered]

    def _row(self, source: str, target: str, edge: _Edge) -> Follow:
        stage = self._process.stages.get(source)
        is_defined = stage is not None and target in stage.back_to
        return Follow(
            source, target, edge.count, edge.instances, edge.overlapping, edge.wait.spread(HOUR_MS),
            is_back=is_defined or source == target or target in self._before.get(source, ()),
            is_defined_back=is_defined, after_rejection=edge.after_rejection,
        )  # fmt: skip


def ancestors(process: CompiledProcess) -> dict[str, frozenset[str]]:
    """Give for each stage all stages that must have ended before it, near and far; safe against circles."""
    found: dict[str, frozenset[str]] = {}
    for code in process.stages:
        seen: set[str] = set()
        waiting = [code]
        while waiting:
            stage = process.stages.get(waiting.pop())
            news = [each for each in (stage.after if stage else ()) if each not in seen]
            seen.update(news)
            waiting += news
        found[code] = frozenset(seen - {code})
    return found
