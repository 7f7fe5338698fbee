"""What a world is fed: captured records with the truth about each, and how the product reads them.

Two kinds: lives of connection applications for the real engine with the shipped definitions, and numbered rows for
the fake one. The truth (`fate`) is known because the records are made here. Some topics are keyed by the instance,
the others by their rows.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, cast
from zlib import crc32

import msgspec

from connectors import SHIPPED_SOURCES, SourceCatalog, load_sources
from rules import Engine, Reference
from schemas import Column, Decoder, FanOut, Recorded, TableMapping, decoder_of
from schemas.mapping import MessageKey
from streams.logic import SourcePartition
from streams.partitioner import Partitioner
from tests.helpers import simulate
from tests.helpers.builders import shipped
from tests.helpers.hostile_wire import APP, FINDING, HOSTILE, OK, PROGRESS, SILENT
from tests.helpers.recount import DAY
from tests.helpers.viewing import with_views
from tests.simulation.fake_engine import FakeEngine

VIEW = "v"
GOOD, REPEAT = "good", "repeat"
"""Fates that are no dead letter; any other fate is the reason of one."""
FAKE_START = 1_000_000
SOURCE_SYSTEMS = 150
"""So many different source systems: many worlds share one, each with faults of its own."""
MOST_POISON_BYTES = 2_000
"""Large hostile records have tests of their own; here they would only cost time."""
BAD = b"hello"


class Captured(NamedTuple):
    """One record of a captured topic."""

    at: int
    """When it is in its log, epoch ms; never decreases within a partition."""
    tp: SourcePartition
    timestamp: int
    """What it is stamped with: `at`, or a little before."""
    key: bytes | None
    value: bytes | None
    fate: str


@dataclass(frozen=True)
class Material:
    """All that a world's workers read."""

    kind: str
    records: tuple[Captured, ...]
    """In order of arrival."""
    mappings: Mapping[str, TableMapping]
    counts: Mapping[str, int]
    """Partitions by topic."""
    changes_count: int
    """Partitions of `stagewatch.changes`, and of topics that are keyed by the instance."""
    until: int
    """Epoch ms: the moment as of which the outcome is looked at."""

    @property
    def keyed(self) -> list[str]:
        """Topics whose rows belong to instances."""
        return [topic for topic, mapping in self.mappings.items() if mapping.is_keyed]

    @property
    def references(self) -> list[str]:
        """Topics that every worker reads."""
        return [topic for topic, mapping in self.mappings.items() if mapping.is_reference]

    def new_decoders(self) -> dict[str, Decoder | FanOut]:
        """Make the decoders of one world: they learn from what they read, so a seed must begin with new ones."""
        return {topic: decoder_of(mapping) for topic, mapping in self.mappings.items()}

    def new_engine(self, reference: Reference) -> Engine:
        """Make the engine of one worker."""
        return Engine(shipped(), reference) if self.kind == "real" else cast("Engine", FakeEngine(reference))

    def partitions(self, topics: Iterable[str]) -> list[SourcePartition]:
        """Give the partitions of topics, sorted."""
        return [SourcePartition(topic, n) for topic in sorted(topics) for n in range(self.counts[topic])]


# -- the real engine's

INSTANCE_KEYED = ("mkt.mkt_app", "mkt.mkt_app_progress", "ech.ech_works_report", "lean.lean_neg_trans")
"""Tables whose messages some source systems key by the instance (Debezium's `message.key.columns`)."""


@lru_cache
def catalog() -> SourceCatalog:
    """Give the shipped sources as an installation for connections alone reads them: the truth knows no more."""
    return load_sources([SHIPPED_SOURCES]).told({"application", "negative_item"})


@lru_cache(maxsize=SOURCE_SYSTEMS)
def source_system(number: int) -> Material:
    """Give one source system, spread over partitions by the keys of its messages."""
    rng = random.Random(number)
    world = simulate.World(number, applications=rng.randint(1, 2))
    changes_count = rng.randint(1, 3)
    direct = {f"cdc.{table}" for table in INSTANCE_KEYED if rng.random() < 0.5} if rng.random() < 0.5 else set()
    topics = [f"cdc.{table}" for table in simulate.KEYS]
    mappings = {topic: m for topic in topics if (m := catalog().mapping_for(topic)) is not None}
    for topic in sorted(direct):
        form = b'{"%b":"%%b"}' % str(mappings[topic].instance).encode()
        mappings[topic] = msgspec.structs.replace(mappings[topic], message_key="json", key_form=form)
    counts = {topic: changes_count if topic in direct else rng.choice((1, 1, 2)) for topic in topics}
    return Material(
        kind="real", records=tuple(_captured(world.records(), mappings, counts)), mappings=mappings, counts=counts,
        changes_count=changes_count, until=int(simulate.END.timestamp() * 1000) + 60 * DAY,
    )  # fmt: skip


