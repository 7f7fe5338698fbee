"""Rows that belong together: what hangs on a row, over several tables, and what these rows point at."""

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from connectors import Gathered, SourceCatalog, gather, load_sources
from schemas import Change, Decoder, Origin, RowForm, TableMapping
from tests.helpers.decoding import AT, catalog
from tests.helpers.hostile_wire import dump, envelope

SOURCE = """\
version: source/v1
source: x
tables:
  x_cons:
    entity: customer
    key: [cons_no]
    columns: {cons_no: text, name: text}
  x_app:
    entity: application
    key: [app_no]
    instance: app_no
    columns: {app_no: text, cons_no: text, parent_app_no: text}
    joins: {cons_no: x_cons, parent_app_no: x_app}
  x_item:
    entity: item
    key: [pkg_no, prj_no]
    instance: {column: app_no, optional: true}
    columns: {pkg_no: text, prj_no: text, app_no: text}
    joins: {app_no: x_app}
  x_prj:
    entity: project
    key: [prj_no]
    is_reference: false
    columns: {prj_no: text, name: text}
  x_cost:
    entity: cost
    key: [id]
    is_reference: false
    columns: {id: text, prj_no: text, amt: decimal}
    joins: {prj_no: x_item}
  x_node:
    entity: node
    key: [prj_no, code]
    is_reference: false
    columns: {prj_no: text, code: text}
    joins: {prj_no: x_prj}
"""
EXAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "registry" / "examples"
APP = "330126000129"


class Topics:
    """What was captured, table by table, and how often each table was read."""

    def __init__(self, catalog: SourceCatalog) -> None:
        self._catalog, self._changes = catalog, dict[str, list[Change]]()
        self._numbers = itertools.count(1)
        self.read_tables: list[str] = []

    def row(self, table: str, row: dict[str, Any], op: str = "c") -> None:
        image = {"before": row} if op == "d" else {"before": None}
        number = next(self._numbers)
        self._add(table, dump(envelope(None if op == "d" else row, op=op, lsn=number, **image)), number, None)

    def by_hand(self, table: str, row: dict[str, Any]) -> None:
        origin = Origin(connector="stagewatch-file", src="manual", src_ts=AT)
        mapping = self._mapping(table)
        self._add(table, RowForm(mapping).record("u", row, origin), next(self._numbers), dict(origin.headers))

    def _mapping(self, table: str) -> TableMapping:
        return next(each for each in self._catalog.mappings if each.table == table)

    def _add(self, table: str, value: bytes, number: int, headers: Any) -> None:
        mapping = self._mapping(table)
        change = Decoder(mapping).decode(
            key=None, value=value, headers=headers, timestamp=AT, topic=mapping.topic, partition=0, offset=number
        )
        assert change is not None
        self._changes.setdefault(table, []).append(change)

    def __call__(self, mappings: Iterable[TableMapping]) -> Iterator[tuple[TableMapping, Change]]:
        for mapping in mappings:
            self.read_tables.append(mapping.table)
            yield from ((mapping, change) for change in self._changes.get(mapping.table, ()))


def topics(tmp_path: Path) -> tuple[SourceCatalog, Topics]:
    (tmp_path / "x.yaml").write_text(SOURCE)
    found = load_sources([tmp_path])
    told = Topics(found)
    told.row("x_cons", {"cons_no": "C1", "name": "甲"})
    for app_no in ("A1", "A2"):
        told.row("x_app", {"app_no": app_no, "cons_no": "C1", "parent_app_no": None})
    told.row("x_item", {"pkg_no": "K1", "prj_no": "P1", "app_no": "A1"})
    told.row("x_item", {"pkg_no": "K1", "prj_no": "P2", "app_no": "A2"})
    for prj_no in ("P1", "P2"):
        told.row("x_prj", {"prj_no": prj_no, "name": prj_no})
        told.row("x_cost", {"id": f"c{prj_no}", "prj_no": prj_no, "amt": "1.50"})
        told.row("x_node", {"prj_no": prj_no, "code": "BUILD"})
    return found, told


def keys(found: Gathered) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    own = {table: sorted(rows) for table, rows in found.own.items() if rows}
    return own, {table: sorted(rows) for table, rows in found.pointed_at.items() if rows}


def test_what_hangs_on_a_row_is_found_over_several_tables_and_nothing_of_others(tmp_path: Path) -> None:
    catalog, told = topics(tmp_path)
    own, pointed_at = keys(gather(catalog, "x_app", "A1", told))
    assert own == {"x_app": ["A1"], "x_item": ["K1|P1"], "x_cost": ["cP1"], "x_node": ["P1|BUILD"]}
    assert pointed_at == {"x_cons": ["C1"], "x_prj": ["P1"]}


def test_what_hangs_on_what_is_only_pointed_at_stays_out(tmp_path: Path) -> None:
    catalog, told = topics(tmp_path)
    told.row("x_app", {"app_no": "A3", "cons_no": "C1", "parent_app_no": "A1"})
    own, _ = keys(gather(catalog, "x_app", "A1", told))
    assert own["x_app"] == ["A1"]


def test_row_counts_as_it_is_now(tmp_path: Path) -> None:
    catalog, told = topics(tmp_path)
    told.row("x_cost", {"id": "cP1", "prj_no": "P2", "amt": "1.50"}, "u")
    told.row("x_cost", {"id": "late", "prj_no": "P1", "amt": "2.00"})
    told.row("x_node", {"prj_no": "P1", "code": "BUILD"}, "d")
    own, _ = keys(gather(catalog, "x_app", "A1", told))
    assert (own["x_cost"], "x_node" in own) == (["late"], False)


def test_row_by_hand_counts_where_it_came_last_and_gives_way_to_what_the_source_says_next(tmp_path: Path) -> None:
    catalog, told = topics(tmp_path)
    told.by_hand("x_cost", {"id": "cP1", "prj_no": "P1", "amt": "7.00"})
    assert str(gather(catalog, "x_app", "A1", told).own["x_cost"]["cP1"].fields["amt"]) == "7.00"
    told.row("x_cost", {"id": "cP1", "prj_no": "P1", "amt": "8.00"}, "u")
    assert str(gather(catalog, "x_app", "A1", told).own["x_cost"]["cP1"].fields["amt"]) == "8.00"


def test_unknown_row_has_nothing_and_only_its_own_table_is_read(tmp_path: Path) -> None:
    catalog, told = topics(tmp_path)
    assert keys(gather(catalog, "x_app", "A9", told)) == ({}, {})
    assert told.read_tables == ["x_app"]


def test_s0_04_example_application_has_its_money_progress_notice_interaction_and_works() -> None:
    told = Topics(catalog())
    for mapping in catalog().mappings:
        told.row(mapping.table, json.loads((EXAMPLES / mapping.source / f"{mapping.table}.json").read_text("utf-8")))
    own, pointed_at = keys(gather(catalog(), "mkt_app", APP, told))
    assert {
        "mkt_prj_charge", "mkt_prj_cost", "mkt_prj_budget", "mkt_app_progress", "mkt_coord_notice", "mkt_inter_biz",
        "mkt_inter_stage", "mkt_sup_prj", "mkt_sup_prj_progress", "mkt_cust_prj", "mkt_res_prj", "lean_prj_progress",
        "erp_wbs", "erp_cost_posting", "mob_task", "mob_form", "ech_works_report",
    } <= own.keys()  # fmt: skip
    assert {"mkt_prj_pkg", "lean_res_district", "mkt_works_unit", "ymd_tg"} <= pointed_at.keys()
