"""Who is told: roles, districts, and the fallbacks of P08."""

from typing import Any

from rules import Routing
from tests.helpers.builders import World, ms


def told(w: World) -> list[tuple[str, str, str]]:
    return [(n.rule, n.recipient.no, n.channel) for n in w.notices]


def late_survey(w: World, **fields: Any) -> World:
    w.app(**fields)
    w.visit("SURVEY")
    return w.until("2026-03-07T00:00")


def supervisor(w: World, no: str = "P7", **fields: Any) -> None:
    given = {"org_no": "3340101", "role": "unit_supervisor", "person_no": no, "mobile": "13900000007", **fields}
    w.row("stakeholder", f"S{no}", **given)


def test_the_manager_of_the_district_is_told() -> None:
    w = World()
    w.manager("TG1", "M1")
    assert told(late_survey(w, tg_no="TG1", mgr_no="M9")) == [("R-T03", "M1", "sms")]
    assert w.notices[0].recipient.mobile == "13800000001"
    assert w.last("R-T03").person == "M1"


def test_online_managers_get_mail() -> None:
    w = World()
    w.manager("TG1", "M1", sup_method="online")
    w.row("customer_manager", "M1", mail="m1@example.com")
    late_survey(w, tg_no="TG1")
    assert [(n.channel, n.recipient.mail) for n in w.notices] == [("mail", "m1@example.com")]


def test_without_a_district_manager_the_applications_own_is_told() -> None:
    w = World()
    w.row("customer_manager", "M9", mobile="13700000009", mgr_name="李")
    late_survey(w, tg_no="TG1", mgr_no="M9")
    assert [(n.recipient.no, n.recipient.mobile, n.recipient.name) for n in w.notices] == [("M9", "13700000009", "李")]


def test_without_a_manager_the_supervisor_of_the_unit_is_told() -> None:
    w = World()
    supervisor(w)
    supervisor(w, "P8", role="clerk")
    supervisor(w, "P9", org_no="3340102")
    assert told(late_survey(w)) == [("R-T03", "P7", "sms")]


def test_with_nobody_the_notice_is_unroutable() -> None:
    w = late_survey(World())
    assert told(w) == [("R-T03", "org:3340101", "none")]
    assert w.last("R-T03").person is None


def test_a_manager_whose_time_is_over_is_not_told() -> None:
    w = World()
    w.manager("TG1", "M1", valid_to="2026-03-05T00:00")
    assert told(late_survey(w, tg_no="TG1", mgr_no="M9"))[0][1] == "M9"


def test_a_manager_who_has_not_begun_is_not_told() -> None:
    w = World()
    w.manager("TG1", "M1", valid_from="2026-03-08T00:00")
    assert told(late_survey(w, tg_no="TG1", mgr_no="M9"))[0][1] == "M9"


def test_who_is_manager_when_it_fires_is_told() -> None:
    w = World()
    w.manager("TG1", "M1")
    w.app(tg_no="TG1")
    w.visit("SURVEY")
    w.manager("TG1", "M2", op="u", at="2026-03-05T09:00")
    w.until("2026-03-07T00:00")
    assert told(w) == [("R-T03", "M2", "sms")]


def test_the_whole_is_told_to_manager_and_supervisor_each_once() -> None:
    w = World()
    w.manager("TG1", "M1")
    supervisor(w)
    supervisor(w, "M1")
    w.app(tg_no="TG1")
    w.until("2026-05-10T00:00")
    assert [(r, no) for r, no, _ in told(w)] == [("R-T14", "M1"), ("R-T14", "P7")] * 2


def test_a_transformer_is_told_to_the_manager_of_its_own_district() -> None:
    w = World()
    w.manager("TG1", "M1")
    w.item(plan_finish_at="2026-03-21T00:00")
    w.until("2026-03-14T00:00")
    assert told(w) == [("R-N05", "M1", "sms")]


def test_a_transformer_without_district_is_found_through_the_topology() -> None:
    w = World()
    w.row("tg", "TG4", trans_no="T1")
    w.manager("TG4", "M4")
    w.item(tg_no=None, plan_finish_at="2026-03-21T00:00")
    w.until("2026-03-14T00:00")
    assert told(w) == [("R-N05", "M4", "sms")]


def test_a_line_is_told_to_the_distinct_managers_of_all_its_districts() -> None:
    w = World()
    for tg, manager in (("TG1", "M1"), ("TG2", "M2"), ("TG3", "M1")):
        w.row("tg", tg, line_no="L1")
        w.manager(tg, manager)
    w.line_item(plan_finish_at="2026-03-21T00:00")
    w.until("2026-03-14T00:00")
    assert told(w) == [("R-N05", "M1", "sms"), ("R-N05", "M2", "sms")]


def test_equipment_that_nobody_manages_is_told_to_the_unit() -> None:
    w = World()
    supervisor(w, mail="p7@example.com")
    w.line_item(plan_finish_at="2026-03-21T00:00")
    w.until("2026-03-14T00:00")
    assert told(w) == [("R-N05", "P7", "mail")]


def test_a_deleted_manager_is_told_no_more() -> None:
    w = World()
    w.manager("TG1", "M1")
    w.app(tg_no="TG1", mgr_no="M9")
    w.visit("SURVEY")
    w.delete("tg_manager", "TG1", at="2026-03-05T09:00")
    w.until("2026-03-07T00:00")
    assert told(w) == [("R-T03", "M9", "sms")]


def test_somebody_known_by_number_only_is_found_as_a_stakeholder() -> None:
    w = World()
    supervisor(w, "L1", role="leader")
    routing, now = Routing(w.reference, mail_domain="example.com"), ms("2036-03-02T00:00")
    recipient, channel = routing.person("L1", now)
    assert (recipient.no, recipient.mobile, channel) == ("L1", "13900000007", "sms")
    assert routing.person("L2", now)[0].mobile is None
