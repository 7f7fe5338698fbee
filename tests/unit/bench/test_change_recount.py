"""The recount of a live change finds what was lost, judged twice, or judged by the wrong rules."""

from typing import Any

import msgspec
import pytest

from bench.change_recount import RUNGS, Raised, Seen, recount, unlike_state, unlike_totals
from schemas import AlertEvent, Evidence, Severity

AT = 10_000
"""When the rules changed."""
EARLY, LATE = (
    Seen("A1", "SURVEY", 1, 0, None, ("t", 0, 1), 9_000),
    Seen("A2", "SURVEY", 2, 0, None, ("t", 0, 2), 11_000),
)
VISITS = {1: EARLY, 2: LATE, 3: Seen("A1", "SCHEME", 3, 5, None, ("t", 0, 3), 9_500)}


def raised(offset: int, seen: Seen, severity: Severity, version: int, **changes: Any) -> Raised:
    alert = AlertEvent(
        alert_id=f"{seen.app_no}-{severity}", event="raised", rule="R-T03", rule_version=version, severity=severity,
        process="hv_connection", instance=seen.app_no, stage="SURVEY", visit=seen.visit, raised_at=seen.arrived_at,
        due_at=0, org_no=None, dept=None, person=None, object=None, text="", evidence=(Evidence(*seen.place),),
    )  # fmt: skip
    return Raised(0, offset, msgspec.structs.replace(alert, **changes))


def all_of() -> list[Raised]:
    return [
        raised(0, EARLY, "WARN", 1), raised(1, EARLY, "ALARM", 1),
        raised(2, LATE, "WARN", 2), raised(3, LATE, "ALARM", 2),
    ]  # fmt: skip


def test_each_survey_told_once_by_the_rules_of_its_time_is_right() -> None:
    found = recount(VISITS, all_of(), AT)
    assert (found.lost, found.twice, found.misjudged) == ([], [], [])
    assert (found.before, found.after) == (2, 2)


def test_a_survey_that_waited_may_be_told_by_the_changed_rules() -> None:
    alerts = [raised(n, EARLY, severity, 2, raised_at=AT) for n, severity in enumerate(RUNGS)] + all_of()[2:]
    assert recount(VISITS, alerts, AT).misjudged == []


def test_what_is_missing_is_lost() -> None:
    assert recount(VISITS, all_of()[:-1], AT).lost == ["R-T03 of ('A2', 2, 'ALARM') was never raised"]


def test_what_stands_there_twice_is_found_whichever_rule_it_is_of() -> None:
    other = raised(4, EARLY, "ALARM", 1, rule="R-T19", alert_id="other")
    found = recount(VISITS, [*all_of(), other, other], AT)
    assert found.twice == ["alert ('other', 'raised') stands there 2 times"]
    assert len(recount(VISITS, [*all_of(), all_of()[-1]], AT).twice) == 1


@pytest.mark.parametrize(
    ("number", "changes", "said"),
    [
        (2, {"rule_version": 1}, "after they had changed"),
        (1, {"rule_version": 2}, "before they counted"),
        (3, {"rule_version": 3}, "version 3"),
        (0, {"event": "cleared"}, "cleared"),
        (0, {"evidence": (Evidence("t", 0, 9),)}, "not on"),
        (0, {"visit": 7}, "nothing raises"),
    ],
)
def test_what_is_told_by_the_wrong_rules_or_of_the_wrong_record_is_found(
    number: int, changes: dict[str, Any], said: str
) -> None:
    alerts = all_of()
    alerts[number] = alerts[number]._replace(alert=msgspec.structs.replace(alerts[number].alert, **changes))
    assert any(said in fault for fault in recount(VISITS, alerts, AT).misjudged)


def test_a_partition_that_goes_back_to_the_rules_before_is_found() -> None:
    one, two, three, four = all_of()
    assert any("goes back" in fault for fault in recount(VISITS, [three, one, two, four], AT).misjudged)


def test_state_and_indicators_are_compared_with_the_visits() -> None:
    kept = [
        (seen.app_no, {"stage": seen.stage, "visit": seen.visit, "finished_at": None,
                       "entered_at": f"1970-01-01T00:00:00.{seen.entered_at:03}Z"})
        for seen in VISITS.values()
    ]  # fmt: skip
    assert unlike_state(VISITS.values(), kept) == []
    assert len(unlike_state(VISITS.values(), kept[1:])) == 1
    assert unlike_totals(VISITS.values(), {"I121": 1}) == []
    assert unlike_totals(VISITS.values(), {"I121": 2, "I151": 1}) == [
        "I121 is 2 and the visits say 1", "I151 is 1 and the visits say 0",
    ]  # fmt: skip
