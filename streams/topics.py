"""The topics of this product: made if missing, never changed; and the captured topics that are found.

A `cdc.*` topic is never made here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas import Broken
from streams.logic import SourcePartition

log = logging.getLogger("stagewatch.topics")

_WEEK_MS = 7 * 86_400_000
_MAX_BYTES = 32 << 20
"""A dead letter holds a captured record of any size; a state may grow."""
DEFAULT_PARTITIONS = 8
_READY_S = 15.0

_FOR_EVER = {"retention.ms": "-1"}
_A_WEEK = {"retention.ms": str(_WEEK_MS), "message.timestamp.type": "LogAppendTime"}
_COMPACTED = {"cleanup.policy": "compact"}


class TopicNames(msgspec.Struct, frozen=True):
    """What everything is called. Changelogs carry the application id: each application has state of its own."""

    application_id: str
    changes: str = "stagewatch.changes"
    alerts: str = "stagewatch.alerts"
    indicators: str = "stagewatch.indicators"
    commands: str = "stagewatch.commands"
    definitions: str = "stagewatch.definitions"
    deadletters: str = "stagewatch.deadletters"
    deltas: str = "stagewatch.deltas"
    notices: str = "stagewatch.notices"
    loop: str = "stagewatch.loop"
    tasks: str = "stagewatch.tasks"
    silences: str = "stagewatch.silences"
    inbound: str = "stagewatch.inbound"
    requests: str = "stagewatch.requests"
    recharges: str = "stagewatch.recharges"
    subscriptions: str = "stagewatch.subscriptions"

    def changelog(self, agent: str) -> str:
        """The changelog of an agent's state."""
        return f"{self.application_id}-{agent}-changelog"

    def states(self) -> dict[str, str]:
        """What each changelog is the state of: the topic that its agent reads."""
        read = {
            "track": self.changes, "totals": self.deltas, "notify": self.notices, "loop": self.loop,
            "inbound": self.inbound,
        }  # fmt: skip
        return {self.changelog(agent): topic for agent, topic in read.items()}

    def twins(self) -> dict[str, str]:
        """Topics that have as many partitions as another, since one owner holds both."""
        return {**self.states(), self.loop: self.commands, self.changelog("loop"): self.commands}

    @property
    def alone(self) -> frozenset[str]:
        """Topics of one partition: little is written to them."""
        return frozenset({self.definitions, self.silences, self.requests, self.recharges, self.subscriptions})

    def configs(self) -> dict[str, Mapping[str, str]]:
        """Every topic that the worker makes, with its settings."""
        compacted = [
            self.indicators, self.definitions, self.silences, self.tasks, self.subscriptions, *self.states()
        ]  # fmt: skip
        return {
            **dict.fromkeys((self.changes, self.deltas, self.notices, self.loop, self.inbound), _A_WEEK),
            **dict.fromkeys((self.alerts, self.deadletters, self.commands, self.requests, self.recharges), _FOR_EVER),
            **dict.fromkeys(compacted, _COMPACTED),
        }


async def partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Give the partition count of every topic that there is."""
    described = await admin.describe_topics()
    return {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}


def captured(counts: Mapping[str, int], wanted: Iterable[str]) -> dict[str, int]:
    """The captured topics that there are, with their counts; `wanted` are those that have a mapping."""
    return {topic: counts[topic] for topic in sorted(wanted) if topic in counts}


async def ensure(
    admin: AIOKafkaAdminClient, names: TopicNames, sources: Mapping[str, int], *, partitions: int | None
) -> dict[str, int]:
    """Make what is missing of our own topics; give the counts of all topics.

    Raises Broken if topics that must fit together do not: an existing count is kept, not changed.
    """
    counts = await partition_counts(admin)
    wanted = partitions or max(sources.values(), default=DEFAULT_PARTITIONS)
    new = []
    for name, config in names.configs().items():
        if name in counts:
            continue
        # A changelog belongs to the partitions of what its agent reads.
        count = 1 if name in names.alone else counts.get(names.twins().get(name, ""), wanted)
        settings = {**config, "max.message.bytes": str(_MAX_BYTES)}
        new.append(NewTopic(name, count, 1, topic_configs=settings))
    await _create(admin, new)
    counts = await _wait_for(admin, names.configs())
    for changelog, topic in names.twins().items():
        if counts[changelog] != counts[topic]:
            raise Broken(
                f"{changelog} has {counts[changelog]} partitions, {topic} has {counts[topic]}: they must be equal; "
                f"state cannot be moved between partitions, start with a new application_id"
            )
    return counts


Committed = Callable[[Iterable[SourcePartition]], Awaitable[Mapping[SourcePartition, Any]]]


async def check_states(names: TopicNames, counts: Mapping[str, int], committed: Committed) -> None:
    """See that no changelog is missing of what was read before: made anew, it would pass for a fresh start.

    Call before `ensure`. `committed` says how far the group has read. Raises Broken.
    """
    for changelog, topic in names.states().items():
        if changelog in counts or topic not in counts:
            continue
        if await committed(SourcePartition(topic, number) for number in range(counts[topic])):
            raise Broken(
                f"{changelog} is missing, and {topic} was read before: its state cannot be recovered; "
                f"restore the topic, or start with a new application_id"
            )


async def _create(admin: AIOKafkaAdminClient, new: list[NewTopic]) -> None:
    if not new:
        return
    for factor in (-1, 1):  # -1: the broker's default; brokers that do not know it get 1
        for topic in new:
            topic.replication_factor = factor
        response = await admin.create_topics(new)
        codes = {error[0]: error[1] for error in response.topic_errors}
        failed = {t: for_code(c) for t, c in codes.items() if c and for_code(c) is not TopicAlreadyExistsError}
        if not failed:
            log.info("created topics %s", ", ".join(topic.name for topic in new))
            return
        new = [topic for topic in new if topic.name in failed]
    raise Broken(f"cannot create topics: {', '.join(f'{t} ({e.__name__})' for t, e in failed.items())}")


async def _wait_for(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    """Metadata of a new topic takes a moment to arrive."""
    wanted = set(names)
    async with asyncio.timeout(_READY_S):
        while True:
            counts = await partition_counts(admin)
            if wanted <= {name for name, count in counts.items() if count}:
                return counts
            await asyncio.sleep(0.1)


async def connect(settings: Mapping[str, Any], timeout_s: float = 30.0) -> AIOKafkaAdminClient:
    """Give an admin client; waits a while for a broker that is just starting."""
    async with asyncio.timeout(timeout_s):
        while True:
            admin = AIOKafkaAdminClient(**settings)
            try:
                await admin.start()
            except (KafkaError, OSError) as exc:
                await admin.close()
                log.info("waiting for the broker: %s", exc)
                await asyncio.sleep(0.5)
            else:
                return admin
