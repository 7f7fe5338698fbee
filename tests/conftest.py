"""What every kind of test may ask for. Services start only when a test names their fixture."""

import os

import pytest
from hypothesis import settings

from tests.helpers.services import connect, kafka, own_kafka, postgres, prometheus, tansu

__all__ = ["connect", "kafka", "own_kafka", "postgres", "prometheus", "tansu"]

SLOW_FILES = frozenset(
    f"tests/{name}.py"
    for name in (
        "property/test_backtest", "property/test_live_change", "unit/rules/test_loader", "unit/rules/test_take_up",
        "unit/rules/test_testing", "unit/rules/test_versions", "unit/stagewatch/test_backtest",
        "unit/stagewatch/test_cli_definitions", "unit/stagewatch/test_travel", "unit/streams/test_definitions",
    )
)  # fmt: skip
"""Tests that judge by many rule books or replay whole captures: marked `slow`, and left to `make test`."""
SLOW_KINDS_TIMEOUT_S = 300
"""Simulations and end-to-end tests start services inside their own time, the first Maven download too."""


# At the desk property tests look for new cases at every run; in CI the same ones decide every time.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
# `make check` has a quick look at every law; `make test` looks at each a hundred times.
settings.register_profile("check", deadline=None, derandomize=True, max_examples=15)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "desk"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow files, and give the slow kinds more time, unless a test says its own."""
    for item in items:
        if item.nodeid.partition("::")[0] in SLOW_FILES:
            item.add_marker(pytest.mark.slow)
        is_slow = {"e2e", "fault", "simulation"} & set(item.path.parts)
        if is_slow and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_KINDS_TIMEOUT_S))
