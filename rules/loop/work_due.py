"""Until when an anomaly is to be rectified, and who is told when it is not. Pure.

It counts from the dispatch, and anew from a rejection; the chain is kept as it was then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.loop import answers
from rules.loop.anomaly import Anomaly
from rules.loop.chain import begin_chain, chain_of, step_up
from rules.loop.state import Upper

if TYPE_CHECKING:
    from rules.loop.anomalies import Board


def set_due(board: Board, anomaly: Anomaly, at: int) -> None:
    """Give staff on site their time from now on; who is told when they do not use it is settled here."""
    strategy, order = board.strategies.named(anomaly.strategy), board.orders[anomaly.facts.order]
    order.is_overdue = anomaly.is_overdue = False
    anomaly.step_at = anomaly.finish_due = order.finish_due = None
    if strategy is not None:
        anomaly.finish_due = order.finish_due = board.strategies.finish_due(strategy, at)
        anomaly.chain = chain_of(strategy, anomaly.event, board.people, at)
        begin_chain(anomaly, board.strategies, strategy, anomaly.finish_due)
    board.show_order(order)


def go_up(board: Board, anomaly: Anomaly, due: int) -> None:
    """It is not rectified in time: it is marked, and then told step by step up the chain."""
    strategy, order = board.strategies.named(anomaly.strategy), board.orders[anomaly.facts.order]
    if not anomaly.is_overdue and due == anomaly.finish_due:
        order.is_overdue = anomaly.is_overdue = True
        anomaly.note(due, "clock", "OVERDUE")
        board.show_order(order)
    elif strategy is None:
        anomaly.step_at = None
    else:
        _escalate(board, anomaly, step_up(anomaly, board.strategies, strategy, due), due)


def end_due(board: Board, anomaly: Anomaly, at: int) -> None:
    """It is rectified: late or in time by when that was, whether or not the clock came first."""
    order = board.orders[anomaly.facts.order]
    order.is_overdue = anomaly.is_overdue = anomaly.finish_due is not None and at > anomaly.finish_due
    board.show_order(order)


def _escalate(board: Board, anomaly: Anomaly, upper: Upper, due: int) -> None:
    todo, facts = board.todo, anomaly.facts
    if not upper.told:
        anomaly.note(due, "clock", "NOBODY", upper.role)
        return
    for told in upper.told:
        anomaly.note(due, "clock", "ESCALATED", told[0].no)
        text = answers.work_overdue(anomaly.event, facts.order, facts.dept)
        rung = f"escalated-{len(facts.rectifications)}-{anomaly.step}:{facts.order}"
        todo.tell(anomaly, told, text, at=due, rung=rung)
    when, first = board.strategies.calendar.local_text(due), upper.told[0][0].no
    todo.tell_event(anomaly, "escalated", f"（工单{facts.order}于{when}上报{first}）", first)
