"""What holds of any change of the rule book, over whole simulated source systems."""

import random
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Choice, Definitions, Engine, Step, proposed
from tests.helpers.builders import shipped, sums
from tests.helpers.rulebooks import LOOSE, SURVEY, TIGHT, Book, Edit, edited
from tests.property.test_engine import Shell, changes_of, counted, unlike

SCHEME = "- {process: hv_connection, stage: SCHEME, limit: 15wd}"
TOTAL = "- {process: hv_connection, total: true, limit: 46wd}"
CLOCK = "rungs: {WARN: {after: 45d}, ALARM: {after: 60d}}"
OPEN = "kind: stage_open, processes: [hv_connection, lv_connection], stage: "
INDICATOR: Edit = ("indicators/connection", f"{OPEN}SCHEME", f"{OPEN}CONNECT")
"""I121, which no evaluation divides."""
EDITS: tuple[Edit, ...] = (
    TIGHT,
    LOOSE,
    ("limits/default", SCHEME, SCHEME.replace("15wd", "6wd")),
    ("limits/default", TOTAL, TOTAL.replace("46wd", "20wd")),
    ("rules/connection", CLOCK, "rungs: {WARN: {after: 5d}, ALARM: {after: 9d}}"),
    ("rules/connection", "  - code: R-T11\n", "  - code: R-T11\n    enabled: false\n"),
    ("process/hv_connection", "title: 设计,", "title: 图纸设计,"),
)
seeds = st.integers(0, 400)
edits = st.sampled_from(EDITS)
few = settings(max_examples=6)


@lru_cache(maxsize=16)
def change(edit: Edit) -> tuple[Definitions, Definitions, Definitions]:
    """Give the shipped set as published, the changed one, and what a rollback brings back."""
    book = Book()
    return book.publish(), book.publish(edit), book.roll_back(1)


class Changing(Shell):
    """A shell whose rules change while it is at work."""

    def begin(self, definitions: Definitions) -> None:
        before, self.engine = self.engine, Engine(definitions, self.reference)
        for partition in self.partitions:
            self.engine.take_up(partition, before)

    def carry_on(self, portion: int) -> bool:
        step = Step()
        has_more = [self.engine.carry_on(partition, step, limit=portion) for partition in self.partitions]
        self.keep(step)
        return any(has_more)

    def take_up(self, definitions: Definitions) -> Step:
        """Go over all at once; give what came of it."""
        self.begin(definitions)
        self.carry_on(1 << 30)
        return self.steps[-1]

    def fall_over(self, before: Definitions) -> None:
        """Be killed in the middle of a change; another worker goes on with it."""
        after = self.engine.definitions
        engine = Engine(after, self.reference)
        for number, partition in enumerate(self.partitions):
            is_under_way = partition.take_up is not None
            taken = engine.new_partition(number)
            for key, data in partition.instances.rows.items():
                engine.load(taken, key, data)
            engine.load_position(taken, self.engine.dump_position(partition))
            self.engine.release(partition)
            engine.finish_recovery(taken)
            if is_under_way:
                engine.take_up(taken, Engine(before, self.reference))
            self.partitions[number] = taken
        self.engine = engine


def standing(documents: Iterable[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Give what is open, by what makes it the same, and when it is due."""
    return [
        (doc["instance"], alert["rule"], alert["severity"], str(alert["stage"]), str(alert["visit"]), alert["due_at"])
        for doc in documents
        for alert in doc["alerts"]
        if alert["open"]
    ]


@few
@given(seeds, edits)
def test_publishing_the_same_twice_changes_nothing(seed: int, edit: Edit) -> None:
    book = Book()
    first = book.publish(edit)
    current = book.ledger.current
    assert current is not None
    again = proposed(book.ledger, book.ledger.read(current.definitions), edited(edit), Choice())
    assert again.content == current.content
    assert again.rule_versions == current.rule_versions
    shell = Changing().feed(changes_of(seed))
    assert isinstance(shell, Changing)
    shell.take_up(first)
    rows = [dict(partition.instances.rows) for partition in shell.partitions]
    step = shell.take_up(first)
    assert (step.alerts, step.notices, step.deltas, step.rows) == ([], [], [], {})
    assert [partition.instances.rows for partition in shell.partitions] == rows


@few
@given(seeds, edits, st.floats(0, 1))
def test_apply_then_rollback_equals_never_applied_for_future_deadlines(seed: int, edit: Edit, share: float) -> None:
    changes = changes_of(seed)
    cut = int(len(changes) * share)
    published, changed, back = change(edit)
    plain, tried = Changing(), Changing()
    for shell in (plain, tried):
        shell.feed(changes[:cut])
        shell.take_up(published)
    tried.take_up(changed)
    tried.take_up(back)
    assert _dues(tried) == _dues(plain)
    for shell in (plain, tried):
        shell.feed(changes[cut:]).advance()
    assert standing(tried.documents()) == standing(plain.documents())
    assert _dues(tried) == _dues(plain)


def _dues(shell: Shell) -> list[tuple[Any, ...]]:
    """Give when everything falls due next."""
    found = []
    for partition in shell.partitions:
        for key, instance in sorted(partition.instances.items()):
            found.append((key, instance.due, instance.scheduled, [visit.due for visit in instance.visits]))
    return found


@few
@given(seeds, st.sampled_from([4, 3, 2, 1, 0]), st.floats(0, 1))
def test_a_tightened_limit_never_removes_an_alert(seed: int, days: int, share: float) -> None:
    changes = changes_of(seed)
    tight = Book().publish(("limits/default", SURVEY, SURVEY.replace("5wd", f"{days}wd")))
    shell = Changing()
    shell.feed(changes[: int(len(changes) * share)])
    assert [alert.event for alert in shell.take_up(tight).alerts if alert.event in {"cleared", "closed"}] == []


@few
@given(seeds, edits, st.integers(1, 7), st.randoms(use_true_random=False))
def test_portions_changes_between_them_and_crashes_make_no_difference(
    seed: int, edit: Edit, portion: int, rng: random.Random
) -> None:
    changes, after = changes_of(seed), Book().publish(edit)
    cut = len(changes) // 2
    whole, parts = Changing(), Changing()
    whole.feed(changes[:cut])
    whole.take_up(after)
    whole.feed(changes[cut:]).advance()
    parts.feed(changes[:cut])
    parts.begin(after)
    rest = list(changes[cut:])
    while parts.carry_on(portion):
        for _ in range(rng.randrange(8)):
            if rest:
                parts.feed([rest.pop(0)])
        if rng.random() < 0.2:
            parts.fall_over(shipped())
    parts.feed(rest).advance()
    assert unlike(parts.documents(), whole.documents()) == []
    one, other = counted(parts.alerts), counted(whole.alerts)
    assert one - other == other - one == Counter()
    assert sums(parts.steps) == sums(whole.steps)


@few
@given(seeds, st.randoms(use_true_random=False))
def test_an_indicator_that_changes_is_counted_anew(seed: int, rng: random.Random) -> None:
    changes, after = changes_of(seed), Book().publish(INDICATOR)
    shell = Changing()
    shell.feed(changes)
    shell.take_up(after)
    fresh = Shell()
    fresh.engine = Engine(after, fresh.reference)
    fresh.feed(changes)
    mine, expected = ({k: v for k, v in sums(s.steps).items() if k[0] == "I121"} for s in (shell, fresh))
    assert mine == expected
