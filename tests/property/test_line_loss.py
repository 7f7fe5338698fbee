"""Line loss is what a count of the final rows says, whatever the order, the repeats and the partitions."""

import random
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Engine, Reference, Step
from schemas import Change, Value
from tests.helpers.builders import shipped
from tests.helpers.thresholds import ms

DAY = 86_400_000
FIRST = ms("03-01T00:00")
"""Freezes are of the ends of the days from here on; at most nine of them, all of which stay in state."""
METERS = {"M1": ("C1", Decimal("1.5")), "M2": ("C2", Decimal(1)), "M3": ("C3", Decimal(40))}
TG_OF = {"C1": "TG1", "C2": "TG1", "C3": "TG2"}
Told = tuple[str, str, dict[str, Value], str]
"""Entity, instance, fields, row."""


def topology() -> Reference:
    reference = Reference(frozenset({"cons_tg", "tg", "line", "bay", "bus", "subs", "customer", "org"}))
    rows = [("line", "L1", {"org_no": "3340101"})]
    rows += [("tg", tg, {"org_no": "3340101", "line_no": "L1"}) for tg in ("TG1", "TG2")]
    rows += [("cons_tg", cons, {"tg_no": tg}) for cons, tg in TG_OF.items()]
    for number, (entity, key, fields) in enumerate(rows):
        reference.add(Change(entity, "", key, "c", number, FIRST - DAY, "ymd", 0, number, dict(fields)))
    return reference


freezes = st.tuples(
    st.sampled_from(sorted(METERS)), st.integers(0, 8), st.decimals(0, 5000, places=2), st.sampled_from("cud")
)
gates = st.tuples(st.sampled_from(["TG1", "TG2", "L1"]), st.integers(0, 8), st.decimals(0, 900, places=4), st.just("c"))


def told(events: Sequence[tuple[str, int, Decimal, str]]) -> list[tuple[Told, str]]:
    """Give the rows of freezes and gateways, each with its operation, after the rows of what they belong to."""
    found: list[tuple[Told, str]] = [
        (("metering_point", f"meter:{no}", {"meter_no": no, "cons_no": cons, "ct_ratio": ct}, no), "c")
        for no, (cons, ct) in METERS.items()
    ]
    found += [(("metering_point", f"gate:{no}", {"point_no": no}, no), "c") for no in ("TG1", "TG2", "L1")]
    for place, day, value, op in events:
        end = FIRST + (day + 1) * DAY
        if place in METERS:
            fields: dict[str, Value] = {"freeze_date": end, "value": value}
            found.append((("daily_freeze", f"meter:{place}", fields, f"{place}|{day}"), op))
        else:
            fields = {"date": end, "in_kwh": value, "out_kwh": Decimal(1)}
            found.append((("gate_energy_day", f"gate:{place}", fields, f"{place}|{day}"), op))
    return found


def changes(events: Sequence[tuple[str, int, Decimal, str]], rng: random.Random) -> list[Change]:
    """Give them in any order that keeps the order per row, some of them twice."""
    made = [
        Change(e, i, row, op, position, FIRST, "t", 0, position, {} if op == "d" else f)  # type: ignore[arg-type]
        for position, ((e, i, f, row), op) in enumerate(told(events), start=1)
    ]
    queues: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in made:
        queues[change.entity, change.row].append(change)
    found = []
    while queues:
        key = rng.choice(sorted(queues))
        found.append(queues[key].pop(0))
        if rng.random() < 0.2:
            found.append(found[-1])
        if not queues[key]:
            del queues[key]
    return found


def recount(events: Sequence[tuple[str, int, Decimal, str]]) -> dict[str, tuple[Decimal, Decimal]]:
    """Count loss and supply of each district and day from the rows as they are in the end."""
    last: dict[tuple[str, int], Decimal | None] = {}
    for place, day, told, op in events:
        last[place, day] = None if op == "d" else told
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for (place, day), value in last.items():
        if value is None:
            continue
        if place in METERS:
            base = last.get((place, day - 1))
            cons, ct = METERS[place]
            if base is not None and value >= base:
                sums[f"{TG_OF[cons]} {day}"][0] -= (value - base) * ct
        elif place != "L1":
            sums[f"{place} {day}"][0] += value - 1
            sums[f"{place} {day}"][1] += value - 1
    return {key: (loss, supply) for key, (loss, supply) in sums.items() if loss or supply}


