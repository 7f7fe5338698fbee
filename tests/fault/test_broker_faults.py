"""The short form of the broker's faults, for CI: one of each kind, those that may share a world in one.

The long form: `make fault ARGS="--fault broker-restart --times 20 --seed 7"`, and so on for every name in FAULTS.
The outage of 60 s is only in the long form; here it is 8 s, longer than the session and shorter than a commit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fault import broker_changelog, broker_disks, broker_faults, broker_transactions
from tests.fault.harness import Fault, World
from tests.helpers.requirements import needs

SEED = 7
SHORT = {
    fault.name: fault
    for module in (broker_changelog, broker_disks, broker_faults, broker_transactions)
    for fault in module.FAULTS
}
pytestmark = pytest.mark.timeout(900)  # a busy machine takes its time


@contextmanager
def world_of(fault: Fault, folder: Path) -> Iterator[World]:
    with needs("kafka"), World(folder, SEED, fault.options) as world:
        yield world


def test_a_broker_killed_out_of_reach_slow_and_without_a_disk_loses_and_doubles_nothing(tmp_path: Path) -> None:
    names = ("broker-restart", "broker-unreachable-8s", "broker-slow", "disk-full-broker")
    with world_of(SHORT[names[0]], tmp_path) as world:
        for name in names:
            SHORT[name].run(world, 1)
        assert {"broker killed and restarted", "broker out of reach for 8 s", "slow broker",
                "the broker's disk was full"} <= world.hit.keys()  # fmt: skip
        assert world.truth.events


def test_a_transaction_that_the_coordinator_timed_out_is_never_committed(tmp_path: Path) -> None:
    fault = SHORT["transaction-timeout"]
    with world_of(fault, tmp_path) as world:
        fault.run(world, 1)
        assert world.hit["worker left"]


def test_a_changelog_that_was_lost_and_is_half_written_anew_stops_the_worker(tmp_path: Path) -> None:
    fault = SHORT["changelog-truncated"]
    with world_of(fault, tmp_path) as world:
        fault.run(world, 1)
