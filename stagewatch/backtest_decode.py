"""The first half of a backtest: recorded events to canonical changes, once, in files by share of the instances.

Each share is judged by a process of its own. A change of an instance goes to the share that its key falls into;
reference data, list items among them, and deletes that do not name their instance go to all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from connectors import SourceCatalog
from schemas import BadInput, Change, Decoder, FanOut, Recorded, decode_change, decoder_of, encode_change

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[bytes]).decode
LENGTH_BYTES = 4
"""Before each piece of a share's file stands its length."""


class Decoded(NamedTuple):
    """What a run of records told: an encoded piece for each share, and the counts."""

    pieces: tuple[bytes, ...]
    records: int
    changes: int
    refused: int


class ShareDecoder:
    """Decodes records and deals the changes out to the shares. One per process."""

    def __init__(self, sources: SourceCatalog, shares: int, left_out: Collection[str] = ()) -> None:
        """Take how many shares there are, and the entities whose rows nothing asks for."""
        self._sources, self._shares, self._left_out = sources, shares, left_out
        self._reference = sources.entities(reference=True)
        self._decoders: dict[str, Decoder | FanOut | None] = {}

    def decode(self, records: Sequence[Recorded]) -> Decoded:
        """Decode records in the order given; what is refused is counted and left out."""
        dealt: list[list[bytes]] = [[] for _ in range(self._shares)]
        changes = refused = 0
        for record in records:
            try:
                found = self._changes(record)
            except BadInput:
                refused += 1
                continue
            changes += len(found)
            for change in found:
                for part, shares in self._deal(change):
                    for share in shares:
                        dealt[share].append(part)
        return Decoded(tuple(map(_pack, dealt)), len(records), changes, refused)

    def _changes(self, record: Recorded) -> Sequence[Change]:
        if record.topic not in self._decoders:
            self._decoders[record.topic] = self._decoder(record.topic)
        decoder = self._decoders[record.topic]
        if decoder is None:
            return ()
        return decoder.decode_all(
            key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp,
            topic=record.topic, partition=record.partition, offset=record.offset,
        )  # fmt: skip

    def _decoder(self, topic: str) -> Decoder | FanOut | None:
        """Give what decodes the records of a topic; None: nobody asks for them."""
        mapping = self._sources.mapping_for(topic)
        is_asked_for = mapping and (mapping.entity not in self._left_out or mapping.is_reference or mapping.also)
        return decoder_of(mapping, schema_of=self._sources.schema_of) if mapping and is_asked_for else None

    def _deal(self, change: Change) -> Iterator[tuple[bytes, Iterable[int]]]:
        """Give what of a change which shares get."""
        if change.entity in self._reference or not change.instance:
            yield encode_change(change), range(self._shares)
            return
        share = self.share_of(change.instance)
        left = self.share_of(change.left) if change.left else share
        if left == share:
            yield encode_change(change), (share,)
            return
        yield encode_change(change.leaving()), (left,)
        yield encode_change(msgspec.structs.replace(change, left="")), (share,)

    def share_of(self, instance: str) -> int:
        """Give the share that judges an instance."""
        return crc32(instance.encode("utf-8", "surrogatepass")) % self._shares


class ShareFiles:
    """The files of all shares, written piece by piece; to be closed."""

    def __init__(self, folder: Path, shares: int) -> None:
        self.paths = [folder / f"share-{number}" for number in range(shares)]
        self._files = [path.open("wb") for path in self.paths]

    def write(self, pieces: Iterable[bytes]) -> None:
        """Add a piece to each share."""
        for file, piece in zip(self._files, pieces, strict=True):
            file.write(len(piece).to_bytes(LENGTH_BYTES, "big") + piece)

    def close(self) -> None:
        """Finish the files."""
        for file in self._files:
            file.close()


def read_share(path: Path) -> Iterator[list[Change]]:
    """Give the changes of one share, a piece at a time, in order of arrival."""
    with path.open("rb") as file:
        while head := file.read(LENGTH_BYTES):
            yield [decode_change(each) for each in _unpack(file.read(int.from_bytes(head, "big")))]
