"""What is left of a changelog is never taken for the whole."""

import pytest
from aiokafka import TopicPartition

from schemas import Broken
from streams.logic import SourcePartition
from streams.recovery import check_beginnings, check_rows


def test_a_changelog_that_begins_later_than_it_did_is_no_state() -> None:
    check_beginnings({TopicPartition("changelog", 0): 0, TopicPartition("changelog", 1): 0})
    with pytest.raises(Broken, match=r"changelog-1: everything before offset 7 was deleted"):
        check_beginnings({TopicPartition("changelog", 0): 0, TopicPartition("changelog", 1): 7})


@pytest.mark.parametrize("found", [2, 4])
def test_a_changelog_with_other_rows_than_its_last_transaction_left_is_no_state(found: int) -> None:
    changelog = SourcePartition("changelog", 1)
    check_rows(changelog, 3, 3)
    with pytest.raises(Broken, match=rf"changelog-1 has {found} rows, and had 3"):
        check_rows(changelog, found, 3)
