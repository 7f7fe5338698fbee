"""Evaluations: what `check` refuses in them, and scores, ranks and deductions of what was measured."""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from rules import SHIPPED, TOTAL, Catalogue, DefinitionSet, EvaluationFile, Period, Units, read_definitions, with_files
from rules.evaluation import FULL, PARTS, Evaluation, apportion, scored
from rules.evaluation_findings import span_words
from rules.evaluation_material import Finding, Measured
from rules.evaluation_testing import evaluation_test_faults

OWN = """\
version: evaluation/v1
id: own
title: 评价
processes: [hv_connection]
dimensions:
  - code: efficiency
    title: 效率
    weight: 75
    items:
      - {code: scheme, title: 方案, weight: 60, direction: up, target: 1.0, floor: 0.5, indicator: I122}
      - {code: mean, title: 时长, weight: 40, direction: down, target: 5, floor: 15, indicator: I123}
  - code: service
    title: 服务
    weight: 25
    items:
      - {code: whole, title: 全程, weight: 100, direction: down, target: 0, floor: 0.5, alerts: [R-T14]}
"""


@lru_cache
def shipped() -> DefinitionSet:
    return read_definitions([SHIPPED])


def own(folder: Path, *changes: tuple[str, str]) -> DefinitionSet:
    """Give the shipped set with the evaluation above, changed."""
    text = OWN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    return with_files(shipped(), [folder / "own.yaml"])


def faults(loaded: DefinitionSet) -> list[str]:
    return [text for fault in loaded.faults if (text := str(fault).rpartition("/")[2]).startswith("own.yaml")]


