"""The simulation can fail: a product without one of its safeguards is caught within a few worlds."""

import pytest

from tests.simulation.sabotage import Sabotage
from tests.simulation.worlds import run_world

WORLDS = 300
"""Caught in a fraction of these: the rarest shows in one world of thirty."""


def caught_in(
    sabotage: frozenset[Sabotage], worlds: int = WORLDS, kind: str | None = None
) -> tuple[int, list[str]] | None:
    """Give the first world that notices, and what it says."""
    for seed in range(worlds):
        lines, _ = run_world(seed, sabotage, kind)
        if lines:
            return seed, lines
    return None


@pytest.mark.parametrize("sabotage", sorted(set(Sabotage) - {Sabotage.MARK_AFTER}))
def test_a_product_without_a_safeguard_is_caught(sabotage: Sabotage) -> None:
    assert caught_in(frozenset({sabotage})) is not None


@pytest.mark.parametrize("sabotage", [Sabotage.NO_FENCING, Sabotage.OFFSETS_BEFORE, Sabotage.OFFSETS_AFTER])
def test_it_is_caught_by_what_came_of_it_and_not_only_by_the_check_of_positions(sabotage: Sabotage) -> None:
    caught = caught_in(frozenset({sabotage, Sabotage.NO_POSITION_CHECK}))
    assert caught is not None
    assert not caught[1][0].startswith("Broken")


@pytest.mark.parametrize("sabotage", [Sabotage.NO_RANGE_CHECK, Sabotage.UNCOMMITTED, Sabotage.CLAIM_NOT_WRITTEN])
def test_it_is_caught_by_what_people_were_answered_and_what_became_of_their_commands(sabotage: Sabotage) -> None:
    assert caught_in(frozenset({sabotage}), kind="desk") is not None


def test_marks_that_come_after_their_changes_break_nothing() -> None:
    """They vouch for less than there is: what is judged then is judged later, and none of it otherwise."""
    assert caught_in(frozenset({Sabotage.MARK_AFTER}), worlds=60) is None


@pytest.mark.parametrize("seed", [3, 30, 77])
def test_a_seed_gives_the_same_world_again(seed: int) -> None:
    assert run_world(seed) == run_world(seed)
