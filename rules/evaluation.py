"""Scores of units for a period (domain 5.5): `Σ w_d × Σ w_i × norm(i)`, their ranks, and what each point was lost by.

Pure, and exact: points are counted in ten-thousandths, so that the deductions of a unit add up to what its score
lacks. A unit's sums are those of all units below it; rates are never averaged. An item without anything to divide by
in the period leaves its weight to the others of its dimension, a dimension without any to the other dimensions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import NamedTuple

from rules.evaluation_findings import findings_of
from rules.evaluation_material import Finding, Ground, Material, Measured
from rules.evaluation_models import TOTAL, Dimension, EvaluationFile, EvaluationItem
from rules.evaluation_period import Period
from rules.evaluation_units import Units

PARTS = 10_000
"""Of a point: four decimals, more than anybody shows, so that hundreds of findings can share one point."""
FULL = 100 * PARTS
Sums = tuple[Fraction, Fraction]


class Score(NamedTuple):
    """What a unit got for an item, for a dimension, or in all; points in `PARTS`."""

    score: int
    full: int
    sample: int
    """What the numerator was divided by; of a dimension and in all that of its items together."""
    value: Fraction | None
    """The measured value of an item."""
    rank: int = 1
    """Among the units below the same one; who has the same shares the rank, and the next ones are passed over."""


class Deduction(NamedTuple):
    """Points that a unit lost by one finding; in `PARTS`."""

    number: str
    finding: Finding
    points: int


@dataclass(slots=True)
class Evaluation:
    """The scores of all units for a period: by unit and `eval_item` (items, dimensions, `total`)."""

    file: EvaluationFile
    period: Period
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    below: dict[str, list[str]] = field(default_factory=dict)
    """By unit those directly below it that have scores, sorted."""
    tops: list[str] = field(default_factory=list)
    _findings: dict[str, list[Finding]] = field(default_factory=dict)
    """By unit its own and those of all units below."""

    def deductions(self, org_no: str) -> list[Deduction]:
        """Give what a unit lost its points by, the most points first; they add up to what its score lacks."""
        found: list[Deduction] = []
        by_item: dict[str, list[Finding]] = defaultdict(list)
        for finding in self._findings.get(org_no, ()):
            by_item[finding.item].append(finding)
        for _, item in self.file.items:
            score, findings = self.scores[org_no].get(item.code), sorted(by_item[item.code])
            if score is None:
                continue
            shares = apportion(score.full - score.score, [finding.weight for finding in findings])
            found += [
                Deduction(self._number(org_no, f), f, points)
                for f, points in zip(findings, shares, strict=True)
                if points
            ]
        return sorted(found, key=lambda each: -each.points)

    def _number(self, org_no: str, finding: Finding) -> str:
        """Give a deduction's number: the same for the same finding, however often it is evaluated."""
        parts = (self.file.id, self.period.name, org_no, *map(str, finding[:6]))
        return blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()


def evaluate(file: EvaluationFile, period: Period, material: Material, ground: Ground) -> Evaluation:
    """Give the scores of every unit that has a sum of its own, and of all above them."""
    return scored(file, period, findings_of(file, period, material, ground), ground.units)


def scored(file: EvaluationFile, period: Period, measured: Measured, units: Units) -> Evaluation:
    """Score what was measured: sums climb the tree first, and are compared with target and floor then."""
    sums: dict[str, dict[str, Sums]] = defaultdict(dict)
    for code, by_org in measured.sums.items():
        for org_no, own in by_org.items():
            for unit in units.chain(org_no):
                known = sums[unit].get(code, (Fraction(0), Fraction(0)))
                sums[unit][code] = (known[0] + own[0], known[1] + own[1])
    evaluation = Evaluation(file, period)
    of_units = {unit: _scores(file, sums[unit]) for unit in sorted(sums)}
    evaluation.scores = {unit: scores for unit, scores in of_units.items() if scores}
    _hang(evaluation, units)
    for findings in measured.findings.values():
        for finding in findings:
            for unit in units.chain(finding.org_no):
                evaluation._findings.setdefault(unit, []).append(finding)  # noqa: SLF001 - being made here
    for siblings in [evaluation.tops, *evaluation.below.values()]:
        _rank(evaluation, siblings)
    return evaluation


def _hang(evaluation: Evaluation, units: Units) -> None:
    for unit in evaluation.scores:
        above = units.chain(unit)[1:2]
        if above and unit not in units.chain(above[0]):  # two units that stand above each other are both at the top
            evaluation.below.setdefault(above[0], []).append(unit)
        else:
            evaluation.tops.append(unit)


def _scores(file: EvaluationFile, sums: Mapping[str, Sums]) -> dict[str, Score]:
    """Score one unit; nothing at all if nothing of it was measured."""
    present = [(dimension, item) for dimension, item in file.items if sums.get(item.code, (0, 0))[1] > 0]
    fulls = apportion(FULL, _weights(present))
    scores: dict[str, Score] = {}
    for (dimension, item), full in zip(present, fulls, strict=True):
        numerator, denominator = sums[item.code]
        value = numerator / denominator
        score = Score(full - _nearest(full * (1 - norm(item, value))), full, int(denominator), value)
        scores[item.code] = score
        for whole in (dimension.code, TOTAL):
            before = scores.get(whole, Score(0, 0, 0, None))
            sample = before.sample + score.sample
            scores[whole] = Score(before.score + score.score, before.full + full, sample, None)
    return scores


def norm(item: EvaluationItem, value: Fraction) -> Fraction:
    """Give 1 from the target on, 0 from the floor on, and in between in proportion."""
    floor, target = Fraction(item.floor), Fraction(item.target)
    return min(Fraction(1), max(Fraction(0), (value - floor) / (target - floor)))


def _weights(present: Sequence[tuple[Dimension, EvaluationItem]]) -> list[Fraction]:
    """Give each item's weight in the whole, of those that are there."""
    of_items: dict[str, int] = defaultdict(int)
    for dimension, item in present:
        of_items[dimension.code] += item.weight
    return [Fraction(dimension.weight * item.weight, of_items[dimension.code]) for dimension, item in present]


def apportion(total: int, weights: Sequence[Fraction]) -> list[int]:
    """Share out a whole number in proportion to weights, the largest remainders first; it adds up to `total`."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    exact = [total * weight / whole for weight in weights]
    shares = [int(share) for share in exact]
    rest = sorted(range(len(exact)), key=lambda n: (shares[n] - exact[n], n))
    for n in rest[: total - sum(shares)]:
        shares[n] += 1
    return shares


def _nearest(exact: Fraction) -> int:
    return int(exact + Fraction(1, 2))


def _rank(evaluation: Evaluation, siblings: Sequence[str]) -> None:
    for code in {code for unit in siblings for code in evaluation.scores[unit]}:
        having = [(evaluation.scores[unit][code], unit) for unit in siblings if code in evaluation.scores[unit]]
        shares = [Fraction(score.score, score.full) for score, _ in having]
        for (score, unit), share in zip(having, shares, strict=True):
            rank = 1 + sum(other > share for other in shares)
            evaluation.scores[unit][code] = score._replace(rank=rank)