def test_an_evaluation_that_makes_sense_has_no_faults(tmp_path: Path) -> None:
    assert faults(own(tmp_path)) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("weight: 75", "weight: 70", "6:3: the weights of the dimensions add up to 95, not 100"),
        ("weight: 60", "weight: 61", "10:7: the weights of the items of efficiency add up to 101, not 100"),
        ("weight: 75", "weight: 0.75", "8:13: weight: Input should be a valid integer"),
        ("direction: up", "direction: down", "10:72: direction down: the target must lie below the floor"),
        ("target: 0,", "target: 0.5,", "16:72: direction down: the target must lie below the floor"),
        ("target: 1.0", "target: 1.1", "10:98: I122 is a share in time: direction up, target at most 1"),
        ("I122", "I999", "10:98: no indicator 'I999'; known are I101"),
        ("I122", "I121", "10:98: I121 counts what stands now: it has no period"),
        ("I122", "I111", "10:98: I111 is a plain count and grows with the unit: say `per` which other"),
        ("I122", "I122, per: I111", "10:98: I122 is divided already: leave `per` out"),
        ("alerts: [R-T14]", "alerts: [R-T14, R-T99]", "16:103: no rule 'R-T99'; known are "),
        ("alerts: [R-T14]", "alerts: []", "16:9: an item has either an `indicator` or `alerts`"),
        ("alerts: [R-T14]", "alerts: [R-T14], indicator: I122", "16:9: an item has either an `indicator` or `alerts`"),
        ("alerts: [R-T14]", "alerts: [R-T14], per: I111", "16:109: `per` divides an `indicator`"),
        ("processes: [hv_connection]", "processes: [hv]", "4:13: no process 'hv'; known are "),
        ("code: mean", "code: scheme", "11:16: 'scheme' is taken already"),
        ("code: mean", "code: total", "11:16: 'total' is taken already"),
        ("code: service", "code: efficiency", "12:11: 'efficiency' is taken already"),
        ("dimensions:", "unit_levels: [5, 2]\ndimensions:", "5:14: the codes of lower units are longer"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_fault_with_its_place(tmp_path: Path, old: str, new: str, fault: str) -> None:
    found = faults(own(tmp_path, (old, new)))
    assert any(text.startswith(f"own.yaml:{fault}") for text in found), found


def test_a_wrong_expectation_of_an_evaluation_says_what_came_of_it() -> None:
    test: dict[str, Any] = {
        "period": "2026-03",
        "values": [{"indicator": "I122", "org_no": "33", "date": "2026-03-05", "numerator": 9, "denominator": 10}],
        "scores": [{"org_no": "33", "score": 99, "rank": 2}, {"org_no": "34", "score": 1}],
        "deductions": [{"org_no": "33", "instance": "A1", "points": 5}],
    }
    models = [file.model for file in shipped().files]
    (file,) = (model for model in models if isinstance(model, EvaluationFile))
    assert list(evaluation_test_faults(file, test, models, _calendar())) == [
        "total of 33 is 66.6667, expected 99",
        "total of 33 has rank 1, expected 2",
        "total of 34 is None, expected 1",
        "33 lost 0 by {'instance': 'A1'}, expected 5",
    ]


def _calendar() -> Any:
    from rules import state_council_calendar  # noqa: PLC0415 - one test's

    return state_council_calendar()


# -- scores


def evaluation_of(
    folder: Path,
    sums: dict[str, dict[str, tuple[int, int]]],
    findings: Sequence[Finding] = (),
    units: Units | None = None,
) -> Evaluation:
    """Score sums by item and unit, with the evaluation above."""
    (file,) = (f for f in own(folder).of(EvaluationFile) if f.id == "own")
    measured = Measured(
        {item: {org: (Fraction(n), Fraction(d)) for org, (n, d) in by_org.items()} for item, by_org in sums.items()},
        {item.code: [f for f in findings if f.item == item.code] for _, item in file.items},
    )
    return scored(file, Period.parse("2026-03"), measured, units or Units(file.unit_levels))


def points(evaluation: Evaluation, org_no: str, code: str = TOTAL) -> float:
    return evaluation.scores[org_no][code].score / PARTS


def finding(instance: str, *, item: str = "scheme", org_no: str = "3340101", weight: int = 1) -> Finding:
    return Finding(item, org_no, instance, "SCHEME", 1, "R-T04", "营销", "M1", 1, "超期", Fraction(weight))


def test_points_lie_between_floor_and_target_in_proportion_and_not_beyond(tmp_path: Path) -> None:
    sums = {"scheme": {"A": (100, 100), "B": (75, 100), "C": (50, 100), "D": (0, 100)}}
    evaluation = evaluation_of(tmp_path, sums)
    assert [points(evaluation, org) for org in "ABCD"] == [100, 50, 0, 0]
    down = evaluation_of(
        tmp_path, {"mean": {"A": (40, 10), "B": (50, 10), "C": (100, 10), "D": (150, 10), "E": (990, 10)}}
    )
    assert [points(down, org) for org in "ABCDE"] == [100, 100, 50, 0, 0]


def test_an_item_that_nothing_was_measured_of_leaves_its_weight_to_the_others(tmp_path: Path) -> None:
    sums = {"scheme": {"A": (1, 1), "B": (1, 1)}, "mean": {"A": (0, 0), "B": (15, 1)}, "whole": {"B": (1, 1)}}
    evaluation = evaluation_of(tmp_path, sums)
    assert {code: score.full for code, score in evaluation.scores["A"].items()} == {
        "scheme": FULL, "efficiency": FULL, TOTAL: FULL,
    }  # fmt: skip
    assert {code: score.full / PARTS for code, score in evaluation.scores["B"].items()} == {
        "scheme": 45, "mean": 30, "efficiency": 75, "whole": 25, "service": 25, TOTAL: 100,
    }  # fmt: skip
    assert points(evaluation, "B") == 45


def test_a_unit_with_nothing_measured_has_no_score(tmp_path: Path) -> None:
    assert evaluation_of(tmp_path, {"scheme": {"A": (0, 0)}}).scores == {}


def test_a_parents_rate_comes_of_sums_not_of_its_childrens_rates(tmp_path: Path) -> None:
    evaluation = evaluation_of(tmp_path, {"scheme": {"3340101": (1, 1), "3340102": (50, 99)}})
    assert evaluation.scores["33401"]["scheme"].value == Fraction(51, 100)
    assert evaluation.tops == ["33"]
    assert evaluation.below == {"33": ["33401"], "33401": ["3340101", "3340102"]}


def test_who_has_the_same_score_shares_the_rank_and_the_next_is_passed_over(tmp_path: Path) -> None:
    sums = {"3340101": (9, 10), "3340102": (18, 20), "3340103": (10, 10), "3340104": (5, 10), "3340201": (1, 10)}
    evaluation = evaluation_of(tmp_path, {"scheme": sums})
    ranks = {org: scores[TOTAL].rank for org, scores in evaluation.scores.items() if len(org) == len("3340101")}
    assert ranks == {"3340103": 1, "3340101": 2, "3340102": 2, "3340104": 4, "3340201": 1}


def test_the_table_of_units_counts_before_the_code(tmp_path: Path) -> None:
    units = Units([2, 5, 7], {"3340101": "99", "99": None})
    evaluation = evaluation_of(tmp_path, {"scheme": {"3340101": (1, 1), "3340102": (1, 2)}}, units=units)
    assert sorted(evaluation.scores) == ["33", "33401", "3340101", "3340102", "99"]
    assert points(evaluation, "99") == 100
    assert points(evaluation, "33") == 0


def test_units_that_stand_above_each_other_are_both_at_the_top(tmp_path: Path) -> None:
    evaluation = evaluation_of(tmp_path, {"scheme": {"A": (1, 1)}}, units=Units([], {"A": "B", "B": "A"}))
    assert (evaluation.tops, evaluation.below) == (["A", "B"], {})


def test_deductions_share_what_was_lost_by_their_weights_and_keep_their_numbers(tmp_path: Path) -> None:
    sums = {"scheme": {"3340101": (7, 10)}}
    findings = [finding("A1"), finding("A2", weight=2), finding("A3", org_no="3340102")]
    evaluation = evaluation_of(tmp_path, sums, findings)
    found = evaluation.deductions("3340101")
    assert [(each.finding.instance, each.points) for each in found] == [("A2", 400_000), ("A1", 200_000)]
    again = evaluation_of(tmp_path, sums, findings[::-1]).deductions("3340101")
    assert again == found
    assert {each.number for each in evaluation.deductions("33401")}.isdisjoint(each.number for each in found)


def test_a_point_that_cannot_be_shared_evenly_is_shared_whole() -> None:
    assert apportion(100, [Fraction(1)] * 3) == [34, 33, 33]
    assert apportion(0, [Fraction(1)]) == [0]
    assert apportion(5, []) == []


# -- periods


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("2026-Q1", "2026-01-01", "2026-03-31"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-W01", "2025-12-29", "2026-01-04"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
    ],
)
def test_a_period_holds_its_first_and_its_last_day(text: str, begin: str, end: str) -> None:
    period = Period.parse(text)
    assert (period.begin, period.end) == (begin, end)
    assert period.covers(begin)
    assert period.covers(end)
    assert not period.covers("")


@pytest.mark.parametrize(
    "text", ["", "26", "2026-13", "2026-00", "2026-Q5", "2026-W54", "2025-W53", "2026-03-01", "0000"]
)
def test_what_is_no_period_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(ValueError, match="is no period; write 2026-W10, 2026-03, 2026-Q1 or 2026"):
        Period.parse(text)


@pytest.mark.parametrize(
    ("ms", "words"),
    [(1, "1分钟"), (3_599_999, "60分钟"), (3_600_000, "1小时"), (86_400_000, "1天"), (97_200_000, "1天3小时")],
)
def test_a_span_is_said_in_days_and_hours(ms: int, words: str) -> None:
    assert span_words(ms) == words


def test_the_catalogue_has_what_evaluations_speak_of() -> None:
    known = Catalogue.of([file.model for file in shipped().files])
    assert {"I122", "I151"} <= known.indicators.keys()
    assert {"R-T04", "R-T14"} <= known.rules.keys()
    assert "hv_connection" in known.processes
