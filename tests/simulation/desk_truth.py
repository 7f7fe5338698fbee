"""The truth about a world of people: what they did, recounted from what they sent and from what stands in the topics.

The steps of the long loop are written down here once more (domain.md 4.7). No code of the loop or of the clerk is
asked.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Protocol, TypeVar

from schemas import (
    Act,
    AlertEvent,
    BadInput,
    Command,
    Notice,
    TaskView,
    decode_alert,
    decode_command,
    decode_instruction,
    decode_notice,
    decode_task,
)
from tests.helpers.records import Record
from tests.simulation.crowd import CHIEF, OVER, POISON, Crowd
from tests.simulation.process import NAMES

if TYPE_CHECKING:
    from tests.simulation.world import World

WAY: Mapping[str, frozenset[str]] = {
    "": frozenset({"RAISED"}),
    "RAISED": frozenset({"SCREENED", "DISMISSED", "MERGED"}),
    "MERGED": frozenset({"ARCHIVED"}),
    "DISMISSED": frozenset({"ARCHIVED"}),
    "SCREENED": frozenset({"PACKAGED"}),
    "PACKAGED": frozenset({"DISPATCHED"}),
    "DISPATCHED": frozenset({"CHECKING"}),
    "CHECKING": frozenset({"FED_BACK"}),
    "FED_BACK": frozenset({"RECTIFIED"}),
    "RECTIFIED": frozenset({"FORWARDED"}),
    "FORWARDED": frozenset({"APPROVED", "REJECTED"}),
    "REJECTED": frozenset({"CHECKING"}),
    "APPROVED": frozenset({"ARCHIVED"}),
    "ARCHIVED": frozenset(),
}
"""What may follow what in the life of an anomaly."""
SAID: Mapping[str, tuple[str, ...]] = {
    "confirm": ("SCREENED",), "dismiss": ("DISMISSED", "ARCHIVED"), "merge": ("MERGED",), "package": ("PACKAGED",),
    "dispatch": ("DISPATCHED",), "lock": ("CHECKING",), "feed_back": ("FED_BACK",), "rectify": ("RECTIFIED",),
    "forward": ("FORWARDED",), "approve": ("APPROVED",), "reject": ("REJECTED", "CHECKING"), "archive": ("ARCHIVED",),
}  # fmt: skip
"""What each command writes into the life of an anomaly."""
ASIDE = frozenset({"SELF_CLEARED", "SEEN_AGAIN", "OVERDUE", "ESCALATED", "NOBODY", "MERGED_WITH"})
NOT_PEOPLE = frozenset({"clock", "data", "outbox", "other"})
CLOSING = ("已办结，谢谢", "逾期答复")
"""What an answer says that closed a task."""
MOST_REFUSED = 10
"""An anomaly keeps no more of what was refused."""


_Key = TypeVar("_Key")


class Log(Protocol):
    """What stands in the topics."""

    def of(self, topic: str) -> list[Record]:
        """Give the committed records of a topic."""


def asked_for(records: Iterable[Record]) -> list[Notice]:
    """Give the notices; the loop's word that one need not be told any more is none."""
    found = []
    for record in records:
        try:
            found.append(decode_notice(record.value or b""))
        except BadInput:
            assert decode_instruction(record.value or b"").instruction == "withdraw"
    return found


def faults_of(log: Log, crowd: Crowd) -> list[str]:
    """Give a line for whatever was lost, was done twice, or out of order."""
    views = _last_views(log)
    notices = asked_for(log.of(NAMES.notices))
    alerts = [decode_alert(record.value or b"") for record in log.of(NAMES.alerts)]
    told = Counter(notice.key for notice in notices)
    found = [
        *(f"asked for {count} times: {key}" for key, count in told.items() if count > 1),
        *_wrong_texts(log, crowd, notices),
        *_wrong_replies(log, crowd, notices, views),
        *(line for view in views.values() for line in _wrong_life(view, crowd, views)),
        *_unheard(crowd, views),
        *_wrong_tasks(crowd, views, alerts),
        *_wrong_anomalies(crowd, views, alerts),
    ]
    _count(crowd.world, views, notices)
    return found


def _last_views(log: Log) -> dict[str, TaskView]:
    last = {(record.key or b"").decode(): record.value for record in log.of(NAMES.tasks)}
    return {key: decode_task(value) for key, value in last.items() if value is not None}


def _count(world: "World", views: Mapping[str, TaskView], notices: Sequence[Notice]) -> None:
    acts = Counter(act.what for view in views.values() for act in view.acts)
    world.counted.update({f"desk: {what}": count for what, count in acts.items()})
    world.counted["desk: answers"] += sum(notice.rung.startswith("answer:") for notice in notices)


# -- texts


