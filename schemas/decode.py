"""Bytes of a captured record to canonical changes: the only way in for other people's data.

Called by the agents for every record, by the reader of reference tables and by `replay`. One `Decoder` per table,
compiled once, for the dialect that its source declares. Whatever the bytes are, decoding returns or raises
`BadInput`; it must never raise anything else, recurse with the input, or depend on the depth of the caller's stack.
The one exception is Avro, whose schemas are elsewhere: `TryLater` says that they cannot be had now.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import get_args

import msgspec

from schemas.arrival_order import ArrivalWatch, MultipleWatch, by_partition
from schemas.change import Change
from schemas.codec import iso
from schemas.columns import LocalZone
from schemas.dialects.advice import advice_on
from schemas.dialects.canal_json import CanalJson
from schemas.dialects.debezium_avro import DebeziumAvro, SchemaOf
from schemas.dialects.debezium_json import DebeziumJson
from schemas.dialects.limits import MAX_BYTES, MAX_DEPTH, REASONS, Headers, Limits, Refused, json_bytes
from schemas.dialects.looks import looks_like
from schemas.dialects.maxwell_json import MaxwellJson
from schemas.dialects.ogg import Skew
from schemas.dialects.ogg_delimited import OggDelimited
from schemas.dialects.ogg_json import OggJson
from schemas.dialects.ogg_json_row import OggJsonRow
from schemas.dialects.row_events import Reader, RowEvents
from schemas.errors import Broken
from schemas.ingested import is_ingested
from schemas.log_resets import LogWatch, lifted
from schemas.mapping import Dialect, Format, TableMapping
from schemas.record import LATEST_ARRIVAL, Raw, too_late
from schemas.table import Table, Tally

SUPPORTED_DIALECTS: frozenset[Dialect] = frozenset(get_args(Dialect))

__all__ = [
    "MAX_BYTES", "MAX_DEPTH", "REASONS", "SUPPORTED_DIALECTS", "Decoder", "Headers", "Refused", "SchemaOf", "Skew",
    "advice_on", "looks_like",
]  # fmt: skip


class Decoder:
    """Decodes the records of one captured table.

    `unknown_codes` counts values that their column's code list does not have, by column.
    """

    def __init__(
        self,
        mapping: TableMapping,
        *,
        schema_of: SchemaOf | None = None,
        max_bytes: int = MAX_BYTES,
        max_depth: int = MAX_DEPTH,
    ) -> None:
        """Compile `mapping`. `schema_of` is needed for Avro only. Raises `Broken` where the dialect lacks something."""
        self.mapping = mapping
        self.unknown_codes: Tally = {}
        limits = Limits(max_bytes, max_depth)
        # Rows that no capture wrote are plain Debezium JSON in every topic.
        plain = msgspec.structs.replace(mapping, dialect="debezium-json", format=Format())
        self._is_plain = plain == mapping
        self._resets, self._watch = mapping.format.log_resets, LogWatch()
        self._is_multiplied = mapping.format.partitions == "multiplied"
        self._arrivals, self._multiples = ArrivalWatch(), MultipleWatch()
        self._json = DebeziumJson(plain, limits, self.unknown_codes)
        self._skew: Skew | None = None
        self._captured = self._json if self._is_plain else self._records(mapping, limits, schema_of)

    def _records(self, mapping: TableMapping, limits: Limits, schema_of: SchemaOf | None) -> DebeziumJson | RowEvents:
        unknown = self.unknown_codes
        if mapping.dialect == "debezium-json":
            return DebeziumJson(mapping, limits, unknown)
        table = Table(mapping, LocalZone(mapping.column_timezone), {}, unknown)
        if mapping.dialect == "debezium-avro":
            if schema_of is None:
                raise Broken(f"{mapping.topic}: debezium-avro needs the setting `schema_registry_url`")
            avro = DebeziumAvro(mapping, limits, unknown, schema_of)
            return RowEvents(mapping, avro, limits, table, read_key=avro.read_key)
        return RowEvents(mapping, self._text_reader(mapping, limits), limits, table)

    def _text_reader(self, mapping: TableMapping, limits: Limits) -> Reader:
        if mapping.dialect == "canal-json":
            return CanalJson(limits)
        if mapping.dialect == "maxwell-json":
            return MaxwellJson(limits)
        reader: OggJson | OggJsonRow | OggDelimited
        if mapping.dialect == "ogg-json":
            reader = OggJson(mapping, limits)
        elif mapping.dialect == "ogg-json-row":
            reader = OggJsonRow(mapping, limits)
        else:
            reader = OggDelimited(mapping)
        self._skew = reader.meta.skew
        return reader

    @property
    def skipped(self) -> dict[str, int]:
        """Records that said nothing, by reason.

        `tombstone`, `truncate`, `message`, `heartbeat`, `transaction`, `schema-change`, `notification`, `ddl`,
        `bootstrap`.
        """
        counts = dict(self._json.skipped)
        if not self._is_plain:
            for reason, count in self._captured.skipped.items():
                counts[reason] = counts.get(reason, 0) + count
        return counts

    @property
    def moved(self) -> int:
        """Deletes that were one half of a primary-key change."""
        return self._json.moved + (0 if self._is_plain else self._captured.moved)

    @property
    def warnings(self) -> list[str]:
        """What the records seen so far say against the table's declaration; a sentence each, with what to do."""
        return [*self._zone_warnings(), *self._reset_warnings(), *self._arrival_warnings()]

    def _reset_warnings(self) -> list[str]:
        began_at = self._watch.began_at
        if began_at is None:
            return []
        what = f"since {iso(began_at)} changes stand before what their source's log told earlier, and count as old"
        todo = f"if it began anew (fail-over, restore): `format: {{log_resets: ['{iso(began_at)}']}}`"
        return [f"{self.mapping.topic}: {what}; {todo}, then have the tables read again"]

    def _arrival_warnings(self) -> list[str]:
        found, topic = list[str](), self.mapping.topic
        if self._arrivals.most_ms:
            (partition, offset), seconds = self._arrivals.place, self._arrivals.most_ms // 1000
            what = f"partition {partition}, offset {offset} stands behind a record dated {seconds} s ahead of it"
            why = (
                "and the source tells no place in its log: when the topic grows, rows that move stand still until then"
            )
            todo = (
                "set `message.timestamp.type=LogAppendTime`, let the source tell its places, or have the topic grow to"
            )
            how = "a multiple of its partitions only, and say so: `format: {partitions: multiplied}`"
            found.append(f"{topic}: {what}, {why}; {todo} {how}")
        if (row := self._multiples.gone_down) is not None:
            what = (
                f"row {row} went to a partition with a lower number, but `format: {{partitions: multiplied}}` is said"
            )
            found.append(
                f"{topic}: {what}; take that back, else its changes count as old, and have the table read again"
            )
        return found

    def note_arrival(self, changes: Sequence[Change], own_ms: int, arrived: int) -> None:
        """Take in a record's changes, own timestamp and arrival, epoch ms, of a topic read from its front.

        For `warnings`; only who asks for them then need tell it.
        """
        self._arrivals.note(changes, own_ms, arrived)
        self._multiples.note(changes, own_ms)

    def _zone_warnings(self) -> list[str]:
        hours = self._skew.hours if self._skew is not None else 0
        if hours == 0:
            return []
        side, zone = "before" if hours > 0 else "after", self.mapping.op_ts_timezone
        what = f"op_ts read as {zone} is {abs(hours)} h {side} the records' arrival"
        return [f"{self.mapping.topic}: {what}; set `op_ts_timezone` to the zone that the replicat writes"]

    def decode_run(
        self, records: Sequence[Raw], *, topic: str, partition: int, high: int
    ) -> tuple[list[Change], list[Refused], int]:
        """Decode records of one partition, in order: the changes, the refused records, and the new running maximum.

        `high` is the largest timestamp of the partition before these records; a record whose own is smaller
        arrived at `high`. What a record tells does not depend on the records around it. One whose own lies beyond
        `LATEST_ARRIVAL` is refused and moves no clock.
        """
        changes, refused, reached = self._decode_run(records, topic=topic, partition=partition, high=high)
        if reached >= LATEST_ARRIVAL > high:  # as good as never: the records are then decoded a second time
            near = [record for record in records if record.timestamp < LATEST_ARRIVAL]
            far = [Refused(r, too_late(r.timestamp)) for r in records if r.timestamp >= LATEST_ARRIVAL]
            changes, refused, reached = self._decode_run(near, topic=topic, partition=partition, high=high)
            refused = sorted([*refused, *far], key=lambda each: each.record.offset)
        return self._placed(changes, partition), refused, reached

    def _placed(self, changes: list[Change], partition: int) -> list[Change]:
        """Give changes of one partition with the positions that declared resets and growth of the topic give them."""
        if self._resets:
            changes = lifted(changes, self._resets)
        if self._is_multiplied:
            changes = by_partition(changes)
        self._watch.note(changes, partition)
        return changes

    def _decode_run(
        self, records: Iterable[Raw], *, topic: str, partition: int, high: int
    ) -> tuple[list[Change], list[Refused], int]:
        if self._is_plain:
            return self._json.decode_run(records, topic=topic, partition=partition, high=high)
        changes: list[Change] = []
        refused: list[Refused] = []
        for is_ours, run in groupby(records, key=lambda record: is_ingested(record.headers)):
            how = self._json if is_ours else self._captured
            found, bad, high = how.decode_run(run, topic=topic, partition=partition, high=high)
            changes += found
            refused += bad
        return changes, refused, high

    def decode_all(  # noqa: PLR0913 - a record's parts
        self, *, key: bytes | None, value: bytes | None, headers: Headers = None, timestamp: int, topic: str,
        partition: int, offset: int,
    ) -> list[Change]:  # fmt: skip
        """Give the changes that a record tells, in order; empty if none (a tombstone, a heartbeat: see `skipped`).

        `timestamp` is the record's arrival, epoch ms. Raises `BadInput` with one of `REASONS`, and `TryLater`.
        """
        how = self._json if self._is_plain or is_ingested(headers) else self._captured
        changes = how.decode_all(
            key=key, value=value, headers=headers, timestamp=timestamp, topic=topic, partition=partition,
            offset=offset,
        )  # fmt: skip
        return self._placed(changes, partition)

    def decode(  # noqa: PLR0913 - a record's parts
        self, *, key: bytes | None, value: bytes | None, headers: Headers = None, timestamp: int, topic: str,
        partition: int, offset: int,
    ) -> Change | None:  # fmt: skip
        """Do as `decode_all` where a record tells one change, or none. Raises `Broken` if it tells more."""
        changes = self.decode_all(
            key=key, value=value, headers=headers, timestamp=timestamp, topic=topic, partition=partition,
            offset=offset,
        )  # fmt: skip
        if len(changes) > 1:
            raise Broken(f"{topic}: a record of {self.mapping.dialect} tells several changes, one was asked for")
        return changes[0] if changes else None

    def decode_json(  # noqa: PLR0913 - a record's parts
        self, *, key: object, value: object, headers: Headers = None, timestamp: int, topic: str, partition: int,
        offset: int,
    ) -> Change | None:  # fmt: skip
        """Do as `decode` for a record whose key and value are parsed JSON (or raw bytes, or None).

        Fractions should have been parsed as `Decimal`; `schemas.recorded` gives the raw bytes instead, which is faster.
        """
        return self.decode(
            key=json_bytes(key), value=json_bytes(value), headers=headers, timestamp=timestamp, topic=topic,
            partition=partition, offset=offset,
        )  # fmt: skip
