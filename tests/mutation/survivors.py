"""The explanations of mutants that survive: `survivors.yaml` beside this file.

An entry names a mutant by `module`, `place`, `change` and, where several are alike, `source` (the line); leaving out
`change` or `place` lets it speak for all that fit. Each says why no test can or needs to find the mutant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from tests.mutation.mutant import Mutant, Result

FILE = Path(__file__).with_name("survivors.yaml")


class Explanation(BaseModel):
    """Why some mutants survive."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    module: str
    place: str | None = None
    change: str | None = None
    source: str | None = None
    reason: str = Field(min_length=10)

    def fits(self, mutant: Mutant) -> bool:
        """Tell whether it speaks of the mutant."""
        return self.module == mutant.module and all(
            wanted is None or wanted == given
            for wanted, given in (
                (self.place, mutant.place), (self.change, mutant.change), (self.source, mutant.source)
            )
        )  # fmt: skip

    def __str__(self) -> str:
        return " ".join(part for part in (self.module, self.place, self.change, self.source) if part)


def explanations() -> list[Explanation]:
    """Read the file."""
    return [Explanation.model_validate(each) for each in yaml.safe_load(FILE.read_text(encoding="utf-8")) or []]


def explain(results: Iterable[Result], known: Sequence[Explanation]) -> list[Explanation]:
    """Give each survivor its reason; give the explanations of tried modules that explain nothing any more."""
    idle, whole = set(known), set()
    cut_short: set[str] = set()
    for result in results:
        whole.add(result.mutant.module)
        if result.outcome == "not tried":
            cut_short.add(result.mutant.module)
        if result.outcome not in {"survived", "uncovered"}:
            continue
        fitting = [each for each in known if each.fits(result.mutant)]
        if fitting:
            result.explained = fitting[0].reason
            idle -= set(fitting)
    return [each for each in known if each in idle and each.module in whole - cut_short]


def without_mutant(known: Iterable[Explanation], mutants: Collection[Mutant]) -> list[Explanation]:
    """Give the explanations that speak of no mutant at all: the code has changed."""
    return [each for each in known if not any(each.fits(mutant) for mutant in mutants)]