@settings(deadline=None, max_examples=80)
@given(st.lists(freezes | gates, max_size=25), st.integers(0, 1 << 30), st.integers(1, 3))
def test_the_sums_of_all_partitions_are_the_count_of_the_final_rows(
    events: list[tuple[str, int, Decimal, str]], seed: int, count: int
) -> None:
    engine = Engine(shipped(), topology())
    partitions = [engine.new_partition(number) for number in range(count)]
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for partition in partitions:
        engine.finish_recovery(partition)
    for change in changes(events, random.Random(seed)):
        step = Step()
        engine.apply(partitions[sum(change.instance.encode()) % count], [change], step)
        for delta in step.deltas:
            if delta.indicator == "I243T":
                day = (ms(f"{delta.date}T00:00") - FIRST) // DAY
                total = sums[f"{delta.dims.partition('tg')[2][3:6]} {day}"]
                total[0] += delta.numerator
                total[1] += delta.denominator
    found = {key: (loss, supply) for key, (loss, supply) in sums.items() if loss or supply}
    assert found == recount(events)


# -- topology that is told late

ENTITIES = frozenset({"cons_tg", "tg", "line", "bay", "bus", "subs", "customer", "org"})
moves = st.tuples(st.just("cons_tg"), st.sampled_from(["C1", "C2", "C3"]), st.sampled_from(["TG1", "TG2"]))
changed_lines = st.tuples(st.just("tg"), st.sampled_from(["TG1", "TG2"]), st.sampled_from(["L1", "L2"]))


def late_rows(told_late: Sequence[tuple[str, str, str]]) -> list[Change]:
    """Give rows of the topology that hold from long ago, each corrected by the next of its key."""
    since = FIRST - 30 * DAY
    found = []
    for number, (entity, key, above) in enumerate(told_late, start=100):
        field = "tg_no" if entity == "cons_tg" else "line_no"
        fields: dict[str, Value] = {field: above, "valid_from": since}
        if entity == "tg":
            fields["org_no"] = "3340101"
        found.append(Change(entity, "", key, "u", number, FIRST, "ymd", 0, number, fields))
    return found


def sums_of(told: Sequence[Change]) -> dict[object, tuple[object, ...]]:
    """Judge the rows in this order, with a topology that was there before; give all sums of energy."""
    reference = Reference(ENTITIES)
    for number, (entity, key, fields) in enumerate(
        [("line", "L1", {"org_no": "3340101"}), ("line", "L2", {"org_no": "3340102"})]
        + [("tg", tg, {"org_no": "3340101", "line_no": "L1"}) for tg in ("TG1", "TG2")]
        + [("cons_tg", cons, {"tg_no": tg}) for cons, tg in TG_OF.items()]
    ):
        reference.add(Change(entity, "", key, "c", number, FIRST - DAY, "ymd", 0, number, dict(fields)))
    engine = Engine(shipped(), reference)
    partition = engine.new_partition(0)
    engine.finish_recovery(partition)
    step = Step()
    for change in told:
        if change.instance:
            engine.apply(partition, [change], step)
        else:
            reference.add(change)
            engine.arrive(partition, change.at, step)
    sums: dict[object, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for delta in step.deltas:
        if delta.indicator in {"I243T", "I243L", "I243"}:
            total = sums[delta.indicator, delta.org_no, delta.date, delta.dims]
            total[0] += delta.numerator
            total[1] += delta.denominator
    return {key: tuple(total) for key, total in sums.items() if any(total)}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(freezes | gates, min_size=1, max_size=20), st.lists(moves | changed_lines, max_size=6), st.integers(0, 99)
)
def test_topology_told_after_the_freezes_counts_as_if_it_had_been_there_before(
    events: list[tuple[str, int, Decimal, str]], told_late: list[tuple[str, str, str]], seed: int
) -> None:
    news, late = changes(events, random.Random(seed)), late_rows(told_late)
    assert sums_of([*news, *late]) == sums_of([*late, *news])
