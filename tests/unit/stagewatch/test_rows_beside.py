"""Rows of no instance, and rows of other sources: nobody's state, findings (R-D02, R-D04), the golden record."""

from typing import Any

import msgspec

from rules import Choice, describe_golden, load_definitions
from rules.state import rung_key
from schemas import Recorded, epoch_ms
from stagewatch.replay import Replay
from tests.helpers.replaying import sources

AT = epoch_ms("2026-03-02T09:00:00+08:00")
APP = {"app_no": "A1", "volt_class": "HV", "accepted_at": "2026-03-02T01:00:00Z", "volt_level_code": "AC00101"}


def record(topic: str, row: dict[str, Any], at: int, op: str = "c", before: dict[str, Any] | None = None) -> Recorded:
    image = {"op": op, "before": before, "after": row, "source": {"lsn": at}}
    return Recorded(topic, 0, at, AT + at, None, msgspec.json.encode(image), {})


def replay(*records: Recorded) -> Replay:
    choice = Choice(known_codes=sources().known_codes())
    run = Replay(load_definitions(choice=choice), sources(), mail_domain="stagewatch.local")
    run.feed(records)
    return run


def found(run: Replay) -> list[tuple[str, str]]:
    return [(alert.rule, alert.event) for alert in run.outcome.alerts]


def app(at: int, **fields: Any) -> Recorded:
    return record("cdc.mkt.mkt_app", {**APP, **fields}, at, op="c" if at == 1 else "u")


def lean(at: int, **fields: Any) -> Recorded:
    row = {**APP, "volt_level_code": "02", **fields}
    return record("cdc.lean.lean_app_detail", row, at, op="c" if at == 2 else "u")


def test_row_of_no_application_is_nobodys() -> None:
    run = replay(app(1), record("cdc.mob.mob_task", {"task_no": "T1", "app_no": None, "wo_no": None}, 2))
    assert [each["instance"] for each in run.instances()] == ["A1"]
    assert (run.outcome.dead_letters, run.outcome.dropped) == ([], 0)


def test_row_that_leaves_its_application_leaves_its_state() -> None:
    task = {"task_no": "T1", "app_no": "A1"}
    known = [app(1), record("cdc.mob.mob_task", task, 2)]
    assert "field_task:T1" in next(replay(*known).instances())["rows"]
    gone = record("cdc.mob.mob_task", {**task, "app_no": None}, 3, "u", before=task)
    assert "field_task:T1" not in next(replay(*known, gone).instances())["rows"]


def test_row_that_nobody_holds_costs_the_engine_nothing() -> None:
    run = replay(app(1), record("cdc.scada.scada_load", {"equip_no": "L1", "ts": "2026-03-02T00:15:00Z"}, 2))
    assert (run.outcome.changes, run.outcome.dropped) == (2, 0)


def test_r_d04_disagreement_is_raised_and_cleared_when_they_agree_again() -> None:
    said = [app(1, org_no="1"), lean(2, org_no="2")]
    assert found(replay(*said)) == [("R-D04", "raised")]
    assert found(replay(*said, lean(3, org_no="1"))) == [("R-D04", "raised"), ("R-D04", "cleared")]
    assert found(replay(*said, app(3, org_no="2"))) == [("R-D04", "raised"), ("R-D04", "cleared")]


def test_r_d04_each_item_is_an_alert_of_its_own() -> None:
    run = replay(app(1, org_no="1", subs_no="S1"), lean(2, org_no="2"), lean(3, org_no="2", subs_no="S2"))
    assert [alert.text for alert in run.outcome.alerts] == [
        "申请A1的信息在不同系统中不一致：org_no（lean）。", "申请A1的信息在不同系统中不一致：subs_no（lean）。"
    ]  # fmt: skip
    run.feed([lean(4, org_no="1", subs_no="S2")])
    cleared = run.outcome.alerts[-1]
    assert (cleared.event, cleared.alert_id) == ("cleared", run.outcome.alerts[0].alert_id)
    run.feed([lean(5, org_no="1", subs_no="S1")])
    assert [alert.event for alert in run.outcome.alerts] == ["raised", "raised", "cleared", "cleared"]


