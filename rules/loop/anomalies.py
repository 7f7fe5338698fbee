"""All anomalies of one partition, with their packages and work orders. Pure: effects are collected in a `Todo`.

A package is no state of its own: it is the anomalies that carry its number.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from rules.loop import answers
from rules.loop.anomaly import (
    DOES,
    Anomaly,
    AnomalyState,
    Refusal,
    close_with,
    follow_order,
    is_out_of_order,
    merge,
    refused_on_order,
    step,
    view_of_anomaly,
)
from rules.loop.anomaly_numbers import order_number, package_number
from rules.loop.orders import apply_to_order, note_on
from rules.loop.people import People, Told
from rules.loop.state import Order, OrderState, was_done
from rules.loop.strategies import Strategies
from rules.loop.todo import Todo
from rules.loop.work_due import end_due, go_up, set_due
from schemas import Act, AnomalyFacts, Command, Happened, Notice, Raised, Recipient, TaskView

_PACKING = frozenset({AnomalyState.PACKAGED, AnomalyState.DISPATCHED})
_GONE = frozenset({"cleared", "closed"})
"""Events of an alert whose matter the data no longer show."""


class Board(Protocol):
    """Where anomalies stand beside tasks and orders: `Loop`."""

    orders: dict[str, Order]
    strategies: Strategies
    todo: Todo
    people: People

    def show(self, view: TaskView) -> None:
        """Tell readers how something stands."""

    def show_order(self, order: Order) -> None:
        """Keep a work order, and tell readers."""

    def keep_anomaly(self, anomaly: Anomaly, due: int | None) -> None:
        """Write an anomaly's row; the clock does the next thing to it at `due`."""


