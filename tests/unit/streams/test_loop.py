"""The loop's agent: its state is whole or not at all, and what another partition owns is sent on."""

from collections.abc import Iterator
from itertools import count

import msgspec
import pytest

from rules import owner_of, task_number
from schemas import (
    Assigned,
    BadInput,
    Broken,
    Command,
    Raw,
    decode_command,
    decode_dead_letter,
    decode_instruction,
    decode_loop,
    decode_notice,
    decode_task,
    encode_command,
)
from schemas import encode_loop as encoded
from streams.inbox import LoopInbox
from streams.logic import Batch, Committed, Records, SourcePartition
from streams.loop import GRACE_MS, Looping
from tests.helpers.builders import shipped
from tests.helpers.loop_agents import Clock, Record, opened
from tests.helpers.loops import DAY, HOUR, MOBILE, MONDAY, alert, assigned, said

COMMANDS, INBOX, LOG = (SourcePartition(topic, 0) for topic in ("commands", "inbox", "log"))


def own(alert_id: str = "a1", owner: int = 0) -> tuple[str, bytes]:
    """Give the number of a task of an owner of two, and the record that makes it."""
    record = assigned(alert_id)
    number = task_number(alert_id, "M1", owner=owner, owners=2)
    return number, encoded(type(record)(number=number, event=record.event, notice=record.notice))


def recovered(rows: Records, committed: dict[SourcePartition, Committed], clock: Clock | None = None) -> Looping:
    looping = opened(clock)
    records: list[Raw] = [Record(value, key) for key, value in rows]
    looping.load(records)
    looping.recover(committed)
    return looping


def test_a_reply_closes_the_task_that_the_inbox_told_of_and_both_positions_are_kept() -> None:
    looping = opened()
    number, record = own()
    looping.apply(INBOX, [Record(record)], 1)
    looping.apply(COMMANDS, [Record(encode_command(said("reply", key=MOBILE, text=number)), offset=6)], 7)
    batch = looping.take()
    assert batch.offsets == {INBOX: Committed(1), COMMANDS: Committed(7)}
    views = [
        decode_task(value or b"") for topic, rows in batch.writes.items() if topic.topic == "tasks" for _, value in rows
    ]
    assert [(view.number, view.state) for view in views] == [(number, "CLOSED")]
    again = recovered(batch.writes[LOG], dict(batch.offsets))
    assert again.loop.cases.keys() == {"a1"}


def test_what_another_partition_owns_is_sent_on_as_it_stands() -> None:
    looping = opened()
    number, _ = own("a1", owner=1)
    looping.apply(COMMANDS, [Record(encode_command(said("close", key=number, by="U1")))], 1)
    (sent,) = looping.take().writes[SourcePartition("inbox", 1)]
    command = decode_loop(sent[1] or b"")
    assert isinstance(command, Command)
    assert (command.kind, command.key, command.by) == ("close", number, "U1")


def test_what_is_no_command_is_a_dead_letter_with_its_place_and_the_next_counts() -> None:
    looping = opened()
    records = [Record(b'{"kind":"burn","key":"1","by":"x"}', offset=3), Record(None, offset=4)]
    looping.apply(COMMANDS, records, 5)
    writes = looping.take().writes
    letters = [decode_dead_letter(v or b"") for tp, rows in writes.items() if tp.topic == "letters" for _, v in rows]
    assert sorted((letter.topic, letter.offset) for letter in letters) == [("commands", 3), ("commands", 4)]


def test_the_clock_waits_for_what_was_written_before_a_deadline() -> None:
    clock = Clock()
    looping = opened(clock)
    number, record = own()
    looping.apply(INBOX, [Record(record)], 1)
    batch = looping.take()
    clock.ms = MONDAY + DAY + HOUR
    late = recovered(batch.writes[LOG], dict(batch.offsets), clock)
    assert not late.is_due({})
    late.apply(COMMANDS, [Record(encode_command(said("reply", key=MOBILE, text=number)), at=MONDAY + HOUR)], 1)
    clock.ms += 2 * GRACE_MS
    late.tick({})
    assert [task.is_overdue for case in late.loop.cases.values() for task in case.tasks.values()] == [False]


def test_a_changelog_that_lost_rows_is_refused() -> None:
    looping = opened()
    looping.apply(INBOX, [Record(own()[1])], 1)
    rows = looping.take().writes[LOG]
    with pytest.raises(Broken, match="log-0 has 0 rows, and had 1"):
        recovered(rows[1:], {INBOX: Committed(1)})


