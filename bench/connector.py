"""The captured topics as Debezium's PostgreSQL connector writes them: bytes, keys, partitions.

The form is that of a real capture (Debezium 3.2, JSON without schema): timestamps as ISO 8601 text in
microseconds, dates as days since 1970.
"""

from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

import msgspec
from kafka.partitioner.default import murmur2

from bench.rows import Application, District, Happening, ListItem, Progress, Responsible, Row
from schemas import Recorded

SPREAD = 4
"""Partitions, as in the comparison with the peers."""
_FIRST_LSN, _LSN_STEP = 0x19E_0000, 328
_CAPTURE_MS = 180
"""From the commit to the record's arrival, about what the real capture shows."""


class Table(NamedTuple):
    """One captured table."""

    topic: str
    schema: str
    name: str
    key: str
    """Primary key column."""
    instance: str | None
    """The column that names the process instance; None: reference data."""


TABLES: dict[type[Row], Table] = {
    District: Table("cdc.ymd.ymd_tg", "ymd", "ymd_tg", "tg_no", None),
    Responsible: Table("cdc.mkt.tg_manager", "mkt", "tg_manager", "tg_no", None),
    Application: Table("cdc.mkt.mkt_app", "mkt", "mkt_app", "app_no", "app_no"),
    Progress: Table("cdc.mkt.mkt_app_progress", "mkt", "mkt_app_progress", "progress_id", "app_no"),
    ListItem: Table("cdc.lean.lean_neg_trans", "lean", "lean_neg_trans", "nl_no", "nl_no"),
}


class Layout(NamedTuple):
    """How the captured topics are keyed and spread."""

    is_keyed: bool
    """By the process instance (Debezium's `message.key.columns`); else by the row, which is the default."""
    spread: int = SPREAD
    """Partitions of the topics whose rows belong to instances."""

    @property
    def partitions(self) -> dict[str, int]:
        """Partitions by topic. A list of some thousand rows needs one, unless all must be spread alike."""
        narrow = {TABLES[District].topic, TABLES[Responsible].topic}
        if not self.is_keyed:
            narrow.add(TABLES[ListItem].topic)
        return {table.topic: 1 if table.topic in narrow else self.spread for table in TABLES.values()}

    @property
    def direct(self) -> frozenset[str]:
        """Topics that the tracking agent reads itself."""
        return frozenset(t.topic for t in TABLES.values() if t.instance) if self.is_keyed else frozenset()


BY_ROW, BY_INSTANCE = Layout(is_keyed=False), Layout(is_keyed=True)


class _Source(msgspec.Struct):
    version: str
    connector: str
    name: str
    ts_ms: int
    snapshot: str
    db: str
    sequence: str
    ts_us: int
    ts_ns: int
    schema: str
    table: str
    txId: int  # noqa: N815 - Debezium's name
    lsn: int
    xmin: None = None


class _Envelope(msgspec.Struct):
    before: Row | None
    after: Row
    source: _Source
    transaction: None
    op: str
    ts_ms: int
    ts_us: int
    ts_ns: int


_encode = msgspec.json.Encoder().encode


class Connector:
    """Turns happenings into records, in the order of their commits; knows the offset that each one gets."""

    def __init__(self, layout: Layout = BY_ROW) -> None:
        self._offsets = {topic: [0] * count for topic, count in layout.partitions.items()}
        self._is_keyed = layout.is_keyed
        self._lsn = _FIRST_LSN
        self._partition_of: dict[bytes, int] = {}

    def record(self, happening: Happening) -> Recorded:
        """Give the record of one happening; its place is the next of its partition."""
        at, op, row, before = happening
        table = TABLES[type(row)]
        column = (table.instance or table.key) if self._is_keyed else table.key
        key = _encode({column: getattr(row, column)})
        offsets = self._offsets[table.topic]
        partition = self._place(key, len(offsets))
        offset = offsets[partition]
        offsets[partition] = offset + 1
        self._lsn += _LSN_STEP
        ms, snapshot = at - _CAPTURE_MS, "true" if op == "r" else "false"
        source = _Source(
            "3.2.0.Final", "postgresql", table.schema, ms, snapshot, table.schema,
            f'["{self._lsn - _LSN_STEP}","{self._lsn}"]', ms * 1000, ms * 1_000_000, table.schema, table.name,
            self._lsn // _LSN_STEP, self._lsn,
        )  # fmt: skip
        value = _encode(_Envelope(before, row, source, None, op, at, at * 1000, at * 1_000_000))
        return Recorded(table.topic, partition, offset, at, key, value, {})

    def _place(self, key: bytes, count: int) -> int:
        """Give the partition: Kafka Connect's choice for instances, which must be co-partitioned; else any fixed."""
        if count == 1:
            return 0
        if not self._is_keyed:  # millions of keys: the hash in Python would cost more than the record
            return crc32(key) % count
        found = self._partition_of.get(key)
        if found is None:
            found = self._partition_of[key] = (murmur2(key) & 0x7FFFFFFF) % count
        return found


def instance_tables() -> Mapping[str, list[str]]:
    """Give the tables whose rows belong to instances, by source."""
    found: dict[str, list[str]] = {}
    for table in TABLES.values():
        if table.instance is not None:
            found.setdefault(table.schema, []).append(table.name)
    return found
