"""Captured topics keyed by the instance: which of them are read as they stand, and where their instances are."""

import logging
from collections.abc import Callable, Mapping

import msgspec

from schemas import Change, Decoder, TableMapping
from streams.partitioner import Partitioner

log = logging.getLogger("stagewatch.direct")


class DirectTopic(msgspec.Struct, frozen=True):
    """A captured topic keyed by the instance, with as many partitions as `stagewatch.changes`: read as it stands."""

    decoder: Decoder
    encode: Callable[[Change], bytes]
    partitioner: Partitioner
    """Where its instances are."""


def direct_topics(mappings: Mapping[str, TableMapping], counts: Mapping[str, int], changes: str) -> frozenset[str]:
    """Give the topics that the tracking agent reads as they stand: keyed by the instance, of its own count.

    Not those with further views: changes for instances of other partitions must be waited for there, which takes the
    re-keying agent's marks.
    """
    keyed = {topic for topic, mapping in mappings.items() if mapping.message_key != "row" and not mapping.also}
    for topic in sorted(keyed):
        if counts[topic] != counts[changes]:
            log.warning(
                "%s has %d partitions and %s %d: it is re-keyed as if it were keyed by its rows",
                topic, counts[topic], changes, counts[changes],
            )  # fmt: skip
    return frozenset(topic for topic in keyed if counts[topic] == counts[changes])


def partitioners_of(mappings: Mapping[str, TableMapping], count: int) -> dict[str, dict[str, Partitioner]]:
    """Give per topic and entity where the instances of its rows are.

    Where one topic of them is keyed by the instance, all rows of these instances follow its message keys.
    Instances are the same where their tables call the column by the same field.
    """
    forms = {m.instance_kind: m.key_form for m in mappings.values() if m.message_key != "row"}
    made = {form: Partitioner(count, form) for form in {*forms.values(), b"%b"}}
    return {
        topic: {view.entity: made[forms.get(view.instance_kind, b"%b")] for view in (mapping, *mapping.also)}
        for topic, mapping in mappings.items()
        if mapping.is_keyed
    }
