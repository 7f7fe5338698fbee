"""Ten thousand seeded worlds in which everything goes wrong, and every promise is kept.

`STAGEWATCH_WORLDS` and `STAGEWATCH_SEED` say how many and from which seed on; a failure names the seeds to run again.
"""

import os

import pytest

from tests.simulation.faults import OTHERS, STRIKES
from tests.simulation.gateway import OUTCOMES
from tests.simulation.worlds import run_worlds

WORLDS = int(os.environ.get("STAGEWATCH_WORLDS") or 10_000)
FIRST_SEED = int(os.environ.get("STAGEWATCH_SEED") or 0)
ENOUGH_FOR_ALL = 200
"""In so many worlds every kind of fault strikes."""
ENOUGH_FOR_PEOPLE = 1_000
"""In so many worlds people have done everything that they can do."""
PHASES = ("idle", "nothing written", "transaction", "commit not acknowledged", "recovery")
DONE_BY_PEOPLE = (
    "answers", "ACKNOWLEDGED", "ARCHIVED", "archived in chaos", "CLOSED", "CONVERTED", "DISMISSED", "ESCALATED",
    "MERGED", "OVERDUE", "REFUSED", "REJECTED", "REOPENED", "SELF_CLEARED",
)  # fmt: skip
"""What must have happened to tasks and anomalies."""
DRAWN_APART = {"gateway", "poison", "repeat"}
"""Kinds that say how a world is made; what comes of them is counted otherwise."""


@pytest.mark.timeout(600)  # under five minutes on two cores of its own; twice that beside other work
def test_every_world_keeps_every_promise() -> None:
    failures, counted = run_worlds(FIRST_SEED, WORLDS)
    print(dict(sorted(counted.items())))  # noqa: T201 - what struck; seen with -s and with a failure
    assert not failures, "\n".join(map(str, failures[:10]))
    if WORLDS < ENOUGH_FOR_ALL:
        return
    struck = {*STRIKES, *OTHERS} - DRAWN_APART
    struck |= {f"crash: {phase}" for phase in PHASES} | {f"gateway {outcome}" for outcome in OUTCOMES}
    struck |= {"fenced", "late request refused", "dead letters", "records again", "worlds: real", "worlds: fake"}
    if WORLDS >= ENOUGH_FOR_PEOPLE:
        struck |= {f"desk: {what}" for what in DONE_BY_PEOPLE}
    struck |= {"worlds: desk"}
    assert not [kind for kind in sorted(struck) if not counted[kind]]
