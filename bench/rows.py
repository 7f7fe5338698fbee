"""Rows of the three source systems and the bytes that Debezium's PostgreSQL connector writes for their changes.

The form is that of a real capture (Debezium 3.2, JSON without schema): timestamps as ISO 8601 text in
microseconds, dates as days since 1970. Structs instead of dicts: a million records must not take minutes.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from zlib import crc32

import msgspec

from schemas import Recorded

PARTITIONS = {
    "cdc.ymd.ymd_tg": 1,
    "cdc.mkt.tg_manager": 1,
    "cdc.mkt.mkt_app": 4,
    "cdc.mkt.mkt_app_progress": 4,
    "cdc.lean.lean_neg_trans": 1,
}
"""The captured topics. Four partitions, as in the comparison with the peers; a list of some thousand rows needs one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_LSN, _LSN_STEP = 0x19E_0000, 328
_CAPTURE_MS = 180
"""From the commit to the record's arrival, about what the real capture shows."""


class District(msgspec.Struct, frozen=True):
    """Row of `ymd_tg`."""

    tg_no: str
    tg_name: str
    trans_no: str
    line_no: str
    org_no: str
    rated_kva: int
    upd_at: str
    is_public: bool = True


class Responsible(msgspec.Struct, frozen=True):
    """Row of `tg_manager`."""

    tg_no: str
    mgr_no: str
    mgr_name: str
    mobile: str
    sup_method: str
    valid_from: str
    valid_to: str | None
    upd_at: str


class Application(msgspec.Struct, frozen=True):
    """Row of `mkt_app`."""

    app_no: str
    cons_no: str
    cust_name: str
    cust_mobile: str
    org_no: str
    app_type: str
    volt_class: str
    volt_level_code: str
    source_count: int
    apply_cap_kva: int
    tg_no: str
    line_no: str
    subs_no: str
    mgr_no: str
    accepted_at: str
    status_code: str
    archived_at: str | None
    upd_at: str


class Progress(msgspec.Struct, frozen=True):
    """Row of `mkt_app_progress`."""

    progress_id: int
    app_no: str
    stage_code: str
    visit_no: int
    dept_code: str
    handler_no: str
    entered_at: str
    finished_at: str | None
    result_code: str | None
    suspend_from: str | None
    suspend_to: str | None
    suspend_reason: str | None
    remark: str | None
    upd_at: str


class ListItem(msgspec.Struct, frozen=True):
    """Row of `lean_neg_trans`."""

    nl_no: str
    org_no: str
    org_name: str
    trans_name: str
    trans_no: str
    tg_no: str
    determined_at: str
    plan_finish_at: int
    limit_level: str
    rated_kva: int
    max_load_rate: str
    published_at: str | None
    cleared_at: str | None
    upd_at: str


Row = District | Responsible | Application | Progress | ListItem

_TOPICS: dict[type[msgspec.Struct], tuple[str, str, str, str]] = {
    District: ("cdc.ymd.ymd_tg", "ymd", "ymd_tg", "tg_no"),
    Responsible: ("cdc.mkt.tg_manager", "mkt", "tg_manager", "tg_no"),
    Application: ("cdc.mkt.mkt_app", "mkt", "mkt_app", "app_no"),
    Progress: ("cdc.mkt.mkt_app_progress", "mkt", "mkt_app_progress", "progress_id"),
    ListItem: ("cdc.lean.lean_neg_trans", "lean", "lean_neg_trans", "nl_no"),
}
"""Topic, schema, table and key column of each row."""


class Happening(NamedTuple):
    """One committed change. `at`: when its record arrives, epoch ms."""

    at: int
    op: Literal["c", "u"]
    row: Row
    before: Row | None = None


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


def iso(ms: int) -> str:
    """Give epoch ms as the connector writes a timestamp with time zone."""
    return (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Connector:
    """Turns happenings into records, in the order of their commits; knows the offset that each one gets."""

    def __init__(self) -> None:
        self._lsn = _FIRST_LSN
        self._offsets = {topic: [0] * count for topic, count in PARTITIONS.items()}

    def record(self, happening: Happening) -> Recorded:
        """Give the record of one happening; its place is the next of its partition."""
        at, op, row, before = happening
        topic, schema, table, key_name = _TOPICS[type(row)]
        key = _encode({key_name: getattr(row, key_name)})
        offsets = self._offsets[topic]
        partition = crc32(key) % len(offsets)
        offset = offsets[partition]
        offsets[partition] = offset + 1
        self._lsn += _LSN_STEP
        ms = at - _CAPTURE_MS
        source = _Source(
            "3.2.0.Final", "postgresql", schema, ms, "false", schema, f'["{self._lsn - _LSN_STEP}","{self._lsn}"]',
            ms * 1000, ms * 1_000_000, schema, table, self._lsn // _LSN_STEP, self._lsn,
        )  # fmt: skip
        value = _encode(_Envelope(before, row, source, None, op, at, at * 1000, at * 1_000_000))
        return Recorded(topic, partition, offset, at, key, value, {})
