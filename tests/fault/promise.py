"""The promise of the issue, as a comparison of what must be there (`oracle`) with what is (`observed`).

Every function gives sentences, one a fault; no sentence, no fault.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from tests.fault.observed import Document, Notification
from tests.fault.oracle import Event, Instance, Rung, Told, Truth, Visit

SHOWN = 5
ENDED_WELL = frozenset({"delivered", "unknown"})
"""A send ends in one of these; gateways that refuse allow more."""


class Message(Protocol):
    """A message that a gateway accepted."""

    @property
    def msg_id(self) -> str:
        """The number that the product gave it."""


class Sends(NamedTuple):
    """What is known of sends: the stores' rows, and the messages that the gateways took."""

    rows: list[Notification]
    messages: list[Message]
    states: Collection[str] = ENDED_WELL


def event_faults(truth: Truth, alerts: Iterable[Document], *, is_exact: bool = True) -> list[str]:
    """Compare alert events: each once, none else, each at its time (to the millisecond if `is_exact`)."""
    alerts = list(alerts)
    found = Counter(event_of(alert) for alert in alerts)
    faults = [f"missing: {event}" for event in truth.events if event not in found]
    faults += [f"not in the truth: {event}" for event in found if event not in truth.events]
    faults += [f"{times} times: {event}" for event, times in found.items() if times > 1]
    for alert in alerts:
        raised = truth.events.get(event_of(alert))
        if raised is None or alert["event"] != "raised":
            continue
        at = epoch_ms(alert["raised_at"])
        if at < raised.earliest or (is_exact and raised.exactly is not None and at != raised.exactly):
            faults.append(f"raised at {at}, expected {raised}: {event_of(alert)}")
    return faults


def event_of(alert: Document) -> Event:
    """Give what an alert event is about."""
    item = (alert["object"] or {}).get("item")
    rule, severity, instance = alert["rule"], alert["severity"], alert["instance"]
    return Event(alert["event"], rule, severity, instance, alert["stage"], alert["visit"], item)


def instance_faults(truth: Truth, found: Mapping[str, Document]) -> list[str]:
    """Compare the final instances: process, status, fields, visits with their times, rungs and whether open."""
    faults = [f"no such instance: {key}" for key in truth.instances if key not in found]
    faults += [f"instance of nobody: {key}" for key in found if key not in truth.instances]
    for key, expected in truth.instances.items():
        if key in found:
            is_now = instance_of(found[key], expected.fields)
            if is_now != expected:
                faults.append(f"{key} is {is_now}, expected {expected}")
    return faults


def instance_of(document: Document, names: Iterable[str]) -> Instance:
    """Give what a document says of an instance, with those of its fields."""
    return Instance(
        document["process"],
        document["status"],
        {name: str(document["fields"].get(name)) for name in names},  # decimals are text in a document
        {Visit(v["stage"], v["visit"], _ms(v["entered_at"]), _ms(v["finished_at"])) for v in document["visits"]},
        {
            Rung(a["rule"], a["severity"], a["stage"], a["visit"], a["item"], is_open=a["open"])
            for a in document["alerts"]
        },
    )


def send_faults(truth: Truth, alerts: Iterable[Document], sends: Sends) -> list[str]:
    """Compare sends: one per (rung, recipient, channel) that the gateway took once, or one marked unknown."""
    ids = {a["alert_id"]: event_of(a) for a in alerts if a["event"] == "raised"}
    received = Counter(message.msg_id for message in sends.messages)
    found: Counter[Told] = Counter()
    faults = []
    for row in sends.rows:
        if row.alert_id not in ids:
            faults.append(f"told of an alert that nobody raised: {row}")
            continue
        found[Told(ids[row.alert_id], row.recipient, row.channel)] += 1
        faults += _row_faults(row, received[row.msg_id], sends.states)
    faults += [f"nobody told: {told}" for told in truth.told if told not in found]
    faults += [f"told without need: {told}" for told in found if told not in truth.told]
    known = {row.msg_id for row in sends.rows}
    faults += [f"a message of no notification: {msg_id}" for msg_id in received if msg_id not in known]
    return faults


def _row_faults(row: Notification, received: int, states: Collection[str]) -> Iterator[str]:
    if row.state not in states:
        yield f"still {row.state}: {row}"
    elif received > 1:
        yield f"the gateway took it {received} times: {row}"
    elif row.state == "delivered" and not received:
        yield f"the gateway never took it: {row}"


def letter_faults(raw: Iterable[tuple[str, int, int]], letters: Iterable[Document]) -> list[str]:
    """Compare dead letters with the poison that was told: each once, and nothing else refused."""
    found = Counter((letter["topic"], letter["partition"], letter["offset"]) for letter in letters)
    expected = {tuple(place) for place in raw}
    faults = [f"no dead letter for {place}" for place in sorted(expected) if place not in found]
    faults += [f"dead letter for a good record: {place}" for place in sorted(found) if place not in expected]
    return faults + [f"{times} dead letters for {place}" for place, times in found.items() if times > 1]


def shown(title: str, faults: list[str]) -> list[str]:
    """Give a heading and the first of the faults; nothing if there are none."""
    if not faults:
        return []
    more = [f"  and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    return [f"{title}: {len(faults)}", *(f"  {fault}" for fault in faults[:SHOWN]), *more]


def epoch_ms(time: str) -> int:
    """Give ISO 8601 as epoch ms."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def _ms(time: str | None) -> int | None:
    return None if time is None else epoch_ms(time)
