"""A tracking partition and the rule book: when it goes over, what it says, and what a restart finds."""

from dataclasses import replace
from typing import Any

import pytest

from rules import Engine, Ledger, Reference, Step
from schemas import Change
from streams.definitions import RuleBook
from streams.judging import Judging
from tests.helpers.builders import REFERENCE, ms, shipped
from tests.helpers.rulebooks import LOOSE, TIGHT, Book

AT = ms("2026-03-04T12:00")


def rule_book(*, is_published: bool = True) -> RuleBook:
    reference = Reference(REFERENCE)
    book = RuleBook(Engine(shipped(), reference), lambda definitions: Engine(definitions, reference))
    if is_published:
        published = Book()
        published.publish(TIGHT, at=AT)
        book.ledger = published.ledger
    return book


def changes(*rows: tuple[str, str, str, dict[str, Any]]) -> list[Change]:
    """Give changes: entity, row and arrival."""
    return [
        Change(entity, "A1", row, "c", n + 1, ms(at), f"cdc.{entity}", 0, n, fields)
        for n, (entity, row, at, fields) in enumerate(rows)
    ]


LIFE = changes(
    ("application", "A1", "2026-03-02T09:00", {"volt_class": "HV", "app_no": "A1", "source_count": 1}),
    ("visit", "v1", "2026-03-02T09:00", {"stage": "SURVEY", "visit": 1, "entered_at": ms("2026-03-02T09:00")}),
    ("works_report", "r1", "2026-03-05T09:00", {"submitted_at": ms("2026-03-05T09:00")}),
)


def judging_of(book: RuleBook, *, is_new: bool = False) -> Judging:
    """Give a partition that began before anything was published, unless it is new."""
    published = book.ledger
    if not is_new:
        book.ledger = Ledger()
    judging = Judging(book, 0)
    judging.engine.finish_recovery(judging.partition)
    book.ledger = published
    return judging


def finish(judging: Judging, step: Step) -> None:
    while judging.is_under_way():
        judging.carry_on(step)


def test_what_came_before_the_moment_is_judged_by_the_set_before_in_one_batch() -> None:
    judging, step = judging_of(rule_book()), Step()
    judging.apply(LIFE, step)
    finish(judging, step)
    assert judging.partition.rules.serial == 1
    alarm = next(a for a in step.alerts if a.severity == "ALARM")
    assert (alarm.rule_version, alarm.raised_at, alarm.due_at) == (2, ms("2026-03-05"), ms("2026-03-05"))


def test_the_clock_runs_through_the_moment_and_changes_over_there() -> None:
    judging, step = judging_of(rule_book()), Step()
    judging.apply(LIFE[:2], step)
    assert judging.partition.rules.serial == 0
    judging.advance(ms("2026-03-31"), step)
    finish(judging, step)
    raised = [(a.severity, a.raised_at) for a in step.alerts if a.rule == "R-T03"]
    assert raised == [("WARN", AT), ("ALARM", ms("2026-03-05"))]


def test_a_partition_without_state_begins_with_what_is_in_effect() -> None:
    judging = judging_of(rule_book(), is_new=True)
    assert judging.partition.rules.serial == 1
    assert not judging.is_due(1 << 60)


def test_a_second_set_is_taken_up_after_the_first() -> None:
    book = rule_book(is_published=False)
    judging, step, published = judging_of(book), Step(), Book()
    judging.apply(LIFE[:2], step)
    published.publish(TIGHT, at=AT)
    published.publish(LOOSE, at=AT + 1)
    book.ledger = published.ledger
    judging.advance(AT + 10, step)
    finish(judging, step)
    assert judging.partition.rules.serial == 2
    assert [(a.severity, a.event) for a in step.alerts] == [("WARN", "raised"), ("WARN", "cleared")]


def test_other_folders_at_a_restart_are_taken_up_like_a_published_change() -> None:
    before, step = judging_of(rule_book(is_published=False)), Step()
    before.apply(LIFE[:2], step)
    before.advance(ms("2026-03-06T09:00"), step)
    position = before.engine.dump_position(before.partition)
    published = Book()
    reference = Reference(REFERENCE)
    tight = published.publish(TIGHT)
    own = RuleBook(Engine(replace(tight, serial=0), reference))
    heir = Judging(own, 0)
    for key, data in before.partition.instances.rows.items():
        heir.engine.load(heir.partition, key, data)
    heir.engine.load_position(heir.partition, position)
    heir.engine.finish_recovery(heir.partition)
    heir.resume()
    assert heir.is_under_way()
    after = Step()
    finish(heir, after)
    assert {a.severity for a in after.alerts if a.rule == "R-T03"} == {"WARN", "ALARM"}
    assert heir.partition.rules.digest == tight.digest


def test_a_worker_tells_that_it_judges_by_a_set_once_all_its_partitions_do() -> None:
    book, told = rule_book(), list[int]()
    book.on_taken = told.append
    book.judges_by(0, 0)
    book.judges_by(1, 0)
    book.judges_by(0, 1)
    assert told == [0, 0]
    book.judges_by(1, 1)
    book.judges_by(1, 1)
    assert told == [0, 0, 1]


def test_rules_that_the_topic_lost_are_replaced_by_those_in_effect(caplog: pytest.LogCaptureFixture) -> None:
    judging, step = judging_of(rule_book(), is_new=True), Step()
    judging.apply(LIFE[:2], step)
    position = judging.engine.dump_position(judging.partition)
    heir = Judging(rule_book(is_published=False), 0)
    heir.engine.load_position(heir.partition, position)
    heir.engine.finish_recovery(heir.partition)
    heir.resume()
    assert "are not in the topic any more" in caplog.text
    finish(heir, step)
    assert heir.partition.rules.serial == 0
