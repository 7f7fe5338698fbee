"""R-D04: what two systems tell differently about one instance is a finding, and nothing is overwritten."""

from decimal import Decimal
from typing import Any

import pytest

from rules.reconciliation import Difference, differences
from rules.state import Instance, Place, Row, Visit
from schemas import to_wire

AT = 1_772_413_200_000
MINUTE = 60_000
PLACE = Place("t", 0, 0)


def row(**fields: Any) -> Row:
    return Row(1, to_wire(fields), PLACE)


def instance(main: dict[str, Any] | None = None, visits: list[Visit] | None = None, **others: Row) -> Instance:
    names = {"app": "application@lean:A1", "visit": "visit@lean:A1|SURVEY|1", "own": "coord_notice:C1"}
    return Instance(
        "A1", main=None if main is None else row(**main), visits=visits or [],
        others={names[name]: each for name, each in others.items()} or None,
    )  # fmt: skip


def visit(**fields: Any) -> Visit:
    return Visit("936", 1, PLACE, stage="SURVEY", visit=1, **fields)


def test_field_that_another_source_tells_otherwise_is_a_difference() -> None:
    found = differences(instance({"volt_class": "HV", "org_no": "1"}, app=row(volt_class="LV", org_no="1")))
    assert found == [Difference("lean", "volt_class", "HV", "LV")]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"cap": Decimal("630.00")}, {"cap": 630}),
        ({"accepted_at": AT}, {"accepted_at": AT + MINUTE}),
        ({"org_no": None}, {"org_no": "1"}),
        ({"org_no": "1"}, {"org_no": None}),
        ({"org_no": "1"}, {"tg_no": "T1"}),
        ({"status_code": "running"}, {"status_code": "在办"}),
    ],
)
def test_what_says_the_same_or_is_not_told_by_both_is_none(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert differences(instance(ours, app=row(**theirs))) == []


def test_times_differ_beyond_the_tolerance() -> None:
    known = instance({"accepted_at": AT}, app=row(accepted_at=AT + MINUTE + 1))
    assert [each.item for each in differences(known)] == ["accepted_at"]
    assert differences(known, tolerance_ms=2 * MINUTE) == []


def test_visits_are_compared_by_stage_and_number() -> None:
    known = [visit(entered_at=AT, finished_at=AT + 9 * MINUTE)]
    theirs = row(stage="SURVEY", visit=1, entered_at=AT, finished_at=AT + 99 * MINUTE)
    assert differences(instance(None, known, visit=theirs)) == [
        Difference("lean", "SURVEY.finished_at", AT + 9 * MINUTE, AT + 99 * MINUTE)
    ]
    assert differences(instance(None, known, visit=row(stage="SURVEY", visit=2, entered_at=1))) == []


@pytest.mark.parametrize(
    ("number", "item"), [(None, "SURVEY.entered_at"), (1, "SURVEY.entered_at"), (2, "SURVEY#2.entered_at")]
)
def test_a_visit_is_named_by_its_number_from_the_second_on(number: int | None, item: str) -> None:
    known = visit(entered_at=AT)
    known.visit = number
    theirs = row(stage="SURVEY", visit=number, entered_at=AT + 9 * MINUTE)
    assert [each.item for each in differences(instance(None, [known], visit=theirs))] == [item]


def test_deleted_rows_and_rows_of_one_source_only_are_not_compared() -> None:
    gone = row(volt_class="LV")
    gone.is_deleted = True
    assert differences(instance({"volt_class": "HV"}, app=gone)) == []
    assert differences(instance({"content": "a"}, own=row(content="b"))) == []
