"""Duplicates at screening: one goes the way for both, both keep their history, and they are closed together."""

import pytest

from rules.loop import Loop
from rules.loop.anomaly import Anomaly, AnomalyState, Refusal
from schemas import CommandKind, Happened
from tests.helpers.anomalies import ANALYST, WAY, begun, brought_to, of_kind, raised, say, view_of
from tests.helpers.loops import DAY, HOUR, MONDAY, kinds, new_loop, survived


def merged(loop: Loop, state: AnomalyState = AnomalyState.RAISED) -> tuple[Anomaly, Anomaly]:
    """Give an anomaly in a state, and a second one that was found to be the same."""
    main, same = brought_to(loop, state, raised("1")), begun(loop, raised("2"))
    say(loop, same, "merge", ANALYST, to=main.number)
    return main, same


def go_on(loop: Loop, anomaly: Anomaly) -> None:
    """Lead an anomaly from where it stands to the archive."""
    states = [AnomalyState.RAISED, *(leads_to for _, _, leads_to in WAY)]
    for kind, by, _ in WAY[states.index(anomaly.state) :]:
        say(loop, anomaly, kind, by)


@pytest.mark.parametrize("state", [each for each in AnomalyState if each is not AnomalyState.ARCHIVED])
def test_both_are_closed_together_and_keep_their_own_history(state: AnomalyState) -> None:
    loop = new_loop()
    main, same = merged(loop, state)
    assert view_of(loop, same.number).parent == main.number
    go_on(loop, main)
    assert (main.state, same.state, same.closed_at) == (AnomalyState.ARCHIVED, AnomalyState.ARCHIVED, main.closed_at)
    assert [act.what for act in same.acts] == ["RAISED", "MERGED", "ARCHIVED"]
    assert [act.note for act in main.acts if act.what == "MERGED_WITH"] == [same.number]
    assert kinds(loop) == ["closed", "closed"]
    assert {event.alert_id for event in loop.todo.events} == {main.event.alert_id, same.event.alert_id}
    assert (same.facts.duty_person, same.facts.rectifications) == ("", ())


def test_a_dismissal_of_one_dismisses_the_other() -> None:
    loop = new_loop()
    main, same = merged(loop)
    say(loop, main, "dismiss", ANALYST)
    assert (same.state, same.facts.is_dismissed) == (AnomalyState.ARCHIVED, True)


def test_closing_the_one_that_was_merged_closes_the_other() -> None:
    loop = new_loop()
    main, same = merged(loop, AnomalyState.APPROVED)
    say(loop, same, "archive", ANALYST, version=same.version)
    assert (main.state, same.state) == (AnomalyState.ARCHIVED, AnomalyState.ARCHIVED)
    assert main.facts.duty_person == "H9"


def test_what_is_said_about_the_merged_one_as_it_was_before_is_refused() -> None:
    loop = new_loop()
    main, same = merged(loop)
    say(loop, same, "confirm", ANALYST, version=same.version - 1)
    assert main.state is AnomalyState.RAISED
    assert [act.note for act in same.facts.refused] == [Refusal.STALE]


def test_a_chain_of_the_same_is_closed_from_its_end() -> None:
    loop = new_loop()
    main, same = merged(loop)
    third = begun(loop, raised("3"))
    say(loop, third, "merge", ANALYST, to=same.number)
    assert third.facts.merged_into == main.number
    fourth = begun(loop, raised("4"))
    say(loop, main, "merge", ANALYST, to=fourth.number)
    go_on(loop, fourth)
    assert {each.state for each in (main, same, third, fourth)} == {AnomalyState.ARCHIVED}


@pytest.mark.parametrize("to", ["", "A3340101-0000000000000000", "itself", "archived", "in a circle"])
def test_there_must_be_another_open_one(to: str) -> None:
    loop = new_loop()
    main, same = merged(loop)
    one = begun(loop, raised("5"))
    if to == "archived":
        to = brought_to(loop, AnomalyState.ARCHIVED, raised("6")).number
    elif to == "in a circle":
        one, to = main, same.number
    say(loop, one, "merge", ANALYST, to=one.number if to == "itself" else to)
    assert (one.state, one.facts.merged_into) == (AnomalyState.RAISED, "")
    assert [act.note for act in one.facts.refused] == [Refusal.NO_OTHER]


@pytest.mark.parametrize("kind", ["confirm", "merge"])
def test_what_was_screened_already_cannot_be_merged(kind: CommandKind) -> None:
    loop = new_loop()
    main, other = begun(loop, raised("1")), begun(loop, raised("2"))
    say(loop, other, kind, ANALYST, to=main.number)
    before = other.version
    say(loop, other, "merge", "C2", to=main.number, version=0 if kind == "confirm" else None)
    assert other.version == before


def test_another_worker_closes_both_and_forgets_both() -> None:
    loop, rows = new_loop(), dict[str, bytes]()
    numbers = [each.number for each in merged(loop, AnomalyState.APPROVED)]
    other = survived(loop, rows)
    say(other, other.anomalies.rows[numbers[0]], "archive", ANALYST)
    assert {other.anomalies.rows[each].state for each in numbers} == {AnomalyState.ARCHIVED}
    other.advance(MONDAY + 91 * DAY)
    assert len(other) == 0


def test_one_that_cleared_by_itself_is_closed_without_a_word() -> None:
    loop = new_loop()
    main, same = merged(loop)
    loop.happened(Happened(event=of_kind(same.event, "cleared")), MONDAY + HOUR)
    go_on(loop, main)
    assert (same.facts.is_self_cleared, kinds(loop)) == (True, ["closed"])