def _wrong_texts(log: Log, crowd: Crowd, notices: Sequence[Notice]) -> Iterator[str]:
    """Each request stands in its topic once, a card is credited once, each text is answered once."""
    texts = crowd.material.texts
    asked = Counter((mobile, content) for _, mobile, topic, content in texts if topic == "requests")
    requests = [json.loads(record.value or b"")["after"] for record in log.of(NAMES.requests)]
    yield from _differences("request", asked, Counter((row["mobile"], row["req_type"]) for row in requests))
    numbers = Counter(row["req_no"] for row in requests)
    yield from (f"request number {number} {count} times" for number, count in numbers.items() if count > 1)
    ordered = Counter((mobile, content) for _, mobile, topic, content in texts if topic == "subscriptions")
    rows = [json.loads(record.value or b"")["after"] for record in log.of(NAMES.subscriptions)]
    yield from _differences("subscription", ordered, Counter((row["mobile"], row["kind"]) for row in rows))
    cards = {content for _, _, topic, content in texts if topic == "recharges"}
    if len(log.of(NAMES.recharges)) != len(cards):
        yield f"{len(cards)} cards were credited {len(log.of(NAMES.recharges))} times"
    answers = Counter(n.recipient.no for n in notices if n.recipient.no.startswith("inbound:"))
    yield from _differences("answer", Counter(f"inbound:{name}" for name, *_ in texts), answers)


def _differences(what: str, expected: Mapping[_Key, int], found: Mapping[_Key, int]) -> Iterator[str]:
    for key in sorted(expected.keys() | found.keys(), key=str):
        if expected.get(key, 0) != found.get(key, 0):
            yield f"{what} {key}: {found.get(key, 0)} instead of {expected.get(key, 0)}"


def _wrong_replies(log: Log, crowd: Crowd, notices: Sequence[Notice], views: Mapping[str, TaskView]) -> Iterator[str]:
    """A reply reaches the loop once, is answered once, and closes a task exactly if its answer says so."""
    heard = Counter(command.text for command in _commands(log) if command.kind == "reply")
    yield from _differences("reply", Counter(crowd.replies.keys()), heard)
    answers = Counter(n.rung for n in notices if n.rung.startswith("answer:"))
    yield from _differences("answer", Counter(f"answer:{reply.number}" for reply in crowd.replies.values()), answers)
    said = Counter((n.rung, n.at) for n in notices if n.rung.startswith("answer:") and _says_closed(n))
    done = Counter(
        (f"answer:{view.number}", act.at)
        for view in views.values() if view.kind == "task"
        for act in view.acts if act.what == "CLOSED" and act.by not in {*NOT_PEOPLE, CHIEF}
    )  # fmt: skip
    yield from _differences("closed by reply", said, done)


def _says_closed(notice: Notice) -> bool:
    return any(each in notice.text for each in CLOSING)


def _commands(log: Log) -> Iterator[Command]:
    for record in log.of(NAMES.commands):
        if record.value != POISON:
            yield decode_command(record.value or b"", record.timestamp)


# -- lives


def _wrong_life(view: TaskView, crowd: Crowd, views: Mapping[str, TaskView]) -> Iterator[str]:
    """No state is skipped, and each step is what somebody said, once."""
    if view.kind == "anomaly":
        names = ["", *(act.what for act in view.acts if act.what not in ASIDE)]
        yield from (f"{view.number}: {a} -> {b}" for a, b in pairwise(names) if b not in WAY[a])
    if view.kind not in {"anomaly", "order"}:
        return
    steps = [(at, list(acts)) for at, acts in groupby(_of_people(view), key=lambda act: act.at)]
    for at, acts in steps:
        command = _sent(crowd, view, views, at)
        if command is None or {act.by for act in acts} != {command.by}:
            yield f"{view.number}: nobody said {acts}"
            continue
        wanted = SAID.get(command.kind, ()) if view.kind == "anomaly" else (command.kind,)
        if view.anomaly is not None and view.anomaly.merged_into and command.kind in {"archive", "dismiss"}:
            wanted = ("ARCHIVED",)
        if tuple(act.what for act in acts) != wanted:
            yield f"{view.number}: {command} did {acts}"
        is_own = command.key == view.number
        if is_own and command.version is not None and view.acts[command.version] != acts[0]:
            yield f"{view.number}: {command} counted though it was stale"
    if len({at for at, _ in steps}) < len(steps):
        yield f"{view.number}: a command counted twice: {view.acts}"


def _of_people(view: TaskView) -> list[Act]:
    return [act for act in view.acts if act.by not in NOT_PEOPLE and act.what != "MERGED_WITH"]


def _sent(crowd: Crowd, view: TaskView, views: Mapping[str, TaskView], at: int) -> Command | None:
    """Give the command of this moment that was about an anomaly, its order or its package, or about an order."""
    facts = view.anomaly
    keys = [view.number, facts.order, facts.package] if facts is not None else [view.number, view.parent or ""]
    keys += sorted(_the_same(view, views))
    return next((crowd.sent[key, at] for key in keys if (key, at) in crowd.sent), None)


