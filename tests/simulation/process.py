"""The one place where the simulation touches the product's agents: what runs in one simulated worker process.

When an interface of `streams` changes, this module changes and no other here. It builds the agents as
`streams.worker` does, and calls them as `streams.partitions` does.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from faust.types import TP

from rules import Instance, Reference, decode_record, describe
from schemas import Change, Decoder, FanOut, Mark, decode_change
from schemas.codec import MARK_KEY, change_encoder, decode_mark
from schemas.notice import Channel
from sinks import Outbox, OutboxPolicy, Senders
from sinks.store import NotificationRow
from streams.definitions import RuleBook
from streams.direct import DirectTopic, direct_topics, partitioners_of
from streams.ends import Ends
from streams.logic import Agent, Lease, Logic, SourcePartition
from streams.metrics import Metrics
from streams.notify import NotifyAgent, Notifying
from streams.partitioner import Partitioner
from streams.partitions import Partitions
from streams.reference import ReferenceReader
from streams.rekey import RekeyAgent
from streams.topics import TopicNames
from streams.totals import TotalsAgent, TotalsTopics
from streams.track import TrackAgent, TrackTopics
from tests.helpers.records import Record
from tests.simulation.clock import WallClock
from tests.simulation.gateway import Gateway
from tests.simulation.material import Material
from tests.simulation.rule_changes import SOURCE, SimulatedBook

NAMES = TopicNames("sim")
PERSONAL_TOPICS = (NAMES.changes, NAMES.alerts, NAMES.deltas, NAMES.notices, NAMES.indicators, NAMES.deadletters)
_AGES_S = 1e9
"""Outbox rows are kept, so that what became of each notice can be looked at in the end."""


@lru_cache
def metrics() -> Metrics:
    """One for all worlds: they count, and decide nothing."""
    return Metrics(version="simulation")


def policy(*, idempotent: frozenset[Channel]) -> OutboxPolicy:
    """How the outboxes of a world behave."""
    return OutboxPolicy(
        channels=frozenset({"sms", "mail"}), idempotent=idempotent, mail_digest_s=10, max_attempts=4, keep_s=_AGES_S
    )


class Process:
    """The objects of one worker process; they die with it."""

    def __init__(
        self, material: Material, decoders: Mapping[str, Decoder | FanOut], counts: Mapping[str, int], clock: WallClock,
        gateways: Mapping[Channel, Gateway], *, outbox: OutboxPolicy, checks_position: bool,
    ) -> None:  # fmt: skip
        self.material, self.clock = material, clock
        self.ends = Ends(now=clock)
        mappings = material.mappings
        reference = Reference(frozenset(mappings[topic].entity for topic in material.references))
        single = {t: decoder for t, decoder in decoders.items() if isinstance(decoder, Decoder)}
        self.reader = ReferenceReader(reference, {t: single[t] for t in material.references})
        self.inputs = material.partitions(material.keyed)
        self.references = dict.fromkeys([*material.partitions(material.references), SOURCE], 0)
        is_real = material.kind == "real"
        self.book = SimulatedBook(reference) if is_real else RuleBook(material.new_engine(reference))
        direct = direct_topics(mappings, counts, NAMES.changes)
        partitioners = partitioners_of(mappings, counts[NAMES.changes])
        rekey = RekeyAgent(
            {topic: decoder for topic, decoder in decoders.items() if topic not in direct},
            keyed=frozenset(material.keyed), changes=NAMES.changes, deadletters=NAMES.deadletters,
            partitioners=partitioners, letter_partitioner=Partitioner(counts[NAMES.deadletters]),
            ends=self.ends, metrics=metrics(),
        )  # fmt: skip
        out = TrackTopics(
            NAMES.changes, NAMES.alerts, NAMES.deltas, NAMES.notices, NAMES.deadletters, NAMES.changelog("track")
        )
        track = TrackAgent(
            self.book, out=out, counts=counts, ends=self.ends, reference=self.reader,
            metrics=metrics(), now=clock, is_exact=checks_position,
            direct={
                t: DirectTopic(single[t], change_encoder(m), partitioners[t][m.entity])
                for t, m in mappings.items() if t in direct
            },
            by_entity={m.entity: partitioners[t][m.entity] for t, m in mappings.items() if t in partitioners},
        )  # fmt: skip
        totals = TotalsAgent(
            self.book,
            out=TotalsTopics(NAMES.deltas, NAMES.indicators, NAMES.alerts, NAMES.notices, NAMES.changelog("totals")),
            counts=counts, trackers=counts[NAMES.changes], ends=self.ends, reference=self.reader, metrics=metrics(),
            is_exact=checks_position, now=clock,
        )  # fmt: skip
        notify = NotifyAgent(
            Senders(dict(gateways)), outbox, notices=NAMES.notices, changelog=NAMES.changelog("notify"),
            metrics=metrics(), record=forget, now=clock, is_exact=checks_position,
        )  # fmt: skip
        self.agents: dict[str, Agent] = {agent.name: agent for agent in (rekey, track, totals, notify)}

    # -- beside the partitions

    def answer(self, asked_at: int, ends: Mapping[SourcePartition, int]) -> None:
        """Take the broker's answer to where the sources end."""
        self.ends.add(
            asked_at, {tp: ends[tp] for tp in self.inputs}, {tp: ends[tp] for tp in self.references}
        )  # fmt: skip

    def refer(self, tp: SourcePartition, records: Sequence[Record], position: int) -> None:
        """Take reference records; `position` is where their fetching goes on."""
        self.references[tp] = position
        if tp == SOURCE:
            for record in records:
                self.book.ledger.put(decode_record(record.value or b""), record.timestamp)
            self.reader.note_read(tp, position, max([r.timestamp for r in records], default=-1))
            return
        if records:
            self.reader.take(tp, records)
        self.reader._read[tp] = position  # noqa: SLF001 - `ReferenceReader._poll` asks its consumer

    # -- partitions

    def open(self, lease: Lease) -> Logic:
        """Make the empty state of a partition."""
        return self.agents[lease.agent].open(lease)

    def changelog(self, lease: Lease) -> SourcePartition | None:
        """Where the state of a lease is kept."""
        topic = self.agents[lease.agent].changelog
        return None if topic is None else SourcePartition(topic, lease.number)

    def is_held(self, lease: Lease, tp: SourcePartition) -> bool:
        """The partition should not be fetched for now."""
        return self.agents[lease.agent].is_held(tp)

    @staticmethod
    def end_sends(logic: Logic) -> None:
        """Cut off what is being sent, as the end of the process does."""
        if isinstance(logic, Notifying):
            logic.close()


