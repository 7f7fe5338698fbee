"""The loop of one partition: alerts that somebody was told of, their tasks to the end, and work orders.

A pure state machine: state, what happened and when → state and what is to be done. No I/O, no clock. The agent in
`streams` has one per partition and keeps its rows in a changelog.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import msgspec

from rules.loop import answers
from rules.loop.anomalies import Anomalies
from rules.loop.anomaly import Anomaly
from rules.loop.anomaly_numbers import order_number, unit_in
from rules.loop.opening import GivenNumbers, first_message, known_task, new_task
from rules.loop.orders import apply_to_order, next_due, release_if_over
from rules.loop.people import People
from rules.loop.rows import ALERT, ANOMALY, EARLY, ORDER, Rows, put_row, row_of
from rules.loop.state import (
    REFUSED,
    Case,
    Early,
    Order,
    Task,
    TaskState,
    is_first,
    meant_by_number,
    view_of_number,
    view_of_order,
    view_of_parent,
    was_done,
)
from rules.loop.strategies import Strategies
from rules.loop.strategy import Strategy
from rules.loop.task_numbers import is_number
from rules.loop.tasks import TaskSteps, is_same_mobile
from rules.loop.todo import Todo
from schemas import TASK_KINDS, Assigned, Command, Happened, Outcome, Raised, TaskView

HOLD_MS = 60_000
"""A command about an unknown task waits so long: it may have overtaken the task's own record."""
_DOES = {"acknowledge": "ACKNOWLEDGED", "close": TaskState.CLOSED, "hand_over": "HANDED_OVER"}
"""What a command writes into a task's history."""


