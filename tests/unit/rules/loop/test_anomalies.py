"""The long loop: every transition, every forbidden one, packages, who may decide, and what readers and people get."""

from decimal import Decimal
from typing import get_args

import msgspec
import pytest

from rules.loop.anomaly import ORDER_KINDS, AnomalyState, Refusal
from rules.loop.anomaly_numbers import unit_in
from schemas import CommandKind, Happened, Raised
from tests.helpers.anomalies import ANALYST, HAND, LEADER, WAY, begun, brought_to, of_kind, raised, say, view_of
from tests.helpers.loops import (
    DAY,
    HOUR,
    MONDAY,
    assigned,
    kinds,
    new_loop,
    number_of,
    said,
    states,
    survived,
    texts,
)

STATES = tuple(AnomalyState)
ALLOWED = {
    AnomalyState.RAISED: {"confirm", "dismiss"},
    AnomalyState.SCREENED: {"package"},
    AnomalyState.PACKAGED: {"dispatch"},
    AnomalyState.DISPATCHED: {"lock"},
    AnomalyState.CHECKING: {"feed_back", "unlock", "hand_over"},
    AnomalyState.FED_BACK: {"rectify", "unlock", "hand_over"},
    AnomalyState.RECTIFIED: {"forward"},
    AnomalyState.FORWARDED: {"approve", "reject"},
    AnomalyState.APPROVED: {"archive"},
    AnomalyState.ARCHIVED: set[str](),
}
"""Written down a second time, from domain.md 4.7; `lock` again while somebody holds the order is refused."""
FORBIDDEN = [
    (state, kind)
    for state in STATES
    for kind in get_args(CommandKind)
    if kind not in ALLOWED[state] | {"reply"} and (state, kind) != (AnomalyState.RAISED, "merge")
]
BY = {"lock": HAND, "unlock": HAND, "hand_over": HAND, "feed_back": HAND, "rectify": HAND} | dict.fromkeys(
    ("approve", "reject"), LEADER
)


def test_an_anomaly_goes_every_step_and_each_has_its_time_and_person() -> None:
    anomaly = brought_to(new_loop(), AnomalyState.ARCHIVED)
    assert [(act.what, act.by) for act in anomaly.acts] == [
        ("RAISED", "clock"), *((state, by) for _, by, state in WAY)
    ]  # fmt: skip
    assert [act.at for act in anomaly.acts] == sorted(act.at for act in anomaly.acts)
    facts = anomaly.facts
    assert (facts.duty_dept, facts.duty_person, facts.deducted_score) == ("营销", "H9", Decimal(2))


@pytest.mark.parametrize(("state", "kind"), FORBIDDEN)
def test_a_command_out_of_order_is_refused_and_changes_nothing(state: AnomalyState, kind: CommandKind) -> None:
    loop = new_loop()
    anomaly = brought_to(loop, state)
    before = (anomaly.state, anomaly.version, list(anomaly.acts), states(loop))
    has_order = bool(anomaly.facts.order)
    say(loop, anomaly, kind, BY.get(kind, ANALYST))
    assert (anomaly.state, anomaly.version, list(anomaly.acts), states(loop)) == before
    reached = kind not in ORDER_KINDS or has_order
    reached = reached and (kind != "dispatch" or bool(anomaly.facts.package))
    assert [(act.what, act.note in {Refusal.OUT_OF_ORDER, Refusal.NOT_HOLDER}) for act in anomaly.facts.refused] == (
        [(kind, True)] if reached else []
    )


@pytest.mark.parametrize(("state", "kind"), [(state, kind) for state in STATES for kind in sorted(ALLOWED[state])])
def test_an_allowed_command_is_not_refused(state: AnomalyState, kind: CommandKind) -> None:
    loop = new_loop()
    anomaly = brought_to(loop, state)
    say(loop, anomaly, kind, BY.get(kind, ANALYST))
    assert anomaly.facts.refused == ()


