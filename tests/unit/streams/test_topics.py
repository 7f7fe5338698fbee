"""A state that is gone is not taken for a fresh start."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest

from schemas import Broken
from streams.logic import Committed, SourcePartition
from streams.topics import TopicNames, check_states

NAMES = TopicNames("app")
READ = SourcePartition(NAMES.deltas, 1)


async def committed(tps: Iterable[SourcePartition]) -> Mapping[SourcePartition, Committed]:
    return {tp: Committed(7) for tp in tps if tp == READ}


def check(topics: Iterable[str]) -> None:
    asyncio.run(check_states(NAMES, dict.fromkeys(topics, 2), committed))


def test_a_changelog_that_is_missing_of_what_was_read_stops_the_worker() -> None:
    with pytest.raises(Broken, match=r"app-totals-changelog is missing, and stagewatch\.deltas was read before"):
        check(NAMES.configs().keys() - {NAMES.changelog("totals")})


@pytest.mark.parametrize(
    "missing", [{NAMES.changelog("notify")}, {NAMES.changelog("totals"), NAMES.deltas}, NAMES.configs().keys()]
)
def test_a_changelog_is_made_for_what_was_never_read_or_is_not_there(missing: Iterable[str]) -> None:
    check(NAMES.configs().keys() - set(missing))


def test_every_changelog_has_what_it_is_the_state_of() -> None:
    assert {name for name in NAMES.configs() if name.endswith("-changelog")} == NAMES.states().keys()
