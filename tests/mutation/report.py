"""What came of the mutants: per file, the survivors with their explanations, and whether it is good enough."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column, Table

from tests.mutation.mutant import Kind, Outcome, Result
from tests.mutation.survivors import Explanation, explain, explanations

WANTING = 4
"""The exit code where the tests find too little. Not 1: that is Python's own after an exception."""
SURVIVING: tuple[Outcome, ...] = ("survived", "uncovered")
SCORE = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution."""
COLUMNS: tuple[Outcome, ...] = ("killed", "survived", "uncovered", "refused", "not tried")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run must reach."""

    least: float
    """Per cent that must be killed, of Python's and of the definitions' mutants each."""
    all_explained: bool
    """Every survivor needs an explanation."""


class Report:
    """All results of a run. `budget`: seconds; None: no end. `is_sample`: mutants drawn by chance from all."""

    def __init__(
        self, results: Sequence[Result], *,
        seconds: float, budget: int | None, limits: Limits, is_sample: bool = False,
    ) -> None:  # fmt: skip
        self.results = results
        self.seconds, self.budget, self.limits, self.is_sample = seconds, budget, limits, is_sample
        idle = explain(results, explanations())
        self.idle: list[Explanation] = [] if is_sample else idle  # what was not drawn may explain them
        self.unexplained = [each for each in results if each.outcome in SURVIVING and each.explained is None]
        self.explained = [each for each in results if each.explained is not None]
        self.not_tried = sum(each.outcome == "not tried" for each in results)

    @property
    def is_good(self) -> bool:
        """Tell whether enough were killed, and whether explanations and survivors fit together."""
        counts = (self.counts("python"), self.counts("definition"))
        is_enough = all(not tried or 100 * killed / tried >= self.limits.least for killed, tried in counts)
        return is_enough and not self.idle and not (self.limits.all_explained and self.unexplained)

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return 0 if self.is_good else WANTING

    def counts(self, *kinds: Kind) -> tuple[int, int]:
        """Count those of some kinds that were killed, and those that were tried and let in."""
        outcomes = Counter(each.outcome for each in self.results if each.mutant.kind in kinds)
        return outcomes["killed"], outcomes["killed"] + sum(outcomes[outcome] for outcome in SURVIVING)

    def by_file(self) -> dict[str, Counter[Outcome]]:
        """Count the outcomes per file."""
        found: dict[str, Counter[Outcome]] = {}
        for each in self.results:
            found.setdefault(each.mutant.module, Counter())[each.outcome] += 1
        return found

    def sentences(self) -> list[str]:
        """Say how it went."""
        said = [
            f"{name}: {_share(killed, tried):.1f} % of {tried} killed{self._likely(killed, tried)}"
            f" (at least {self.limits.least:g} %)"
            for name, killed, tried in (
                ("Python", *self.counts("python")), ("definitions", *self.counts("definition")),
                ("both", *self.counts("python", "definition")),
            )
            if tried
        ]  # fmt: skip
        if not (self.counts("python")[1] and self.counts("definition")[1]):
            del said[1:]  # of one kind alone both are the same
        if self.not_tried:
            said.append(f"the budget of {self.budget} s ended it: {self.not_tried} of {len(self.results)} not tried")
        said.append(f"{len(self.unexplained)} survivors without and {len(self.explained)} with an explanation")
        said += [f"explains no survivor any more: {each} (tests/mutation/survivors.yaml)" for each in self.idle]
        return said

    def _likely(self, killed: int, tried: int) -> str:
        if not self.is_sample:
            return ""
        low, high = interval(killed, tried)
        return f", of all {100 * low:.1f} to {100 * high:.1f} %"

    def document(self) -> dict[str, object]:
        """Give all of it for programs."""
        return {
            "seconds": round(self.seconds), "budget": self.budget, "good": self.is_good,
            "python": self._figures("python"), "definitions": self._figures("definition"),
            "both": self._figures("python", "definition"), "sample": self.is_sample,
            "files": {file: dict(counts) for file, counts in self.by_file().items()},
            "survivors": [_survivor(each) for each in self.results if each.outcome in SURVIVING],
            "not_tried": self.not_tried, "idle_explanations": [str(each) for each in self.idle],
        }  # fmt: skip

    def _figures(self, *kinds: Kind) -> dict[str, object]:
        killed, tried = self.counts(*kinds)
        figures: dict[str, object] = {"killed": killed, "tried": tried, "percent": _share(killed, tried)}
        if self.is_sample and tried:
            figures["interval"] = [100 * end for end in interval(killed, tried)]
        return figures


def interval(killed: int, tried: int) -> tuple[float, float]:
    """Give between which shares the whole's lies at 95 %, after a sample (Wilson's score interval)."""
    share, square = killed / tried, SCORE * SCORE / tried
    middle = (share + square / 2) / (1 + square)
    half = SCORE / (1 + square) * math.sqrt(share * (1 - share) / tried + square / (4 * tried))
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(killed: int, tried: int) -> float | None:
    return 100 * killed / tried if tried else None


def _survivor(result: Result) -> dict[str, object]:
    mutant = result.mutant
    return {
        "module": mutant.module, "line": mutant.line, "place": mutant.place, "change": mutant.change,
        "source": mutant.source, "outcome": result.outcome, "explained": result.explained,
    }  # fmt: skip


def write(report: Report, *, as_json: bool) -> None:
    """Write the report to stdout."""
    if as_json:
        sys.stdout.write(json.dumps(report.document(), ensure_ascii=False, indent=1) + "\n")
        return
    console = Console(soft_wrap=True, highlight=False)
    table = Table(Column("file", overflow="fold"), *COLUMNS, "% killed")
    for file, counts in report.by_file().items():
        tried = counts["killed"] + sum(counts[outcome] for outcome in SURVIVING)
        share = f"{100 * counts['killed'] / tried:.0f}" if tried else ""
        table.add_row(file, *(str(counts[outcome] or "") for outcome in COLUMNS), share)
    console.print(table)
    for each in report.unexplained:
        console.print(f"{each.outcome}: {each.mutant.title}", markup=False)
    for sentence in report.sentences():
        console.print(sentence, markup=False)
