"""Work orders of anomalies that nobody rectifies in time: marked, then told up a chain kept from the dispatch."""

import pytest

from rules.loop import Loop
from rules.loop.anomaly import AnomalyState
from rules.loop.people import Told
from schemas import Recipient
from tests.helpers.anomalies import ANALYST, HAND, LEADER, WAY, brought_to, say, view_of
from tests.helpers.loops import DAY, HOUR, MONDAY, kinds, new_loop, survived

FRIDAY = MONDAY - 9 * HOUR + 4 * DAY
"""The end of the third workday after the dispatch, on Monday."""


def escalated(loop: Loop) -> list[tuple[str, int]]:
    return [(n.recipient.no, n.at) for n in loop.todo.notices if n.rung.startswith("escalated-")]


def test_a_work_order_is_overdue_at_the_end_of_its_third_workday_and_goes_up_in_working_hours() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.DISPATCHED)
    assert view_of(loop, anomaly.facts.order).finish_due == anomaly.finish_due == FRIDAY
    loop.advance(FRIDAY - 1)
    assert (anomaly.is_overdue, escalated(loop)) == (False, [])
    loop.advance(FRIDAY)
    assert view_of(loop, anomaly.facts.order).is_overdue
    assert view_of(loop, anomaly.number).is_overdue
    loop.advance(FRIDAY + 4 * DAY)
    first, second = FRIDAY + 14 * HOUR + HOUR // 2, FRIDAY + 3 * DAY + 14 * HOUR + HOUR // 2
    assert escalated(loop) == [("U3340101", first), ("U33401", second)]
    assert kinds(loop) == ["escalated", "escalated"]
    assert anomaly.state is AnomalyState.DISPATCHED
    assert [act.what for act in anomaly.acts[-4:]] == ["OVERDUE", "NOBODY", "ESCALATED", "ESCALATED"]


def test_what_is_rectified_stops_the_chain_and_stays_marked() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.FED_BACK)
    loop.advance(FRIDAY + HOUR)
    say(loop, anomaly, "lock", HAND, at=FRIDAY + HOUR)
    say(loop, anomaly, "rectify", HAND, at=FRIDAY + HOUR)
    loop.advance(FRIDAY + 9 * DAY)
    assert (anomaly.is_overdue, escalated(loop)) == (True, [])


@pytest.mark.parametrize(("at", "is_late"), [(FRIDAY, False), (FRIDAY + 1, True)])
@pytest.mark.parametrize("is_clock_first", [True, False])
def test_what_is_rectified_is_late_by_its_own_time_whoever_comes_first(
    at: int, *, is_late: bool, is_clock_first: bool
) -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.FED_BACK)
    say(loop, anomaly, "lock", HAND, at=FRIDAY - HOUR)
    if is_clock_first:
        loop.advance(FRIDAY + HOUR)
    say(loop, anomaly, "rectify", HAND, at=at)
    loop.advance(FRIDAY + 9 * DAY)
    shown = view_of(loop, anomaly.facts.order), view_of(loop, anomaly.number)
    assert (anomaly.state, anomaly.is_overdue) == (AnomalyState.RECTIFIED, is_late)
    assert [view.is_overdue for view in shown] == [is_late, is_late]


def test_a_rejection_gives_the_full_time_once_more() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.FORWARDED)
    say(loop, anomaly, "reject", LEADER, at=FRIDAY + 9 * HOUR, text="照片缺失")
    assert anomaly.finish_due == FRIDAY + 6 * DAY  # a weekend lies between
    loop.advance(FRIDAY + 6 * DAY)
    assert anomaly.is_overdue


def test_the_chain_is_that_of_the_dispatch_whoever_comes_later_and_another_worker_goes_on_with_it() -> None:
    loop, rows = new_loop(), dict[str, bytes]()
    number = brought_to(loop, AnomalyState.DISPATCHED).number
    loop.advance(FRIDAY)
    other = survived(loop, rows)

    class Others:
        def with_role(self, role: str, org_no: str, at: int) -> list[Told]:
            return [(Recipient(no="NEW"), "sms")]

        def person(self, no: str, at: int) -> Told:
            return Recipient(no=no), "sms"

    other.people = Others()
    other.advance(FRIDAY + 9 * DAY)
    assert [no for no, _ in escalated(other)] == ["U3340101", "U33401"]
    assert len(other.anomalies.rows[number].acts) == len(set(other.anomalies.rows[number].acts))


def test_one_that_an_older_version_dispatched_has_no_time_and_waits() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.DISPATCHED)
    anomaly.finish_due = anomaly.step_at = None
    loop.advance(FRIDAY + 30 * DAY)
    assert (anomaly.state, escalated(loop)) == (AnomalyState.DISPATCHED, [])


def test_a_strategy_that_is_gone_ends_the_chain() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.DISPATCHED)
    loop.advance(FRIDAY)
    anomaly.strategy = "gone"
    loop.advance(FRIDAY + 30 * DAY)
    assert (anomaly.step_at, escalated(loop)) == (None, [])


def test_a_command_that_comes_twice_counts_once_whatever_came_between() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.CHECKING)
    first = anomaly.facts.order
    handed = {"to": "H2", "at": MONDAY + 2 * HOUR}
    say(loop, anomaly, "hand_over", HAND, **handed)
    loop.advance(MONDAY + 7 * HOUR)
    say(loop, anomaly, "lock", HAND, at=MONDAY + 7 * HOUR)
    say(loop, anomaly, "hand_over", HAND, **handed)
    assert loop.orders[first].holder == HAND
    assert [act.what for act in loop.orders[first].acts] == ["lock", "hand_over", "unlock", "lock"]


def test_a_rejected_one_is_not_forwarded_again_by_the_same_command() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.RECTIFIED)
    forward = {"at": MONDAY + 3 * HOUR}
    say(loop, anomaly, "forward", ANALYST, **forward)
    say(loop, anomaly, "reject", LEADER, at=MONDAY + 4 * HOUR, text="照片缺失")
    for n, (kind, by, _) in enumerate(WAY[3:6]):
        say(loop, anomaly, kind, by, at=MONDAY + 5 * HOUR + n)
    assert say(loop, anomaly, "forward", ANALYST, **forward) is AnomalyState.RECTIFIED
    assert anomaly.facts.refused == ()
