"""The loop's agent and anomalies: each unit's have one owner, whoever tells of them, and nothing is lost on the way."""

import msgspec
import pytest

from rules import Strategies, anomaly_number, unit_in
from schemas import (
    Assigned,
    BadInput,
    Command,
    Happened,
    LoopRecord,
    Raised,
    decode_command,
    decode_loop,
    decode_task,
    encode_command,
    encode_loop,
)
from streams.inbox import LoopInbox
from streams.logic import Batch, SourcePartition
from streams.partitioner import Partitioner
from tests.helpers.anomalies import ANALYST, of_kind, raised
from tests.helpers.builders import shipped
from tests.helpers.loop_agents import Clock, Record, opened
from tests.helpers.loops import DAY, HOUR, MONDAY, alert, assigned, said

COMMANDS, INBOX, LOG = (SourcePartition(topic, 0) for topic in ("commands", "inbox", "log"))
OWNED = next(org for org in ("33401", "33402", "33403", "33404") if Partitioner(2).of(org)[1] == 0)
FOREIGN = next(org for org in ("33401", "33402", "33403", "33404") if Partitioner(2).of(org)[1] == 1)


def strategies() -> Strategies:
    found = shipped().strategies
    assert found is not None
    return found


def passed(batch: Batch) -> list[tuple[int, LoopRecord]]:
    """Give what was written to the loop, with the partition."""
    written = [
        (to.partition, value or b"") for to, rows in batch.writes.items() for _, value in rows if to.topic == "inbox"
    ]
    return [(number, decode_loop(value)) for number, value in written]


def test_who_was_told_of_a_long_alert_begins_an_anomaly_at_its_units_owner_and_no_task() -> None:
    record = raised(org_no=FOREIGN)
    notice = msgspec.structs.replace(assigned().notice, alert_id=record.event.alert_id)
    batch = Batch()
    assert LoopInbox("inbox", 2).tell(batch, [record.event], [notice, notice], strategies()) == [notice, notice]
    assert passed(batch) == [(1, record)]


def test_what_nobody_was_told_of_begins_no_anomaly() -> None:
    batch = Batch()
    LoopInbox("inbox", 2).tell(batch, [raised().event], [], strategies())
    assert passed(batch) == []


def test_what_becomes_of_a_long_alert_goes_to_its_units_owner() -> None:
    event = of_kind(raised(org_no=FOREIGN).event, "cleared")
    batch = Batch()
    LoopInbox("inbox", 2).tell(batch, [event], [], strategies())
    assert passed(batch) == [(1, Happened(event=event))]


def test_a_command_about_another_units_anomaly_is_sent_on() -> None:
    looping, number = opened(), raised(org_no=FOREIGN).number
    looping.apply(COMMANDS, [Record(encode_command(said("confirm", key=number, by=ANALYST)))], 1)
    ((owner, command),) = passed(looping.take())
    assert isinstance(command, Command)
    assert (owner, command.kind, command.key) == (1, "confirm", number)


def test_an_anomaly_is_shown_and_survives_the_worker() -> None:
    looping, record = opened(), raised(org_no=OWNED)
    looping.apply(INBOX, [Record(encode_loop(record))], 1)
    looping.apply(COMMANDS, [Record(encode_command(said("confirm", key=record.number, by=ANALYST)))], 1)
    batch = looping.take()
    views = [decode_task(v or b"") for to, rows in batch.writes.items() for _, v in rows if to.topic == "tasks"]
    assert [(view.number, view.kind, view.state) for view in views] == [(record.number, "anomaly", "SCREENED")]
    again = opened()
    again.load([Record(value, key) for key, value in batch.writes[LOG]])
    again.recover(dict(batch.offsets))
    assert again.loop.anomalies.rows[record.number].state == "SCREENED"


def test_a_short_task_that_becomes_long_is_passed_to_the_owner_of_its_unit() -> None:
    clock = Clock()
    looping = opened(clock)
    entries = tuple(
        (each.model_copy(update={"overdue_becomes": "connection"}) if each.id == "supervision" else each, office)
        for each, office in strategies().entries
    )
    changed = Strategies(strategies().calendar, entries)
    batch = Batch()
    event = alert("0123456789abcdef0123456789abcdef")
    LoopInbox("inbox", 2).tell(batch, [event], [assigned(event.alert_id).notice], changed)
    ((_, record),) = passed(batch)
    assert isinstance(record, Assigned)
    assert record.anomaly == anomaly_number(event.alert_id, event.org_no)
    looping.loop.use(changed)
    looping.loop.assign(record, MONDAY)
    clock.ms = MONDAY + DAY + HOUR
    looping.loop.advance(clock.ms)
    ((owner, begun),) = passed(looping.take())
    assert isinstance(begun, Raised)
    assert (begun.number, begun.strategy) == (record.anomaly, "connection")
    assert owner == Partitioner(2).of(unit_in(record.anomaly) or "")[1]


@pytest.mark.parametrize("amount", ['"NaN"', '"-1"', "-0.01", '"1E+13"', '"Infinity"'])
def test_an_amount_that_is_none_makes_no_command(amount: str) -> None:
    data = f'{{"kind":"rectify","key":"WA1-0","by":"H1","energy_kwh":{amount}}}'.encode()
    with pytest.raises(BadInput):
        decode_command(data, MONDAY)
