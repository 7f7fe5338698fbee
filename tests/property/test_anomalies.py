"""Whatever people send in whatever order: no anomaly skips a state, and what is summed is what was put right."""

from decimal import Decimal
from itertools import chain, pairwise
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from rules import Period
from rules.loop import Loop, control_totals
from rules.loop.anomaly import AnomalyState
from schemas import CommandKind, Happened
from tests.helpers.anomalies import ANALYST, HAND, LEADER, WAY, begun, of_kind, raised, said_of, view_of
from tests.helpers.loops import DAY, MONDAY, new_loop, shipped, survived

FOLLOWS = {
    "RAISED": {"SCREENED", "DISMISSED"}, "DISMISSED": {"ARCHIVED"}, "SCREENED": {"PACKAGED"},
    "PACKAGED": {"DISPATCHED"}, "DISPATCHED": {"CHECKING"}, "CHECKING": {"FED_BACK"}, "FED_BACK": {"RECTIFIED"},
    "RECTIFIED": {"FORWARDED"}, "FORWARDED": {"APPROVED", "REJECTED"}, "REJECTED": {"CHECKING"},
    "APPROVED": {"ARCHIVED"}, "ARCHIVED": set[str](),
}  # fmt: skip
"""domain.md 4.7 once more: what may come after what."""
MARKS = {"SELF_CLEARED", "SEEN_AGAIN"}
ONWARD = st.integers(0, len(WAY)).map(lambda n: [(kind, by) for kind, by, _ in WAY[:n]])
ANYTHING = st.lists(
    st.tuples(st.sampled_from(get_args(CommandKind)), st.sampled_from([ANALYST, HAND, LEADER])), max_size=12
)
Words = list[tuple[CommandKind, str]]
PARTS: st.SearchStrategy[list[Words]] = st.lists(st.one_of(ONWARD, ANYTHING), min_size=1, max_size=4)
WORDS: st.SearchStrategy[Words] = PARTS.map(lambda parts: [*chain.from_iterable(parts)])


def live(words: Words, amounts: st.DataObject, *, crashes: bool) -> Loop:
    """Live one anomaly's life; every rectification with an amount of its own."""
    loop, rows = new_loop(), dict[str, bytes]()
    number = begun(loop).number
    for kind, by in words:
        energy = Decimal(amounts.draw(st.integers(0, 10**6))).scaleb(-2) if kind == "rectify" else Decimal(0)
        loop.command(said_of(loop.anomalies.rows[number], kind, by, energy_kwh=energy), "0-0")
        if crashes:
            loop = survived(loop, rows)
    return loop


@given(WORDS, st.data())
def test_no_sequence_of_commands_skips_a_state_across_crashes(words: Words, amounts: st.DataObject) -> None:
    loop = live(words, amounts, crashes=True)
    (anomaly,) = loop.anomalies.rows.values()
    way = [act.what for act in anomaly.acts if act.what not in MARKS]
    assert way[0] == "RAISED"
    assert all(later in FOLLOWS[earlier] for earlier, later in pairwise(way))
    assert way[-1] == anomaly.state
    assert anomaly.version == len(anomaly.acts)


@given(WORDS, st.data())
def test_effect_is_the_sum_of_the_rectification_orders_that_stand(words: Words, amounts: st.DataObject) -> None:
    loop = live(words, amounts, crashes=False)
    (anomaly,) = loop.anomalies.rows.values()
    (total,) = control_totals(
        [view_of(loop, anomaly.number)], "domain", Period.parse("2026-03"), shipped().calendar
    )  # fmt: skip
    last = [made.energy_kwh for made in anomaly.facts.rectifications][-1:]
    is_over = anomaly.state is AnomalyState.ARCHIVED and not anomaly.facts.is_dismissed
    assert total.energy_kwh == (sum(last, Decimal(0)) if is_over else 0)


@given(st.lists(st.sampled_from(["cleared", "reopened", *[kind for kind, _, _ in WAY]]), max_size=14))
def test_what_the_data_say_between_moves_no_state(told: list[str]) -> None:
    loop, senders = new_loop(), {str(kind): (kind, by) for kind, by, _ in WAY}
    anomaly = begun(loop, raised())
    for word in told:
        if word in senders:
            loop.command(said_of(anomaly, *senders[word]), "0-0")
            continue
        before = anomaly.state
        event = of_kind(anomaly.event, "cleared" if word == "cleared" else "reopened")
        loop.happened(Happened(event=event), MONDAY + DAY)
        assert anomaly.state is before
