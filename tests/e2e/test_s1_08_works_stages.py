"""S1-08: design, build, test and supervision are stages of their own: watched, and sent back when rejected."""

from tests.helpers.connection_lives import application, visit
from tests.helpers.whole_system import WholeSystem, ago, example


def test_s1_08_missing_weekly_supervision_report_is_told_and_a_report_begins_the_week_anew(
    system: WholeSystem,
) -> None:
    silent, heard = application(system, "S108-silent"), application(system, "S108-heard")
    for app_no in (silent, heard):
        visit(system, app_no, "SUPERVISE", 1, entered_at=ago(days=7, minutes=1))
    report = example(
        "ech", "ech_works_report", report_no="RP-S108", app_no=heard, party="supervise", submitted_at=ago(days=4),
        review_result=None, reviewed_at=None, reviewed_by=None,
    )  # fmt: skip
    system.capture("ech", "ech_works_report", report)
    system.wait_for_alerts(silent, ("R-T08", "WARN"), ("R-T08", "ALARM"))
    system.wait_for(heard, lambda found: "works_report:RP-S108" in found["rows"])
    assert "R-T08" not in system.open_rules(heard)


def test_s1_08_rejected_test_sends_the_flow_back_without_a_false_finding(system: WholeSystem) -> None:
    app_no = application(system, "S108-rejected")
    visit(system, app_no, "BUILD", 1, entered_at=ago(days=30), finished_at=ago(days=20))
    visit(system, app_no, "TEST", 1, entered_at=ago(days=19), finished_at=ago(days=18), result_code="rejected")
    visit(system, app_no, "BUILD", 2, entered_at=ago(days=17))
    found = system.wait_for(app_no, lambda each: len(each["visits"]) == 3)
    assert [each["stage"] for each in found["visits"] if each["finished_at"] is None] == ["BUILD"]
    assert ("R-T18", "ALARM") not in system.alerts(app_no)
    visit(system, app_no, "COMPLETE", 1, entered_at=ago(days=1))
    system.wait_for_alerts(app_no, ("R-T18", "ALARM"))
