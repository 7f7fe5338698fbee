"""S1-13: each HV stage lists the documents that it requires; finishing without one is a finding."""

from rules import SHIPPED, Process, read_definitions
from tests.helpers.connection_lives import application, visit
from tests.helpers.whole_system import WholeSystem, ago, example


def test_s1_13_every_hv_stage_that_is_worked_on_lists_documents() -> None:
    (process,) = [each for each in read_definitions([SHIPPED]).of(Process) if each.id == "hv_connection"]
    assert [stage.code for stage in process.stages if not stage.documents] == ["RESERVE"]


def step(app_no: str, stage: str, doc_ref: str | None) -> dict[str, object]:
    return example(
        "pre", "pre_step_log", app_no=app_no, stage_code=stage, dept_code="YX", seq=1, acted_at=ago(days=1),
        doc_ref=doc_ref,
    )  # fmt: skip


def test_s1_13_stage_that_ends_without_a_step_or_a_document_of_the_pre_stage_system_is_a_finding(
    system: WholeSystem,
) -> None:
    app_no = application(system, "S113-B")
    visit(system, app_no, "ACCEPT", 1, entered_at=ago(days=3), finished_at=ago(days=2))
    visit(system, app_no, "SURVEY", 1, entered_at=ago(days=2), finished_at=ago(days=1))
    system.capture("pre", "pre_step_log", step(app_no, "ACCEPT", "docs/S113-B/accept.pdf"))
    found = system.wait_for_alerts(app_no, ("A13", "WARN"))
    assert found.count(("A13", "WARN")) == 1
    (finding,) = [each for each in system.ask("alerts", "list", "--instance", app_no) if each["rule"] == "A13"]
    assert finding["stage"] == "SURVEY"
    assert "缺少现场勘查单、办理记录" in finding["text"]
    system.capture("pre", "pre_step_log", step(app_no, "SURVEY", "S113-B-现场勘查单.pdf"))
    system.wait_for(app_no, lambda _: "A13" not in system.open_rules(app_no))


def test_s1_13_stage_that_ends_without_its_document_is_a_finding_until_the_document_comes(system: WholeSystem) -> None:
    app_no = application(system, "S113-A")
    visit(system, app_no, "TEST", 1, entered_at=ago(days=2), finished_at=ago(days=1))
    report = example(
        "ech", "ech_works_report", app_no=app_no, party="test", submitted_at=ago(days=1), report_no="RP-S113-1",
        report_type="开工报告", review_result=None, reviewed_at=None,
    )  # fmt: skip
    system.capture("ech", "ech_works_report", report)
    system.wait_for_alerts(app_no, ("A13", "WARN"))
    (finding,) = [each for each in system.ask("alerts", "list", "--instance", app_no) if each["rule"] == "A13"]
    assert "试验报告" in finding["text"]
    system.capture("ech", "ech_works_report", report | {"report_no": "RP-S113-2", "report_type": "试验报告"})
    system.wait_for(app_no, lambda _: "A13" not in system.open_rules(app_no))
