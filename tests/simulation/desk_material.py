"""What a world about people is fed: who was told of what, what the data say of it later, and texts from customers.

Managers, analysts and leaders are no material: they act on what they see (`tests.simulation.crowd`).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from rules import anomaly_number, task_number
from schemas import (
    AlertEvent,
    AlertEventKind,
    Assigned,
    Happened,
    LoopRecord,
    Notice,
    Raised,
    Recipient,
    Text,
    encode_inbound,
    encode_loop,
)
from streams.logic import SourcePartition
from streams.partitioner import Partitioner
from tests.helpers.inbound_agents import ACCOUNT, CARD
from tests.helpers.loops import DAY, HOUR, MONDAY
from tests.simulation.desk_process import MOBILES, WRITTEN
from tests.simulation.material import GOOD, Captured, Material
from tests.simulation.process import NAMES

UNITS = ("3340101", "3340102")
CUSTOMERS = tuple(f"1380000000{n}" for n in range(3))
SHORT, BECOMES_LONG, LONG = "R-T03", "R-N06", "A25"
"""Rules: of the short loop, of a short one that becomes long if nobody answers, of the long one."""
GAPS_MS = (0, 1, 20, 1_000, 60_000, HOUR, 9 * HOUR)
WISHES = (
    ("投诉电表{n}", "requests", "complain"), ("报修{n}没有电", "requests", "repair"),
    ("建议{n}多装", "requests", "suggest"), ("DF" + ACCOUNT, "requests", "query"),
    ("定制账单" + ACCOUNT, "subscriptions", "M06"),
    (f"CZ {CARD} 483920 {ACCOUNT}", "recharges", CARD),
)  # fmt: skip
"""What a customer writes, the topic that it belongs to, and what of it stands there."""


@dataclass(frozen=True)
class DeskMaterial(Material):
    """All that a world about people is fed, with the truth about it."""

    tasks: tuple[tuple[str, str, str], ...] = ()
    """Number, alert and person of every task."""
    told_of: frozenset[str] = frozenset()
    """Alerts that the data say something of later."""
    texts: tuple[tuple[str, str, str, str], ...] = ()
    """Name, mobile, topic and content of every text of a customer."""


class _Feed:
    """Gathers records in order of time."""

    def __init__(self, rng: random.Random, counts: dict[str, int]) -> None:
        self.rng, self.counts = rng, counts
        self.records: list[Captured] = []
        self.tasks: list[tuple[str, str, str]] = []
        self.told_of: set[str] = set()
        self.texts: list[tuple[str, str, str, str]] = []

    def put(self, topic: str, number: int, at: int, value: bytes) -> None:
        self.records.append(Captured(at, SourcePartition(topic, number), at, b"", value, GOOD))

    def later(self, at: int) -> int:
        return at + self.rng.choice(GAPS_MS)

    def owner(self, key: str, topic: str = NAMES.loop) -> int:
        return Partitioner(self.counts[topic]).of(key)[1]

    def loop(self, owner: int, at: int, record: LoopRecord) -> None:
        self.put(NAMES.loop, owner, at, encode_loop(record))


def desk_material(rng: random.Random) -> DeskMaterial:
    """Give what is fed to one world."""
    counts = {topic: rng.randint(1, 2) for topic in WRITTEN} | {NAMES.loop: rng.randint(1, 3)}
    counts |= {NAMES.commands: counts[NAMES.loop], NAMES.inbound: rng.randint(1, 2), **dict.fromkeys(NAMES.alone, 1)}
    feed = _Feed(rng, counts)
    for n in range(rng.randint(1, 3)):
        _short(feed, f"{n:016x}", rng.choice((SHORT, SHORT, BECOMES_LONG)))
    for n in range(rng.randint(1, 3)):
        _long(feed, f"{n + 9:016x}")
    for n in range(rng.randint(0, 8)):
        _text(feed, n)
    records = sorted(feed.records, key=lambda record: record.at)
    return DeskMaterial(
        kind="desk", records=tuple(records), mappings={}, counts=counts, changes_count=counts[NAMES.loop],
        until=records[-1].at + rng.choice((HOUR, DAY, 3 * DAY)), tasks=tuple(feed.tasks),
        told_of=frozenset(feed.told_of), texts=tuple(feed.texts),
    )  # fmt: skip


def event(alert_id: str, rule: str, unit: str, kind: AlertEventKind = "raised") -> AlertEvent:
    """Give what is said about an alert; each has an instance of its own."""
    return AlertEvent(
        alert_id=alert_id, event=kind, rule=rule, rule_version=1, severity="ALARM", process="hv_connection",
        instance=f"I{alert_id}", stage=None, visit=None, raised_at=MONDAY, due_at=MONDAY, org_no=unit, dept=None,
        person=None, object=None, text=f"告警{alert_id}", evidence=(),
    )  # fmt: skip


def _short(feed: _Feed, alert_id: str, rule: str) -> None:
    """One or two managers are told of an alert; the data say later that it ended, perhaps that it is there again."""
    rng, at = feed.rng, feed.later(MONDAY)
    raised = event(alert_id, rule, rng.choice(UNITS))
    owner, owners = feed.owner(raised.instance), feed.counts[NAMES.loop]
    people = rng.sample(sorted(MOBILES), rng.randint(1, 2))
    for person in people:
        number = task_number(alert_id, person, owner=owner, owners=owners)
        notice = Notice(
            alert_id=alert_id, rule=rule, severity="ALARM", process=raised.process, instance=raised.instance,
            org_no=raised.org_no, recipient=Recipient(no=person, mobile=MOBILES[person]), channel="sms",
            text=raised.text, at=at, due_at=at,
        )  # fmt: skip
        anomaly = anomaly_number(alert_id, raised.org_no) if rule == BECOMES_LONG else ""
        parent = "" if len(people) > 1 else None
        feed.loop(owner, at, Assigned(event=raised, notice=notice, parent=parent, anomaly=anomaly))
        feed.tasks.append((number, alert_id, person))
    for happened in _news(feed, raised):
        feed.loop(owner, at := feed.later(at), happened)


def _long(feed: _Feed, alert_id: str) -> None:
    """An alert goes the long way."""
    raised = event(alert_id, LONG, feed.rng.choice(UNITS))
    owner, at = feed.owner(raised.org_no or ""), feed.later(MONDAY)
    number = anomaly_number(alert_id, raised.org_no)
    feed.loop(owner, at, Raised(number=number, event=raised, strategy="acquisition"))
    for happened in _news(feed, raised):
        feed.loop(owner, at := feed.later(at), happened)


def _news(feed: _Feed, raised: AlertEvent) -> Iterator[Happened]:
    """What the data say about an alert later: it ends, and is there again, as often as not."""
    kinds: tuple[AlertEventKind, ...] = ("cleared", "reopened", "cleared")
    count = feed.rng.choice((0, 0, 1, 2, 3))
    if count:
        feed.told_of.add(raised.alert_id)
    for kind in kinds[:count]:
        yield Happened(event=event(raised.alert_id, raised.rule, raised.org_no or "", kind))


def _text(feed: _Feed, number: int) -> None:
    """A customer writes; a gateway that was not answered in time delivers it again."""
    rng, mobile, at = feed.rng, feed.rng.choice(CUSTOMERS), feed.later(MONDAY)
    said, topic, content = rng.choice(WISHES)
    owner = feed.owner(mobile, NAMES.inbound)
    for _ in range(rng.choice((1, 1, 2, 3))):
        text = Text(id=f"road:{number}", mobile=mobile, text=said.format(n=number), at=at)
        feed.put(NAMES.inbound, owner, at, encode_inbound(text))
        at = feed.later(at)
    feed.texts.append((f"road:{number}", mobile, topic, content))
    if rng.random() < 0.1:
        feed.put(NAMES.inbound, owner, at, b"hello")