def _the_same(view: TaskView, views: Mapping[str, TaskView]) -> set[str]:
    """Give the numbers of all that were merged with an anomaly, in whatever order."""
    found, left = {view.number}, [view]
    while left:
        one = left.pop()
        into = one.anomaly.merged_into if one.anomaly is not None else ""
        next_ones = {act.note for act in one.acts if act.what == "MERGED_WITH"} | ({into} if into else set())
        left += [views[number] for number in next_ones - found]
        found |= next_ones
    return found - {view.number}


def _unheard(crowd: Crowd, views: Mapping[str, TaskView]) -> Iterator[str]:
    """What was said about an anomaly was done, or is refused with a reason."""
    known: dict[str, set[int]] = defaultdict(set)
    full: set[str] = set()
    for view in views.values():
        if view.anomaly is None and view.kind != "order":
            continue
        refused: Sequence[Act] = view.anomaly.refused if view.anomaly else ()
        moments = {act.at for act in (*view.acts, *refused)}
        keys = [view.number]
        if view.anomaly is not None:
            keys += [view.anomaly.order, view.anomaly.package, *_the_same(view, views)]
        elif view.parent:
            keys.append(view.parent)
        for key in keys:
            known[key] |= moments
            if len(refused) == MOST_REFUSED:
                full.add(key)
    for (key, at), command in crowd.sent.items():
        if key in known and key not in full and at not in known[key]:
            yield f"not heard: {command}"


# -- tasks


def _wrong_tasks(crowd: Crowd, views: Mapping[str, TaskView], alerts: Sequence[AlertEvent]) -> Iterator[str]:
    """In the end nobody has anything to do, and each alert says what became of its tasks."""
    by_alert: dict[str, list[TaskView]] = defaultdict(list)
    for number, alert_id, _ in crowd.material.tasks:
        if number not in views:
            yield f"no task {number}"
            continue
        by_alert[alert_id].append(view := views[number])
        if view.state not in OVER:
            yield f"{number} is {view.state} in the end: {view.acts}"
        whats = [act.what for act in view.acts if act.what in {"CLOSED", "REOPENED", "CONVERTED"}]
        if any((a == "REOPENED") == (b == "REOPENED") for a, b in pairwise(whats)) or whats[:1] == ["REOPENED"]:
            yield f"{number}: {whats}"
    for alert_id, tasks in by_alert.items():
        if alert_id not in crowd.material.told_of and len(tasks) == 1:
            yield from _wrong_events(tasks[0], [event for event in alerts if event.alert_id == alert_id])


def _wrong_events(task: TaskView, events: Iterable[AlertEvent]) -> Iterator[str]:
    """Of an alert with one task, of which the data say nothing more, each step is told once."""
    found = Counter(str(event.event) for event in events)
    expected: Counter[str] = Counter()
    for act in task.acts:
        if act.what == "CLOSED":
            expected["closed"] += 1
        elif act.what == "ACKNOWLEDGED":
            expected["acknowledged"] += 1
        elif act.what in {"REOPENED", "ACKNOWLEDGEMENT_OVER"}:
            expected["reopened"] += 1
        elif act.what == "ESCALATED":
            expected["escalated"] += 1
    if task.state == "CONVERTED":  # its anomaly is closed, too
        found.pop("closed", None)
        expected.pop("closed", None)
    yield from _differences(f"event of {task.number}", expected, found)


def _wrong_anomalies(crowd: Crowd, views: Mapping[str, TaskView], alerts: Sequence[AlertEvent]) -> Iterator[str]:
    """Every one is archived in the end; each package knows what came into it; a task that became one has one."""
    closed = Counter(event.alert_id for event in alerts if event.event == "closed")
    anomalies = {view.number: view for view in views.values() if view.kind == "anomaly"}
    for view in anomalies.values():
        if view.state != "ARCHIVED":
            yield f"{view.number} is {view.state} in the end: {view.acts}"
        if view.rule == "A25" and view.alert_id not in crowd.material.told_of and closed[view.alert_id or ""] != 1:
            yield f"{view.number} is archived and its alert closed {closed[view.alert_id or '']} times"
    for view in views.values():
        same = _the_same(view, views)
        if same and {anomalies[number].closed_at for number in same} != {view.closed_at}:
            yield f"{view.number} is the same as {same}, and they were not closed together"
        if view.kind == "package":
            members = {act.note for act in view.acts}
            wrong = [m for m in members if m not in anomalies or anomalies[m].parent != view.number]
            if wrong:
                yield f"{view.number} tells of {wrong}"
        became = [act.note for act in view.acts if act.what == "CONVERTED"]
        yield from (f"{view.number} became {each}, and there is none" for each in became if each not in anomalies)