@pytest.mark.parametrize(
    ("state", "kind", "by", "said", "why"),
    [
        (AnomalyState.RAISED, "confirm", ANALYST, {"version": 7}, Refusal.STALE),
        (AnomalyState.RAISED, "dismiss", ANALYST, {"text": ""}, Refusal.NO_REASON),
        (AnomalyState.SCREENED, "package", ANALYST, {"version": 1}, Refusal.STALE),
        (AnomalyState.PACKAGED, "dispatch", ANALYST, {"version": 2}, Refusal.STALE),
        (AnomalyState.CHECKING, "feed_back", "H2", {}, Refusal.NOT_HOLDER),
        (AnomalyState.CHECKING, "feed_back", HAND, {"text": ""}, Refusal.NO_REASON),
        (AnomalyState.CHECKING, "feed_back", HAND, {"version": 0}, Refusal.STALE),
        (AnomalyState.CHECKING, "lock", "H2", {}, Refusal.NOT_HOLDER),
        (AnomalyState.FED_BACK, "rectify", "H2", {}, Refusal.NOT_HOLDER),
        (AnomalyState.RECTIFIED, "forward", ANALYST, {"to": ""}, Refusal.NO_PERSON),
        (AnomalyState.RECTIFIED, "forward", ANALYST, {"to": ANALYST}, Refusal.OWN_WORK),
        (AnomalyState.RECTIFIED, "forward", ANALYST, {"to": HAND}, Refusal.OWN_WORK),
        (AnomalyState.FORWARDED, "approve", HAND, {}, Refusal.OWN_WORK),
        (AnomalyState.FORWARDED, "approve", ANALYST, {}, Refusal.OWN_WORK),
        (AnomalyState.FORWARDED, "approve", "L2", {}, Refusal.NOT_LEADER),
        (AnomalyState.FORWARDED, "reject", LEADER, {"text": ""}, Refusal.NO_REASON),
        (AnomalyState.APPROVED, "archive", ANALYST, {"to": ""}, Refusal.NO_PERSON),
        (AnomalyState.APPROVED, "archive", ANALYST, {"text": ""}, Refusal.NO_REASON),
    ],
)
def test_what_lacks_something_is_refused_with_its_reason(
    state: AnomalyState, kind: CommandKind, by: str, said: dict[str, object], why: Refusal
) -> None:
    loop = new_loop()
    anomaly = brought_to(loop, state)
    assert say(loop, anomaly, kind, by, **said) is state
    assert [(act.by, act.what, act.note) for act in anomaly.facts.refused] == [(by, kind, why)]


def test_an_anomaly_of_no_department_is_confirmed_with_one_only() -> None:
    loop = new_loop()
    anomaly = begun(loop)
    anomaly.tell(dept="")
    assert say(loop, anomaly, "confirm", ANALYST) is AnomalyState.RAISED
    assert say(loop, anomaly, "confirm", ANALYST, dept="运检") is AnomalyState.SCREENED
    assert anomaly.facts.dept == "运检"


def test_a_dismissed_anomaly_is_archived_with_its_reason_and_its_alert_closed() -> None:
    loop = new_loop()
    anomaly = begun(loop)
    assert say(loop, anomaly, "dismiss", ANALYST, text="误报") is AnomalyState.ARCHIVED
    assert (anomaly.acts[-2].what, anomaly.acts[-2].note, anomaly.facts.is_dismissed) == ("DISMISSED", "误报", True)
    assert kinds(loop) == ["closed"]


def test_two_departments_give_two_packages_and_two_notices() -> None:
    loop = new_loop()
    every = [begun(loop, raised(str(n), rule="A04" if n < 3 else "A16")) for n in range(5)]
    for anomaly in every:
        say(loop, anomaly, "confirm", ANALYST)
        say(loop, anomaly, "package", ANALYST)
    packages = sorted({anomaly.facts.package for anomaly in every})
    assert packages == ["P3340101-营销-20260302-1", "P3340101-运检-20260302-1"]
    assert [unit_in(package) for package in packages] == ["3340101", "3340101"]
    assert (view_of(loop, packages[0]).state, view_of(loop, packages[0]).version) == ("OPEN", 3)
    for anomaly in every:
        say(loop, anomaly, "dispatch", ANALYST)
    assert [text.partition("，")[0] for text in texts(loop)] == [
        "【业扩管控】3件异常已下发营销", "【业扩管控】2件异常已下发运检"
    ]  # fmt: skip
    assert view_of(loop, packages[0]).state == "DISPATCHED"
    orders = {view.number: view.parent for view in loop.views.values() if view is not None and view.kind == "order"}
    assert orders == {f"W{anomaly.number}": anomaly.number for anomaly in every}


def test_what_comes_after_a_package_was_sent_opens_the_next() -> None:
    loop = new_loop()
    brought_to(loop, AnomalyState.DISPATCHED)
    second = brought_to(loop, AnomalyState.PACKAGED, raised("2"))
    assert second.facts.package == "P3340101-营销-20260302-2"


