"""Anomalies in a loop, as unit and property tests drive them to a state."""

import hashlib
from decimal import Decimal

import msgspec

from rules.loop import Loop
from rules.loop.anomaly import ORDER_KINDS, Anomaly, AnomalyState
from rules.loop.anomaly_numbers import anomaly_number, order_number
from schemas import AlertEvent, AlertEventKind, Command, CommandKind, Raised, TaskView
from tests.helpers.loops import HOUR, MONDAY, alert

ANALYST, HAND, LEADER = "C1", "H1", "L1"
WAY: tuple[tuple[CommandKind, str, AnomalyState], ...] = (
    ("confirm", ANALYST, AnomalyState.SCREENED),
    ("package", ANALYST, AnomalyState.PACKAGED),
    ("dispatch", ANALYST, AnomalyState.DISPATCHED),
    ("lock", HAND, AnomalyState.CHECKING),
    ("feed_back", HAND, AnomalyState.FED_BACK),
    ("rectify", HAND, AnomalyState.RECTIFIED),
    ("forward", ANALYST, AnomalyState.FORWARDED),
    ("approve", LEADER, AnomalyState.APPROVED),
    ("archive", ANALYST, AnomalyState.ARCHIVED),
)
"""The way of an anomaly: command, who gives it, where it leads."""
_TO = {"forward": LEADER, "archive": "H9", "hand_over": "H2"}


def hash_of(name: str) -> str:
    """Give an alert id for a short name."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def raised(name: str = "1", org_no: str = "3340101", rule: str = "A04", dept: str | None = None) -> Raised:
    """Give what begins an anomaly."""
    event = msgspec.structs.replace(alert(hash_of(name), rule=rule), org_no=org_no, dept=dept)
    strategy = {"A04": "energy_and_charge", "A16": "line_loss"}[rule]
    return Raised(number=anomaly_number(event.alert_id, event.org_no), event=event, strategy=strategy)


def of_kind(event: AlertEvent, kind: AlertEventKind) -> AlertEvent:
    """Give what the data say next about an alert."""
    return msgspec.structs.replace(event, event=kind)


def said_of(anomaly: Anomaly, kind: CommandKind, by: str, **said: object) -> Command:
    """Give a whole command about an anomaly, its order or its package."""
    key = order_number(anomaly.number) if kind in ORDER_KINDS else anomaly.number
    key = anomaly.facts.package or "P3340101-营销-20260302-9" if kind == "dispatch" else key
    command = Command(
        kind=kind, key=key, by=by, at=MONDAY + HOUR + anomaly.version, to=_TO.get(kind, ""), text="现场已核",
        energy_kwh=Decimal("120.5") if kind == "rectify" else Decimal(0),
        points=Decimal(2) if kind == "archive" else Decimal(0),
    )  # fmt: skip
    return msgspec.structs.replace(command, **said)


def say(loop: Loop, anomaly: Anomaly, kind: CommandKind, by: str, **said: object) -> AnomalyState:
    """Give a command; the state that came of it."""
    loop.command(said_of(anomaly, kind, by, **said), "0-0")
    return anomaly.state


def begun(loop: Loop, record: Raised | None = None) -> Anomaly:
    """Begin an anomaly."""
    record = record or raised()
    loop.begin(record, MONDAY)
    return loop.anomalies.rows[record.number]


def brought_to(loop: Loop, state: AnomalyState, record: Raised | None = None) -> Anomaly:
    """Begin an anomaly and lead it to a state."""
    anomaly = begun(loop, record)
    for kind, by, leads_to in WAY:
        if anomaly.state is state:
            break
        assert say(loop, anomaly, kind, by) is leads_to
    return anomaly


def view_of(loop: Loop, number: str) -> TaskView:
    """Give what readers see of a number."""
    view = loop.views[number]
    assert view is not None
    return view