def _captured(
    records: Iterable[Recorded], mappings: Mapping[str, TableMapping], counts: Mapping[str, int]
) -> Iterator[Captured]:
    """Give each record the key and the partition that its source's connector gives it."""
    images: dict[tuple[str, bytes | None], dict[str, Any]] = {}
    for record in records:
        topic, key, value, mapping = record.topic, record.key, record.value, mappings[record.topic]
        number = crc32(key or b"") % counts[topic]
        if mapping.message_key == "json":
            if value is not None:
                envelope = json.loads(value)
                if envelope["op"] == "d":  # keyed so, its table has a full replica identity
                    envelope["before"] = images[topic, key]
                    value = json.dumps(envelope, ensure_ascii=False).encode()
                else:
                    images[topic, key] = envelope["after"]
            instance = images[topic, key][str(mapping.instance)]
            key = mapping.key_form % str(instance).encode()
            number = Partitioner(counts[topic], mapping.key_form).of(str(instance))[1]
        yield Captured(record.timestamp, SourcePartition(topic, number), record.timestamp, key, value, GOOD)


POISON: Mapping[str, list[tuple[bytes | None, bytes | None, str]]] = {
    topic: [
        (h.key, h.value, h.expect)
        for h in HOSTILE
        if h.topic == topic and h.expect not in {OK, FINDING, SILENT} and len(h.value or b"") <= MOST_POISON_BYTES
    ]
    for topic in (APP, PROGRESS)
}
"""Of every topic what its decoder must refuse, and why."""


def poison(topic: str, rng: random.Random) -> tuple[bytes | None, bytes | None, str]:
    """Give key, value and the reason of the dead letter of a record that cannot be understood."""
    known = POISON.get(topic)
    return rng.choice(known) if known else (b'{"id":1}', BAD, "not-json")


# -- the fake engine's


def numbered_rows(rng: random.Random) -> Material:
    """Give rows of few instances in bursts, over one to four source partitions."""
    changes_count = rng.randint(1, 3)
    mappings = {
        topic: numbered(topic, rng.choice(("row", "text")), views=rng.choice((0, 0, 1, 2)))
        for topic in ("cdc.a", "cdc.b")[: rng.randint(1, 2)]
    }
    counts = {t: rng.randint(1, 2) if m.message_key == "row" else changes_count for t, m in mappings.items()}
    records: list[Captured] = []
    for topic, mapping in mappings.items():
        at = FAKE_START
        for place in range(rng.randint(0, 40)):
            at += rng.choice([0, 0, 1, 30, 100, 2000])
            instance, row = f"i{rng.randint(0, 4)}", f"{topic}-{place}"
            number = rng.randrange(counts[topic])
            if mapping.message_key == "text":
                number = Partitioner(counts[topic]).of(instance)[1]
            stamp = at - rng.choice([0, 0, 5])  # a producer that sent two in the wrong order
            image = {"row": row, "i": instance, "j": rng.choice(("1", "2", None))}
            value = json.dumps({"op": "c", "after": image, "source": {"lsn": place + 1}}).encode()
            records.append(Captured(at, SourcePartition(topic, number), stamp, instance.encode(), value, GOOD))
    records.sort(key=lambda r: r.at)
    return Material(
        kind="fake", records=tuple(records), mappings=mappings, counts=counts,
        changes_count=changes_count, until=max((r.at for r in records), default=FAKE_START) + 10_000,
    )  # fmt: skip


def numbered(topic: str, message_key: MessageKey, views: int = 0) -> TableMapping:
    """Give the mapping of a topic of numbered rows, with so many further views of them."""
    columns = {"row": Column("row", "text"), "i": Column("i", "text"), "j": Column("j", "text")}
    own = TableMapping(
        source="x", table=topic, topic=topic, entity="visit", key=("row",), instance="i", columns=columns,
        message_key=message_key,
    )  # fmt: skip
    return with_views(own, *({"entity": f"seen{n}", "instance": f"{VIEW}{n * 'x'}:{{j}}"} for n in range(views)))


def instances_of(mapping: TableMapping, row: Mapping[str, Any]) -> list[str]:
    """Give whom a numbered row is told to, in order."""
    told = [] if row["j"] is None else [f"{VIEW}{n * 'x'}:{row['j']}" for n in range(len(mapping.also))]
    return [row["i"], *told]


# -- what goes wrong at the source


def spoiled(material: Material, rng: random.Random, *, poisoned: float, repeated: float) -> list[Captured]:
    """Give the records with poison among them, and with runs that a restarted connector delivers again.

    Args:
        poisoned: share of records that a record follows which cannot be understood.
        repeated: share of records after which the last few of the same partition come again.
    """
    found: list[Captured] = []
    run: dict[SourcePartition, list[Captured]] = defaultdict(list)
    for record in material.records:
        found.append(record)
        run[record.tp].append(record)
        if rng.random() < poisoned:
            key, value, reason = poison(record.tp.topic, rng)
            found.append(Captured(record.at, record.tp, record.at, key, value, reason))
        if rng.random() < repeated:
            again = run[record.tp][-rng.randint(1, 4) :]
            found += [r._replace(at=record.at, timestamp=record.at, fate=REPEAT) for r in again]
    return found
