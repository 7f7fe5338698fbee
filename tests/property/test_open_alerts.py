"""What is counted as open is what is open, whatever happened: alerts that end, units that change, items that close."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Instance
from rules.engine.contributions import Contributions
from schemas import Number
from stagewatch.replay import Replay
from tests.helpers.builders import shipped
from tests.helpers.recount import DAY
from tests.helpers.replaying import replayed
from tests.helpers.simulate import END, World

UNTIL = int(END.timestamp() * 1000)
KINDS = {"open_alerts", "stage_blocked"}
few = settings(max_examples=10)
Sums = dict[tuple[str, ...], tuple[Number, Number]]


def codes() -> set[str]:
    return {each.code for p in shipped().processes.values() for each in p.indicators if each.kind in KINDS}


def standing(instances: Iterable[Instance]) -> Sums:
    """Count anew what all instances contribute as they are in the end."""
    found: Sums = {}
    for instance in instances:
        process = shipped().process_of(instance)
        if process is None:
            continue
        contributions = Contributions(process, shipped().calendar)
        parts = contributions.of_open.of(instance)
        parts += [part for visit in instance.visits for part in contributions.of_visit(instance, visit)]
        for code, org, day, dims, numerator, denominator in parts:
            if code in codes():
                was = found.get((code, org, day, dims), (0, 0))
                found[code, org, day, dims] = was[0] + numerator, was[1] + denominator
    return found


def told(replay: Replay) -> Sums:
    """Give what the differences add up to, without what is nothing."""
    sums = {tuple(key.split("|", 3)): (t.numerator, t.denominator) for key, t in replay.outcome.totals.rows.items()}
    return {key: amounts for key, amounts in sums.items() if key[0] in codes() and amounts != (0, 0)}


@few
@given(seed=st.integers(0, 2_000), days=st.integers(-140, 120))
def test_stocks_of_open_alerts_are_what_is_open(seed: int, days: int) -> None:
    until = UNTIL + days * DAY
    replay = replayed([each for each in World(seed, 12).records() if each.timestamp <= until], until)
    instances = replay._partition.instances.values()  # noqa: SLF001 - what the state holds in the end
    assert told(replay) == standing(instances)
