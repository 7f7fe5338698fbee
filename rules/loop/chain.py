"""Who is told when nobody does what is due: steps up, kept for each task and work order as they were at its beginning.

Pure.
"""

from __future__ import annotations

from typing import Protocol

from rules.loop.people import People
from rules.loop.state import Upper
from rules.loop.strategies import Strategies
from rules.loop.strategy import Rung, Strategy
from schemas import AlertEvent


class Climbs(Protocol):
    """What has a chain: a task, or an anomaly with its work order."""

    chain: list[Upper]
    step: int
    step_at: int | None


def chain_of(strategy: Strategy, event: AlertEvent, people: People, at: int) -> list[Upper]:
    """Take the snapshot: who is who as known at `at`."""
    return [
        Upper(rung.after.clock_ms, rung.role, people.with_role(rung.role, _unit_of(event, rung), at))
        for rung in strategy.escalation or ()
    ]


def _unit_of(event: AlertEvent, rung: Rung) -> str:
    """Give the unit whose people a step of the chain asks: the alert's own, or one above it."""
    org_no = event.org_no or ""
    return org_no if rung.digits is None else org_no[: rung.digits]


def begin_chain(of: Climbs, strategies: Strategies, strategy: Strategy, since: int) -> None:
    """Let the first step come so much working time after `since`."""
    of.step = 0
    of.step_at = strategies.working(strategy, since, of.chain[0].after_ms) if of.chain else None


def step_up(of: Climbs, strategies: Strategies, strategy: Strategy, due: int) -> Upper:
    """Take the step that is due; the next comes so much working time after it."""
    upper = of.chain[of.step]
    of.step += 1
    following = of.chain[of.step : of.step + 1]
    of.step_at = strategies.working(strategy, due, following[0].after_ms) if following else None
    return upper
