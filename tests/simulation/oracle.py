"""What must be true of a world when all is calm: the promises, checked against a truth of its own.

The truth comes from the records that the world was fed: for the real engine by `tests.helpers.recount` and by folding
rows, for the fake one by one pass over the sorted input. No engine of the project is asked.
"""

import base64
from collections import Counter
from typing import TYPE_CHECKING

from schemas import (
    CLOCK_KEY,
    Change,
    Number,
    decode_alert,
    decode_dead_letter,
    decode_delta,
    decode_indicator,
    decode_notice,
)
from streams.logic import SourcePartition
from tests.helpers.records import Record
from tests.simulation import desk_truth, fake_truth, real_truth
from tests.simulation.process import NAMES, is_row, notices_of, progress_of

if TYPE_CHECKING:
    from tests.simulation.world import World

NEVER_SENT = {"no_channel", "unroutable", "muted"}


class Log:
    """What a reader of committed records finds in the topics of a world."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def of(self, topic: str) -> list[Record]:
        """Give the records of a topic, partition by partition."""
        broker, count = self._world.broker, self._world.counts[topic]
        return [record for n in range(count) for record in broker.committed(SourcePartition(topic, n))]

    def rows(self, agent: str) -> dict[str, bytes]:
        """Give the last state of each key of an agent's changelog."""
        rows: dict[str, bytes] = {}
        for record in self.of(NAMES.changelog(agent)):
            if is_row(record):
                key = (record.key or b"").decode()
                rows.pop(key, None)
                if record.value is not None:
                    rows[key] = record.value
        return rows


def faults_of(world: "World") -> list[str]:
    """Give a line for every promise that the world broke; none if all is well."""
    log = Log(world)
    if world.crowd is not None:
        return [*_stuck(world), *_letters(log, world), *_messages(log, world), *desk_truth.faults_of(log, world.crowd)]
    alerts = [decode_alert(record.value or b"") for record in log.of(NAMES.alerts)]
    truth = real_truth if world.material.kind == "real" else fake_truth
    return [
        *_stuck(world),
        *_changes(log, world),
        *_letters(log, world),
        *_totals(log),
        *_messages(log, world),
        *truth.faults_of(
            world, alerts, log.rows("track"), [decode_notice(r.value or b"") for r in log.of(NAMES.notices)]
        ),
        *(truth.wrong_totals(world, _sums(log)) if truth is fake_truth else ()),
    ]


def _stuck(world: "World") -> list[str]:
    """Every input partition was read and committed to its end."""
    found = []
    for tps in world.leases.values():
        for tp in tps:
            committed = world.broker.offsets.get(tp)
            unread, _ = world.broker.read(tp, committed.offset if committed else 0, 1)
            if unread:
                found.append(f"stuck: {tp} is committed up to {committed}, more is there")
    return found


def _changes(log: Log, world: "World") -> list[str]:
    """Each change once per partition; times and marks never go back within a source partition."""
    found = []
    for n in range(world.counts[NAMES.changes]):
        high: dict[tuple[str, int], int] = {}
        seen: set[tuple[str, int, int, str]] = set()
        for record in world.broker.committed(SourcePartition(NAMES.changes, n)):
            item = progress_of(record)
            key = item.topic, item.partition
            if item.at < high.get(key, 0) and item.topic:
                found.append(f"time goes back in changes-{n} at {record.offset}: {item}")
            high[key] = item.at
            if isinstance(item, Change) and item.topic:
                place = (*key, item.offset, item.instance)
                if place in seen:
                    found.append(f"twice in changes-{n}: {place}")
                seen.add(place)
    return found


def _letters(log: Log, world: "World") -> list[str]:
    """Each record that cannot be understood is one dead letter with its bytes, and nothing else is one."""
    letters = [decode_dead_letter(record.value or b"") for record in log.of(NAMES.deadletters)]
    places = Counter((letter.topic, letter.partition, letter.offset) for letter in letters)
    found = [f"dead letter {place} {count} times" for place, count in places.items() if count > 1]
    found += [f"no dead letter: {place}" for place in world.letters.keys() - places.keys()]
    for letter in letters:
        reason, value = world.letters.get((letter.topic, letter.partition, letter.offset), ("", None))
        raw = None if value is None else base64.b64encode(value).decode()
        if (letter.reason, letter.value_b64) != (reason, raw):
            found.append(f"dead letter for {reason!r}: {letter}")
    return found


Totals = dict[tuple[str, str, str], tuple[Number, Number]]


def _sums(log: Log) -> Totals:
    """Add up the differences that the trackers wrote."""
    sums: Totals = {}
    for record in log.of(NAMES.deltas):
        if record.key == CLOCK_KEY:
            continue
        delta = decode_delta(record.value or b"")
        key = delta.indicator, delta.org_no, delta.date + delta.dims
        numerator, denominator = sums.get(key, (0, 0))
        sums[key] = numerator + delta.numerator, denominator + delta.denominator
    return sums


def _totals(log: Log) -> list[str]:
    """The last value of each indicator is the sum of its differences."""
    told: dict[bytes | None, bytes | None] = {record.key: record.value for record in log.of(NAMES.indicators)}
    values: Counter[tuple[str, Number, Number]] = Counter()
    for value in told.values():
        last = decode_indicator(value or b"")
        values[last.indicator + last.org_no + last.date, last.numerator, last.denominator] += 1
    wanted = Counter((code + org + day.split("{")[0], *total) for (code, org, day), total in _sums(log).items())
    return [f"indicator {key}" for key in (values - wanted) + (wanted - values)]


def _messages(log: Log, world: "World") -> list[str]:
    """Each notice reaches its person once, or it is marked why not; unknown says that nobody knows."""
    told = {notice.key for notice in desk_truth.asked_for(log.of(NAMES.notices))}
    rows = {row.key: row for row in notices_of(log.of(NAMES.changelog("notify")))}
    taken: Counter[str] = Counter()
    for gateway in world.gateways.values():
        taken.update(gateway.taken)
    found = [f"not in the outbox, or nobody asked for it: {key}" for key in sorted(told ^ rows.keys())]
    found += [f"told {count} times: {key}" for key, count in taken.items() if count > 1]
    for key, row in rows.items():
        match row.state:
            case "delivered":
                is_true = taken[key] == 1
            case "unknown":
                is_true = True
            case "failed":
                is_true = taken[key] == 0 or row.channel in world.outbox.idempotent
            case state:
                is_true = (state == "refused" or state in NEVER_SENT) and taken[key] == 0
        if not is_true:
            found.append(f"{row.state}, and was told {taken[key]} times: {key}")
    world.counted.update(f"notice {row.state}" for row in rows.values())
    return found
