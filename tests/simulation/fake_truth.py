"""The truth about a world of numbered rows: one pass over the input in order."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from schemas import AlertEvent, Notice, Number
from streams.logic import SourcePartition
from streams.partitioner import Partitioner
from tests.simulation.fake_engine import DELAY_MS, LATE, decode_rows, notices
from tests.simulation.material import BAD, instances_of
from tests.simulation.process import NAMES

if TYPE_CHECKING:
    from tests.simulation.world import World


def faults_of(
    world: "World", alerts: Sequence[AlertEvent], rows: Mapping[str, bytes], told: Sequence[Notice]
) -> list[str]:
    """Give a line for whatever was not judged, or not in order, or not once."""
    expected = _judged(world)
    found = {key: decode_rows(value)[0] for key, value in rows.items()}
    lines = [
        f"instance {key}: {found.get(key)} instead of {expected.get(key)}"
        for key in sorted(expected.keys() | found.keys())
        if found.get(key) != expected.get(key)
    ]
    names = Counter(row.removeprefix(LATE) for rows in expected.values() for row in rows if row.startswith(LATE))
    raised = Counter(alert.alert_id for alert in alerts)
    lines += [f"alert {name}: {raised[name]} times" for name in (names - raised) + (raised - names)]
    people = Counter(notice.key for name in names for notice in notices(name, 0))
    asked = Counter(notice.key for notice in told)
    return lines + [f"notice {key}: {asked[key]} times" for key in (people - asked) + (asked - people)]


def wrong_totals(world: "World", sums: Mapping[tuple[str, str, str], tuple[Number, Number]]) -> list[str]:
    """Rows are counted in the numerator, rows and what is late in the denominator."""
    expected = {
        ("I", key, "{}"): (sum(not row.startswith(LATE) for row in rows), len(rows))
        for key, rows in _judged(world).items()
    }
    return [f"total {key}" for key in sorted(expected.items() ^ sums.items())]


def _judged(world: "World") -> dict[str, list[str]]:
    """Give what must have been judged of each instance, in order: rows, and what became late between them."""
    high: dict[SourcePartition, int] = defaultdict(int)
    items = []
    for topic, n in world.material.partitions(world.material.keyed):
        tp = SourcePartition(topic, n)
        for record in world.broker.committed(tp):
            high[tp] = max(high[tp], record.timestamp)
            if record.value != BAD:
                row = json.loads(record.value or b"")["after"]
                told = instances_of(world.material.mappings[topic], row)
                items += [(high[tp], topic, n, record.offset, part, i, row["row"]) for part, i in enumerate(told)]
    partitioner = Partitioner(world.counts[NAMES.changes])
    by_partition: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for at, _, _, _, _, instance, row in sorted(items):
        by_partition[partitioner.of(instance)[1]].append((at, instance, row))
    judged: dict[str, list[str]] = defaultdict(list)
    for rows in by_partition.values():
        _pass_over(rows, judged)
    return judged


def _pass_over(rows: list[tuple[int, str, str]], judged: dict[str, list[str]]) -> None:
    due: list[tuple[int, str]] = []
    known: set[tuple[str, str]] = set()
    for at, instance, row in [*rows, (1 << 62, "", "")]:
        for late in sorted(d for d in due if d[0] < at):
            judged[late[1].split("/", 1)[0]].append(LATE + late[1])
            due.remove(late)
        if instance and (instance, row) not in known:
            known.add((instance, row))
            judged[instance].append(row)
            due.append((at + DELAY_MS, f"{instance}/{row}"))
