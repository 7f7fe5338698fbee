"""The engine's promises over whole simulated source systems and over shuffled changes."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Engine, Partition, Reference, Step, describe
from rules.engine.contributions import Contributions
from rules.engine.partition import Part
from rules.state import Instance
from schemas import AlertEvent, Change, Decoder
from tests.helpers.builders import REFERENCE, shipped, sums
from tests.helpers.recount import DAY, recount
from tests.helpers.replaying import differences, raised, replayed, sources
from tests.helpers.simulate import END, World

UNTIL = int(END.timestamp() * 1000) + 60 * DAY
WAITS_FOR_ARRIVAL = frozenset({"R-T18", "R-T19", "R-D03", "R-N01", "R-N02", "R-N04", "R-N08"})
"""Rules whose outcome hangs on when, or in which order, the news came."""

seeds = st.integers(0, 400)
few = settings(max_examples=6)


@lru_cache(maxsize=64)
def changes_of(seed: int, applications: int = 8) -> tuple[Change, ...]:
    """Give the changes of a small world in order of arrival."""
    records = World(seed, applications).records()
    decoders = {m.topic: Decoder(m) for m in sources().mappings}
    decoded = [
        decoders[r.topic].decode(
            key=r.key, value=r.value, timestamp=r.timestamp, topic=r.topic, partition=0, offset=r.offset
        )
        for r in records
    ]
    changes = [c for c in decoded if c is not None and c.entity in {*REFERENCE, "application", "visit", "works_report"}]
    return tuple(sorted(changes, key=lambda c: (c.at, c.entity not in REFERENCE, c.topic, c.offset)))


class Shell:
    """What a worker does around the engine: partitions by instance, votes carried over, restarts."""

    def __init__(self, partitions: int = 1) -> None:
        self.reference = Reference(REFERENCE)
        self.engine = Engine(shipped(), self.reference)
        self.steps: list[Step] = []
        self.partitions = [self._new(n) for n in range(partitions)]
        for partition in self.partitions:
            self.engine.finish_recovery(partition)

    def _new(self, number: int) -> Partition:
        return self.engine.new_partition(number)

    def owner(self, key: str) -> Partition:
        return self.partitions[sum(key.encode()) % len(self.partitions)]

    def feed(self, changes: Iterable[Change]) -> "Shell":
        for change in changes:
            if change.entity in REFERENCE:
                self.reference.add(change)
            if change.instance:
                self.apply(self.owner(change.instance), [change])
            elif change.op == "d" and change.entity not in REFERENCE:
                for partition in self.partitions:
                    self.apply(partition, [change])
        return self

    def apply(self, partition: Partition, changes: Sequence[Change]) -> None:
        step = Step()
        self.engine.apply(partition, changes, step)
        self.keep(step)

    def keep(self, step: Step) -> None:
        self.steps.append(step)
        for vote in step.votes:
            self.apply(self.owner(vote.instance), [vote])

    def advance(self, until: int = UNTIL) -> "Shell":
        for partition in self.partitions:
            step = Step()
            self.engine.advance(partition, until, step)
            self.keep(step)
        return self

    def restart(self) -> None:
        """Write each partition down and let another engine with the same reference data read it."""
        engine = Engine(shipped(), self.reference)
        for number, partition in enumerate(self.partitions):
            taken = engine.new_partition(number)
            for key, data in partition.instances.rows.items():
                engine.load(taken, key, data)
            engine.load_position(taken, self.engine.dump_position(partition))
            self.engine.release(partition)
            engine.finish_recovery(taken)
            self.partitions[number] = taken
        self.engine = engine

    @property
    def alerts(self) -> list[AlertEvent]:
        return [a for step in self.steps for a in step.alerts]

    def documents(self) -> list[dict[str, Any]]:
        instances = {k: i for p in self.partitions for k, i in p.instances.items()}
        return [describe(instances[key]) for key in sorted(instances)]


def settled(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give documents without what the order of arrival decides: of alerts, what is open by its deadline alone."""
    return [{**doc, "alerts": [] if _is_suspended(doc) else _standing(doc["alerts"])} for doc in documents]


def _is_suspended(doc: dict[str, Any]) -> bool:
    """While a suspension is open nothing falls due, but what fell due before it began stands: arrival decides."""
    return any(v["suspend_from"] and not v["suspend_to"] and not v["finished_at"] for v in doc["visits"])


