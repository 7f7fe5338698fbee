"""Every source system, table, column and data item of domain.md section 2 is declared, and each table takes a row."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.source_models import TableModel
from schemas import Change, Decoder, TableMapping
from tests.helpers.decoding import AT, catalog

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "schemas" / "registry" / "examples"
NAMED = ROOT / "tests" / "data" / "source_tables.txt"
EIGHT = {"mkt", "opm", "lean", "ymd", "erp", "mob", "ech", "chn"}
TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,), "int": (int,), "decimal": (int, Decimal), "bool": (bool,), "timestamp": (int,), "date": (int,),
}  # fmt: skip

ITEMS = [
    ("mkt", "项目包数据", "项目收费", "mkt_prj_charge", "receivable_amt received_amt charged_at"),
    ("mkt", "项目包数据", "项目耗费", "mkt_prj_cost", "cost_amt booked_at"),
    ("mkt", "项目包数据", "项目预算", "mkt_prj_budget", "budget_year budget_amt"),
    ("mkt", "负面清单数据", "负面清单数据", "mkt_neg_list", "nl_type equip_no published_at"),
    ("mkt", "业务数据", "业扩业务数据", "mkt_app", "app_no app_type accepted_at"),
    ("mkt", "业务数据", "业扩进程数据", "mkt_app_progress", "stage_code entered_at finished_at"),
    ("mkt", "业务数据", "协同通知类数据", "mkt_coord_notice", "from_dept to_dept content"),
    ("mkt", "互动信息", "互动业务数据", "mkt_inter_biz", "inter_type content"),
    ("mkt", "互动信息", "互动环节数据", "mkt_inter_stage", "stage_code trigger_event"),
    ("mkt", "互动信息", "互动短信模板", "mkt_sms_template", "template_code body"),
    ("mkt", "配套工程数据", "工程业务数据", "mkt_sup_prj", "prj_no prj_name"),
    ("mkt", "配套工程数据", "工程进程数据", "mkt_sup_prj_progress", "node_code percent_done"),
    ("mkt", "支撑数据", "工程单位数据", "mkt_works_unit", "unit_no unit_name"),
    ("mkt", "支撑数据", "标准代码", "mkt_std_code", "code_type code code_name"),
    ("mkt", "用户工程数据", "用户工程数据", "mkt_cust_prj", "prj_no design_unit_no"),
    ("mkt", "住宅小区供电工程", "工程业务数据", "mkt_res_prj", "district_no house_cnt"),
    ("mkt", "住宅小区供电工程", "工程进程数据", "mkt_res_prj_progress", "node_code percent_done"),
    ("opm", "支撑数据", "督办时限模板", "opm_sup_deadline_tpl", "limit_value limit_unit"),
    ("opm", "支撑数据", "督办信息模板", "opm_sup_msg_tpl", "title body"),
    ("opm", "业扩全流程评价监督", "评价汇总数据", "opm_eval_sum", "score"),
    ("opm", "业扩全流程评价监督", "评价明细数据", "opm_eval_detail", "app_no deducted_score"),
    ("opm", "负面清单整改督办", "负面清单整改汇总数据", "opm_neg_fix_sum", "total_cnt fixed_cnt"),
    ("opm", "负面清单整改督办", "负面清单整改明细数据", "opm_neg_fix_detail", "nl_no finished_at"),
    ("lean", "项目包数据", "项目完成进度", "lean_prj_progress", "percent_done"),
    ("lean", "项目包数据", "项目工期", "lean_prj_schedule", "plan_start plan_finish duration_days"),
    ("lean", "项目包数据", "项目责任人", "lean_prj_owner", "person_no person_name"),
    ("lean", "住宅小区工程", "住宅小区地理位置", "lean_res_district", "addr lon lat"),
    ("lean", "住宅小区工程", "住宅小区楼栋数", "lean_res_district", "building_cnt"),
    ("lean", "住宅小区工程", "住宅小区入住率", "lean_res_district", "occupancy_rate"),
    ("lean", "住宅小区工程", "住宅小区平均用电量", "lean_res_district", "avg_energy_kwh"),
    ("lean", "负面清单数据", "公变数据", "lean_neg_trans", "trans_name"),
    ("lean", "负面清单数据", "线路信息", "lean_neg_line", "line_name"),
    ("lean", "负面清单数据", "主网变电所", "lean_neg_subs", "subs_name"),
    ("lean", "全流程评价督办", "评价汇总数据", "lean_eval_sum", "score"),
    ("lean", "全流程评价督办", "评价明细数据", "lean_eval_detail", "app_no deducted_score"),
    ("lean", "全流程实时监控", "预告警汇总数据", "lean_warn_sum", "warn_cnt alarm_cnt"),
    ("lean", "全流程实时监控", "预告警明细数据", "lean_warn_detail", "app_no level raised_at"),
    ("lean", "业务数据", "业扩业务汇总数据", "lean_app_sum", "app_cnt cap_kva"),
    ("lean", "业务数据", "业扩业务明细数据", "lean_app_detail", "app_no app_type"),
    ("lean", "业务数据", "业扩进程数据", "lean_app_progress", "stage_code entered_at"),
]
"""The items that the seeds name: source, group, item, and where it is held."""
VIEWS = {
    "lean_neg_trans": ["供电单位", "公变名称", "负面清单认定时间", "计划完成时间", "受限等级"],
    "lean_neg_line": ["供电单位", "线路名称", "负面清单认定时间", "计划完成时间", "受限等级"],
    "lean_neg_subs": ["供电单位", "间隔名称", "变电所", "母线电压等级", "母线段名称", "备用间隔名称"],
}
"""The columns of the negative list's detail views, which a seed names."""


