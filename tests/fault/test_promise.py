"""The oracle agrees with another count of the same lives, and every kind of broken promise is seen."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas import Recorded
from tests.fault import promise
from tests.fault.epochs import Lease, batches, stale
from tests.fault.feed import Sent, debezium, iso
from tests.fault.lives import APP, KEYS, PROGRESS, Step, new_life, references
from tests.fault.observed import Document, Notification
from tests.fault.oracle import Ambiguous, Event, Instance, Raised, Rung, Told, Truth, Visit, truth
from tests.helpers.recount import COUNTED, recount

NOW = 1_780_000_000_000
LIVES, EVERY_MS, ALL_TOLD_MS = 400, 50, 60_000
UNTIL = NOW + LIVES * EVERY_MS + ALL_TOLD_MS
RAISED = Event("raised", "R-T03", "ALARM", "A1", "SURVEY", 1, None)
TOLD = Told(RAISED, "M1", "sms")


def steps() -> Iterator[Step]:
    yield from references(NOW - 1000)
    for number in range(LIVES):
        yield from new_life(5, number, NOW + number * EVERY_MS)


def sent() -> list[Sent]:
    return [Sent(s.at, s.at + 5, s.of, s.topic, s.row) for s in sorted(steps(), key=lambda step: step.at)]


def recorded(told: Sequence[Sent]) -> Iterator[Recorded]:
    for number, each in enumerate(told):
        key = f'{{"{KEYS[each.topic]}": "{each.row[KEYS[each.topic]]}"}}'.encode()
        yield Recorded(each.topic, 0, number, each.at, key, debezium(each.row, number, each.at), {})


def test_the_oracle_and_the_recount_of_the_property_tests_raise_the_same_at_the_same_time() -> None:
    told = sent()
    counted = {
        (k.rule, k.severity, k.instance, k.stage, k.visit, k.item): at
        for k, at in recount(recorded(told), UNTIL).items()
    }
    found = {e[1:]: at.earliest for e, at in truth(told, UNTIL).events.items() if e.event == "raised"}
    assert {key: at for key, at in found.items() if key[0] in COUNTED} == counted
    assert {key[0] for key in found} == {"R-T03", "R-T05", "R-T19", "R-N01"}


def test_lives_hold_every_kind_of_end() -> None:
    expected = truth(sent(), UNTIL)
    assert {event.event for event in expected.events} == {"raised", "closed"}
    assert {told.channel for told in expected.told} == {"sms", "mail"}
    assert {instance.status for instance in expected.instances.values()} == {"running", "over"}
    assert {rung.is_open for i in expected.instances.values() for rung in i.rungs} == {True, False}


def test_what_falls_due_about_the_time_of_the_count_is_refused() -> None:
    due = next(s for s in sent() if s.topic == PROGRESS and s.row["stage_code"] == "DESIGN")
    app = next(s for s in sent() if s.of == due.of and s.topic == APP)
    with pytest.raises(Ambiguous):
        truth([*(s for s in sent() if s.topic not in {APP, PROGRESS}), app, due], due.at)


def an_alert(event: Event = RAISED, at: int = NOW) -> Document:
    named = event._asdict()
    item = named.pop("item")
    return {**named, "alert_id": "1", "raised_at": iso(at), "object": {"item": item} if item else None}


def test_alert_events_that_are_missing_repeated_made_up_or_at_a_wrong_time_are_faults() -> None:
    expected = Truth(events={RAISED: Raised(NOW, NOW)})
    other = RAISED._replace(instance="A2")
    assert promise.event_faults(expected, [an_alert()]) == []
    for found in ([], [an_alert(), an_alert()], [an_alert(), an_alert(other)], [an_alert(at=NOW - 1)]):
        assert len(promise.event_faults(expected, found)) == 1
    assert len(promise.event_faults(expected, [an_alert(at=NOW + 1)])) == 1
    assert promise.event_faults(expected, [an_alert(at=NOW + 1)], is_exact=False) == []


def a_document(**changes: object) -> Document:
    visit = {"stage": "SURVEY", "visit": 1, "entered_at": iso(NOW), "finished_at": None}
    rung = {"rule": "R-T03", "severity": "ALARM", "stage": "SURVEY", "visit": 1, "item": None, "open": True}
    return {
        "process": "hv_connection", "status": "running", "fields": {"tg_no": "TG1"}, "visits": [visit],
        "alerts": [rung], **changes,
    }  # fmt: skip


def test_instances_that_are_missing_made_up_or_different_in_anything_are_faults() -> None:
    rung = Rung("R-T03", "ALARM", "SURVEY", 1, None, is_open=True)
    instance = Instance("hv_connection", "running", {"tg_no": "TG1"}, {Visit("SURVEY", 1, NOW, None)}, {rung})
    expected = Truth(instances={"A1": instance})
    assert promise.instance_faults(expected, {"A1": a_document()}) == []
    changed: list[dict[str, object]] = [
        {"status": "over"},
        {"fields": {"tg_no": "TG2"}},
        {"visits": []},
        {"alerts": []},
    ]
    different = [{"A1": a_document(**change)} for change in changed]
    found: dict[str, Document]
    for found in ({}, {"A1": a_document(), "A2": a_document()}, *different):
        assert len(promise.instance_faults(expected, found)) == 1


class Taken(NamedTuple):
    msg_id: str


def send_faults(rows: list[tuple[str, str]], taken: Sequence[str]) -> list[str]:
    """`rows`: recipient and state; each has the recipient's name for its message."""
    kept = [Notification("1", who, "sms", state, f"for {who}", 1) for who, state in rows]
    expected = Truth(events={RAISED: Raised(NOW, NOW)}, told={TOLD})
    return promise.send_faults(expected, [an_alert()], promise.Sends(kept, [Taken(m) for m in taken]))


