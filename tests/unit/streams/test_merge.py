"""The merge: one order of time out of many source partitions, whatever the interleaving."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas import Change, Mark
from streams.logic import SourcePartition
from streams.merge import UNCOUNTED_S, Merge

A, B, C = SourcePartition("cdc.a.x", 0), SourcePartition("cdc.a.x", 1), SourcePartition("cdc.b.y", 0)


def change(source: SourcePartition, offset: int, at: int, part: int = 0) -> Change:
    row = f"{offset}.{part}"
    return Change("visit", f"i{offset % 3}", row, "c", offset, at, source.topic, source.partition, offset, {}, "", part)


def mark(source: SourcePartition, next_offset: int, at: int) -> Mark:
    return Mark(source.topic, source.partition, next_offset, at, is_end=False)


def place(item: Change) -> tuple[int, str, int, int, int]:
    return item.at, item.topic, item.partition, item.offset, item.part


def drain(merge: Merge, ends: dict[SourcePartition, int], *, now: float = 0.0, limit: int = 7) -> list[Change]:
    found: list[Change] = []
    while portion := merge.pop_ready(ends, now=now, limit=limit):
        found += portion
    return found


@st.composite
def sources(draw: st.DrawFn) -> dict[SourcePartition, list[Change]]:
    found = {}
    for source in (A, B, C):
        records = draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 1, 1, 2, 3])), max_size=8))
        at, items = 100, []
        for offset, (step, parts) in enumerate(records):
            at += step
            items += [change(source, offset, at, part) for part in range(parts)]
        found[source] = items
    return found


def deliveries(items: dict[SourcePartition, list[Change]], rng: random.Random) -> list[tuple[str, Change | Mark]]:
    """Give the log of `stagewatch.changes`: sources in order, anyhow interleaved, marks after what they vouch for."""
    waiting = {source: list(changes) for source, changes in items.items()}
    log: list[tuple[str, Change | Mark]] = []
    while any(waiting.values()):
        source = rng.choice([s for s, left in waiting.items() if left])
        last = rng.choice(waiting[source]).offset  # a record's changes are written together
        batch = [item for item in waiting[source] if item.offset <= last]
        waiting[source] = waiting[source][len(batch) :]
        log += [("change", item) for item in batch]
        log.append(("mark", mark(source, batch[-1].offset + 1, batch[-1].at)))
    return log


def feed(merge: Merge, log: Sequence[tuple[str, Change | Mark]], start: int, stop: int) -> None:
    for offset in range(start, stop):
        item = log[offset][1]
        if isinstance(item, Change):
            merge.push(item, offset)
        else:
            merge.mark(item)
    merge.read_to = max(merge.read_to, stop)


@given(sources(), st.integers(0, 2**32))
def test_any_interleaving_gives_the_same_order(items: dict[SourcePartition, list[Change]], seed: int) -> None:
    rng = random.Random(seed)
    log = deliveries(items, rng)
    ends = {source: changes[-1].offset + 1 if changes else 0 for source, changes in items.items()}
    merge, at = Merge(), 0
    judged: list[Change] = []
    while at < len(log):
        stop = min(len(log), at + rng.randint(1, 4))
        feed(merge, log, at, stop)
        judged += drain(merge, ends, limit=rng.randint(1, 5))
        at = stop
    assert judged == sorted((c for changes in items.values() for c in changes), key=place)
    assert merge.is_at_end(ends)
    assert merge.position().resume == len(log)


@given(sources(), st.integers(0, 2**32))
def test_a_restart_anywhere_loses_and_repeats_nothing(items: dict[SourcePartition, list[Change]], seed: int) -> None:
    rng = random.Random(seed)
    log = deliveries(items, rng)
    ends = {source: changes[-1].offset + 1 if changes else 0 for source, changes in items.items()}
    merge, at = Merge(), 0
    judged: list[Change] = []
    while at < len(log) or merge.has_queued():
        stop = min(len(log), at + rng.randint(1, 4))
        feed(merge, log, at, stop)
        at = stop
        judged += merge.pop_ready(ends, now=0.0, limit=rng.randint(1, 3))
        if rng.random() < 0.4:  # a crash right after the commit
            position = merge.position()
            merge = Merge()
            merge.restore(position)
            at = position.resume
    assert judged == sorted((c for changes in items.values() for c in changes), key=place)


def test_a_change_waits_for_a_source_that_has_unread_records() -> None:
    merge = Merge()
    merge.push(change(A, 0, 200), 0)
    ends = {A: 1, B: 5}
    assert merge.pop_ready(ends, now=0.0, limit=10) == []
    merge.mark(mark(B, 3, 199))
    assert merge.pop_ready(ends, now=0.0, limit=10) == []
    merge.mark(mark(B, 4, 201))
    assert [c.offset for c in merge.pop_ready(ends, now=0.0, limit=10)] == [0]


HOUR = 3_600_000


@st.composite
def written(draw: st.DrawFn) -> list[tuple[SourcePartition, int]]:
    """Give records in the order of their writing, each stamped as it is written: source and time."""
    at, log = 100, []
    for source, step in draw(st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(1, 5)), max_size=20)):
        at += step
        log.append((source, at))
    return log


@given(log=written(), wrong_by=st.sampled_from([0, HOUR]), seed=st.integers(0, 1_000))
def test_a_clock_that_is_ahead_changes_nothing_in_the_order(
    log: list[tuple[SourcePartition, int]], wrong_by: int, seed: int
) -> None:
    rng, merge = random.Random(seed), Merge()
    judged: list[Change] = []
    unread: dict[SourcePartition, list[Change]] = {A: [], B: [], C: []}
    ends = dict.fromkeys(unread, 0)
    asked: list[tuple[int, dict[SourcePartition, int]]] = []

    def read(source: SourcePartition, count: int) -> None:
        for item in unread[source][:count]:
            merge.push(item, item.offset)
            merge.mark(mark(source, item.offset + 1, item.at))
        del unread[source][:count]

    for source, at in log:
        if rng.random() < 0.5:
            asked.append((at + wrong_by, dict(ends)))  # before the record of this time is written
        unread[source].append(change(source, ends[source], at))
        ends[source] += 1
        read(rng.choice([A, B, C]), rng.randint(0, 3))
        if asked:
            reached = [question for question in asked if merge.is_at_end(question[1])]
            floor, floor_ends = reached[-1] if reached else (None, None)
            judged += merge.pop_ready(
                asked[-1][1], now=0.0, limit=3, horizon=asked[-1][0], floor=floor, floor_ends=floor_ends
            )  # fmt: skip
    for each in unread:
        read(each, len(log))
    judged += drain(merge, ends)
    assert [(SourcePartition(c.topic, c.partition), c.at) for c in judged] == log


def test_a_source_that_was_made_anew_holds_nobody_up_for_ever() -> None:
    merge = Merge()
    merge.push(change(A, 7, 100), 0)
    merge.mark(mark(A, 8, 100))
    assert merge.pop_ready({A: 3, B: 0}, now=0.0, limit=10) == []
    assert [c.offset for c in merge.pop_ready({A: 3, B: 0}, now=UNCOUNTED_S + 1, limit=10)] == [7]


def test_at_equal_times_the_place_decides_who_waits() -> None:
    merge = Merge()
    merge.push(change(B, 0, 200), 0)
    merge.mark(mark(A, 1, 200))  # A sorts before B: another record of A at 200 would come first
    assert merge.pop_ready({A: 2, B: 1}, now=0.0, limit=10) == []
    merge = Merge()
    merge.push(change(A, 0, 200), 0)
    merge.mark(mark(B, 1, 200))  # B sorts after A
    assert len(merge.pop_ready({A: 1, B: 2}, now=0.0, limit=10)) == 1


def test_nothing_is_judged_at_or_after_the_bound_of_the_reference_data() -> None:
    merge = Merge()
    for offset, at in enumerate((100, 200, 200, 300)):
        merge.push(change(A, offset, at), offset)
    found = merge.pop_ready({A: 4}, now=0.0, limit=10, reference_bound=200)
    assert [c.at for c in found] == [100]
    assert len(merge.pop_ready({A: 4}, now=0.0, limit=10)) == 3


def test_a_silent_source_is_passed_after_the_wait_and_counted_once() -> None:
    merge = Merge(merge_wait_s=300)
    merge.push(change(A, 0, 200), 0)
    ends = {A: 1, B: 5, C: 5}
    assert merge.pop_ready(ends, now=10.0, limit=10) == []
    assert merge.pop_ready(ends, now=309.0, limit=10) == []
    assert len(merge.pop_ready(ends, now=310.0, limit=10)) == 1
    assert merge.passed == 2
    assert not merge.is_at_end(ends)


def test_news_of_a_source_starts_its_wait_again() -> None:
    merge = Merge(merge_wait_s=300)
    merge.push(change(A, 0, 200), 0)
    ends = {A: 1, B: 5}
    merge.pop_ready(ends, now=0.0, limit=10)
    merge.mark(mark(B, 1, 50))
    assert merge.pop_ready(ends, now=301.0, limit=10) == []
    assert merge.passed == 0


def test_a_repeated_change_is_dropped() -> None:
    merge = Merge()
    assert merge.push(change(A, 0, 200), 0)
    assert not merge.push(change(A, 0, 200), 7)
    assert merge.repeats == 1


def test_the_changes_of_one_record_are_not_repeats_of_one_another() -> None:
    merge = Merge()
    assert [merge.push(change(A, 0, 200, part), part) for part in (0, 1, 0, 2, 1, 2)] == [
        True,
        True,
        False,
        True,
        False,
        False,
    ]
    assert merge.push(change(A, 1, 200), 6)
    assert not merge.push(change(A, 0, 200, 3), 7)
    assert merge.repeats == 4


def test_a_source_that_is_gone_is_not_waited_for_and_its_changes_are_judged() -> None:
    merge = Merge()
    merge.push(change(C, 0, 100), 0)
    assert len(merge.pop_ready({A: 0}, now=0.0, limit=10)) == 1


def test_without_an_answer_about_the_ends_nothing_is_judged() -> None:
    merge = Merge()
    merge.push(change(A, 0, 100), 0)
    assert merge.pop_ready({}, now=0.0, limit=10) == []


def test_votes_are_queued_at_their_time_and_nothing_waits_for_votes() -> None:
    merge = Merge()
    vote = Change("vote", "n1", "app7", "c", 150, 150, "", 3, 0, {})
    merge.push(vote, 4)
    merge.push(change(A, 0, 100), 5)
    merge.push(change(A, 1, 200), 6)
    merge.mark(mark(B, 1, 120))
    assert [c.at for c in merge.pop_ready({A: 2, B: 5}, now=0.0, limit=10)] == [100]
    merge.mark(mark(B, 2, 300))
    assert [c.entity for c in merge.pop_ready({A: 2, B: 5}, now=0.0, limit=10)] == ["vote", "visit"]


def test_portions_resume_before_the_first_change_that_was_not_handed_out() -> None:
    merge = Merge()
    for offset in range(5):
        merge.push(change(A, offset, 100 + offset), 10 + offset)
    merge.mark(mark(A, 5, 104))
    merge.read_to = 16
    assert len(merge.pop_ready({A: 5}, now=0.0, limit=2)) == 2
    assert merge.position().resume == 12
    assert merge.has_ready()
    drain(merge, {A: 5})
    assert merge.position().resume == 16
