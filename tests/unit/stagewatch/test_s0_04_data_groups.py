"""S0-04 and S0-06: a row of every data item lands, and one application's rows stand together."""

import json
from pathlib import Path
from typing import Any

import msgspec

from schemas import Recorded, epoch_ms
from stagewatch.replay import Replay
from tests.helpers.replaying import replayed, sources

EXAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "registry" / "examples"
AT = epoch_ms("2026-03-03T01:00:00Z")
APP, ITEM = "330126000129", "NL00006"


def examples() -> list[Recorded]:
    """One record per declared table: its example row, all at one moment."""
    records = []
    for mapping in sources().mappings:
        row: dict[str, Any] = json.loads((EXAMPLES / mapping.source / f"{mapping.table}.json").read_text("utf-8"))
        key = msgspec.json.encode({name: row[name] for name in mapping.key})
        value = msgspec.json.encode({"op": "c", "before": None, "after": row, "source": {"lsn": 100}})
        records.append(Recorded(mapping.topic, 0, 0, AT, key, value, {}))
    return records


def replay() -> Replay:
    return replayed(examples(), AT)


def test_s0_04_every_item_is_read_and_none_refused() -> None:
    outcome = replay().outcome
    assert outcome.records == len(sources().mappings)
    assert outcome.changes > outcome.records  # some rows are told to several instances
    assert (outcome.dead_letters, outcome.unmapped) == ([], 0)


def test_s0_04_money_progress_notice_interaction_and_works_of_an_application_stand_together() -> None:
    document = next(each for each in replay().instances() if each["instance"] == APP)
    assert document["process"] == "hv_connection"
    assert [visit["stage"] for visit in document["visits"]] == ["SCHEME"]
    rows = document["rows"]
    assert rows["project_charge:CH000871"]["received_amt"] == "81900.00"
    assert rows["coord_notice:CN000341"]["reply_result"] == "agreed"
    assert rows["interaction:IN004410"]["inter_type"] == "progress"
    assert rows["customer_project:PRJ2026019"]["build_unit_no"] == "U07"
    assert rows["supporting_project:PRJ2026017"]["prj_name"] == "10kV城北线延伸工程"
    assert rows["residential_project:PRJ2026030"]["district_no"] == "RD0007"


def test_s0_04_a_stage_that_two_systems_tell_of_is_one_visit() -> None:
    document = next(each for each in replay().instances() if each["instance"] == APP)
    assert len(document["visits"]) == 1
    assert document["rows"][f"visit@lean:{APP}|SCHEME|1"]["stage"] == "SCHEME"


def test_s0_06_rectification_and_publication_stand_beside_the_list_item() -> None:
    document = next(each for each in replay().instances() if each["instance"] == ITEM)
    assert document["process"] == "negative_list"
    assert document["rows"][f"negative_fix:{ITEM}|1"]["duty_dept"] == "DEV"
    assert document["rows"][f"negative_item@mkt:{ITEM}"]["published_at"] == "2026-02-16T02:00:00.000Z"
