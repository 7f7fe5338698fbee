"""What came of the mutants: per file, the survivors with their explanations, and whether it is good enough."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column, Table

from tests.mutation.mutant import Kind, Outcome, Result
from tests.mutation.survivors import Explanation, explain, explanations

SURVIVING: tuple[Outcome, ...] = ("survived", "uncovered")
COLUMNS: tuple[Outcome, ...] = ("killed", "survived", "uncovered", "refused", "not tried")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run must reach."""

    least: float
    """Per cent that must be killed, of Python's and of the definitions' mutants each."""
    all_explained: bool
    """Every survivor needs an explanation."""


class Report:
    """All results of a run. `budget`: seconds; None: no end."""

    def __init__(self, results: Sequence[Result], *, seconds: float, budget: int | None, limits: Limits) -> None:
        self.results = results
        self.seconds, self.budget, self.limits = seconds, budget, limits
        self.idle: list[Explanation] = explain(results, explanations())
        self.unexplained = [each for each in results if each.outcome in SURVIVING and each.explained is None]
        self.explained = [each for each in results if each.explained is not None]
        self.not_tried = sum(each.outcome == "not tried" for each in results)

    @property
    def is_good(self) -> bool:
        """Tell whether enough were killed, and whether explanations and survivors fit together."""
        shares = (self.share("python"), self.share("definition"))
        is_enough = all(share is None or share >= self.limits.least for share in shares)
        return is_enough and not self.idle and not (self.limits.all_explained and self.unexplained)

    def share(self, kind: Kind) -> float | None:
        """Give the per cent that was killed of those of a kind that were tried and let in; None if none was."""
        counts = Counter(each.outcome for each in self.results if each.mutant.kind == kind)
        tried = counts["killed"] + sum(counts[outcome] for outcome in SURVIVING)
        return 100 * counts["killed"] / tried if tried else None

    def by_file(self) -> dict[str, Counter[Outcome]]:
        """Count the outcomes per file."""
        found: dict[str, Counter[Outcome]] = {}
        for each in self.results:
            found.setdefault(each.mutant.module, Counter())[each.outcome] += 1
        return found

    def sentences(self) -> list[str]:
        """Say how it went."""
        said = [
            f"{name}: {share:.1f} % killed (at least {self.limits.least:g} %)"
            for name, share in (("Python", self.share("python")), ("definitions", self.share("definition")))
            if share is not None
        ]
        if self.not_tried:
            said.append(f"the budget of {self.budget} s ended it: {self.not_tried} of {len(self.results)} not tried")
        said.append(f"{len(self.unexplained)} survivors without and {len(self.explained)} with an explanation")
        said += [f"explains no survivor any more: {each} (tests/mutation/survivors.yaml)" for each in self.idle]
        return said

    def document(self) -> dict[str, object]:
        """Give all of it for programs."""
        return {
            "seconds": round(self.seconds), "budget": self.budget, "good": self.is_good,
            "python": self.share("python"), "definitions": self.share("definition"),
            "files": {file: dict(counts) for file, counts in self.by_file().items()},
            "survivors": [_survivor(each) for each in self.results if each.outcome in SURVIVING],
            "not_tried": self.not_tried, "idle_explanations": [str(each) for each in self.idle],
        }  # fmt: skip


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