def test_one_send_or_one_unknown_is_kept_and_all_else_is_a_fault() -> None:
    assert send_faults([("M1", "delivered")], ["for M1"]) == []
    assert send_faults([("M1", "unknown")], ["for M1"]) == []
    assert send_faults([("M1", "unknown")], []) == []
    assert len(send_faults([], [])) == 1, "nobody was told"
    assert len(send_faults([("M1", "sending")], ["for M1"])) == 1, "it never ends"
    assert len(send_faults([("M1", "delivered")], [])) == 1, "said to be delivered, never was"
    assert len(send_faults([("M1", "delivered")], ["for M1", "for M1"])) == 1, "told twice"
    assert len(send_faults([("M1", "unknown")], ["for M1", "for M1"])) == 1, "told twice, and unknown"
    assert len(send_faults([("M1", "delivered"), ("M2", "delivered")], ["for M1", "for M2"])) == 1, "a wrong person"
    assert len(send_faults([("M1", "delivered")], ["for M1", "of nobody"])) == 1, "a message without a notification"


def test_dead_letters_that_are_missing_repeated_or_of_good_records_are_faults() -> None:
    place = (APP, 0, 7)
    letter = {"topic": APP, "partition": 0, "offset": 7}
    assert promise.letter_faults([place], [letter]) == []
    assert len(promise.letter_faults([place], [])) == 1
    assert len(promise.letter_faults([place], [letter, letter])) == 1
    assert len(promise.letter_faults([], [letter])) == 1


def test_a_batch_of_an_older_epoch_after_the_take_over_is_seen_in_the_log(tmp_path: Path) -> None:
    def batch(offset: int, epoch: int) -> bytes:
        builder = DefaultRecordBatchBuilder(
            magic=2, compression_type=0, is_transactional=1, producer_id=42, producer_epoch=epoch, base_sequence=0,
            batch_size=1 << 16,
        )  # fmt: skip
        builder.append(0, timestamp=NOW, key=b"k", value=b"v", headers=[])
        return offset.to_bytes(8, "big") + bytes(builder.build())[8:]

    (tmp_path / "t-0").mkdir()
    (tmp_path / "t-0" / "0.log").write_bytes(batch(0, 3) + batch(1, 4) + batch(2, 3))
    found = list(batches(tmp_path, {("t", 0): 1}))
    assert [(b.offset, b.producer_id, b.epoch) for b in found] == [(1, 42, 4), (2, 42, 3)]
    assert [b.offset for b in stale(found, {"id": Lease(42, 4)})] == [2]