def _standing(alerts: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(
        (a["rule"], a["severity"], str(a["stage"]), str(a["visit"]), str(a["due_at"]))
        for a in alerts
        if a["open"] and a["rule"] not in WAITS_FOR_ARRIVAL
    )


def counted(alerts: Iterable[AlertEvent]) -> Counter[tuple[str, str, str, int]]:
    """Give what makes an alert event the same (its words name whoever is manager when it is written)."""
    return Counter((a.alert_id, a.rule, a.event, a.raised_at) for a in alerts)


def unlike(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[str]:
    """Give the parts in which documents differ, one line each."""
    if [doc["instance"] for doc in one] != [doc["instance"] for doc in other]:
        return ["not the same instances"]
    return [
        f"{a['instance']} {name}: {a[name]} / {b[name]}"
        for a, b in zip(one, other, strict=True)
        for name in a
        if a[name] != b[name]
    ]


def interleaved(changes: Sequence[Change], rng: random.Random) -> list[Change]:
    """Give the changes in another order that keeps the order per source row; each arrives after the one before."""
    queues: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        queues.setdefault((change.topic, change.row), []).append(change)
    waiting = [list(reversed(queue)) for queue in queues.values()]
    start = max(c.at for c in changes)
    found: list[Change] = []
    while waiting:
        index = rng.randrange(len(waiting))
        change = waiting[index].pop()
        found.append(msgspec.structs.replace(change, at=start + len(found)))
        if not waiting[index]:
            waiting[index] = waiting[-1]
            waiting.pop()
    return found


@few
@given(seeds, st.randoms(use_true_random=False))
def test_any_interleaving_that_keeps_the_order_per_row_gives_the_same_state(seed: int, rng: random.Random) -> None:
    changes = changes_of(seed)
    in_order = Shell().feed(changes).advance()
    shuffled = Shell().feed(interleaved(changes, rng)).advance()
    assert unlike(settled(shuffled.documents()), settled(in_order.documents())) == []
    one, other = (_without(sums(shell.steps), *OF_ALERTS) for shell in (shuffled, in_order))
    assert {key: total for key, total in one.items() if not _by_customer(key)} == {
        key: total for key, total in other.items() if not _by_customer(key)
    }


def _by_customer(key: tuple[str, str, str, str]) -> bool:
    """A customer type that comes after the application was archived changes its evaluation no more."""
    return key[0] in {"I122", "I152"} and "lv_connection" in key[3]


OF_ALERTS = ("alerts", "open_alerts", "stage_blocked")
"""Kinds of indicators that depend on what was raised, which the order of arrival decides."""


def _without(
    totals: dict[tuple[str, str, str, str], tuple[int | Decimal, int | Decimal]], *kinds: str
) -> dict[tuple[str, str, str, str], tuple[int | Decimal, int | Decimal]]:
    every = [indicator for process in shipped().processes.values() for indicator in process.indicators]
    left_out = {indicator.code for indicator in every if indicator.kind in kinds}
    return {key: total for key, total in totals.items() if key[0] not in left_out}


@few
@given(seeds, st.randoms(use_true_random=False))
def test_redelivery_of_any_change_changes_nothing(seed: int, rng: random.Random) -> None:
    changes = changes_of(seed)
    plain = Shell().feed(changes).advance()
    again: list[Change] = []
    for number, change in enumerate(changes):
        again.append(change)
        repeats = [changes[rng.randrange(number + 1)] for _ in range(rng.randrange(3))]
        again += [msgspec.structs.replace(repeat, at=change.at) for repeat in repeats]
    repeated = Shell().feed(again).advance()
    assert (
        counted(repeated.alerts) - counted(plain.alerts)
        == counted(plain.alerts) - counted(repeated.alerts)
        == Counter()
    )
    assert unlike(repeated.documents(), plain.documents()) == []
    assert sums(repeated.steps) == sums(plain.steps)


@few
@given(seeds, st.randoms(use_true_random=False))
def test_a_restart_at_any_point_changes_nothing(seed: int, rng: random.Random) -> None:
    changes = changes_of(seed)
    plain = Shell().feed(changes).advance()
    restarted = Shell()
    for change in changes:
        restarted.feed([change])
        if rng.random() < 0.05:
            restarted.restart()
    restarted.advance((changes[-1].at + UNTIL) // 2)
    restarted.restart()
    restarted.advance()
    assert [a for a, b in zip(restarted.alerts, plain.alerts, strict=True) if a != b] == []
    assert unlike(restarted.documents(), plain.documents()) == []


@few
@given(seeds, st.integers(2, 7))
def test_any_number_of_partitions_raises_the_same_alerts(seed: int, count: int) -> None:
    changes = changes_of(seed)
    one, many = Shell().feed(changes).advance(), Shell(count).feed(changes).advance()
    assert counted(many.alerts) - counted(one.alerts) == counted(one.alerts) - counted(many.alerts) == Counter()
    assert unlike(many.documents(), one.documents()) == []
    assert sums(many.steps) == sums(one.steps)


@few
@given(seeds, st.randoms(use_true_random=False))
def test_batches_of_any_size_raise_the_same_alerts(seed: int, rng: random.Random) -> None:
    changes = changes_of(seed)
    single = Shell().feed(changes).advance()
    batched = Shell()
    rest = list(changes)
    while rest:
        size = rng.randrange(1, 200)
        batch, rest = rest[:size], rest[size:]
        while rest and rest[0].at == batch[-1].at:  # one moment is one batch: the list comes first in it
            batch.append(rest.pop(0))
        for change in batch:
            if change.entity in REFERENCE:
                batched.reference.add(change)
        batched.apply(batched.partitions[0], [c for c in batch if c.instance or c.entity not in REFERENCE])
    batched.advance()
    assert (
        counted(batched.alerts) - counted(single.alerts)
        == counted(single.alerts) - counted(batched.alerts)
        == Counter()
    )
    assert unlike(batched.documents(), single.documents()) == []


@few
@given(seeds)
def test_no_id_is_raised_twice_and_no_other_event_comes_before_it(seed: int) -> None:
    shell = Shell().feed(changes_of(seed, 20)).advance()
    known: set[str] = set()
    is_open: dict[str, bool] = {}
    for alert in shell.alerts:
        if alert.event == "raised":
            assert alert.alert_id not in known
            known.add(alert.alert_id)
        assert alert.alert_id in known
        assert is_open.get(alert.alert_id, False) == (alert.event in {"cleared", "closed"})
        is_open[alert.alert_id] = alert.event in {"raised", "reopened"}


@few
@given(seeds, st.lists(st.integers(0, UNTIL), max_size=20))
def test_the_clock_never_runs_backwards(seed: int, moments: list[int]) -> None:
    shell, changes = Shell(), changes_of(seed, 3)
    clock = 0
    for number, change in enumerate(changes):
        shell.feed([change])
        if number < len(moments):
            shell.advance(moments[number])
        assert shell.partitions[0].clock >= clock
        clock = shell.partitions[0].clock


def parts_of(instance: Instance) -> list[Part]:
    """Give what an instance contributes, from its state alone."""
    process = shipped().processes.get(instance.process or "")
    if process is None or instance.main is None:
        return []
    contributions = Contributions(process, shipped().calendar)
    of_visits = [part for visit in instance.visits for part in contributions.of_visit(instance, visit)]
    of_rows = [part for parts in (instance.counted or {}).values() for part in parts]
    return contributions.of_main(instance) + of_visits + of_rows


@few
@given(seeds)
def test_differences_add_up_to_what_the_final_state_contributes(seed: int) -> None:
    shell = Shell().feed(changes_of(seed, 20)).advance()
    totals: dict[tuple[str, str, str, str], list[int | Decimal]] = {}
    for instance in shell.partitions[0].instances.values():
        for code, org, day, dims, numerator, denominator in parts_of(instance):
            total = totals.setdefault((code, org, day, dims), [0, 0])
            total[0] += numerator
            total[1] += denominator
    expected = {key: (n, d) for key, (n, d) in totals.items() if n or d}
    assert _without(sums(shell.steps), "alerts") == _without(expected, "alerts")


COLUMNS = ("stage", "entered_at", "finished_at", "suspend_from", "handler", "result", "dept")
TIMES = ("entered_at", "finished_at", "suspend_from")
partial = st.fixed_dictionaries(
    {}, optional={n: st.none() | (st.integers(1, 9) if n in TIMES else st.sampled_from("abcdefg")) for n in COLUMNS}
)


@given(
    st.lists(partial, min_size=1, max_size=7),
    st.randoms(use_true_random=False),
    st.sampled_from(["visit", "application"]),
)
def test_partial_updates_in_any_order_leave_the_newest_value_of_each_column(
    images: list[dict[str, Any]], rng: random.Random, entity: str
) -> None:
    changes = [
        Change(entity, "A1", "A1", "u", n + 1, 1000, f"t.{entity}", 0, n, {**image, "volt_class": "HV"})
        for n, image in enumerate(images)
    ]
    newest: dict[str, Any] = {}
    for image in images:
        newest |= image
    shell = Shell().feed(rng.sample(changes, len(changes)))
    instance = shell.partitions[0].instances["A1"]
    if entity == "application":
        assert instance.main is not None
        assert {k: v for k, v in instance.main.fields.items() if k != "volt_class"} == newest
    else:
        (visit,) = instance.visits
        assert {name: getattr(visit, name) for name in newest} == newest


@pytest.mark.parametrize("seed", range(1000, 1020))
def test_a_replay_of_another_world_raises_exactly_what_was_counted_by_hand(seed: int) -> None:
    records = World(seed).records()
    expected = recount(records, UNTIL)
    replay = replayed(records, UNTIL)
    assert differences(raised(replay), expected) == []
    assert len(expected) > 150
    assert replay.outcome.dead_letters == []
