"""The demo's source databases: rows that change, and what Debezium's PostgreSQL connector makes of each change.

The form of the envelopes is that of a real capture (Debezium 3.2, JSON without schema): timestamps with time
zone as ISO 8601 text in microseconds, dates as days since 1970, numerics as text.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from schemas import Recorded

Cell = str | int | bool | date | None
Row = dict[str, Cell]

TABLES: dict[str, tuple[tuple[str, ...], int]] = {
    "ymd.ymd_org": (("org_no",), 1),
    "ymd.ymd_line": (("line_no",), 1),
    "ymd.ymd_tg": (("tg_no",), 2),
    "mkt.customer_manager": (("mgr_no",), 1),
    "mkt.tg_manager": (("tg_no",), 2),
    "mkt.stakeholder": (("stakeholder_id",), 1),
    "mkt.mkt_cons": (("cons_no",), 2),
    "mkt.mkt_app": (("app_no",), 4),
    "mkt.mkt_app_progress": (("progress_id",), 4),
    "mkt.mkt_cust_prj": (("prj_no",), 2),
    "lean.lean_prj_schedule": (("prj_no",), 1),
    "lean.lean_neg_trans": (("nl_no",), 1),
    "lean.lean_neg_line": (("nl_no",), 1),
}
"""Captured tables with their primary keys and the partitions of their topics."""

_EPOCH_DAY = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_LSN, _LSN_STEP = 0x19E_0000, 328
_DELAY_MS = 180
"""From the commit to Debezium's own stamp, about what the real capture shows."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One committed change of one row. `at` is when its record arrives (epoch ms); times in the row are epoch ms."""

    at: int
    table: str
    op: Literal["c", "u"]
    row: Row
    garbage: bytes | None = None
    """A record that nobody can read, in place of the change."""

    @property
    def key(self) -> tuple[str, ...]:
        """The row's primary key."""
        return tuple(str(self.row[name]) for name in TABLES[self.table][0])


def topic_of(table: str) -> str:
    """Give the topic of a captured table."""
    return f"cdc.{table}"


class Connector:
    """Turns happenings into records, in the order of their commits."""

    def __init__(self) -> None:
        self._lsn = _FIRST_LSN
        self._transaction = 700
        self._before: dict[tuple[str, tuple[str, ...]], Row] = {}
        self._next_offset: dict[tuple[str, int], int] = {}

    def record(self, happening: Happening) -> Recorded:
        """Give the record of one happening; its place is the next of its partition."""
        key_names, partitions = TABLES[happening.table]
        key = json.dumps({name: _cell(name, happening.row[name]) for name in key_names}).encode()
        partition = zlib.crc32(key) % partitions
        topic = topic_of(happening.table)
        offset = self._next_offset.get((topic, partition), 0)
        self._next_offset[topic, partition] = offset + 1
        value = happening.garbage or json.dumps(self._envelope(happening), ensure_ascii=False).encode()
        return Recorded(topic, partition, offset, happening.at, key, value, {})

    def records(self, happenings: Iterable[Happening]) -> Iterable[Recorded]:
        """Give the records of several."""
        return map(self.record, happenings)

    def _envelope(self, happening: Happening) -> dict[str, object]:
        self._lsn += _LSN_STEP
        self._transaction += 1
        place = (happening.table, happening.key)
        before = self._before.get(place) if happening.table == "mkt.mkt_app" else None  # replica identity full
        self._before[place] = happening.row
        schema, _, table = happening.table.partition(".")
        committed = happening.at - _DELAY_MS
        return {
            "before": _image(before) if before is not None else None,
            "after": _image(happening.row),
            "source": {
                "version": "3.2.0.Final", "connector": "postgresql", "name": schema, "ts_ms": committed,
                "snapshot": "false", "db": schema, "sequence": f'["{self._lsn - _LSN_STEP}","{self._lsn}"]',
                "ts_us": committed * 1000, "ts_ns": committed * 1_000_000, "schema": schema, "table": table,
                "txId": self._transaction, "lsn": self._lsn, "xmin": None,
            },
            "transaction": None, "op": happening.op,
            "ts_ms": happening.at, "ts_us": happening.at * 1000, "ts_ns": happening.at * 1_000_000,
        }  # fmt: skip


def in_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Sort by arrival and let no two arrive in one millisecond, so that nobody has to guess which was first."""
    ordered: list[Happening] = []
    for happening in sorted(happenings, key=lambda each: each.at):
        last = ordered[-1].at if ordered else 0
        ordered.append(happening if happening.at > last else replace(happening, at=last + 1))
    return ordered


def _image(row: Row) -> dict[str, object]:
    return {name: _cell(name, value) for name, value in row.items()}


def _cell(name: str, value: Cell) -> object:
    if isinstance(value, date):
        return (value - _EPOCH_DAY).days
    if isinstance(value, int) and name.endswith(("_at", "_from", "_to")):
        return f"{(_EPOCH + timedelta(milliseconds=value)).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    return value
