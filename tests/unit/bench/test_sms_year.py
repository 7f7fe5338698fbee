"""A year of SMS in virtual time: every notice is claimed and settled, and no phone is told twice."""

import logging

import pytest

from bench.expectation import WorkLost
from bench.sms_memory import ODDS, Luck
from bench.sms_year import GROUPED, Death, Year, figures_of, live_a_year
from schemas.notice import Channel
from sinks import OutboxPolicy

SMS: frozenset[Channel] = frozenset({"sms"})
EVENTS = 3_000


def nothing(_done: int) -> None:
    """No progress is shown."""


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("sinks").setLevel(logging.ERROR)


def test_what_was_claimed_is_delivered_refused_unknown_or_failed_through_every_death() -> None:
    figures = live_a_year(EVENTS, nothing).figures
    assert figures["claimed"] == EVENTS
    assert sum(figures[state] for state in ("delivered", "refused", "unknown", "failed")) == EVENTS
    assert all(figures[f"luck_{luck.replace(' ', '_')}"] for luck in ODDS)
    assert figures["deaths"] > len(Death)
    assert figures["messages"] < EVENTS - EVENTS // GROUPED  # groups became one message


def test_sending_again_what_is_unknown_would_tell_somebody_twice() -> None:
    with pytest.raises(WorkLost, match=r"; [1-9]\d* reached a phone more than once"):
        live_a_year(EVENTS, nothing, policy=OutboxPolicy(channels=SMS, idempotent=SMS))


def test_a_notice_that_counts_as_delivered_and_reached_nobody_is_lost() -> None:
    year = Year(2, OutboxPolicy(channels=SMS), seed=1)
    year.stands = bytearray((5, 5))
    year.network.got = bytearray((1, 0))
    with pytest.raises(WorkLost, match="1 never, though they count as delivered"):
        figures_of(year)


def test_a_notice_that_nobody_claimed_is_lost() -> None:
    year = Year(2, OutboxPolicy(channels=SMS), seed=1)
    year.stands, year.network.got = bytearray((5, 0)), bytearray((1, 0))
    with pytest.raises(WorkLost, match="of 2 notices 1 were claimed"):
        figures_of(year)
    assert not year.network.drawn[Luck.GOOD]
