"""Fewer waits in a transaction of aiokafka: what need not wait for another answer is asked at once.

Why: aiokafka asks one thing at a time: group, offsets, partitions, records, end. Each answer costs a turn of the
event loop and of the broker, and readers of committed records wait for all five. Called by `transactions.py`.
It must never send records or offsets while the coordinator still adds something to the transaction, nor both at
a time: the broker would refuse one of them with a retriable error (KIP-890), and a backoff is lost.
"""

import asyncio
from collections.abc import Iterable
from types import MethodType
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.logic import SourcePartition


def ask_at_once(producer: AIOKafkaProducer) -> None:
    """Let this producer, before its start, add the group and the partitions to a transaction together.

    Both go to the transaction coordinator over one connection, which answers in order.
    """
    sender: Any = producer._sender  # noqa: SLF001 - aiokafka offers no way to order its requests
    sender._maybe_do_transactional_request = MethodType(_next_request, sender)  # noqa: SLF001


def announce(producer: AIOKafkaProducer, targets: Iterable[SourcePartition]) -> None:
    """Name the partitions that the transaction just begun will write, so that they are added with its group."""
    for target in targets:
        producer._txn_manager.maybe_add_partition_to_txn(TopicPartition(*target))  # noqa: SLF001


def _next_request(sender: Any) -> "asyncio.Task[Any] | None":  # noqa: ANN401 - aiokafka's, without types
    """Replace `Sender._maybe_do_transactional_request` (aiokafka 0.14): its order, but for the first two."""
    manager = sender._txn_manager  # noqa: SLF001
    group_id = manager.consumer_group_to_add()
    if group_id is not None and manager.partitions_to_add():
        return asyncio.create_task(_add_both(sender, group_id))
    task: asyncio.Task[Any] | None = type(sender)._maybe_do_transactional_request(sender)  # noqa: SLF001
    return task


async def _add_both(sender: Any, group_id: str) -> None:  # noqa: ANN401 - aiokafka's, without types
    """Whatever of the two is refused for now is asked again by itself."""
    partitions = set(sender._txn_manager.partitions_to_add())  # noqa: SLF001 - a live set
    await asyncio.gather(
        sender._do_add_offsets_to_txn(group_id),  # noqa: SLF001
        sender._do_add_partitions_to_txn(partitions),  # noqa: SLF001
    )
