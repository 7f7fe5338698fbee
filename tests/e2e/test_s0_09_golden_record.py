"""S0-09: one golden record per application that says where each column comes from; match rates per join key."""

from typing import Any

from connectors import SHIPPED_SOURCES
from tests.helpers.whole_system import WholeSystem, example

APP = "S09-golden"
SINCE = "2026-03-01T14:21:00.000Z"


def test_s0_09_three_systems_make_one_record_with_the_origin_of_each_column(system: WholeSystem) -> None:
    system.capture("ech", "ech_app", example("ech", "ech_app", net_app_no="N-S09", app_no=APP, apply_cap_kva="500"))
    system.capture("lean", "lean_app_detail", example("lean", "lean_app_detail", app_no=APP, org_no="3349999"))
    row = example("mkt", "mkt_app", app_no=APP)
    system.capture("mkt", "mkt_app", row)
    # A capture that writes changed columns only: the others stay those of the record before.
    system.capture("mkt", "mkt_app", {"app_no": APP, "status_code": "running", "mgr_no": "M099"}, op="u")
    document = system.wait_for(
        APP, lambda found: found["fields"].get("mgr_no") == "M099" and len(found["rows"]) == 2
    )  # fmt: skip
    golden = document["golden"]
    assert len(system.ask("instances", "get", APP)) == 1
    assert (golden["fields"]["org_no"], golden["fields"]["apply_cap_kva"]) == (row["org_no"], "630")
    assert (golden["fields"]["mgr_no"], golden["fields"]["submitted_at"]) == ("M099", SINCE)

    origin: dict[str, dict[str, Any]] = {name: each for each in golden["lineage"] for name in each["columns"]}
    assert origin.keys() == golden["fields"].keys()
    assert (origin["org_no"]["source"], origin["submitted_at"]["source"]) == ("mkt", "ech")
    newest, older = origin["mgr_no"], origin["org_no"]
    assert newest["topic"] == older["topic"] == "cdc.mkt.mkt_app"
    assert older["position"] == newest["position"] - 1
    assert (isinstance(newest["offset"], int), older["offset"]) == (True, None)
    assert {"source": "lean", "item": "org_no", "ours": row["org_no"], "theirs": "3349999"} in golden["disagreements"]


def test_s0_09_join_match_rate_is_shown_for_each_key(system: WholeSystem) -> None:
    tasks = [example("mob", "mob_task", task_no=f"T{n}", app_no=APP, wo_no=None) for n in range(2)]
    system.capture("mob", "mob_task", *tasks, example("mob", "mob_task", task_no="T9", app_no="S09-nobody", wo_no=None))
    named = [example("mob", "mob_form", task_no=f"T{n}", field_code=f"S09-{n}") for n in (0, 1, 9, 77)]
    system.capture("mob", "mob_form", *named)
    rows = system.ask("sources", "relations", "--measure", sources=str(SHIPPED_SOURCES))
    found = {(row["table"], row["column"], row["target"]): row for row in rows}
    assert len(found) == len(rows) > 80
    tasks_of = found["mob_task", "app_no", "mkt_app"]
    assert (tasks_of["rows"], tasks_of["matched"], tasks_of["rate"]) == (3, 2, 0.6667)
    forms = found["mob_form", "task_no", "mob_task"]
    # The other tests' forms name one task more, which nobody has told of.
    others = forms["rows"] - len(named)
    assert (forms["matched"], others) in {(3, 0), (3, 1)}
    assert forms["rate"] == round(forms["matched"] / forms["rows"], 4)
    assert found["mob_task", "wo_no", "mkt_wo"]["rate"] is None