class Loop:
    """The state of one partition. Times are epoch ms. Not thread-safe."""

    def __init__(self, strategies: Strategies, people: People, *, owner: int = 0, owners: int = 1) -> None:
        """`owner` of so many `owners`: the partition, which numbers of tasks name."""
        self.cases: dict[str, Case] = {}
        self.orders: dict[str, Order] = {}
        self.early: dict[str, Early] = {}
        self.todo = Todo()
        self.views: dict[str, TaskView | None] = {}
        """News for readers, by number; None: forgotten."""
        self.people = people
        self.anomalies = Anomalies(self)
        self._numbers = GivenNumbers(owner, owners)
        self._timers: list[tuple[int, str]] = []
        self._dirty: dict[str, None] = {}
        self.use(strategies)

    def use(self, strategies: Strategies) -> None:
        """Go on with other strategies: new tasks count by them, and the next steps of old ones."""
        self.strategies = strategies
        self._steps = TaskSteps(strategies, self.todo)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.cases) + len(self.orders) + len(self.early) + len(self.anomalies.rows)

    @property
    def has_news(self) -> bool:
        """Something is to be written."""
        return bool(self._dirty)

    # -- what happens

    def begin(self, record: Raised, at: int) -> None:
        """An alert goes the long way."""
        self.anomalies.begin(record, at)

    def assign(self, record: Assigned, at: int) -> None:
        """Somebody is to be told of an alert: that is a task, and the message names it. A repeat makes no other task.

        A record that has a number is of an older version, which told people itself.
        """
        event = record.event
        strategy = self.strategies.find(event.rule, event.severity)
        case = self.cases.get(event.alert_id)
        task = None if case is None else known_task(case, record)
        if strategy is not None and task is None:
            task = self._open(record, strategy, at)
        if not record.number:
            self.todo.notices.append(first_message(record.notice, task, strategy))

    def _open(self, record: Assigned, strategy: Strategy, at: int) -> Task:
        event = record.event
        case = self.cases.setdefault(event.alert_id, Case(event=event, strategy=strategy.id))
        if record.parent is not None and case.parent is None:
            case.parent = record.parent or self._numbers.new(event.alert_id, "")
            self._numbers.keep(case)
        case.anomaly = case.anomaly or record.anomaly
        number = record.number or self._numbers.new(event.alert_id, record.notice.recipient.no)
        task = case.tasks[number] = new_task(record, number, strategy, self.people, at=at)
        self._numbers.keep(case)
        self._steps.begin(task, strategy, at)
        self._touch(case, at)
        waiting = self.early.pop(number, None)
        if waiting is not None:
            self._dirty[EARLY + number] = None
            for command, place in waiting.commands:
                self.command(command, place)
        return task

    def outcome(self, record: Outcome, at: int) -> None:
        """The outbox says what became of a task's first message."""
        for case, task in self._found(record.number):
            if self._steps.sent(task, self._strategy(case), record, at):
                self._touch(case, at)

    def happened(self, record: Happened, at: int) -> None:
        """The data show that it ended, or that it is there again."""
        self.anomalies.happened(record, at)
        case = self.cases.get(record.event.alert_id)
        if case is None or record.anomaly:  # passed on: else what we own ourselves would be passed on for ever
            return
        if case.is_converted:
            self.todo.passed.append((case.anomaly, msgspec.structs.replace(record, anomaly=case.anomaly)))
            return
        strategy = self._strategy(case)
        case.is_faulty = record.event.event not in {"cleared", "closed"}
        for task in case.tasks.values():
            if case.is_faulty and not task.is_open:
                self._steps.reopen(case, task, strategy, at=at, by="data")
            elif not case.is_faulty and task.is_open:
                self._steps.close(case, task, at=at, by="data", strategy=strategy)
            if not case.is_faulty:
                task.verify_at = None
        self._touch(case, at)

    def command(self, command: Command, place: str) -> None:
        """Do what somebody wants; `place` names the command's record."""
        if unit_in(command.key) is not None:
            self._long(command)
        elif command.kind not in TASK_KINDS or (command.kind == "hand_over" and self._is_order(command.key)):
            self._order(command)
        elif command.key in self._numbers:
            self._task(command, place)
        elif is_number(command.key):
            waiting = self.early.setdefault(command.key, Early(until=command.at + HOLD_MS))
            if (command, place) not in waiting.commands:
                waiting.commands.append((command, place))
            self._plan(waiting.until, EARLY + command.key)

    def _long(self, command: Command) -> None:
        """Do what somebody wants of an anomaly, its order or its package; one that is not known is passed by."""
        if command.key in self.anomalies.rows:
            self.anomalies.command(command)
        elif command.key in self.orders:
            order = self.orders[command.key]
            if release_if_over(order, command.at):
                self.show_order(order)
            self.anomalies.on_order(order, command)
        elif command.kind == "dispatch":
            self.anomalies.dispatch(command)

    def _is_order(self, number: str) -> bool:
        """Tell whether both have such a number and it is a work order's: no task's could be, or somebody took it."""
        return not is_number(number) or number in self.orders

    def _order(self, command: Command) -> None:
        order = self.orders.get(command.key) or Order(number=command.key)
        is_free = release_if_over(order, command.at)
        if apply_to_order(order, command, self.strategies.lock_ms) or is_free:
            self.show_order(order)

    def show(self, view: TaskView) -> None:
        """Tell readers how something stands."""
        self.views[view.number] = view

    def show_order(self, order: Order) -> None:
        """Keep a work order, and tell readers."""
        self.orders[order.number] = order
        self.show(view_of_order(order))
        self._plan(next_due(order), ORDER + order.number)

    def keep_anomaly(self, anomaly: Anomaly, due: int | None) -> None:
        """Write an anomaly's row; the clock does the next thing to it at `due`."""
        self._plan(due, ANOMALY + anomaly.number)

    def _task(self, command: Command, place: str) -> None:
        found = list(self._found(command.key))
        if command.kind == "reply":
            mine = [pair for pair in found if is_same_mobile(pair[1].recipient.mobile, command.by)]
            if not mine:
                self._refuse_other(command, place, *found[0])
                return
            found = mine
        case, task = meant_by_number(found)
        if command.version is None or command.version == task.version:
            self._apply(case, task, command, place)

    def _refuse_other(self, command: Command, place: str, case: Case, task: Task) -> None:
        if is_first(task.others, command):
            had_it = any(is_same_mobile(mobile, command.by) for mobile in task.former)
            text = answers.HANDED_ON if had_it else answers.OTHER_MOBILE
            self.todo.answer(command, text.format(number=command.key), place, case)
            task.note(command.at, "other", REFUSED)
            self._touch(case, command.at)

    def _apply(self, case: Case, task: Task, command: Command, place: str) -> None:
        strategy, is_news = self._strategy(case), True
        if was_done(task.acts, _DOES.get(command.kind, ""), command):
            return
        if command.kind == "reply" and not is_first(task.heard, command):
            return
        if command.kind == "reply":
            text = self._steps.reply(case, task, command, strategy)
            self.todo.answer(command, text.format(number=task.number), place, case)
        elif command.kind == "acknowledge":
            is_news = self._steps.acknowledge(case, task, command, strategy)
        elif command.kind == "hand_over":
            told = self.people.person(command.to, command.at)
            is_news = self._steps.hand_over(case, task, command, told, strategy=strategy)
        elif task.is_open:
            task.remark = command.text
            self._steps.close(case, task, at=command.at, by=command.by, strategy=strategy)
        if is_news:
            self._touch(case, command.at)

    def refuse(self, command: Command, said: str, place: str) -> None:
        """Answer a reply with eight digits that are no number of ours."""
        self.todo.answer(msgspec.structs.replace(command, key=said), answers.UNKNOWN_NUMBER.format(number=said), place)

    # -- time

    @property
    def next_due(self) -> int | None:
        """When the clock does the next thing at the earliest."""
        return self._timers[0][0] if self._timers else None

    def advance(self, now: int) -> None:
        """Do all that is due by `now`, in order of its time."""
        while self._timers and self._timers[0][0] <= now:
            due, key = heapq.heappop(self._timers)
            if key.startswith(ALERT):
                self._fire(self.cases.get(key.removeprefix(ALERT)), due)
            elif key.startswith(ORDER):
                self._fire_order(key.removeprefix(ORDER), due)
            elif key.startswith(ANOMALY):
                self._fire_anomaly(key.removeprefix(ANOMALY), due)
            else:
                self._give_up(key.removeprefix(EARLY), due)

    def _fire(self, case: Case | None, due: int) -> None:
        if case is None or self._case_due(case) != due:
            return
        strategy = self._strategy(case)
        late = [task for task in case.tasks.values() if self._steps.next_due(task) == due]
        for task in late:
            self._steps.fire(case, task, strategy, due)
        if late:
            self._touch(case, due)
        else:
            self._forget(case)

    def _give_up(self, number: str, due: int) -> None:
        waiting = self.early.get(number)
        if waiting is None or waiting.until > due:
            return
        del self.early[number]
        self._dirty[EARLY + number] = None
        for command, place in waiting.commands:
            if command.kind == "reply":
                self.refuse(command, number, place)

    def _case_due(self, case: Case) -> int | None:
        times = [due for task in case.tasks.values() if (due := self._steps.next_due(task)) is not None]
        if not times and not any(task.is_open for task in case.tasks.values()):
            closed = max(task.closed_at or 0 for task in case.tasks.values())
            return closed + self._strategy(case).forget_after.clock_ms
        return min(times, default=None)

    def _forget(self, case: Case) -> None:
        key = case.event.alert_id
        del self.cases[key]
        self._dirty[ALERT + key] = None
        self.views |= dict.fromkeys(self._numbers.forget(case))

    def _fire_order(self, number: str, due: int) -> None:
        """Free an order whose lock has run out; forget one that nobody has touched for long."""
        order = self.orders.get(number)
        if order is None:
            return
        if release_if_over(order, due):
            self.show_order(order)
        elif next_due(order) == due:
            del self.orders[number]
            self._dirty[ORDER + number] = None
            self.views[number] = None

    def _fire_anomaly(self, number: str, due: int) -> None:
        """Go on with what is not rectified in time, or let go of an anomaly and its order.

        Readers keep both: duty is summed over years.
        """
        if self.anomalies.fire(number, due):
            self._dirty[ANOMALY + number] = None
            if self.orders.pop(order_number(number), None) is not None:
                self._dirty[ORDER + order_number(number)] = None

    # -- rows

    def load(self, key: str, data: bytes | None) -> None:
        """Put a row back from the changelog; the last one for a key counts."""
        put_row(self._rows(), key, data)

    def recover(self) -> None:
        """Begin to live with the rows that were loaded."""
        for key, case in self.cases.items():
            self._numbers.keep(case)
            self._schedule(self._case_due(case), ALERT + key)
        for number, order in self.orders.items():
            self._schedule(next_due(order), ORDER + number)
        for anomaly in self.anomalies.recover():
            self._schedule(self.anomalies.next_due(anomaly), ANOMALY + anomaly.number)
        for number, waiting in self.early.items():
            self._schedule(waiting.until, EARLY + number)

    def take_rows(self) -> list[tuple[str, bytes | None]]:
        """Give the rows that changed; they count as written from then on."""
        changed, self._dirty = self._dirty, {}
        return [(key, row_of(self._rows(), key)) for key in changed]

    def take_todo(self) -> Todo:
        """Give what is to be done; it counts as done from then on."""
        todo, self.todo = self.todo, Todo()
        self.use(self.strategies)
        return todo

    def take_views(self) -> dict[str, TaskView | None]:
        """Give what readers see anew, by number."""
        views, self.views = self.views, {}
        return views

    def _rows(self) -> Rows:
        return {ALERT: self.cases, ORDER: self.orders, EARLY: self.early, ANOMALY: self.anomalies.rows}

    def _touch(self, case: Case, at: int) -> None:
        case.updated_at = max(case.updated_at, at)
        for task in case.tasks.values():
            self.views[task.number] = view_of_number(list(self._found(task.number)))
        if case.parent is not None:
            self.views[case.parent] = view_of_parent(case)
        self._plan(self._case_due(case), ALERT + case.event.alert_id)

    def _plan(self, due: int | None, key: str) -> None:
        self._dirty[key] = None
        self._schedule(due, key)

    def _schedule(self, due: int | None, key: str) -> None:
        if due is not None:
            heapq.heappush(self._timers, (due, key))

    def _found(self, number: str) -> Iterator[tuple[Case, Task]]:
        for key in self._numbers.alerts(number):
            case = self.cases[key]
            yield case, case.tasks[number]

    def _strategy(self, case: Case) -> Strategy:
        """Give the strategy of an alert, also where its file is gone."""
        event = case.event
        kept = self.strategies.named(case.strategy) or self.strategies.find(event.rule, event.severity)
        return kept or Strategy(id=case.strategy, title="", rules=["*"])
