"""Structured conditions (`volt_class: HV`, `source_count: {ge: 2}`) compiled once into closures."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import ge, gt, le, lt, ne
from typing import Any

Fields = Mapping[str, Any]
Test = Callable[[Fields], bool]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"ge": ge, "gt": gt, "le": le, "lt": lt, "ne": ne}


def compile_condition(condition: Mapping[str, Any]) -> Test:
    """Give a test that holds if every entry of `condition` holds; an empty one always does.

    Raises ValueError for a comparison that is not known. A missing or null field fits nothing but `ne`; `ne` with a
    list holds for what is none of these.
    """
    tests = [_entry(field, wanted) for field, wanted in condition.items()]
    if not tests:
        return lambda _: True
    if len(tests) == 1:
        return tests[0]
    return lambda fields: all(test(fields) for test in tests)


def _entry(field: str, wanted: Any) -> Test:  # noqa: ANN401 - YAML scalar, list or mapping
    if isinstance(wanted, dict) and wanted.keys() == {"below"}:
        upper = str(wanted["below"])  # a unit's code begins with that of the unit above it
        return lambda fields: str(fields.get(field) or "").startswith(upper)
    if isinstance(wanted, dict):
        unknown = set(wanted) - set(COMPARISONS)
        if unknown:
            msg = f"unknown comparison {sorted(unknown)}; known are {sorted(COMPARISONS)}"
            raise ValueError(msg)
        for name, value in wanted.items():
            if name != "ne" and (isinstance(value, bool) or not isinstance(value, int | float)):
                msg = f"{field}: {{{name}: {value}}} compares with a number"
                raise ValueError(msg)
        pairs = [
            (_is_none_of, frozenset(value)) if name == "ne" and isinstance(value, list) else (COMPARISONS[name], value)
            for name, value in wanted.items()
        ]
        return lambda fields: all(_compare(test, fields.get(field), value) for test, value in pairs)
    if isinstance(wanted, list):
        options = frozenset(wanted)
        return lambda fields: fields.get(field) in options
    return lambda fields: fields.get(field) == wanted


def _is_none_of(value: Any, unwanted: frozenset[Any]) -> bool:  # noqa: ANN401
    """Tell whether a value is none of these."""
    return value not in unwanted


def _compare(test: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:  # noqa: ANN401
    if test is ne or test is _is_none_of:
        return bool(test(value, wanted))
    if not isinstance(value, int | Decimal) or not isinstance(wanted, int | float):
        return False
    return test(value, wanted)
