"""Conditions of definitions, at their edges: each comparison, lists, codes of units, and what is missing."""

from decimal import Decimal
from typing import Any

import pytest

from rules.engine.conditions import compile_condition


@pytest.mark.parametrize(
    ("condition", "fields", "holds"),
    [
        ({}, {}, True),
        ({"volt_class": "HV"}, {"volt_class": "HV"}, True),
        ({"volt_class": "HV"}, {"volt_class": "LV"}, False),
        ({"volt_class": "HV"}, {}, False),
        ({"kind": ["new", "more"]}, {"kind": "more"}, True),
        ({"kind": ["new", "more"]}, {"kind": "less"}, False),
        ({"kind": ["new", "more"]}, {}, False),
        ({"count": {"ge": 2}}, {"count": 2}, True),
        ({"count": {"ge": 2}}, {"count": 1}, False),
        ({"count": {"gt": 2}}, {"count": 2}, False),
        ({"count": {"gt": 2}}, {"count": 3}, True),
        ({"count": {"le": 2}}, {"count": 2}, True),
        ({"count": {"le": 2}}, {"count": 3}, False),
        ({"count": {"lt": 2}}, {"count": 2}, False),
        ({"count": {"lt": 2}}, {"count": 1}, True),
        ({"count": {"lt": 2}}, {"count": Decimal("1.9")}, True),
        ({"count": {"lt": 2}}, {"count": "1"}, False),
        ({"count": {"lt": 2}}, {"count": None}, False),
        ({"count": {"ne": 2}}, {"count": 3}, True),
        ({"count": {"ne": 2}}, {"count": 2}, False),
        ({"count": {"ne": 2}}, {}, True),
        ({"result": {"ne": ["failed", "timeout"]}}, {"result": "timeout"}, False),
        ({"result": {"ne": ["failed", "timeout"]}}, {"result": "ok"}, True),
        ({"result": {"ne": ["failed", "timeout"]}}, {}, True),
        ({"count": {"ge": 1, "lt": 3}}, {"count": 2}, True),
        ({"count": {"ge": 1, "lt": 3}}, {"count": 3}, False),
        ({"org_no": {"below": "33401"}}, {"org_no": "3340101"}, True),
        ({"org_no": {"below": "33401"}}, {"org_no": "33401"}, True),
        ({"org_no": {"below": "33401"}}, {"org_no": "3340201"}, False),
        ({"org_no": {"below": "33401"}}, {"org_no": None}, False),
        ({"org_no": {"below": "33401"}}, {}, False),
        ({"org_no": {"below": "No"}}, {}, False),
        ({"volt_class": "HV", "count": {"ge": 2}}, {"volt_class": "HV", "count": 2}, True),
        ({"volt_class": "HV", "count": {"ge": 2}}, {"volt_class": "HV", "count": 1}, False),
        ({"volt_class": "HV", "count": {"ge": 2}}, {"volt_class": "LV", "count": 2}, False),
    ],
)
def test_a_condition_holds_or_does_not(condition: dict[str, Any], fields: dict[str, Any], holds: bool) -> None:  # noqa: FBT001
    assert compile_condition(condition)(fields) is holds


@pytest.mark.parametrize("wrong", [{"count": {"about": 2}}, {"count": {"ge": "2"}}, {"count": {"ge": True}}])
def test_a_comparison_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown comparison|compares with a number"):
        compile_condition(wrong)
