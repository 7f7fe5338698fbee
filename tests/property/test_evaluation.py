"""Evaluations add up: parents of children, scores of deductions, whatever the order in which things came."""

from fractions import Fraction
from functools import lru_cache
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from rules import EvaluationFile, Period, Units
from rules.evaluation import FULL, Evaluation, apportion, norm, scored
from rules.evaluation_material import Finding, Measured
from rules.evaluation_models import TOTAL
from schemas import load_yaml

UNITS = ["3340101", "3340102", "3340201", "334020101", "35", "", "X"]
MARCH = Period.parse("2026-03")


@lru_cache
def file() -> EvaluationFile:
    data, _ = load_yaml(
        b"""\
version: evaluation/v1
id: own
title: own
processes: [hv_connection]
dimensions:
  - code: scale
    title: scale
    weight: 30
    items: [{code: ratio, title: ratio, weight: 100, direction: up, target: 0.9, floor: 0.2, indicator: I1, per: I2}]
  - code: efficiency
    title: efficiency
    weight: 70
    items:
      - {code: rate, title: rate, weight: 33, direction: up, target: 1.0, floor: 0.7, indicator: I122}
      - {code: late, title: late, weight: 67, direction: down, target: 0, floor: 0.3, alerts: [R-T14]}
""",
        "own.yaml",
    )
    return EvaluationFile.model_validate(data)


@st.composite
def measured(draw: st.DrawFn) -> Measured:
    """Sums of some units, and for each item findings that weigh at least something where a unit lacks anything."""
    sums: dict[str, dict[str, tuple[Fraction, Fraction]]] = {}
    findings: dict[str, list[Finding]] = {}
    for _, item in file().items:
        sums[item.code], findings[item.code] = {}, []
        for org_no in draw(st.lists(st.sampled_from(UNITS), unique=True)):
            denominator = draw(st.integers(0, 40))
            numerator = draw(st.integers(0, denominator))
            sums[item.code][org_no] = Fraction(numerator), Fraction(denominator)
            for number in range(draw(st.integers(1, 3))):
                weight = Fraction(draw(st.integers(1, 7)), draw(st.integers(1, 3)))
                name = f"A{number % 3}"
                findings[item.code].append(Finding(item.code, org_no, name, "", 0, "", "", f"M{number}", 0, "", weight))
    return Measured(sums, findings)


def evaluated(what: Measured) -> Evaluation:
    return scored(file(), MARCH, what, Units([2, 5, 7, 9]))


@given(measured())
def test_a_parents_sums_are_those_of_its_children_and_its_own(what: Measured) -> None:
    evaluation = evaluated(what)
    for unit, scores in evaluation.scores.items():
        for code, by_org in what.sums.items():
            below = [sums for org, sums in by_org.items() if org == unit or (unit and org.startswith(unit))]
            numerator, denominator = (
                (sum(parts, Fraction(0)) for parts in zip(*below, strict=True)) if below else (0, 0)
            )
            if denominator:
                assert scores[code].value == Fraction(numerator) / Fraction(denominator)
            else:
                assert code not in scores


@given(measured())
def test_deductions_add_up_to_what_the_score_lacks_in_every_unit(what: Measured) -> None:
    evaluation = evaluated(what)
    for unit, scores in evaluation.scores.items():
        found = evaluation.deductions(unit)
        assert sum(each.points for each in found) == FULL - scores[TOTAL].score
        assert all(each.points > 0 for each in found)
        for code, score in scores.items():
            assert 0 <= score.score <= score.full
            own = [each.points for each in found if each.finding.item == code]
            assert not own or sum(own) == score.full - score.score
        dimensions = [scores[d.code] for d in file().dimensions if d.code in scores]
        assert sum(score.full for score in dimensions) == scores[TOTAL].full == FULL
        assert sum(score.score for score in dimensions) == scores[TOTAL].score


@given(measured(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_came_does_not_matter(what: Measured, random: Random) -> None:
    shuffled = Measured(
        {code: dict(random.sample(list(by_org.items()), len(by_org))) for code, by_org in what.sums.items()},
        {code: random.sample(found, len(found)) for code, found in what.findings.items()},
    )
    one, other = evaluated(what), evaluated(shuffled)
    assert one.scores == other.scores
    for unit in one.scores:
        assert one.deductions(unit) == other.deductions(unit)


@given(measured())
def test_nobody_with_fewer_points_ranks_before_a_sibling(what: Measured) -> None:
    evaluation = evaluated(what)
    for siblings in [evaluation.tops, *evaluation.below.values()]:
        ranked = sorted((evaluation.scores[unit][TOTAL] for unit in siblings), key=lambda score: -score.score)
        for place, score in enumerate(ranked, 1):
            is_tied = place > 1 and ranked[place - 2].score == score.score
            assert score.rank == (ranked[place - 2].rank if is_tied else place)


@given(st.integers(0, 10**6), st.lists(st.fractions(min_value=0, max_value=1000), min_size=1, max_size=50))
def test_shares_add_up_and_lie_within_one_of_the_exact_ones(total: int, weights: list[Fraction]) -> None:
    shares, whole = apportion(total, weights), sum(weights)
    if whole:
        assert sum(shares) == total
        assert all(abs(share - total * weight / whole) < 1 for share, weight in zip(shares, weights, strict=True))


@given(st.fractions(min_value=-2, max_value=3), st.fractions(min_value=-2, max_value=3))
def test_a_better_value_never_gets_fewer_points(a: Fraction, b: Fraction) -> None:
    for _, item in file().items:
        worse, better = (min(a, b), max(a, b)) if item.direction == "up" else (max(a, b), min(a, b))
        assert 0 <= norm(item, worse) <= norm(item, better) <= 1
