"""What a change of the rule book would mean for what runs now: read from the workers' own state, nothing written.

Called by `stagewatch rules diff`. Reads the changelog of the tracking agent and the reference data into memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from connectors import SourceCatalog
from rules import (
    Definitions,
    Engine,
    Impact,
    Partition,
    Reference,
    ThresholdJudge,
    Total,
    Totals,
    measure,
    measure_values,
)
from schemas import BadInput, Decoder
from stagewatch.settings import Settings
from stagewatch.topic_reader import TopicRecord, read_topic
from streams import POSITION_KEY, engine_position, totals_clock

_decode_total = msgspec.msgpack.Decoder(Total).decode


def impact_of(
    settings: Settings, bootstrap: str, sources: SourceCatalog, before: Definitions, after: Definitions
) -> Impact:
    """Give what would be raised, spared and moved at once if `after` came into effect in place of `before`."""
    reference = _reference(bootstrap, sources)
    engines = [Engine(d, reference, mail_domain=settings.mail_domain) for d in (before, after)]
    impact = Impact()
    for partition in _partitions(bootstrap, f"{settings.application_id}-track-changelog", engines[0]):
        measure(impact, engines[0], engines[1], partition)
    for judge in _judges(bootstrap, f"{settings.application_id}-totals-changelog", before, reference):
        measure_values(impact, judge, after)
    return impact


def _judges(bootstrap: str, changelog: str, definitions: Definitions, reference: Reference) -> Iterator[ThresholdJudge]:
    """Give the judge of each owner of indicator values as its last transaction left it."""
    logs: dict[int, dict[bytes, bytes]] = defaultdict(dict)
    for record in read_topic(bootstrap, changelog):
        log, key = logs[record.partition], record.key or b""
        log.pop(key, None)
        if record.value is not None:
            log[key] = record.value
    for log in logs.values():
        position = log.pop(POSITION_KEY, None)
        totals, rows = Totals(), {}
        for key, value in log.items():
            name = key.decode()
            if ThresholdJudge.is_row(name):
                rows[name] = value
            else:
                totals.rows[name] = _decode_total(value)
        if position is not None:
            judge = ThresholdJudge(definitions, reference, totals)
            judge.load(rows, totals_clock(position))
            yield judge


def _reference(bootstrap: str, sources: SourceCatalog) -> Reference:
    mappings = [mapping for mapping in sources.mappings if mapping.is_reference]
    reference = Reference(frozenset(mapping.entity for mapping in mappings), sources.believed)
    for mapping in mappings:
        decoder = Decoder(mapping, schema_of=sources.schema_of)
        high: dict[int, int] = defaultdict(int)
        for record in read_topic(bootstrap, mapping.topic):
            high[record.partition] = at = max(high[record.partition], record.timestamp)
            try:
                changes = decoder.decode_all(
                    key=record.key, value=record.value, headers=(), timestamp=at, topic=mapping.topic,
                    partition=record.partition, offset=record.offset,
                )  # fmt: skip
            except BadInput:  # a dead letter by now
                continue
            for change in changes:
                reference.add(change)
    return reference


def _partitions(bootstrap: str, changelog: str, engine: Engine) -> Iterator[Partition]:
    """Give each partition of the tracking agent as its last transaction left it."""
    logs: dict[int, dict[bytes, TopicRecord]] = defaultdict(dict)
    for record in read_topic(bootstrap, changelog):
        logs[record.partition][record.key or b""] = record
    for number in sorted(logs):
        position = logs[number].pop(POSITION_KEY, None)
        if position is None or position.value is None:
            continue
        partition = engine.new_partition(number)
        for key, record in logs.pop(number).items():
            if record.value is not None:
                engine.load(partition, key.decode(), record.value)
        engine.load_position(partition, engine_position(position.value))
        engine.finish_recovery(partition)
        yield partition
        engine.release(partition)