def test_a_rejected_anomaly_goes_back_to_the_check_and_its_rectification_counts_for_nothing() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.FORWARDED)
    assert say(loop, anomaly, "reject", LEADER, text="照片缺失") is AnomalyState.CHECKING
    assert states(loop)[anomaly.facts.order] == "PENDING:"
    for kind, by, _ in WAY[3:8]:
        say(loop, anomaly, kind, by)
    assert anomaly.state is AnomalyState.APPROVED
    assert [(made.energy_kwh, made.is_rejected) for made in anomaly.facts.rectifications] == [
        (Decimal("120.5"), True), (Decimal("120.5"), False)
    ]  # fmt: skip


def test_what_clears_by_itself_is_marked_and_goes_its_way() -> None:
    loop = new_loop()
    anomaly = begun(loop)
    loop.happened(Happened(event=of_kind(anomaly.event, "cleared")), MONDAY + HOUR)
    assert (anomaly.state, anomaly.facts.is_self_cleared) == (AnomalyState.RAISED, True)
    for kind, by, _ in WAY:
        say(loop, anomaly, kind, by)
    assert anomaly.state is AnomalyState.ARCHIVED
    assert kinds(loop) == []


def test_what_shows_again_after_the_archive_begins_anew() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.ARCHIVED)
    for round_ in (2, 3):
        loop.happened(Happened(event=of_kind(anomaly.event, "reopened")), MONDAY + DAY)
        again = loop.anomalies.rows[f"{anomaly.number}-{round_}"]
        assert again.state is AnomalyState.RAISED
        assert unit_in(again.number) == "3340101"
        say(loop, again, "dismiss", ANALYST)


def test_a_repeat_of_its_beginning_changes_nothing() -> None:
    loop = new_loop()
    anomaly = brought_to(loop, AnomalyState.SCREENED)
    loop.begin(raised(), MONDAY + DAY)
    assert loop.anomalies.rows == {anomaly.number: anomaly}
    assert anomaly.state is AnomalyState.SCREENED


@pytest.mark.parametrize("state", STATES)
def test_another_worker_goes_on_where_it_stood(state: AnomalyState) -> None:
    loop, rows = new_loop(), dict[str, bytes]()
    number = brought_to(loop, state).number
    other = survived(loop, rows)
    anomaly = other.anomalies.rows[number]
    for kind, by, _ in WAY[STATES.index(state) :]:
        say(other, anomaly, kind, by)
    assert (anomaly.state, anomaly.facts.refused) == (AnomalyState.ARCHIVED, ())


def test_an_archived_anomaly_leaves_the_memory_and_stays_to_be_read() -> None:
    loop = new_loop()
    brought_to(loop, AnomalyState.ARCHIVED)
    loop.take_views()
    loop.advance(MONDAY + 91 * DAY)
    assert len(loop) == 0
    assert loop.take_views() == {}


def test_of_two_with_one_version_one_wins() -> None:
    loop = new_loop()
    anomaly = begun(loop)
    version = anomaly.version
    say(loop, anomaly, "confirm", ANALYST, version=version)
    say(loop, anomaly, "dismiss", "C2", version=version)
    assert anomaly.state is AnomalyState.SCREENED
    assert [(act.by, act.note) for act in anomaly.facts.refused] == [("C2", Refusal.STALE)]


def test_a_task_that_nobody_answers_becomes_an_anomaly_if_its_strategy_says_so() -> None:
    loop = new_loop()
    entries = tuple(
        (each.model_copy(update={"overdue_becomes": "connection"}) if each.id == "supervision" else each, office)
        for each, office in loop.strategies.entries
    )
    loop.use(type(loop.strategies)(loop.strategies.calendar, entries))
    record = msgspec.structs.replace(assigned(), anomaly="A3340101-0123456789abcdef")
    loop.assign(record, MONDAY)
    loop.advance(MONDAY + 2 * DAY)
    (passed,) = loop.take_todo().passed
    assert passed[0] == "A3340101-0123456789abcdef"
    assert states(loop) == {number_of(): "CONVERTED"}
    assert isinstance(passed[1], Raised)
    loop.begin(passed[1], MONDAY + 2 * DAY)
    assert loop.anomalies.rows[passed[0]].facts.domain == "业扩报装"
    loop.happened(Happened(event=of_kind(record.event, "closed")), MONDAY + 3 * DAY)
    ((number, news),) = loop.take_todo().passed
    assert number == passed[0]
    assert isinstance(news, Happened)
    loop.happened(news, MONDAY + 3 * DAY)  # its owner may be who passed it on: it is not passed on for ever
    assert loop.take_todo().passed == []
    assert loop.anomalies.rows[number].facts.is_self_cleared
    loop.command(said("reply", key=record.number, at=MONDAY + 3 * DAY), "0-1")
    assert "已转入管控闭环" in texts(loop)[-1]