def test_r_d04_what_an_earlier_version_told_in_one_alert_ends_and_is_told_by_item() -> None:
    run = replay(app(1, org_no="1"), lean(2, org_no="2"))
    instances = run._partition.instances  # noqa: SLF001 - a state as it was kept
    known = instances.peek("A1")
    assert known is not None
    assert known.raised is not None
    (rung,) = known.raised["R-D04"].values()
    known.raised["R-D04"] = {rung_key(None, None, None, "INFO"): rung}
    instances.keep(known)
    run.feed([lean(3, org_no="3")])
    old, ended = [(alert.event, alert.alert_id) for alert in run.outcome.alerts][1:]
    assert (old[0], ended[0]) == ("raised", "cleared")
    assert old[1] == run.outcome.alerts[0].alert_id != ended[1]


def test_r_d04_each_visit_of_a_stage_is_an_item() -> None:
    visit = {"app_no": "A1", "stage_code": "ACCEPT", "entered_at": "2026-03-02T01:00:00Z"}
    other = {**visit, "entered_at": "2026-03-02T02:00:00Z"}
    said = [app(1)]
    for number in (1, 2):
        said.append(
            record("cdc.mkt.mkt_app_progress", {**visit, "visit_no": number, "progress_id": number}, 2 * number)
        )
        said.append(record("cdc.lean.lean_app_progress", {**other, "visit_no": number}, 2 * number + 1))
    told = [alert.text for alert in replay(*said).outcome.alerts if alert.rule == "R-D04"]
    assert len(told) == 2
    assert ("ACCEPT.entered_at（lean）" in told[0], "ACCEPT#2.entered_at（lean）" in told[1]) == (True, True)


def test_r_d04_sources_that_agree_after_conversion_of_their_codes_raise_nothing() -> None:
    assert found(replay(app(1), lean(2))) == []


def test_r_d04_visits_are_compared() -> None:
    visit = {"app_no": "A1", "stage_code": "ACCEPT", "visit_no": 1, "entered_at": "2026-03-02T01:00:00Z"}
    run = replay(
        app(1),
        record("cdc.mkt.mkt_app_progress", {**visit, "progress_id": 1}, 2),
        record("cdc.lean.lean_app_progress", {**visit, "entered_at": "2026-03-02T02:00:00Z"}, 3),
    )
    assert found(run) == [("R-D04", "raised")]
    assert "ACCEPT.entered_at（lean）" in run.outcome.alerts[0].text


def test_r_d02_code_of_no_list_is_kept_and_a_finding() -> None:
    run = replay(app(1, volt_level_code="AC9"))
    assert found(run) == [("R-D02", "raised")]
    assert next(run.instances())["fields"]["volt_level_code"] == "AC9"


def test_s0_09_golden_record_tells_where_each_column_comes_from() -> None:
    run = replay(app(1, org_no="1"), lean(2, org_no="2", subs_no="S1"))
    instance = run._partition.instances["A1"]  # noqa: SLF001 - what the store is made from
    names = {m.topic: m.source for m in sources().mappings}
    document: dict[str, Any] = describe_golden(
        instance, "application", precedence=sources().precedence, source_of=names.__getitem__
    )
    assert (document["fields"]["org_no"], document["fields"]["subs_no"]) == ("1", "S1")
    assert [(each["source"], each["offset"], each["columns"]) for each in document["lineage"]] == [
        ("mkt", 1, ["accepted_at", "app_no", "org_no", "volt_class", "volt_level_code"]), ("lean", 2, ["subs_no"]),
    ]  # fmt: skip
    assert document["disagreements"] == [{"source": "lean", "item": "org_no", "ours": "1", "theirs": "2"}]