def test_a_command_counts_from_its_arrival_if_it_claims_to_be_from_later() -> None:
    data = encode_command(said("lock", key="WO1", at=MONDAY + HOUR))
    assert decode_command(data, MONDAY).at == MONDAY


def test_who_has_a_task_is_told_by_its_owner_and_what_is_no_task_stays_as_it_is() -> None:
    inbox, batch = LoopInbox("inbox", 2), Batch()
    notice, strategies = assigned().notice, shipped().strategies
    assert strategies is not None
    assert inbox.tell(batch, [alert()], [notice], strategies) == []
    ((place, rows),) = batch.writes.items()
    looping = opened(number=place.partition)
    looping.apply(place, [Record(value) for _, value in rows], len(rows))
    written = looping.take().writes
    (told,) = [
        decode_notice(value or b"") for tp, found in written.items() if tp.topic == "notices" for _, value in found
    ]
    assert told.text == f"{notice.text}办结回{told.task}"
    assert owner_of(told.task, 2) == place.partition
    assert msgspec.structs.replace(told, text=notice.text, task="") == notice
    assert inbox.tell(batch, [alert(rule="A04")], [notice], strategies) == [notice]


def test_what_the_owner_finds_no_strategy_for_is_told_without_a_number() -> None:
    """A worker that judges by newer definitions handed it over."""
    record, looping = assigned(), opened()
    other = msgspec.structs.replace(record, event=alert(rule="R-X99"))
    looping.apply(INBOX, [Record(encoded(other))], 1)
    told = [row for tp, rows in looping.take().writes.items() if tp.topic == "notices" for row in rows]
    assert [decode_notice(value or b"") for _, value in told] == [record.notice]


def test_what_the_outbox_mutes_below_constrained_equipment_makes_no_task() -> None:
    strategies = shipped().strategies
    below = msgspec.structs.replace(assigned().notice, below="S1")
    for inhibits, is_task in ((True, False), (False, True)):
        batch = Batch()
        told = LoopInbox("inbox", 2, inhibits=inhibits).tell(batch, [alert()], [below], strategies)
        assert (told == [], bool(batch.writes)) == (is_task, is_task)


def test_what_is_handed_over_under_a_number_that_a_task_may_have_reaches_whoever_owns_either() -> None:
    inbox = LoopInbox("inbox", 2)
    number = next(n for n in numbers_of(owner=0) if inbox.owner_of_key(n) == 1)
    looping = opened()
    looping.apply(COMMANDS, [Record(encode_command(said("hand_over", key=number, by="H007", to="H008")))], 1)
    (sent,) = looping.take().writes[SourcePartition("inbox", 1)]
    orders = opened(number=1)
    orders.apply(SourcePartition("commands", 1), [Record(encode_command(said("lock", key=number, by="H007")))], 1)
    orders.apply(SourcePartition("inbox", 1), [Record(sent[1], at=MONDAY + HOUR)], 1)
    assert orders.loop.orders[number].holder == "H008"


def numbers_of(owner: int) -> Iterator[str]:
    return (task_number(f"a{n}", "M1", owner=owner, owners=2) for n in count())


def test_what_need_not_be_told_any_more_is_said_to_the_outbox_by_its_person() -> None:
    looping = opened()
    looping.apply(INBOX, [Record(own()[1]), Record(encoded(second_manager()))], 2)
    looping.apply(COMMANDS, [Record(encode_command(said("close", key=own()[0], by="U1")))], 1)
    told = [row for tp, rows in looping.take().writes.items() if tp.topic == "notices" for row in rows]
    wishes = [(key, decode_instruction(value or b"")) for key, value in told]
    assert [(key, wish.instruction, wish.to) for key, wish in wishes] == [(b"M1", "withdraw", "M1")]


def second_manager() -> Assigned:
    record = assigned(person="M2")
    return msgspec.structs.replace(record, number=task_number("a1", "M2", owner=0, owners=2))


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"lock WO1", "not-json"), (b'{"kind":', "not-json"), (b"\xff{}", "not-utf8"),
     (b'["lock"]', "wrong-type"), (b'{"kind":"burn","key":"1","by":"x"}', "wrong-type")],
)  # fmt: skip
def test_a_dead_letter_says_what_is_wrong_with_a_command(data: bytes, reason: str) -> None:
    with pytest.raises(BadInput) as why:
        decode_command(data, MONDAY)
    assert why.value.reason == reason
