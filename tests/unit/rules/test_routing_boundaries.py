"""Who is told, at the edges: nobody twice, nobody too many, and validity to the millisecond."""

from typing import Any

import pytest

from rules.state import rung_key, rung_parts
from tests.helpers.builders import World


def supervisor(w: World, **fields: Any) -> None:
    given: dict[str, Any] = {
        "org_no": "3340101",
        "role": "unit_supervisor",
        "person_no": "P7",
        "mobile": "13900000007",
        **fields,
    }
    w.row("stakeholder", "SP7", **given)


def late_survey(w: World, **fields: Any) -> list[tuple[str, str]]:
    w.app(**fields)
    w.visit("SURVEY")
    w.until("2026-03-07T00:00")
    return [(n.recipient.no, n.channel) for n in w.notices]


def test_who_has_a_manager_does_not_trouble_the_supervisor() -> None:
    w = World()
    w.manager()
    supervisor(w)
    assert late_survey(w, tg_no="TG1") == [("M1", "sms")]


def test_a_supervisor_with_a_mail_address_gets_mail_there() -> None:
    w = World()
    supervisor(w, mail="p7@example.com", person_name="王")
    assert late_survey(w) == [("P7", "mail")]
    recipient = w.notices[0].recipient
    assert (recipient.mail, recipient.name, recipient.mobile) == ("p7@example.com", "王", "13900000007")


def test_a_supervisor_without_any_address_gets_mail_at_the_number() -> None:
    w = World()
    supervisor(w, mobile=None)
    assert late_survey(w) == [("P7", "mail")]
    assert w.notices[0].recipient.mail == "P7@stagewatch.local"


def test_equipment_without_a_place_is_told_to_the_supervisor() -> None:
    w = World()
    supervisor(w)
    w.item(tg_no=..., trans_no=..., published_at=None)
    w.until("2026-03-06T00:00")
    assert {n.recipient.no for n in w.notices} == {"P7"}


def test_names_and_numbers_come_from_the_district_first_and_the_register_second() -> None:
    w = World()
    w.manager(mgr_name="张", mobile="13800000001")
    w.row("customer_manager", "M1", mgr_name="李", mobile="13700000009")
    late_survey(w, tg_no="TG1")
    assert (w.notices[0].recipient.name, w.notices[0].recipient.mobile) == ("张", "13800000001")


def test_an_application_of_no_unit_is_told_to_nobody_of_no_unit() -> None:
    assert late_survey(World(), org_no=None) == [("org:", "none")]


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "is_told"),
    [
        (None, None, True),
        ("2026-03-07T00:00", None, True),
        ("2026-03-07T00:00:00.001", None, False),
        (None, "2026-03-07T00:00", False),
        (None, "2026-03-07T00:00:00.001", True),
    ],
)
def test_a_manager_counts_from_one_moment_to_the_other(
    valid_from: str | None,
    valid_to: str | None,
    is_told: bool,  # noqa: FBT001
) -> None:
    w = World()
    w.manager(valid_from=valid_from, valid_to=valid_to)
    assert late_survey(w, tg_no="TG1") == [("M1", "sms") if is_told else ("org:3340101", "none")]


@pytest.mark.parametrize("stage", [None, "SURVEY", "a|b", "a%b", "a%7Cb", "|", "%"])
@pytest.mark.parametrize("visit", [None, 0, 1, 12])
@pytest.mark.parametrize("item", [None, "N1", "x|y%"])
def test_the_key_of_a_rung_gives_back_what_it_was_made_of(
    stage: str | None, visit: int | None, item: str | None
) -> None:
    assert rung_parts(rung_key(stage, visit, item, "WARN")) == (stage, visit, item, "WARN")