class Anomalies:
    """The long loops of one partition."""

    def __init__(self, board: Board) -> None:
        self.rows: dict[str, Anomaly] = {}
        self._board = board
        self._by_alert: dict[str, str] = {}
        """The last anomaly of each alert."""
        self._packages: dict[str, list[str]] = {}
        """Anomalies of each package, in the order in which they came."""
        self._merged: dict[str, list[str]] = {}
        """What was merged into each."""

    # -- what happens

    def begin(self, record: Raised, at: int, *, round_: int = 1) -> None:
        """An alert goes the long way; a repeat changes nothing."""
        if record.number in self.rows:
            return
        event = record.event
        strategy = self._board.strategies.named(record.strategy)
        facts = AnomalyFacts(
            domain=strategy.domain or "" if strategy else "",
            dept=event.dept or (strategy.department if strategy else ""),
            strategy=record.strategy,
        )
        anomaly = Anomaly(
            number=record.number, event=event, strategy=record.strategy, facts=facts, created_at=at, round=round_
        )  # fmt: skip
        anomaly.note(at, "clock", AnomalyState.RAISED)
        self.rows[anomaly.number] = anomaly
        self._index(anomaly)
        self._touch(anomaly)

    def recover(self) -> list[Anomaly]:
        """Begin to live with the rows that were loaded; give them."""
        for anomaly in sorted(self.rows.values(), key=lambda each: (each.created_at, each.number)):
            self._index(anomaly)
        return list(self.rows.values())

    def _index(self, anomaly: Anomaly) -> None:
        self._by_alert[anomaly.event.alert_id] = anomaly.number
        if anomaly.facts.package:
            self._packages.setdefault(anomaly.facts.package, []).append(anomaly.number)
        if anomaly.facts.merged_into:
            self._merged.setdefault(anomaly.facts.merged_into, []).append(anomaly.number)

    def happened(self, record: Happened, at: int) -> None:
        """The data no longer show it: it is marked, and goes on. They show it again: an archived one begins anew."""
        number = self._by_alert.get(record.event.alert_id)
        anomaly = self.rows.get(number or "")
        if anomaly is None:
            return
        is_gone = record.event.event in _GONE
        if anomaly.is_open and anomaly.facts.is_self_cleared != is_gone:
            anomaly.tell(is_self_cleared=is_gone)
            anomaly.note(at, "data", "SELF_CLEARED" if is_gone else "SEEN_AGAIN")
            self._touch(anomaly)
        elif not anomaly.is_open and not is_gone:
            following = anomaly.round + 1
            base = anomaly.number.removesuffix(f"-{anomaly.round}") if anomaly.round > 1 else anomaly.number
            again = Raised(number=f"{base}-{following}", event=record.event, strategy=anomaly.strategy)
            self.begin(again, at, round_=following)

    def command(self, command: Command) -> None:
        """Do what somebody says about an anomaly, or keep why not. Raises LookupError for one that is not known."""
        anomaly, command = self._about(self.rows[command.key], command)
        if was_done(anomaly.acts, DOES.get(command.kind, ""), command):
            return
        does = {"package": self._pack, "merge": self._merge}.get(command.kind, step)
        refusal = does(anomaly, command)
        if refusal is None:
            self._after(anomaly, command)
            self._touch(anomaly)
        else:
            self._refuse(anomaly, command, refusal)

    def on_order(self, order: Order, command: Command) -> None:
        """Do what somebody says about the work order of an anomaly, or keep why not."""
        anomaly, board = self.rows[order.anomaly], self._board
        if was_done(order.acts, command.kind, command):
            return
        refusal = refused_on_order(anomaly, order, command)
        if refusal is None and not apply_to_order(order, command, board.strategies.lock_ms):
            refusal = Refusal.NOT_HOLDER
        if refusal is not None:
            self._refuse(anomaly, command, refusal)
            return
        board.show_order(order)
        if command.kind == "hand_over" and command.to != command.by:
            self._hand_over(anomaly, order, command)
        before = anomaly.version
        follow_order(anomaly, command)
        if command.kind == "rectify":
            end_due(board, anomaly, command.at)
            for person in dict.fromkeys(told[0].no for upper in anomaly.chain[: anomaly.step] for told in upper.told):
                self._let_go(anomaly, person, order.number, command)
        if anomaly.version != before:
            self._touch(anomaly)

    def _hand_over(self, anomaly: Anomaly, order: Order, command: Command) -> None:
        """Tell whose order it is now; what is held for the old holder about the anomaly is cancelled."""
        board, text = self._board, answers.order_handed_over(anomaly.event, order.number, anomaly.number)
        reason = f"work order {order.number} was handed over to {order.holder} before it left"
        board.todo.let_go(anomaly, command.by, anomaly.number, at=command.at, reason=reason)
        told, rung = board.people.person(order.holder, command.at), f"handed-over-{order.version}:{anomaly.number}"
        board.todo.tell(anomaly, told, text, at=command.at, rung=rung)

    # -- duplicates

    def _main_of(self, anomaly: Anomaly) -> Anomaly:
        """Give the one that goes the way: the anomaly itself, or what it was merged into."""
        while (following := self.rows.get(anomaly.facts.merged_into)) is not None:
            anomaly = following
        return anomaly

    def _about(self, anomaly: Anomaly, command: Command) -> tuple[Anomaly, Command]:
        """Give what a command is about: of what was merged, the one that goes the way, if the sender saw it so."""
        main = self._main_of(anomaly)
        if main is anomaly or was_done(anomaly.acts, DOES.get(command.kind, ""), command):
            return anomaly, command
        if command.version not in {None, anomaly.version}:
            return anomaly, command
        return main, msgspec.structs.replace(command, key=main.number, version=None)

    def _merge(self, anomaly: Anomaly, command: Command) -> Refusal | None:
        """The screener says that it is the same as another one of the unit: that one goes on for both."""
        if command.version is not None and command.version != anomaly.version:
            return Refusal.STALE
        if is_out_of_order(anomaly, command.kind):
            return Refusal.OUT_OF_ORDER
        other = self.rows.get(command.to)
        main = None if other is None else self._main_of(other)
        if main is None or main is anomaly or not main.is_open:
            return Refusal.NO_OTHER
        merge(anomaly, main, command)
        self._merged.setdefault(main.number, []).append(anomaly.number)
        self._touch(main)
        return None

    def _close_merged(self, main: Anomaly, command: Command) -> None:
        """Close with an anomaly all that were merged into it, and into those."""
        for number in self._merged.get(main.number, ()):
            anomaly = self.rows.get(number)
            if anomaly is not None and anomaly.is_open:
                close_with(anomaly, main, command)
                self._after(anomaly, command)
                self._touch(anomaly)

    # -- packages

    def dispatch(self, command: Command) -> None:
        """Send what waits in a package to its department: one notice, and a work order for each anomaly."""
        board, package = self._board, self._in_package(command.key)
        if any(was_done(anomaly.acts, AnomalyState.DISPATCHED, command) for anomaly in package):
            return
        waiting = [each for each in package if each.state is AnomalyState.PACKAGED]
        is_stale = command.version not in {None, len(_packing(package))}
        for anomaly in package if is_stale or not waiting else ():
            self._refuse(anomaly, command, Refusal.STALE if is_stale else Refusal.OUT_OF_ORDER)
        if is_stale or not waiting:
            return
        told = self._department(waiting[0], command.at)
        for anomaly in waiting:
            anomaly.tell(order=order_number(anomaly.number))
            anomaly.move(AnomalyState.DISPATCHED, command, "、".join(recipient.no for recipient, _ in told))
            board.show_order(Order(number=anomaly.facts.order, anomaly=anomaly.number, updated_at=command.at))
            set_due(self._board, anomaly, command.at)
            self._touch(anomaly)
        for each in told:
            board.todo.notices.append(_dispatch_notice(waiting, each, command))

    def _pack(self, anomaly: Anomaly, command: Command) -> Refusal | None:
        """Put it into the open package of its department; the first of them opens one."""
        if command.version is not None and command.version != anomaly.version:
            return Refusal.STALE
        if is_out_of_order(anomaly, command.kind):
            return Refusal.OUT_OF_ORDER
        number = self._open_package(anomaly, command.at)
        anomaly.tell(package=number)
        self._packages.setdefault(number, []).append(anomaly.number)
        anomaly.move(AnomalyState.PACKAGED, command, number)
        return None

    def _open_package(self, anomaly: Anomaly, at: int) -> str:
        mine = (anomaly.event.org_no, anomaly.facts.dept)
        for number in self._packages:
            first, *others = self._in_package(number)
            is_mine = (first.event.org_no, first.facts.dept) == mine
            if is_mine and any(each.state is AnomalyState.PACKAGED for each in (first, *others)):
                return number
        date = self._board.strategies.calendar.local_date(at)
        serials = range(1, len(self._packages) + 2)
        return next(
            number for serial in serials if (number := package_number(*mine, date, serial)) not in self._packages
        )

    def _in_package(self, number: str) -> list[Anomaly]:
        return [self.rows[each] for each in self._packages.get(number, ())]

    def _department(self, anomaly: Anomaly, at: int) -> list[Told]:
        """Give who answers for a department in the unit; else its supervisors; else nobody, which is recorded."""
        unit, people = anomaly.event.org_no or "", self._board.people
        found = people.with_role(anomaly.facts.dept, unit, at) or people.with_role("unit_supervisor", unit, at)
        return found or [(Recipient(no=f"org:{unit}"), "none")]

    # -- what follows

    def _after(self, anomaly: Anomaly, command: Command) -> None:
        match command.kind:
            case "forward":
                text = answers.forwarding(anomaly.event, anomaly.number)
                self._tell(anomaly, anomaly.facts.leader, text, command.at)
            case "approve":
                self._let_go(anomaly, anomaly.facts.leader, anomaly.number, command)
                self._set_order(anomaly, OrderState.APPROVED, command)
            case "reject":
                self._let_go(anomaly, command.by, anomaly.number, command)
                self._set_order(anomaly, OrderState.PENDING, command)
                set_due(self._board, anomaly, command.at)
                text = answers.rejecting(anomaly.event, anomaly.number, command.text)
                self._tell(anomaly, anomaly.facts.rectifications[-1].by, text, command.at)
            case _ if anomaly.is_open:
                pass
            case _:
                if not anomaly.facts.is_self_cleared:
                    when = self._board.strategies.calendar.local_text(command.at)
                    self._board.todo.tell_event(anomaly, "closed", f"（异常{anomaly.number}于{when}归档）", command.by)
                self._close_merged(anomaly, command)

    def _let_go(self, anomaly: Anomaly, person: str, number: str, command: Command) -> None:
        """Let go of what is held for somebody about an anomaly or its order: it is done."""
        reason = f"{command.kind} of {number} came before it left"
        self._board.todo.let_go(anomaly, person, number, at=command.at, reason=reason)

    def _tell(self, anomaly: Anomaly, person: str, text: str, at: int) -> None:
        told = self._board.people.person(person, at)
        self._board.todo.tell(anomaly, told, text, at=at, rung=f"anomaly-{anomaly.version}:{anomaly.number}")

    def _set_order(self, anomaly: Anomaly, state: OrderState, command: Command) -> None:
        order = self._board.orders[anomaly.facts.order]
        order.state, order.holder, order.until = state, "", None
        order.finished_by = order.finished_by if state is OrderState.APPROVED else ""
        note_on(order, command.at, command.by, command.kind, command.text)
        self._board.show_order(order)

    def _refuse(self, anomaly: Anomaly, command: Command, why: Refusal) -> None:
        anomaly.refuse(command, why)
        self._touch(anomaly)

    # -- rows

    def _touch(self, anomaly: Anomaly) -> None:
        board = self._board
        board.show(view_of_anomaly(anomaly))
        if anomaly.facts.package:
            board.show(_view_of_package(self._in_package(anomaly.facts.package)))
        board.keep_anomaly(anomaly, self.next_due(anomaly))

    def next_due(self, anomaly: Anomaly) -> int | None:
        """When the clock does the next thing: the work is overdue, a step up, and 90 days after the archive the end."""
        if anomaly.closed_at is not None:
            strategy = self._board.strategies.named(anomaly.strategy)
            return anomaly.closed_at + (strategy.forget_after.clock_ms if strategy else 0)
        if not anomaly.is_at_work:
            return None
        times = (anomaly.step_at, None if anomaly.is_overdue else anomaly.finish_due)
        return min((time for time in times if time is not None), default=None)

    def fire(self, number: str, due: int) -> bool:
        """Do what is due at `due`, if anything is; tell whether the anomaly was forgotten. Readers keep it."""
        anomaly = self.rows.get(number)
        if anomaly is None or self.next_due(anomaly) != due:
            return False
        if anomaly.is_open:
            go_up(self._board, anomaly, due)
            self._touch(anomaly)
            return False
        self._forget(anomaly)
        return True

    def _forget(self, anomaly: Anomaly) -> None:
        number = anomaly.number
        del self.rows[number]
        self._merged.pop(number, None)
        if self._by_alert.get(anomaly.event.alert_id) == number:
            del self._by_alert[anomaly.event.alert_id]
        self._leave_package(anomaly)

    def _leave_package(self, anomaly: Anomaly) -> None:
        members = self._packages.get(anomaly.facts.package, [])
        if anomaly.number in members:
            members.remove(anomaly.number)
        if not members:
            self._packages.pop(anomaly.facts.package, None)


