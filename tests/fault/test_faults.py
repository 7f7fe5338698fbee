"""The short form on real Kafka: a few faults of each kind in one world, each script, and the sabotages.

The long form is `python -m tests.fault --long`. A failure names the seed and the folder with every log.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault import freezes, joins, kills, sabotage, scripted
from tests.fault.harness import Fault, Options, World
from tests.helpers.requirements import needs

SEED = 1
pytestmark = pytest.mark.timeout(600)  # a busy machine takes its time; alone each takes under a minute


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all that the product survives: what one fault leaves behind is the next one's ground.

    Its topics are keyed by the instance; those of the sabotaged worlds by their rows.
    """
    options = Options(is_keyed=True)
    with needs("kafka"), World(tmp_path_factory.mktemp("faults") / "world", SEED, options) as world:
        yield world


@pytest.mark.parametrize(
    "fault", [*scripted.FAULTS, kills.FAULTS[0], *joins.FAULTS, *freezes.FAULTS], ids=lambda fault: fault.name
)
def test_the_promise_is_kept_through(fault: Fault, world: World) -> None:
    before = world.checks
    fault.run(world, fault.short)
    assert world.checks > before


@pytest.mark.parametrize("fault", sabotage.FAULTS[:3], ids=lambda fault: fault.name)
def test_the_harness_fails_with(fault: Fault, tmp_path: Path) -> None:
    """The fourth, of the batches' borders, is in the long form only."""
    with needs("kafka"), World(tmp_path / "world", SEED, fault.options) as world:
        fault.run(world, 1)  # raises Blind if the sabotage went unseen
        assert world.hit
