"""The notifying agent's state: whole, or not at all."""

from random import Random

import msgspec
import pytest

from rules import Mornings, QuietHours, state_council_calendar, task_number
from schemas import Broken, Instruction, Outcome, decode_loop
from schemas.codec import encode_instruction, encode_notice
from sinks import Holding, OutboxPolicy, Senders
from streams.inbox import LoopInbox
from streams.logic import Committed, Lease, Records, SourcePartition
from streams.metrics import Metrics
from streams.notify import NotifyAgent, Notifying
from tests.helpers.loops import HOUR, MONDAY
from tests.helpers.notices import notice
from tests.simulation.gateway import GOOD, Gateway

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


def test_the_loop_is_told_that_a_tasks_message_is_held_and_until_when() -> None:
    hours, night = Mornings(QuietHours(), state_council_calendar), MONDAY + 14 * HOUR
    agent = NotifyAgent(
        Senders({"sms": Gateway("sms", Random(0), (GOOD,), drops_repeats=False)}),
        OutboxPolicy(channels=frozenset({"sms"}), holding=Holding(hours=hours)),
        notices=NOTICES.topic, changelog=CHANGELOG.topic, metrics=Metrics(version="0"), record=lambda _rows: None,
        now=lambda: night / 1000, inbox=LoopInbox("loop", 1),
    )  # fmt: skip
    notifying = agent.open(Lease("notify", "", 0))
    told = msgspec.structs.replace(notice("a"), task=task_number("a", "M1", owner=0, owners=1))
    notifying.apply(NOTICES, [Record(None, encode_notice(told))], 1)
    ((_, value),) = notifying.take().writes[SourcePartition("loop", 0)]
    outcome = decode_loop(value or b"")
    assert isinstance(outcome, Outcome)
    assert (outcome.number, outcome.state, outcome.until) == (told.task, "held", night + 9 * HOUR)


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