def _dispatch_notice(waiting: list[Anomaly], told: Told, command: Command) -> Notice:
    first, (recipient, channel) = waiting[0], told
    return Notice(
        alert_id=command.key, rule="-", severity=first.event.severity, process="control_loop", instance=command.key,
        org_no=first.event.org_no, recipient=recipient, channel=channel,
        text=answers.dispatching(command.key, first.facts.dept, len(waiting)), at=command.at, due_at=None,
        rung=f"dispatched-{command.at}",
    )  # fmt: skip


def _packing(package: list[Anomaly]) -> list[Act]:
    """Give what was done about a package: what came into it and what was sent, with the anomaly's number."""
    every = (
        Act(act.at, act.by, act.what, anomaly.number)
        for anomaly in package
        for act in anomaly.acts
        if act.what in _PACKING
    )
    return sorted(every, key=msgspec.structs.astuple)


def _view_of_package(package: list[Anomaly]) -> TaskView:
    first, acts = package[0], _packing(package)
    is_open = any(each.state is AnomalyState.PACKAGED for each in package)
    sent = next((act.note for each in package for act in each.acts if act.what == AnomalyState.DISPATCHED), None)
    return TaskView(
        number=first.facts.package, kind="package", state="OPEN" if is_open else "DISPATCHED", version=len(acts),
        updated_at=max(each.updated_at for each in package), process="control_loop", instance=first.facts.package,
        org_no=first.event.org_no, person_no=sent, text=f"{first.facts.dept}：{len(package)}件异常",
        created_at=min(act.at for act in acts), acts=tuple(acts),
    )  # fmt: skip
