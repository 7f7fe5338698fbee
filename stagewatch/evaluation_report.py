"""An evaluation as one document, in the columns of `opm_eval_sum` and `opm_eval_detail`, and on the terminal.

`stagewatch.evaluation_html` makes a page of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypedDict

from rules import PARTS, TOTAL, Deduction, Evaluation, Score, Total, indicator_value
from schemas import IndicatorValue
from stagewatch.output import Output

MOST_ROWS = 12
"""Rows of each table that a terminal shows; the JSON has all."""
SCORE_INDICATOR, RANK_INDICATOR = "I234", "I234R"
"""评价汇总 (domain 5.3): the score, and the rank beside it."""

Cell = str | int | float | None
Row = dict[str, Cell]


class UnitReport(TypedDict):
    """What a unit lost its points by."""

    org_no: str
    score: float
    lost: float
    by_person: list[Row]
    by_dept: list[Row]
    detail: list[Row]


class Report(TypedDict):
    """A whole evaluation, or the part of it below one unit."""

    evaluation: str
    title: str
    period: str
    begin: str
    end: str
    summary: list[Row]
    units: list[UnitReport]


def report_of(evaluation: Evaluation, units: Sequence[str], detailed: Sequence[str]) -> Report:
    """Give the scores of `units`, and what `detailed` lost theirs by."""
    file, period = evaluation.file, evaluation.period
    return Report(
        evaluation=file.id, title=file.title, period=period.name, begin=period.begin, end=period.end,
        summary=[row for org_no in units for row in _summary(evaluation, org_no)],
        units=[_unit(evaluation, org_no) for org_no in detailed],
    )  # fmt: skip


def at_or_below(evaluation: Evaluation, org_no: str) -> Iterator[str]:
    """Give a unit and all below it that have scores, each before those below it."""
    yield org_no
    for unit in evaluation.below.get(org_no, ()):
        yield from at_or_below(evaluation, unit)


def _summary(evaluation: Evaluation, org_no: str) -> Iterator[Row]:
    scores, name = evaluation.scores[org_no], evaluation.period.name
    yield _sum_row(org_no, name, TOTAL, evaluation.file.title, "", scores[TOTAL])
    for dimension in evaluation.file.dimensions:
        if dimension.code in scores:
            yield _sum_row(org_no, name, dimension.code, dimension.title, dimension.code, scores[dimension.code])
        for item in dimension.items:
            if item.code in scores:
                row = _sum_row(org_no, name, item.code, item.title, dimension.code, scores[item.code])
                yield {**row, "target": float(item.target), "floor": float(item.floor)}


def _sum_row(  # noqa: PLR0913, PLR0917 - the columns of opm_eval_sum
    org_no: str, period: str, code: str, title: str, dimension: str, score: Score
) -> Row:
    value = None if score.value is None else round(float(score.value), 6)
    return {
        "org_no": org_no, "period": period, "eval_item": code, "title": title, "dimension_code": dimension,
        "score": points(score.score), "full_score": points(score.full), "rank_no": score.rank,
        "sample_cnt": score.sample, "value": value,
    }  # fmt: skip


def _unit(evaluation: Evaluation, org_no: str) -> UnitReport:
    found, score = evaluation.deductions(org_no), evaluation.scores[org_no][TOTAL]
    return UnitReport(
        org_no=org_no, score=points(score.score), lost=points(score.full - score.score),
        by_person=_sums("duty_person", found, lambda each: each.finding.person),
        by_dept=_sums("duty_dept", found, lambda each: each.finding.dept),
        detail=[_detail(evaluation, org_no, each) for each in found],
    )  # fmt: skip


def _sums(name: str, found: Sequence[Deduction], of: Callable[[Deduction], str]) -> list[Row]:
    """Sum deductions by who answers for them, the most points first; null: nobody is named."""
    lost: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for each in found:
        lost[of(each)] += each.points
        count[of(each)] += 1
    return [
        {name: who or None, "deducted_score": points(lost[who]), "deductions": count[who]}
        for who in sorted(lost, key=lambda who: (-lost[who], who))
    ]


def _detail(evaluation: Evaluation, org_no: str, each: Deduction) -> Row:
    finding = each.finding
    return {
        "eval_no": each.number, "app_no": finding.instance or None, "org_no": org_no, "app_org_no": finding.org_no,
        "period": evaluation.period.name, "eval_item": finding.item, "deducted_score": points(each.points),
        "reason": finding.reason, "duty_dept": finding.dept or None, "duty_person": finding.person or None,
        "stage": finding.stage or None, "visit": finding.visit or None, "rule": finding.rule or None,
        "late_h": round(finding.late_ms / 3_600_000, 2) or None,
    }  # fmt: skip


def points(parts: int) -> float:
    """Give points with their four decimals; of sums of them the fourth decimal is right."""
    return round(parts / PARTS, 4)


def indicator_values(evaluation: Evaluation, at: int) -> Iterator[tuple[str, IndicatorValue]]:
    """Give score and rank of each unit, in all and per dimension, as indicator values with their keys (I234).

    A score is in percent of what there was to get. Their date is the last day of the period; they are not to be
    summed over units or dimensions. `at`: epoch ms.
    """
    file, period = evaluation.file, evaluation.period
    for org_no, scores in evaluation.scores.items():
        for code in (TOTAL, *(dimension.code for dimension in file.dimensions)):
            if code in scores:
                dims = json.dumps({"evaluation": file.id, "item": code, "period": period.name}, separators=(",", ":"))
                score = scores[code]
                for indicator, total in (
                    (SCORE_INDICATOR, Total(100 * score.score, score.full, at)),
                    (RANK_INDICATOR, Total(score.rank, 0, at)),
                ):
                    key = f"{indicator}|{org_no}|{period.end}|{dims}"
                    yield key, indicator_value(key, total)


# -- on the terminal


def show(output: Output, report: Report) -> None:
    """Show the units' scores and ranks; of the units in detail the items, who lost points, and by what."""
    dimensions = list(dict.fromkeys(str(row["dimension_code"]) for row in report["summary"] if row["dimension_code"]))
    by_unit: dict[str, dict[str, Row]] = {}
    for row in report["summary"]:
        by_unit.setdefault(str(row["org_no"]), {})[str(row["eval_item"])] = row
    output.table(
        ["org_no", "score", "rank", *dimensions],
        (
            [org_no, rows[TOTAL]["score"], rows[TOTAL]["rank_no"], *(_of_full(rows.get(code)) for code in dimensions)]
            for org_no, rows in by_unit.items()
        ),
        empty="nothing was measured in this period",
    )
    for unit in report["units"]:
        _show_unit(output, unit, by_unit[unit["org_no"]])


