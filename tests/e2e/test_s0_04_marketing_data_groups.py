"""S0-04 and S0-06: every named item of the marketing system lands, and one join shows what belongs together."""

import time
from typing import Any

import pytest

from connectors import SHIPPED_SOURCES, load_sources
from tests.helpers.whole_system import PATIENCE_S, WholeSystem, example

APP, ITEM, DISTRICT = "330126000129", "NL00006", "RD0007"
OTHER = "330126000777"
Joined = dict[str, list[dict[str, Any]]]


def named_tables() -> list[str]:
    """The marketing system's tables with an item that the seed names (★ in domain.md 2.1)."""
    marketing = next(each.model for each in load_sources([SHIPPED_SOURCES]).files if each.model.source == "mkt")
    return [name for name, table in marketing.tables.items() if table.seed]


@pytest.fixture(scope="module")
def landed(system: WholeSystem) -> WholeSystem:
    """A row of every item, and those of another application that must not be mixed in."""
    for table in [*named_tables(), "mkt_prj_pkg_item"]:
        system.capture("mkt", table, example("mkt", table))
    for table in ("lean_res_district", "lean_prj_progress"):
        system.capture("lean", table, example("lean", table))
    residential = {"prj_no": "PRJ2026030", "node_code": "DESIGN"}
    system.capture("lean", "lean_prj_progress", example("lean", "lean_prj_progress", **residential, percent_done="35"))
    # Elsewhere than the applications of the other tests.
    system.capture("lean", "lean_neg_trans", example("lean", "lean_neg_trans", tg_no="TG-S04", trans_no="T-S04"))
    system.capture("mkt", "mkt_app", example("mkt", "mkt_app", app_no=OTHER, cons_no="3301000777"))
    system.capture(
        "mkt", "mkt_prj_charge", example("mkt", "mkt_prj_charge", charge_id="CH9", prj_no=None, app_no=OTHER)
    )
    system.capture("mkt", "mkt_prj_cost", example("mkt", "mkt_prj_cost", cost_id="CO9", prj_no="PRJ9"))
    return system


def joined(system: WholeSystem, table: str, key: str) -> Joined:
    found: Joined = {}
    for row in system.ask("sources", "join", table, key, sources=str(SHIPPED_SOURCES)):
        found.setdefault(row["table"], []).append(row)
    return found


def test_s0_04_every_item_is_read_by_the_worker_and_none_refused(landed: WholeSystem) -> None:
    assert len(named_tables()) == 18
    landed.wait_for(APP, lambda found: "residential_project:PRJ2026030" in found["rows"])
    landed.wait_for(ITEM, lambda found: f"negative_item@mkt:{ITEM}" in found["rows"])
    deadline = time.monotonic() + PATIENCE_S
    tables = {row["table"]: row for row in landed.ask("sources", "health", "mkt", sources=str(SHIPPED_SOURCES))}
    while any(tables[name]["unread"] for name in named_tables()):
        assert time.monotonic() < deadline, tables
        tables = {row["table"]: row for row in landed.ask("sources", "health", "mkt", sources=str(SHIPPED_SOURCES))}
    assert all(tables[name]["records"] >= 1 and tables[name]["refused"] == 0 for name in named_tables())


def test_s0_04_join_by_app_no_gives_money_progress_notice_interaction_and_works_together(landed: WholeSystem) -> None:
    found = joined(landed, "mkt_app", APP)
    fields = {table: [row["fields"] for row in rows] for table, rows in found.items()}
    assert [row["received_amt"] for row in fields["mkt_prj_charge"]] == ["81900.00"]
    assert [row["cost_amt"] for row in fields["mkt_prj_cost"]] == ["46210.50"]
    assert [row["budget_amt"] for row in fields["mkt_prj_budget"]] == ["260000.00"]
    assert [row["stage"] for row in fields["mkt_app_progress"]] == ["SCHEME"]
    assert [row["reply_result"] for row in fields["mkt_coord_notice"]] == ["agreed"]
    assert [row["inter_type"] for row in fields["mkt_inter_biz"]] == ["progress"]
    assert len(fields["mkt_inter_stage"]) == 1
    assert [row["build_unit_no"] for row in fields["mkt_cust_prj"]] == ["U07"]
    assert [row["percent_done"] for row in fields["mkt_sup_prj_progress"]] == ["60.0"]
    assert [row["node_code"] for row in fields["mkt_res_prj_progress"]] == ["BUILD"]
    assert [row["pkg_type"] for row in fields["mkt_prj_pkg"]] == ["supporting"]
    assert {row["unit_no"] for row in fields["mkt_works_unit"]} <= {"U01", "U07"}
    assert [row["app_no"] for row in fields["mkt_app"]] == [APP]
    assert fields["mkt_app"][0]["cust_mobile"] == "138****29"
    assert not found["mkt_prj_pkg"][0]["is_own"]


def test_s0_06_district_shows_where_it_is_its_buildings_occupancy_and_energy_beside_its_progress(
    landed: WholeSystem,
) -> None:
    found = joined(landed, "lean.lean_res_district", DISTRICT)
    (district,) = [row["fields"] for row in found["lean_res_district"]]
    assert (district["addr"], district["lon"], district["lat"]) == (
        "衢州市柯城区示范路129号", "118.873210", "28.941708",
    )  # fmt: skip
    assert (district["building_cnt"], district["occupancy_rate"], district["avg_energy_kwh"]) == (18, "0.42", "186.40")
    assert [row["fields"]["house_cnt"] for row in found["mkt_res_prj"]] == [864]
    nodes = {row["fields"]["node_code"]: row["fields"]["percent_done"] for row in found["mkt_res_prj_progress"]}
    assert nodes == {"BUILD": "60.0"}
    assert [row["fields"]["percent_done"] for row in found["lean_prj_progress"]] == ["35"]
    assert [row["row"] for row in found["mkt_app"]] == [APP]
