"""R-D07: districts of which nobody could be told."""

from typing import Any

from rules import Reference
from rules.reach import uncovered
from schemas import Change

NOW = 1_000


def found(*rows: tuple[str, str, dict[str, Any]], districts: tuple[str, ...] = ("T1",)) -> list[tuple[str, str]]:
    reference = Reference(frozenset({"tg", "tg_manager", "customer_manager"}))
    for number in districts:
        reference.add(Change("tg", "", number, "c", 1, 0, "t", 0, 0, {"tg_no": number}))
    for entity, key, fields in rows:
        reference.add(Change(entity, "", key, "c", 1, 0, "t", 0, 0, fields))
    return [(each.tg_no, each.why) for each in uncovered(reference, [*districts, "T-unknown"], NOW)]


def test_district_whose_manager_has_a_number_is_covered() -> None:
    assert found(("tg_manager", "T1", {"mgr_no": "M1", "mobile": "1"})) == []
    assert found(("tg_manager", "T1", {"mgr_no": "M1"}), ("customer_manager", "M1", {"mobile": "1"})) == []


def test_district_without_a_manager_is_found() -> None:
    assert found(districts=("T2", "T1")) == [("T1", "no manager"), ("T2", "no manager")]
    assert found(("tg_manager", "T1", {"mgr_no": None})) == [("T1", "no manager")]


def test_manager_whose_time_is_over_or_has_not_come_is_none() -> None:
    link = {"mgr_no": "M1", "mobile": "1"}
    assert found(("tg_manager", "T1", {**link, "valid_to": NOW})) == [("T1", "no manager")]
    assert found(("tg_manager", "T1", {**link, "valid_from": NOW + 1})) == [("T1", "no manager")]


def test_manager_without_a_number_is_found() -> None:
    assert found(("tg_manager", "T1", {"mgr_no": "M1"}), ("customer_manager", "M1", {"mgr_name": "李"})) == [
        ("T1", "manager M1 without a mobile number")
    ]
