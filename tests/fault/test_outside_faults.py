"""The short form of the outside world's faults, for CI: one of each kind, in one world.

The long form: `make fault ARGS="--fault clock-steps --times 20 --seed 7"`, and so on for every name in FAULTS.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fault import broker_disks, outside_clock, outside_gateways, outside_poison
from tests.fault.harness import World
from tests.helpers.requirements import needs

SEED = 7
POISONED = 8
SHORT = {
    fault.name: fault
    for module in (broker_disks, outside_clock, outside_gateways, outside_poison)
    for fault in module.FAULTS
}
OPTIONS = replace(
    outside_gateways.ANY_END, lives_per_s=40.0, is_exact=False, kafka=outside_poison.OPTIONS.kafka
)  # fmt: skip
pytestmark = pytest.mark.timeout(900)  # a busy machine takes its time


def test_gateways_poison_and_a_full_disk_lose_and_double_nothing(tmp_path: Path) -> None:
    with needs("kafka"), World(tmp_path, SEED, OPTIONS) as world:
        SHORT["disk-full-store"].run(world, 1)
        SHORT["gateway-anything"].run(world, 1)
        SHORT["timer-in-rebalance"].run(world, 1)
        SHORT["poison"].run(world, POISONED)
        assert {"the store's disk was full", "gateways: changed", "rebalance with timers"} <= world.hit.keys()
        assert world.feed.raw
        assert world.truth.events


def test_a_stepping_clock_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with needs("kafka"), World(tmp_path, SEED, OPTIONS) as world:
        SHORT["clock-steps"].run(world, 1)
        assert world.truth.events
