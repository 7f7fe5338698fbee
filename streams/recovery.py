"""Read changelog partitions back into memory, to the end and not to a guessed last record."""

from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.logic import SourcePartition

Apply = Callable[[list[Any]], None]


async def recover(
    targets: Mapping[SourcePartition, Apply], *, settings: Mapping[str, Any], is_current: Callable[[], bool]
) -> int:
    """Give every committed record of the partitions to its `Apply`, in order; returns how many.

    Call after the partition was fenced: from then on its end cannot move. The end is the
    *position* reaching the last stable offset, since the last records may be control records,
    aborted or compacted away. Stops early when `is_current()` turns false.
    """
    if not targets:
        return 0
    tps = {TopicPartition(*target): apply for target, apply in targets.items()}
    consumer = AIOKafkaConsumer(
        group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
        isolation_level="read_committed", max_partition_fetch_bytes=1 << 20, fetch_max_wait_ms=50, **settings,
    )  # fmt: skip
    await consumer.start()
    count = 0
    try:
        consumer.assign(list(tps))
        await consumer.seek_to_beginning(*tps)
        ends = await consumer.end_offsets(list(tps))
        pending = set(tps)
        while pending and is_current():
            for tp in list(pending):
                if await consumer.position(tp) >= ends[tp]:
                    pending.discard(tp)
                    consumer.pause(tp)
            if pending:
                for tp, records in (await consumer.getmany(*pending, timeout_ms=100, max_records=5000)).items():
                    tps[tp](records)
                    count += len(records)
    finally:
        await consumer.stop()
    return count
