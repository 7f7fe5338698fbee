"""The engine's promises for rules about rows: order of arrival, redelivery, judging twice, restarts, tighter limits."""

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Definitions, Engine, Partition, Reference, Step, describe
from schemas import AlertEvent, Change, Op
from tests.helpers.builders import REFERENCE, ms
from tests.helpers.row_books import book

HOUR, DAY = 3_600_000, 86_400_000
START = ms("2026-03-02T00:00")
END = START + 6 * DAY
"""Within the days that `absence` looks back, so that whatever comes last is still looked for."""
LIMIT = (
    "code: X-L, kind: deadline, each: notice, start: sent_at, limit: 2d, until: [done_at], "
    "rungs: {ALARM: {at: deadline}}"
)
NOTICE = (
    "code: X-N, kind: deadline, each: notice, start: sent_at, due: {field: due_at}, until: [done_at], "
    "until_row: {entity: ack, match: {no: no}, field: done_at}, rungs: {WARN: {share: 50%}, ALARM: {at: deadline}}"
)
IDLE = "code: X-I, kind: deadline, start: {entity: ack, field: done_at}, rungs: {WARN: {after: 30h}}"
THRESHOLD = (
    "code: X-T, kind: threshold, value: {sum: amt, of: ack}, against: {sum: amt, of: notice}, "
    "rungs: {WARN: {gt: 0.5}, ALARM: {gt: 1}}"
)
JUMP = "code: X-J, kind: jump, each: notice, value: amt, by: sent_at, base: {mean_of_last: 2}, over: 50%"
ABSENCE = (
    "code: X-A, kind: absence, expects: {entity: ack, date: day_at, arrived: done_at}, at: '06:00', "
    "since: begun_at, back: 7, rungs: {WARN: deadline}"
)
SEQUENCE = (
    "code: X-S, kind: sequence, each: notice, later: done_at, earlier: {entity: ack, field: done_at}, begin: sent_at"
)
RECONCILIATION = (
    "code: X-R, kind: reconciliation, left: {entity: notice, since: sent_at, until: done_at}, "
    "right: {entity: ack, since: done_at}, on: {no: no}, compare: [amt], after: 1d"
)
DISTINCT = "code: X-D, kind: distinct, fields: [asked_by], stages: [APPLY, CHECK]"
DOCUMENTS = "code: X-P, kind: documents, papers: [{entity: ack, field: name}], record: ack, stage: name"
BOOK = (LIMIT, NOTICE, IDLE, THRESHOLD, JUMP, ABSENCE, SEQUENCE, RECONCILIATION, DISTINCT, DOCUMENTS)
TIGHTER = (LIMIT.replace("2d", "1d"), *BOOK[1:])
KEEPS = "notice: {newest: 3, by: sent_at}, ack: {newest: 4, by: done_at}"

few = settings(max_examples=40)

times = st.none() | st.integers(0, 6 * 24 * 4).map(lambda quarters: START + quarters * HOUR // 4)
amounts = st.none() | st.integers(0, 40).map(Decimal)
numbers = st.none() | st.sampled_from(["1", "2", "3"])
people = st.none() | st.sampled_from(["E1", "E2"])
rows: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "thing": {"asked_by": people, "begun_at": st.just(START), "over_at": st.none()},
    "notice": {"no": numbers, "sent_at": times, "due_at": times, "done_at": times, "amt": amounts},
    "ack": {
        "no": numbers, "done_at": times, "amt": amounts, "day_at": st.integers(1, 6).map(lambda n: START + n * DAY),
        "name": st.none() | st.sampled_from(["申请表", "APPLY"]),
    },
    "visit": {
        "stage": st.sampled_from(["APPLY", "CHECK"]), "visit": st.just(1), "entered_at": times, "finished_at": times,
        "handler": people,
    },
}  # fmt: skip


@st.composite
def lives(draw: st.DrawFn) -> list[Change]:
    """Changes of one thing and its rows in order of arrival, whole rows; the thing's own row is always among them."""
    entities = draw(st.lists(st.sampled_from(["notice", "ack", "visit", "thing"]), max_size=14))
    arrivals = sorted(
        draw(st.lists(st.integers(0, END - START), min_size=len(entities) + 1, max_size=len(entities) + 1))
    )
    changes = []
    for number, (entity, after) in enumerate(zip(["thing", *entities], arrivals, strict=True)):
        row = "T1" if entity == "thing" else draw(st.sampled_from(["a", "b", "c", "d"]))
        fields: dict[str, Any] = draw(st.fixed_dictionaries(rows[entity]))
        op: Op = "d" if entity != "thing" and draw(st.integers(0, 9)) == 0 else "u"
        at = START + after
        changes.append(Change(entity, "T1", row, op, number + 1, at, f"t.{entity}", 0, number, fields))
    return changes


