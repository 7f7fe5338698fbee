"""One record, several views of its row: each is a change of its own, for its own instance.

Why: a payment belongs to the bill's customer, to the disconnection that it cancels and to the reconnection that it
starts. Each view is read by a decoder of its own (a few columns, in one typed pass where the records are usual), so
that deletes, rows that move, keys that change and every dialect come to it by the road that the table's own view takes.
Stateless, like all decoding. What the table's own view refuses is refused whole, and so is what one of the others
refuses: but a row that does not say where it belongs there (a compressed update without that column) is only not told
there, and `warnings` says so.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec

from schemas.change import Change
from schemas.decode import Decoder, Headers, Refused, SchemaOf
from schemas.errors import BadInput
from schemas.mapping import TableMapping
from schemas.record import Raw

_by_offset = attrgetter("offset")


class FanOut:
    """Decodes the records of one captured table to the changes of all its views, the table's own first.

    The own one is told only where somebody holds it: an instance, or the readers of look-ups.
    """

    def __init__(self, mapping: TableMapping, *, schema_of: SchemaOf | None = None) -> None:
        """Compile the mapping and every view in its `also`."""
        self.mapping = mapping
        self._own = Decoder(mapping, schema_of=schema_of)
        self._views = [Decoder(view, schema_of=schema_of) for view in mapping.also]
        self._is_held = mapping.instance is not None or mapping.is_reference
        self._unnamed: dict[str, str] = {}

    @property
    def unknown_codes(self) -> dict[str, int]:
        """Values that their column's code list does not have, by column; a value counts once."""
        return self._own.unknown_codes

    @property
    def skipped(self) -> dict[str, int]:
        """Records that said nothing, by reason."""
        return self._own.skipped

    @property
    def moved(self) -> int:
        """Deletes that were one half of a primary-key change."""
        return self._own.moved

    @property
    def warnings(self) -> list[str]:
        """What the records seen so far say against the table's declaration; a sentence each, with what to do."""
        return [*self._own.warnings, *self._unnamed.values()]

    def decode_run(
        self, records: Iterable[Raw], *, topic: str, partition: int, high: int
    ) -> tuple[list[Change], list[Refused], int]:
        """Decode records of one partition, in order: see `Decoder.decode_run`."""
        records = list(records)
        told, refused, last = self._own.decode_run(records, topic=topic, partition=partition, high=high)
        found = [*told] if self._is_held else []
        for view in self._views:
            seen, bad, _ = view.decode_run(records, topic=topic, partition=partition, high=high)
            found += _told(view.mapping, seen)
            refused += [each for each in bad if not self._is_unnamed(view.mapping, each.why)]
        places = {each.record.offset for each in refused}
        if places:
            found = [change for change in found if change.offset not in places]
            refused = list({each.record.offset: each for each in reversed(refused)}.values())
            refused.sort(key=lambda each: each.record.offset)
        found.sort(key=_by_offset)  # stable: of one record, the views in their order
        return _numbered(found), refused, last

    def decode_all(  # noqa: PLR0913 - a record's parts
        self, *, key: bytes | None, value: bytes | None, headers: Headers = None, timestamp: int, topic: str,
        partition: int, offset: int,
    ) -> list[Change]:  # fmt: skip
        """Give the changes that a record tells, in order: see `Decoder.decode_all`."""
        told = self._own.decode_all(
            key=key, value=value, headers=headers, timestamp=timestamp, topic=topic, partition=partition,
            offset=offset,
        )  # fmt: skip
        found = [*told] if self._is_held else []
        for view in self._views:
            try:
                seen = view.decode_all(
                    key=key, value=value, headers=headers, timestamp=timestamp, topic=topic, partition=partition,
                    offset=offset,
                )  # fmt: skip
            except BadInput as why:
                if not self._is_unnamed(view.mapping, why):
                    raise
            else:
                found += _told(view.mapping, seen)
        return _numbered(found)

    def _is_unnamed(self, view: TableMapping, why: BadInput) -> bool:
        """Tell whether a row was refused only because it does not say where it belongs in a view; note that."""
        if why.reason != "missing-key":
            return False
        what = f"rows come without {why.detail} of their {view.entity}, and are not told there"
        self._unnamed[view.entity] = f"{view.topic}: {what}; have the source send these columns with every change"
        return True


def decoder_of(mapping: TableMapping, *, schema_of: SchemaOf | None = None) -> Decoder | FanOut:
    """Give what decodes a captured table with all its views; a table without further ones pays nothing for them."""
    return FanOut(mapping, schema_of=schema_of) if mapping.also else Decoder(mapping, schema_of=schema_of)


def _told(mapping: TableMapping, changes: Sequence[Change]) -> list[Change]:
    """Give those of a view's changes that are anybody's.

    A delete may not name its instance: whoever holds the row knows.
    """
    if mapping.view is not None and mapping.view.is_lasting:
        return [
            msgspec.structs.replace(change, left="") if change.left else change
            for change in changes
            if change.instance and change.op != "d"
        ]
    return [change for change in changes if change.instance or change.left or change.op == "d"]


def _numbered(changes: Sequence[Change]) -> list[Change]:
    """Give changes, sorted by offset, with their places among those of their record."""
    numbered: list[Change] = []
    last, part = -1, 0
    for change in changes:
        part = part + 1 if change.offset == last else 0
        last = change.offset
        numbered.append(
            change if change.part == part else Change(
                change.entity, change.instance, change.row, change.op, change.position, change.at, change.topic,
                change.partition, change.offset, change.fields, change.left, part, change.order,
            )
        )  # fmt: skip
    return numbered
