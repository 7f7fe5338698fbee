"""Real services that a machine may lack: a skip with its reason, or a failure where CI demands them."""

import contextlib
import os
from collections.abc import Iterator

import pytest

from bench.java_artifacts import ToolMissing

NAMES = ("kafka", "connect", "postgres", "mariadb", "prometheus", "sms")


def required() -> frozenset[str]:
    """What `STAGEWATCH_REQUIRE` names; Connect stands on Kafka, so it asks for both."""
    named = frozenset(filter(None, os.environ.get("STAGEWATCH_REQUIRE", "").replace(" ", "").split(",")))
    return named | {"kafka"} if "connect" in named else named


@contextlib.contextmanager
def needs(name: str) -> Iterator[None]:
    """Turn `ToolMissing` inside into a skip, or into a failure if `name` is required here."""
    try:
        yield
    except ToolMissing as missing:
        if name in required():
            pytest.fail(f"{name} is required here (STAGEWATCH_REQUIRE), but {missing}")
        pytest.skip(f"{name}: {missing}")
