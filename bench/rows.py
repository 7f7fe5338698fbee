"""Rows of the three source systems, and what happens to them.

Structs instead of dicts: a million records must not take minutes. What the capture makes of them is in
`bench.connector`.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


class Happening(NamedTuple):
    """One committed change. `at`: when its record arrives, epoch ms."""

    at: int
    op: Literal["c", "u", "r"]
    """`r`: a row that was there when the capture began."""
    row: Row
    before: Row | None = None


def iso(ms: int) -> str:
    """Give epoch ms as the connector writes a timestamp with time zone."""
    return (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
