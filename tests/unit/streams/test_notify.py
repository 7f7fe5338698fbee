"""The notifying agent's state: whole, or not at all."""

import pytest

from schemas import Broken, Instruction
from schemas.codec import encode_instruction, encode_notice
from sinks import OutboxPolicy, Senders
from streams.logic import Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from streams.notify import NotifyAgent, Notifying
from tests.helpers.notices import notice

NOTICES, CHANGELOG = SourcePartition("notices", 0), SourcePartition("changelog", 0)


class Record:
    offset = timestamp = 0
    headers = ()

    def __init__(self, key: bytes | None, value: bytes | None) -> None:
        self.key, self.value = key, value


def opened() -> Notifying:
    agent = NotifyAgent(
        Senders({}), OutboxPolicy(), notices=NOTICES.topic, changelog=CHANGELOG.topic, metrics=Metrics(version="0"),
        record=lambda _rows: None, now=lambda: 1_000.0,
    )  # fmt: skip
    return agent.open(Lease("notify", "", 0))


def changelog_of(*keys: str) -> Records:
    """Give what one transaction writes after notices with these keys."""
    notifying = opened()
    records = [Record(None, encode_notice(notice(key))) for key in keys]
    notifying.apply(NOTICES, records, len(records))
    return notifying.take().writes[CHANGELOG]


def recovered(rows: Records, committed: int) -> Notifying:
    notifying = opened()
    notifying.load([Record(*row) for row in rows])
    notifying.recover({NOTICES: Committed(committed)})
    return notifying


def test_the_rows_of_a_whole_changelog_are_the_outbox() -> None:
    assert len(recovered(changelog_of("a", "b", "c"), 3).outbox) == 3


def test_a_changelog_that_was_lost_and_is_half_written_anew_is_refused() -> None:
    rows = changelog_of("a", "b", "c")
    with pytest.raises(Broken, match="changelog-0 has 2 rows, and had 3"):
        recovered(rows[1:], 3)


def test_an_instruction_in_the_topic_of_the_notices_is_done_and_anything_else_is_passed() -> None:
    notifying = opened()
    row = notice("a", channel="none")
    wish = Instruction(instruction="cancel", key=row.key, by="H001")
    records = [Record(None, encode_notice(row)), Record(None, encode_instruction(wish)), Record(None, b"{}")]
    notifying.apply(NOTICES, records, 3)
    assert len(notifying.outbox) == 1
    assert notifying.outbox.state_of(row.key) == "unroutable"  # nothing of it waits
