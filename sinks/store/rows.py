"""The rows that are written to the store and read back from it; plain data, no SQL.

Times are epoch ms. A row that is older than what the store has, by both its time and its position,
changes nothing; so batches may be written again and by two writers at once.
"""

import msgspec

from schemas.alert import AlertEvent
from schemas.indicator import IndicatorValue
from schemas.loop import TaskView


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one process instance, as people ask for it. Key: process and instance."""

    process: str
    instance: str
    org_no: str | None
    status: str
    stages: tuple[str, ...]
    """Codes of the stages that are open now; may be empty."""
    entered_at: int | None
    """When the earliest of them was entered."""
    state: str
    """The whole state as a JSON document; the caller's format."""
    updated_at: int
    """The partition's clock when the state was reached."""
    position: int
    """The offset of its record in the changelog: grows with every state."""


class AlertEventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One record of `stagewatch.alerts` and its place."""

    event: AlertEvent
    topic: str
    partition: int
    offset: int
    at: int
    """The record's Kafka timestamp."""


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of one rung of an alert: its last event. Read side only."""

    event: AlertEvent
    """The last event; its `event` is the state (`raised`, `acknowledged`, `cleared`, ...)."""
    first_at: int
    at: int

    @property
    def state(self) -> str:
        """The last event's kind."""
        return self.event.event


class Findings(msgspec.Struct, frozen=True):
    """What a report rests on. Read side only."""

    figures: tuple[IndicatorValue, ...]
    """Of its indicators, per unit, date and dimensions."""
    places: tuple[tuple[str, int], ...]
    """Unit and time (epoch ms) of each of its anomalies."""
    anomalies: tuple[AlertEvent, ...]
    """The last of them, the last raised first."""


class NotificationRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one notice. Key: the notice's. Holds no phone number and no mail address."""

    key: str
    alert_id: str
    rule: str
    severity: str
    process: str
    instance: str
    org_no: str | None
    recipient_no: str
    recipient_name: str | None
    channel: str
    text: str
    is_late: bool
    at: int
    """When the alert fired."""
    due_at: int | None
    state: str
    """`sinks.State`."""
    attempt: int
    msg_id: str
    """Empty until it was sent for the first time; shared by all notices of one message."""
    receipt: str
    reason: str
    added_at: int
    updated_at: int
    version: int
    """Grows with every change of the row."""


class IndicatorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One record of `stagewatch.indicators` and its offset."""

    value: IndicatorValue
    position: int


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """One record of `stagewatch.tasks` and its offset."""

    task: TaskView
    position: int


class StoreBatch(msgspec.Struct, kw_only=True):
    """What one transaction writes. `positions`: next offset by (topic, partition), written with it."""

    instances: list[InstanceRow] = []
    alerts: list[AlertEventRow] = []
    notifications: list[NotificationRow] = []
    indicators: list[IndicatorRow] = []
    tasks: list[TaskRow] = []
    positions: dict[tuple[str, int], int] = {}

    def __len__(self) -> int:
        """The number of rows."""
        lists = (self.instances, self.alerts, self.notifications, self.indicators, self.tasks)
        return sum(len(rows) for rows in lists)
