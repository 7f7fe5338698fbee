"""The tests inside evaluations: what was measured and what ended, and the scores that must come of it.

`values` are indicator values, `ended` applications with their visits and alerts; `scores` and `deductions` what is
expected of them. Called by `rules.testing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pydantic import BaseModel

from rules.evaluation import PARTS, Evaluation, evaluate
from rules.evaluation_material import Dossier, Ground, Material
from rules.evaluation_models import TOTAL, Catalogue, EvaluationFile
from rules.evaluation_period import Period
from rules.evaluation_units import Units
from rules.workdays import WorkCalendar
from schemas import AlertEvent, IndicatorValue

_PLACES = 4


def evaluation_test_faults(
    file: EvaluationFile, test: Mapping[str, Any], models: Sequence[BaseModel], calendar: WorkCalendar
) -> Iterator[str]:
    """Give what does not come out as a test says. Raises LookupError, ValueError or TypeError for a wrong test."""
    ground = Ground(Catalogue.of(models), calendar, Units(file.unit_levels, test.get("units")))
    ended = test.get("ended", [])
    process = file.processes[0]
    material = Material(
        [_value(given, process) for given in test.get("values", [])],
        [_dossier(given, process, ground.catalogue) for given in ended],
        [_alert(alert, given, process) for given in ended for alert in given.get("alerts", [])],
    )
    evaluation = evaluate(file, Period.parse(str(test["period"])), material, ground)
    for wanted in test["scores"]:
        yield from _score_faults(evaluation, wanted)
    for wanted in test.get("deductions", []):
        yield from _deduction_faults(evaluation, wanted)


def _value(given: Mapping[str, Any], process: str) -> IndicatorValue:
    numerator, denominator = given["numerator"], given.get("denominator", 0)
    return IndicatorValue(
        indicator=given["indicator"], org_no=given["org_no"], date=given["date"], dims={"process": process},
        numerator=numerator, denominator=denominator, value=None, at="",
    )  # fmt: skip


def _dossier(given: Mapping[str, Any], process: str, catalogue: Catalogue) -> Dossier:
    over = {name: given["ended_at"] for name in catalogue.processes[process].over_when[:1] if "ended_at" in given}
    document = {
        "instance": given["instance"], "process": process, "status": "over" if over else "running",
        "org_no": given["org_no"], "fields": {**over, "mgr_no": given.get("mgr_no")},
        "visits": [{"visit": 1, **visit} for visit in given.get("visits", [])],
    }  # fmt: skip
    return msgspec.convert(document, Dossier)


def _alert(alert: Mapping[str, Any], given: Mapping[str, Any], process: str) -> AlertEvent:
    due_at = round(datetime.fromisoformat(alert["due_at"]).timestamp() * 1000) if "due_at" in alert else None
    stage = alert.get("stage")
    return AlertEvent(
        alert_id="", event=alert.get("event", "closed"), rule=alert["rule"], rule_version=1,
        severity=alert.get("severity", "ALARM"), process=process, instance=given["instance"], stage=stage,
        visit=1 if stage else None, raised_at=due_at or 0, due_at=due_at, org_no=given["org_no"],
        dept=alert.get("dept"), person=alert.get("person"), object=None, text="", evidence=(),
    )  # fmt: skip


def _score_faults(evaluation: Evaluation, wanted: Mapping[str, Any]) -> Iterator[str]:
    """`item` is an item, a dimension, or left out: the whole; `score` in points, null: there is none."""
    org_no, code = wanted["org_no"], wanted.get("item", TOTAL)
    score = evaluation.scores.get(org_no, {}).get(code)
    found = None if score is None else round(score.score / PARTS, _PLACES)
    if found != wanted["score"]:
        yield f"{code} of {org_no} is {found}, expected {wanted['score']}"
    if score is not None and wanted.get("rank", score.rank) != score.rank:
        yield f"{code} of {org_no} has rank {score.rank}, expected {wanted['rank']}"


def _deduction_faults(evaluation: Evaluation, wanted: Mapping[str, Any]) -> Iterator[str]:
    """`instance` "" is what no application answers for."""
    asked = {name: wanted[name] for name in ("item", "instance", "person", "dept", "rule") if name in wanted}
    found = evaluation.deductions(wanted["org_no"]) if wanted["org_no"] in evaluation.scores else []
    points = [d.points for d in found if all(getattr(d.finding, name) == value for name, value in asked.items())]
    if round(sum(points) / PARTS, _PLACES) != wanted["points"]:
        yield f"{wanted['org_no']} lost {sum(points) / PARTS:g} by {asked}, expected {wanted['points']}"
