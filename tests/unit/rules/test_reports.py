"""Which reports leave when and to whom: by role and unit, each time once, late ones said to be late."""

from collections.abc import Callable

import pytest

from rules import Execution, Reference, Report, ReportClock, ReportFile, Reports, state_council_calendar
from schemas import Change, epoch_ms

CALENDAR = state_council_calendar()
MONDAY, WEEK = epoch_ms("2026-03-09T08:00+08:00"), 7 * 86_400_000


def ms(text: str) -> int:
    return epoch_ms(f"2026-{text}+08:00")


def file(name: str = "week", **changes: object) -> ReportFile:
    fields = {
        "version": "report/v1", "id": name, "title": "周报", "roles": ["management"],
        "execution": Execution(frequency="weekly", day=1, at="08:00"),
    }  # fmt: skip
    return ReportFile.model_validate({**fields, **changes})


def row(entity: str, key: str, **fields: object) -> Change:
    return Change(entity, "", key, "c", 1, 1, entity, 0, hash((entity, key)) % 1000, fields)  # type: ignore[arg-type]


def person(number: str, org_no: str | None, role: str = "management", **fields: object) -> Change:
    key = f"{number}{role}{org_no}"
    return row("stakeholder", key, org_no=org_no, role=role, person_no=number, person_name=number, **fields)


def reference(*changes: Change) -> Reference:
    made = Reference(frozenset({"org", "stakeholder"}))
    for change in changes:
        made.add(change)
    return made


def clock(known: Reference, is_mine: Callable[[str], bool] = bool) -> ReportClock:
    return ReportClock(is_mine, known, mail_domain="example.com")


def reports(*files: ReportFile) -> Reports:
    return Reports(Report(each, {}, CALENDAR) for each in files)


def told(known: Reference, *files: ReportFile, after: int = MONDAY - 1, until: int = MONDAY) -> list[tuple[str, str]]:
    made = clock(known)
    made.advance(after, until, reports(*files))
    return [(notice.recipient.no, notice.alert_id) for notice in made.take()]


def test_all_with_the_role_get_a_report_of_the_unit_that_they_have_it_in() -> None:
    known = reference(person("P1", "33401"), person("P2", "33402"), person("P3", "33401", "clerk"), person("P4", None))
    assert told(known, file()) == [("P1", "report:week:33401:2026-W10"), ("P2", "report:week:33402:2026-W10")]


def test_somebody_with_two_roles_of_a_report_gets_it_once() -> None:
    known = reference(person("P1", "33401"), person("P1", "33401", "clerk"))
    assert [no for no, _ in told(known, file(roles=["management", "clerk"]))] == ["P1"]


def test_a_report_about_named_units_is_about_those_only() -> None:
    known = reference(person("P1", "33401"), person("P2", "33402"))
    assert [no for no, _ in told(known, file(units=["33402"]))] == ["P2"]


def test_who_has_the_role_no_more_gets_nothing() -> None:
    known = reference(person("P1", "33401", valid_to=MONDAY), person("P2", "33401", valid_from=MONDAY + 1))
    assert told(known, file()) == []


def test_a_report_goes_by_mail_also_to_people_who_are_told_by_sms() -> None:
    made = clock(reference(person("P1", "33401", mobile="13800000000"), person("P2", "33401", mail="p2@example.org")))
    made.advance(MONDAY - 1, MONDAY, reports(file()))
    assert [(each.channel, each.recipient.mail) for each in made.take()] == [
        ("mail", "P1@example.com"), ("mail", "p2@example.org"),
    ]  # fmt: skip


def test_a_report_by_sms_goes_to_the_same_people_by_sms() -> None:
    made = clock(reference(person("P1", "33401", mobile="13800000000"), person("P2", "33401", "clerk")))
    made.advance(MONDAY - 1, MONDAY, reports(file(channel="sms")))
    assert [(each.channel, each.recipient.mobile) for each in made.take()] == [("sms", "13800000000")]


def test_nothing_leaves_before_its_time_and_nothing_twice() -> None:
    made, known = clock(reference(person("P1", "33401"))), reports(file())
    for after, until, count in ((MONDAY - 9, MONDAY - 1, 0), (MONDAY - 1, MONDAY, 1), (MONDAY, MONDAY + 9, 0)):
        made.advance(after, until, known)
        assert len(made.take()) == count


def test_of_reports_missed_while_nobody_ran_only_the_last_leaves_and_says_that_it_is_late() -> None:
    made = clock(reference(person("P1", "33401")))
    made.live_from = MONDAY + 3 * WEEK + 5
    for week in range(5):  # in steps, as a clock that catches up takes them
        made.advance(MONDAY + week * WEEK - 1, MONDAY + week * WEEK + 9, reports(file()))
    assert [(each.instance, each.is_late) for each in made.take()] == [
        ("33401:2026-W13", True), ("33401:2026-W14", False),
    ]  # fmt: skip


def test_a_first_start_over_history_mails_nothing_of_it() -> None:
    made = clock(reference(person("P1", "33401")))
    made.notify_from = made.live_from = MONDAY + WEEK
    made.advance(0, MONDAY - 5, reports(file()))
    made.advance(MONDAY - 5, MONDAY + WEEK, reports(file()))
    assert [each.instance for each in made.take()] == ["33401:2026-W11"]


def test_an_owner_sees_to_its_own_reports_only() -> None:
    made, known = clock(reference(person("P1", "33401")), lambda name: name == "b"), reports(file("a"), file("b"))
    made.advance(MONDAY - 1, MONDAY, known)
    assert [each.rule for each in made.take()] == ["b"]
    assert made.due_after(MONDAY, known) == MONDAY + WEEK
    assert made.due_after(MONDAY, reports(file("a"))) is None


def test_two_reports_of_one_time_and_one_person_are_two_messages() -> None:
    found = told(reference(person("P1", "33401")), file("a"), file("b"))
    assert [key for _, key in found] == ["report:a:33401:2026-W10", "report:b:33401:2026-W10"]


def test_it_is_drilled_down_as_deep_as_it_says() -> None:
    units = [
        row("org", "33401", parent_org_no="334", org_name="衢州"),
        row("org", "3340101", parent_org_no="33401", org_name="柯城"),
        row("org", "334010102", parent_org_no="3340101", org_name="城中"),
        row("org", "99", parent_org_no="33401", org_name="a circle, or a slip"),
    ]
    for depth, expected in ((0, []), (1, ["3340101"]), (3, ["3340101", "334010102"])):
        report = Report(file(depth=depth), {}, CALENDAR)
        order = report.order("33401", MONDAY, reference(*units))
        assert [(each.org_no, each.level) for each in order.units] == [
            (no, level) for level, no in enumerate(expected, start=1)
        ]
        assert (order.name, order.begin, order.end) == ("衢州", ms("03-02T00:00"), ms("03-09T00:00"))


def test_a_report_by_the_hour_is_about_the_day_so_far() -> None:
    report = Report(file(execution=Execution(frequency="hourly", at="00:30")), {}, CALENDAR)
    at = report.next_after(ms("03-09T13:00"))
    order = report.order("33401", at, reference())
    assert (at, order.period, order.end) == (ms("03-09T13:30"), "2026-03-09", at)


def test_a_report_has_set_times() -> None:
    with pytest.raises(ValueError, match="set times"):
        file(execution=Execution())
