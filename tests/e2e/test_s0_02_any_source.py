"""S0-02: a file by hand is taken for a table of each of the eight sources, is marked manual, and is taken back."""

import pytest

from connectors import SHIPPED_SOURCES
from schemas import read_origin
from stagewatch.topic_reader import read_topic
from tests.helpers.ingesting import write_csv
from tests.helpers.whole_system import Row, WholeSystem, example

ROWS: dict[str, tuple[str, Row, str]] = {
    "mkt": ("mkt_std_code", {"code_type": "S02", "code": "1"}, "S02|1"),
    "opm": ("opm_eval_sum", {"org_no": "S02", "period": "2026-03", "eval_item": "E1"}, "S02|2026-03|E1"),
    "lean": ("lean_res_district", {"district_no": "S02"}, "S02"),
    "ymd": ("ymd_org", {"org_no": "S02", "parent_org_no": None}, "S02"),
    "erp": ("erp_wbs", {"wbs_no": "S02", "prj_no": None, "org_no": None}, "S02"),
    "mob": ("mob_form", {"task_no": "S02", "field_code": "load_kw"}, "S02|load_kw"),
    "ech": ("ech_query_log", {"query_no": "S02", "app_no": None}, "S02"),
    "chn": ("chn_channel", {"channel_code": "S02"}, "S02"),
}
"""A table of each, what the row says otherwise than the example, and its key."""


@pytest.mark.parametrize("source", ROWS)
def test_s0_02_file_for_any_source_lands_as_manual_and_undo_takes_it_back(system: WholeSystem, source: str) -> None:
    table, changes, key = ROWS[source]
    row = example(source, table, **changes)
    path = write_csv(system.folder / f"{table}.csv", [row])
    shipped = {"sources": str(SHIPPED_SOURCES)}
    load = ("ingest", "file", str(path), "--table", f"{source}.{table}", "--operator", "li", "--batch", f"s02-{source}")
    system.done(*load, **shipped)

    found = [each for each in system.ask("sources", "join", table, key, **shipped) if each["row"] == key]
    assert [(each["source"], each["table"], each["is_own"]) for each in found] == [(source, table, True)]
    origins = [read_origin(record.value or b"") for record in read_topic(system.bootstrap, f"cdc.{source}.{table}")]
    manual = [each for each in origins if each is not None and each.batch == f"s02-{source}"]
    assert [(each.src, each.operator) for each in manual] == [("manual", "li")]

    system.done("ingest", "undo", f"s02-{source}", **shipped)
    code, _, said = system.command("sources", "join", table, key, **shipped)
    assert (code, "no row" in said) == (1, True)
