"""A share of the fuzzing that `fuzz_dialects` does at length, in every run of the suite."""

import pytest

from tests.property.fuzz_dialects import run

CASES = 6_000


@pytest.mark.parametrize("seed", [1, 2])
def test_a_spoilt_record_of_any_dialect_is_a_change_or_our_own_refusal(seed: int) -> None:
    counts = run(CASES, seed)
    assert sum(count.total() for count in counts.values()) == CASES
    assert all(count["change"] > 10 for count in counts.values())  # it does not only make nonsense


def test_a_seed_is_a_run_that_can_be_repeated() -> None:
    assert run(1_000, 7) == run(1_000, 7)