def _of_full(row: Row | None) -> str | None:
    return None if row is None else f"{row['score']:.2f}/{row['full_score']:.0f}"


def _show_unit(output: Output, unit: UnitReport, rows: dict[str, Row]) -> None:
    output.line("")
    output.line(f"{unit['org_no']}: {unit['score']:.2f} points, {unit['lost']:.2f} lost")
    items = [row for row in rows.values() if row["value"] is not None]
    _show_rows(output, ["eval_item", "title", "value", "target", "floor", "score", "full_score", "rank_no"], items)
    _show_rows(output, ["duty_dept", "deducted_score", "deductions"], unit["by_dept"])
    _show_rows(output, ["duty_person", "deducted_score", "deductions"], unit["by_person"])
    columns = ["app_no", "app_org_no", "eval_item", "deducted_score", "duty_dept", "duty_person", "reason"]
    _show_rows(output, columns, unit["detail"])


def _show_rows(output: Output, columns: Sequence[str], rows: Sequence[Row]) -> None:
    if not rows:
        return
    output.line("")
    output.table(columns, ([row[name] for name in columns] for row in rows[:MOST_ROWS]))
    if len(rows) > MOST_ROWS:
        output.line(f"... and {len(rows) - MOST_ROWS} more (-o json or html has all)")
