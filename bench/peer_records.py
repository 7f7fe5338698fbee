"""The records of `bench peers`: Debezium JSON of one table, 788 bytes on average, and which of them raise an alert.

The fields, sizes and chances are those of the comparison that the goals were set by: 100,000 instances, each change
picks one at random, puts it into its next stage and moves its `started_at` on by up to 400,000,000 ms. Every
partition is a stream of its own, seeded, so that a process can write two while another writes the others. An
engine is given a beginning of each stream.
"""

import random
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

from aiokafka.partitioner import murmur2

INSTANCES = 100_000
PARTITIONS = 4
LIMIT_MS = 390_000_000
"""A stage that took longer raises an alert: one change in forty."""
LONGEST_MS = 400_000_000
START_MS = 1_760_000_000_000
STAGES = (b"accept", b"survey", b"plan", b"review", b"build", b"inspect", b"contract", b"connect", b"archive")
SEED = 7


class Change(NamedTuple):
    """One record, keyed by its instance in plain text, as `message.key.columns` with a key converter of text does."""

    key: bytes
    value: bytes
    is_late: bool
    """Whether its instance has a stage before, and that took longer than `LIMIT_MS`."""


@cache
def instances(partition: int) -> tuple[int, ...]:
    """Give the numbers of the instances that a Java producer would put into this partition; never empty."""
    return tuple(n for n in range(INSTANCES) if (murmur2(app_no(n)) & 0x7FFFFFFF) % PARTITIONS == partition)


def share(events: int, partition: int) -> int:
    """Give how many of so many events are this partition's, by its number of instances; they add up to `events`."""
    before = sum(len(instances(earlier)) for earlier in range(partition))
    return events * (before + len(instances(partition))) // INSTANCES - events * before // INSTANCES


def changes(partition: int) -> Iterator[Change]:
    """Give the stream of one partition; it has no end. The same at every call."""
    rng = random.Random(SEED + partition).random
    numbers = instances(partition)
    count, stages = len(numbers), len(STAGES)
    stage_of, started = [0] * count, [START_MS] * count
    keys = [app_no(number) for number in numbers]
    updates: list[bytes] = [b""] * count
    serial = 10_000_000
    while True:
        which = int(rng() * count)
        stage, took = stage_of[which], 1 + int(rng() * (LONGEST_MS - 1))
        code = STAGES[stage]
        at = started[which] = started[which] + took
        stage_of[which] = (stage + 1) % stages
        serial += 1
        update = updates[which]
        is_known = bool(update)
        if not is_known:
            update = updates[which] = _template(numbers[which], "u")
        if stage:
            value = update % (code, at, code, at, at, serial, serial, serial + 1, at + 120)
        else:
            value = _template(numbers[which], "c") % (code, at, at, serial, serial, serial + 1, at + 120)
        yield Change(keys[which], value, is_known and took > LIMIT_MS)


def pace(sample: int = 40_000, tries: int = 3) -> float:
    """Give how many records a second this machine's Python assembles: what its speed is judged by before a run.

    Per CPU second, and the best of some tries: what else runs now makes it slower by far.
    """
    return max(_pace(sample) for _ in range(tries))


def _pace(sample: int) -> float:
    begun = time.process_time()
    for _ in islice(changes(0), sample):
        pass
    return sample / (time.process_time() - begun)


def app_no(number: int) -> bytes:
    """Give the key of an instance."""
    return b"33%012d" % number


def _template(number: int, operation: str) -> bytes:
    """Give a record of an instance with gaps for what changes; "c", at its first stage, has no image of before."""
    after = _row(number, "01")
    before = _row(number, "00") if operation == "u" else "null"
    return (
        f'{{"before":{before},"after":{after},"source":{{"version":"3.2.0.Final","connector":"oracle","name":"mkt",'
        f'"ts_ms":%d,"snapshot":"false","db":"ORCL","schema":"SGPM","table":"S_APP_STAGE","txId":"06000400%08x",'
        f'"scn":"%d","commit_scn":"%d"}},"op":"{operation}","ts_ms":%d,"transaction":null}}'
    ).encode()


def _row(number: int, status: str) -> str:
    return (
        f'{{"app_no":"{app_no(number).decode()}","proc_id":"P{number:010d}","stage_code":"%b",'
        f'"handler_id":"H{number % 4000:05d}","org_no":"3340{number % 97:03d}","started_at":%d,"finished_at":null,'
        f'"volt_code":"{"AC00101" if number % 3 else "AC02202"}","capacity_kva":{number % 5000},'
        f'"cust_name":"浙江某某纺织有限公司{number}","status":"{status}"}}'
    )
