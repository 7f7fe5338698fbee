"""The work-order console: who holds an order, and what became of it (domain.md, P21). Pure.

Of two that lock one order the first wins, and the other's command changes nothing: the order shows who holds it.
"""

from collections.abc import Callable

from rules.loop.state import MOST_ACTS, Order, OrderState, was_done
from schemas import Act, Command

KEPT_MS = 90 * 86_400_000
"""An order that nobody holds is remembered for so long after its last step, as closed tasks are."""


def apply_to_order(order: Order, command: Command, lock_ms: int) -> bool:
    """Do what a command says, if it may be done now and the sender saw the order as it is; tell whether it was."""
    release_if_over(order, command.at)
    if was_done(order.acts, command.kind, command):
        return False
    if command.version is not None and command.version != order.version:
        return False
    if not _STEPS.get(command.kind, _never)(order, command):
        return False
    if order.state is OrderState.LOCKED and command.kind in {"lock", "hand_over", "feed_back"}:
        order.until = command.at + lock_ms
    elif order.state is not OrderState.LOCKED:
        order.holder, order.until = "", None
    note_on(order, command.at, command.by, command.kind, command.text or command.to)
    return True


def release_if_over(order: Order, now: int) -> bool:
    """Free an order whose lock has run out; tell whether it was."""
    if order.until is None or order.until > now:
        return False
    at = order.until
    order.state, order.holder, order.until = OrderState.PENDING, "", None
    note_on(order, at, "clock", "unlock")
    return True


def next_due(order: Order) -> int | None:
    """Give when the clock does the next thing: the lock runs out, or nobody has touched it for long.

    An anomaly's leaves with the anomaly.
    """
    if order.until is not None or order.anomaly:
        return order.until
    return order.updated_at + KEPT_MS


def note_on(order: Order, at: int, by: str, what: str, text: str = "") -> None:
    """Write a step into the history of an order; that is a new version."""
    order.version += 1
    order.updated_at = max(order.updated_at, at)
    order.acts.append(Act(at, by, what, text))
    if len(order.acts) > MOST_ACTS:
        del order.acts[1]


def _holds(order: Order, command: Command) -> bool:
    return order.state is OrderState.LOCKED and order.holder == command.by


def _lock(order: Order, command: Command) -> bool:
    if order.state is not OrderState.PENDING:
        return False
    order.state, order.holder = OrderState.LOCKED, command.by
    return True


def _unlock(order: Order, command: Command) -> bool:
    """Somebody else's lock is opened with a reason only."""
    if order.state is not OrderState.LOCKED or not (order.holder == command.by or command.text):
        return False
    order.state = OrderState.PENDING
    return True


def _hand_over(order: Order, command: Command) -> bool:
    if not _holds(order, command) or not command.to:
        return False
    order.holder = command.to
    return True


def _finish(order: Order, command: Command) -> bool:
    """An anomaly's order ends with what was put right."""
    if not _holds(order, command) or bool(order.anomaly) != (command.kind == "rectify"):
        return False
    order.state, order.finished_by = OrderState.DONE, command.by
    return True


def _approve(order: Order, command: Command) -> bool:
    """Nobody approves what they finished themselves (domain.md, S4-06)."""
    if order.state is not OrderState.DONE or command.by == order.finished_by:
        return False
    order.state = OrderState.APPROVED
    return True


def _reject(order: Order, command: Command) -> bool:
    if order.state is not OrderState.DONE or command.by == order.finished_by:
        return False
    order.state, order.finished_by = OrderState.PENDING, ""
    return True


def _never(_order: Order, _command: Command) -> bool:
    return False


_STEPS: dict[str, Callable[[Order, Command], bool]] = {
    "lock": _lock, "unlock": _unlock, "hand_over": _hand_over, "feed_back": _holds, "finish": _finish,
    "rectify": _finish, "approve": _approve, "reject": _reject,
}  # fmt: skip
