"""What every kind of test may ask for. Services start only when a test names their fixture."""

import os

import pytest
from hypothesis import settings

from tests.helpers.services import connect, kafka, own_kafka, postgres, prometheus, tansu

__all__ = ["connect", "kafka", "own_kafka", "postgres", "prometheus", "tansu"]

SLOW_KINDS_TIMEOUT_S = 300
"""Simulations and end-to-end tests start services inside their own time, the first Maven download too."""


# At the desk property tests look for new cases at every run; in CI the same ones decide every time.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
# `make check` has a quick look at every law; `make test` looks at each a hundred times.
settings.register_profile("check", deadline=None, derandomize=True, max_examples=15)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "desk"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the slow kinds more time, unless a test says its own."""
    for item in items:
        is_slow = {"e2e", "simulation"} & set(item.path.parts)
        if is_slow and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_KINDS_TIMEOUT_S))