class Desk:
    """An engine with one partition."""

    def __init__(self, definitions: Definitions) -> None:
        self.reference = Reference(REFERENCE)
        self.engine = Engine(definitions, self.reference)
        self.alerts: list[AlertEvent] = []
        self.partition: Partition = self.engine.new_partition(0)
        self.engine.finish_recovery(self.partition)

    def feed(self, changes: list[Change]) -> "Desk":
        for change in changes:
            step = Step()
            self.engine.apply(self.partition, [change], step)
            self.alerts += step.alerts
        return self

    def advance(self, until: int = END) -> "Desk":
        step = Step()
        self.engine.advance(self.partition, until, step)
        self.alerts += step.alerts
        return self

    def restart(self) -> None:
        taken = self.engine.new_partition(0)
        for key, data in self.partition.instances.rows.items():
            self.engine.load(taken, key, data)
        self.engine.load_position(taken, self.engine.dump_position(self.partition))
        self.engine.release(self.partition)
        self.engine.finish_recovery(taken)
        self.partition = taken

    def judged_again(self) -> list[AlertEvent]:
        step = Step()
        opened = [self.partition.instances.open(key) for key in list(self.partition.instances)]
        self.engine.judges.judge_again(self.partition, [each for each in opened if each is not None], step)
        self.partition.instances.close(step.changed)
        return step.alerts

    def documents(self) -> list[dict[str, Any]]:
        return [describe(self.partition.instances[key]) for key in sorted(self.partition.instances)]

    def standing(self) -> list[tuple[Any, ...]]:
        """Give what is open in the end, and the rows that are kept."""
        return [(doc["instance"], sorted(doc["rows"]), _open(doc["alerts"])) for doc in self.documents()]


def _open(alerts: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    names = ("rule", "severity", "item", "stage", "due_at")
    return sorted(tuple(str(alert[name]) for name in names) for alert in alerts if alert["open"])


def shuffled(changes: list[Change], rng: random.Random) -> list[Change]:
    """Give the changes in another order that keeps the order per row, each arriving with the last of them."""
    queues: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        queues.setdefault((change.entity, change.row), []).append(change)
    waiting, found = [list(reversed(queue)) for queue in queues.values()], []
    while waiting:
        index = rng.randrange(len(waiting))
        found.append(msgspec.structs.replace(waiting[index].pop(), at=changes[-1].at))
        if not waiting[index]:
            waiting.pop(index)
    return found


@few
@given(lives(), st.randoms(use_true_random=False))
def test_any_order_of_arrival_that_keeps_the_order_per_row_leaves_the_same_open(
    changes: list[Change], rng: random.Random
) -> None:
    in_order = Desk(book(*BOOK)).feed(changes).advance()
    other = Desk(book(*BOOK)).feed(shuffled(changes, rng)).advance()
    assert other.standing() == in_order.standing()


@few
@given(lives(), st.randoms(use_true_random=False))
def test_the_rows_that_state_keeps_do_not_hang_on_the_order_of_arrival(
    changes: list[Change], rng: random.Random
) -> None:
    once = list({(c.entity, c.row): c for c in reversed(changes) if c.op != "d"}.values())  # what orders them stays
    in_order = Desk(book(*BOOK, keeps=KEEPS)).feed(once)
    other = Desk(book(*BOOK, keeps=KEEPS)).feed(shuffled(once, rng))
    assert [doc["rows"] for doc in other.documents()] == [doc["rows"] for doc in in_order.documents()]


@few
@given(lives(), st.randoms(use_true_random=False))
def test_redelivery_and_restarts_change_nothing(changes: list[Change], rng: random.Random) -> None:
    plain = Desk(book(*BOOK)).feed(changes).advance()
    again = Desk(book(*BOOK))
    for number, change in enumerate(changes):
        repeats = [changes[rng.randrange(number + 1)] for _ in range(rng.randrange(3))]
        again.feed([change, *(msgspec.structs.replace(repeat, at=change.at) for repeat in repeats)])
        if rng.random() < 0.2:
            again.restart()
    again.advance()
    assert Counter(map(_told, again.alerts)) == Counter(map(_told, plain.alerts))
    assert again.documents() == plain.documents()


def _told(alert: AlertEvent) -> tuple[str, str, str, int]:
    return alert.alert_id, alert.rule, alert.event, alert.raised_at


@few
@given(lives(), st.integers(START, END))
def test_judged_twice_at_one_time_the_second_time_says_nothing(changes: list[Change], until: int) -> None:
    desk = Desk(book(*BOOK)).feed(changes).advance(until)
    assert desk.judged_again() == []


@few
@given(lives())
def test_no_id_is_raised_twice_and_none_ends_that_is_not_open(changes: list[Change]) -> None:
    is_open: dict[str, bool] = {}
    for alert in Desk(book(*BOOK)).feed(changes).advance().alerts:
        assert (alert.event == "raised") == (alert.alert_id not in is_open)
        assert is_open.get(alert.alert_id, False) == (alert.event in {"cleared", "closed"})
        is_open[alert.alert_id] = alert.event in {"raised", "reopened"}


@few
@given(lives(), st.integers(START, END))
def test_a_tighter_limit_of_rows_never_removes_an_alert(changes: list[Change], until: int) -> None:
    desk = Desk(book(*BOOK)).feed([c for c in changes if c.at <= until]).advance(until)
    before, engine = desk.engine, Engine(book(*TIGHTER), desk.reference)
    engine.take_up(desk.partition, before)
    step = Step()
    while engine.carry_on(desk.partition, step, limit=10):
        pass
    assert [alert.event for alert in step.alerts if alert.event in {"cleared", "closed"}] == []