def leases(process: Process, counts: Mapping[str, int]) -> dict[Lease, list[SourcePartition]]:
    """Give every lease there is with its input partitions, as the product groups them."""
    agents = {topic: agent for agent in process.agents.values() for topic in agent.topics}
    core = cast("Partitions", SimpleNamespace(agents=agents, _counts=counts))
    tps = {TP(topic, n) for topic in agents for n in range(counts[topic])}
    found = Partitions._leases(core, tps)  # noqa: SLF001 - how it groups is the product's business
    return {lease: sorted(SourcePartition(*tp) for tp in members) for lease, members in sorted(found.items())}


def apply(
    logic: Logic, positions: dict[SourcePartition, int], tp: SourcePartition, start: int, records: list[Record]
) -> None:
    """Give a batch to a logic as the product's core does: what it had is cut off, a gap is Broken.

    Args:
        positions: where the state ends, by input partition; is moved on.
        start: where the batch before this one ended.
    """
    message = SimpleNamespace(tp=TP(*tp), value=records, start=start, offset=records[-1].offset)
    partition = cast("Any", SimpleNamespace(logic=logic, positions=positions))
    Partitions._apply(partition, message)  # noqa: SLF001 - the product's own check of batches


# -- what the product wrote, in words of the oracle

_decode_instance = msgspec.msgpack.Decoder(Instance).decode


def document(value: bytes) -> dict[str, Any]:
    """Give an instance of the real engine from its changelog record."""
    return describe(_decode_instance(value))


def notices_of(records: Iterable[Record]) -> list[NotificationRow]:
    """Give what became of each notice from the records of an outbox changelog."""
    outbox = Outbox(policy(idempotent=frozenset()))
    for record in records:
        key = (record.key or b"").decode()
        if not key.startswith("\x00"):
            outbox.load(key, record.value)
    return outbox.notifications()


def progress_of(record: Record) -> Change | Mark:
    """Give the change or the mark that a record of `stagewatch.changes` holds."""
    value = record.value or b""
    return decode_mark(value) if record.key == MARK_KEY else decode_change(value)


def is_mark(key: bytes | None) -> bool:
    """The record tells how far a source partition was read."""
    return key == MARK_KEY


def is_row(record: Record) -> bool:
    """The changelog record is of an instance or a sum, and no position."""
    return bool(record.key) and not (record.key or b"").startswith(b"\x00")


def forget(rows: Sequence[NotificationRow]) -> None:
    """There is no store."""