def tables() -> dict[str, dict[str, TableModel]]:
    return {file.model.source: file.model.tables for file in catalog().files}


def columns_of(table: TableModel) -> set[str]:
    return {*table.columns, *table.key}


def named() -> list[tuple[str, str, set[str], set[str]]]:
    lines = [line for line in NAMED.read_text("utf-8").splitlines() if not line.startswith("#")]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [(source, table, set(key.split()), set(columns.split())) for source, table, key, columns in cells]


def example(source: str, table: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((EXAMPLES / source / f"{table}.json").read_text("utf-8"))
    return row


def with_all_columns(mapping: TableMapping) -> TableMapping:
    columns = {name: msgspec.structs.replace(c, is_kept=True) for name, c in mapping.columns.items()}
    return msgspec.structs.replace(mapping, columns=columns)


def decoded(mapping: TableMapping, row: dict[str, Any], decoder: Decoder | None = None) -> Change:
    key = {name: row[name] for name in mapping.key}
    change = (decoder or Decoder(mapping)).decode(
        key=msgspec.json.encode(key), value=msgspec.json.encode({"op": "c", "before": None, "after": row}),
        timestamp=AT, topic=mapping.topic, partition=0, offset=0,
    )  # fmt: skip
    assert change is not None
    return change


@pytest.mark.parametrize(("source", "table", "key", "columns"), named(), ids=[each[1] for each in named()])
def test_table_is_declared_with_every_column_that_is_named(
    source: str, table: str, key: set[str], columns: set[str]
) -> None:
    declared = tables()[source][table]
    assert columns - columns_of(declared) == set()
    assert not key or set(declared.key) == key
    assert declared.title


def test_nothing_is_declared_that_is_not_named_but_people_the_pre_stage_system_and_the_products_own() -> None:
    people = {("mkt", "tg_manager"), ("mkt", "customer_manager"), ("mkt", "stakeholder")}
    declared = {(source, table) for source, found in tables().items() if source != "own" for table in found}
    assert declared - {(source, table) for source, table, _, _ in named()} == people
    assert tables().keys() >= EIGHT


@pytest.mark.parametrize(("source", "group", "item", "table", "columns"), ITEMS, ids=[f"{i[0]} {i[2]}" for i in ITEMS])
def test_item_of_a_seed_is_held(source: str, group: str, item: str, table: str, columns: str) -> None:
    declared = tables()[source][table]
    assert (declared.group, item in declared.seed) == (group, True)
    assert set(columns.split()) <= columns_of(declared)


def test_no_table_claims_an_item_that_no_seed_names() -> None:
    claimed = {(s, t, item) for s, found in tables().items() for t, table in found.items() for item in table.seed}
    groups = {("mkt", "mkt_prj_pkg", "项目包数据")}
    assert claimed - groups == {(source, table, item) for source, _, item, table, _ in ITEMS}


@pytest.mark.parametrize("table", VIEWS)
def test_negative_list_view_has_the_columns_that_the_seed_names(table: str) -> None:
    titles = [column.title for column in tables()["lean"][table].columns.values() if column.title]
    assert list(dict.fromkeys(titles)) == VIEWS[table]


@pytest.mark.parametrize("mapping", catalog().mappings, ids=lambda m: m.table)
def test_example_row_is_read_with_every_column_and_type(mapping: TableMapping) -> None:
    row = example(mapping.source, mapping.table)
    assert row.keys() == {*mapping.columns, *mapping.key}
    change = decoded(with_all_columns(mapping), row)
    types = {column.name: column.type for column in mapping.columns.values()}
    further = {name for column in mapping.columns.values() for name in column.also.values()}
    assert change.fields.keys() == {*types, *mapping.constants, *further}
    wrong = {name: change.fields[name] for name, kind in types.items() if type(change.fields[name]) not in TYPES[kind]}
    assert wrong == {}
    assert change.row
    assert change.instance == ("" if mapping.instance is None else row[mapping.instance])


@pytest.mark.parametrize("mapping", catalog().mappings, ids=lambda m: m.table)
def test_example_row_is_read_by_the_workers_decoder_without_what_is_not_kept(mapping: TableMapping) -> None:
    decoder = Decoder(mapping)
    row = example(mapping.source, mapping.table)
    change = decoded(mapping, row, decoder)
    kept = {column.name for column in mapping.columns.values() if column.is_kept}
    kept |= {name for column in mapping.columns.values() for name in column.also.values()}
    assert change.fields.keys() == kept | mapping.constants.keys()
    assert decoder.unknown_codes == {}


def test_there_is_an_example_of_every_table_and_of_no_other() -> None:
    found = {(path.parent.name, path.stem) for path in EXAMPLES.rglob("*.json")}
    assert found == {(mapping.source, mapping.table) for mapping in catalog().mappings}


def test_joins_lead_to_declared_tables_and_to_one_column_of_them() -> None:
    every = {name: model for found in tables().values() for name, model in found.items()}
    wrong = [
        f"{name}.{column} → {target}"
        for name, model in every.items()
        for column, target in model.joins.items()
        if target not in every or (len(every[target].key) > 1 and column not in columns_of(every[target]))
    ]
    assert wrong == []


def test_examples_that_belong_to_applications_tell_of_one_and_the_same() -> None:
    told = {
        mapping.table: decoded(mapping, example(mapping.source, mapping.table)).instance
        for mapping in catalog().mappings
        if mapping.instance == "app_no"
    }
    assert set(told.values()) == {"330126000129"}
    assert {"mkt_app", "mkt_app_progress", "mkt_coord_notice", "mkt_inter_biz", "mkt_prj_charge", "mkt_sup_prj"} <= set(
        told
    )
