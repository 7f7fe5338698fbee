"""What is left of a changelog is never taken for the whole."""

import pytest
from aiokafka import TopicPartition

from schemas import Broken
from streams.logic import Batch, Committed, SourcePartition
from streams.recovery import LogEnd, check_beginnings, check_rows


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


def test_a_changelog_that_ends_before_its_last_transaction_is_no_state_even_if_no_input_had_moved() -> None:
    changelog, alerts = SourcePartition("changelog", 1), SourcePartition("alerts", 0)
    end, batch = LogEnd(changelog, 10, None), Batch(writes={alerts: [(b"a", b"b")], changelog: [(b"k", b"v")] * 3})
    end.note(batch)
    assert batch.offsets == {changelog: Committed(14)}  # three records and the marker of the transaction
    LogEnd(changelog, 14, Committed(14))
    LogEnd(changelog, 15, Committed(14))  # an aborted transaction came after it
    with pytest.raises(Broken, match=r"changelog-1 ends at offset 13, and ended at 14 at its last transaction"):
        LogEnd(changelog, 13, Committed(14))


def test_a_transaction_that_leaves_the_changelog_alone_says_nothing_of_its_end() -> None:
    batch = Batch(writes={SourcePartition("alerts", 0): [(b"a", b"b")], SourcePartition("changelog", 1): []})
    LogEnd(SourcePartition("changelog", 1), 10, None).note(batch)
    assert batch.offsets == {}
