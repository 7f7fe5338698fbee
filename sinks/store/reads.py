"""Turns stored rows back into those that people ask for. Every list is bounded and newest first."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, select

from schemas.alert import AlertEvent
from schemas.indicator import IndicatorValue
from schemas.loop import TaskView
from sinks.store import tables
from sinks.store.rows import AlertEventRow, AlertRow, IndicatorRow, InstanceRow, NotificationRow, TaskRow

Filters = Mapping[str, str | None]
_events = msgspec.json.Decoder(AlertEvent)
_tasks = msgspec.json.Decoder(TaskView)
_values = msgspec.json.Decoder(IndicatorValue)
_stages = msgspec.json.Decoder(tuple[str, ...])


def _matching(table: Table, filters: Filters) -> Select[Any]:
    """All rows whose columns equal the given values; None: whatever it is."""
    return select(table).where(*(table.c[name] == value for name, value in filters.items() if value is not None))


def read_instances(connection: Connection, filters: Filters, limit: int) -> list[InstanceRow]:
    """Instances, the last changed first."""
    question = _matching(tables.instances, filters).order_by(tables.instances.c.updated_at.desc()).limit(limit)
    return [
        InstanceRow(**{**row, "stages": _stages.decode(row["stages"])})
        for row in connection.execute(question).mappings()
    ]


def read_alerts(connection: Connection, filters: Filters, limit: int) -> list[AlertRow]:
    """Alerts, the last raised first."""
    columns = tables.alerts.c
    question = _matching(tables.alerts, filters).order_by(columns.raised_at.desc(), columns.alert_id).limit(limit)
    return [
        AlertRow(event=_events.decode(row["document"]), first_at=row["first_at"], at=row["updated_at"])
        for row in connection.execute(question).mappings()
    ]


def read_alert_events(connection: Connection, alert_id: str) -> list[AlertEventRow]:
    """All events of one alert, oldest first."""
    table = tables.alert_events
    question = _matching(table, {"alert_id": alert_id}).order_by(table.c.at, table.c.offset)
    return [
        AlertEventRow(
            event=_events.decode(row["document"]),
            topic=row["topic"],
            partition=row["partition"],
            offset=row["offset"],
            at=row["at"],
        )
        for row in connection.execute(question).mappings()
    ]


def read_notifications(connection: Connection, filters: Filters, limit: int) -> list[NotificationRow]:
    """Notifications, the last added first."""
    columns = tables.notifications.c
    question = _matching(tables.notifications, filters).order_by(columns.added_at.desc(), columns.key).limit(limit)
    return [NotificationRow(**row) for row in connection.execute(question).mappings()]


def read_indicators(connection: Connection, filters: Filters, limit: int) -> list[IndicatorRow]:
    """Indicator values by indicator, unit, date and dimensions."""
    question = _matching(tables.indicators, filters).order_by(*tables.indicators.primary_key).limit(limit)
    return [
        IndicatorRow(value=_values.decode(row["document"]), position=row["position"])
        for row in connection.execute(question).mappings()
    ]


def read_tasks(connection: Connection, filters: Filters, limit: int) -> list[TaskRow]:
    """Tasks and work orders, the last changed first."""
    columns = tables.tasks.c
    question = _matching(tables.tasks, filters).order_by(columns.updated_at.desc(), columns.number).limit(limit)
    return [
        TaskRow(task=_tasks.decode(row["document"]), position=row["position"])
        for row in connection.execute(question).mappings()
    ]


def read_positions(connection: Connection) -> dict[tuple[str, int], int]:
    """The next offset by (topic, partition)."""
    rows = connection.execute(select(tables.positions))
    return {(topic, partition): next_offset for topic, partition, next_offset in rows}
