"""Looks, again and again, whether there is more to read than when the worker began."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.topics import partition_counts

log = logging.getLogger("stagewatch.worker")


class Restart(Exception):
    """New captured topics or partitions: begin anew with them."""


async def watch_for_more(
    admin: AIOKafkaAdminClient, *, counts: Mapping[str, int], read: Collection[str],
    is_captured: Callable[[str], bool], every_s: float,
) -> None:  # fmt: skip
    """Raise Restart when there are new captured topics, or more partitions: one code path, the start.

    Changing the subscription of a running Faust app would change groups of partitions half-way; a clean stop and
    start is what every rebalance does anyway. `counts`: of all topics at the start; `read`: those that are read.
    """
    while True:
        await asyncio.sleep(every_s)
        try:
            now = await partition_counts(admin)
        except KafkaError as exc:
            log.warning("cannot look for new captured topics: %r", exc)
            continue
        found = {topic: count for topic, count in now.items() if is_captured(topic)}
        if any(counts.get(topic) != count for topic, count in found.items()) or found.keys() - set(read):
            log.info("there is more to read than before: beginning anew")
            raise Restart
