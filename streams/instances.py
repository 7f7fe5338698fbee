"""What the store shows of an instance: its row, made from its changelog record."""

import msgspec

from rules import Definitions, Instance, describe, describe_golden
from schemas import epoch_ms
from sinks.store import InstanceRow
from streams.sources import Sources

_decode = msgspec.msgpack.Decoder(Instance).decode
_to_json = msgspec.json.Encoder().encode


class InstanceReader:
    """Reads changelog records with the definitions that say what they mean."""

    def __init__(self, definitions: Definitions, sources: Sources) -> None:
        self._definitions, self._sources = definitions, sources

    def __call__(self, data: bytes, at: int, offset: int) -> InstanceRow | None:
        """Give the row of an instance; None for one whose own row has not come yet."""
        instance = _decode(data)
        if instance.process is None:
            return None
        document = describe(instance)
        process = self._definitions.processes.get(instance.process)
        if process is not None:
            document["golden"] = describe_golden(
                instance, process.entity, precedence=self._sources.precedence, source_of=self._source_of
            )
        entered = [v["entered_at"] for v in document["visits"] if v["finished_at"] is None and v["entered_at"]]
        org_no = document["org_no"]
        return InstanceRow(
            process=instance.process, instance=instance.key, org_no=None if org_no is None else str(org_no),
            status=document["status"], stages=tuple(document["stages"]),
            entered_at=epoch_ms(min(entered)) if entered else None, state=_to_json(document).decode(),
            updated_at=at, position=offset,
        )  # fmt: skip

    def _source_of(self, topic: str) -> str:
        mapping = self._sources.mapping_for(topic)
        return topic if mapping is None else mapping.source
