"""Turns rows into upserts that can be repeated and never go backwards.

A row is dropped if both its time and its position say that it is no newer than what is stored. Either
alone may mislead: clocks of two workers differ a little, and a recreated topic counts from 0 again.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Table, and_, not_, select
from sqlalchemy.dialects import postgresql, sqlite

from sinks.store import tables
from sinks.store.rows import AlertEventRow, IndicatorRow, InstanceRow, NotificationRow, StoreBatch, TaskRow

Values = dict[str, Any]
_LONGEST_IN = 500  # ids per question: below every limit on parameters (SQLite before 3.32: 999)
_LARGEST = (1 << 63) - 1
_encoder = msgspec.json.Encoder()


def write_batch(connection: Connection, batch: StoreBatch) -> None:
    """Write a batch within the connection's transaction."""
    _upsert(connection, tables.instances, map(_instance, batch.instances), ("updated_at", "position"))
    _upsert(connection, tables.notifications, map(_notification, batch.notifications), ("updated_at", "version"))
    _upsert(connection, tables.indicators, map(_indicator, batch.indicators), ("at", "position"))
    _upsert(connection, tables.tasks, map(_task, batch.tasks), ("updated_at", "position"))
    _write_alerts(connection, batch.alerts)
    _write_positions(connection, batch.positions)


def _upsert(connection: Connection, table: Table, rows: Iterable[Values], age: tuple[str, str]) -> None:
    """Insert or replace by primary key, unless the row is no newer by both columns of `age`: (time, position)."""
    values = [_clean(row) for row in rows]
    if not values:
        return
    statement = _insert(connection, table)
    new = statement.excluded
    time, position = (table.c[name] for name in age)
    is_no_newer = and_(new[position.name] <= position, new[time.name] <= time)
    keys = [column.name for column in table.primary_key]
    # When an alert was first raised stays as it is.
    changed = {name: new[name] for name in table.c.keys() if name not in {*keys, "first_at"}}  # noqa: SIM118 - not a dict
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changed, where=not_(is_no_newer)), values
    )


def _insert(connection: Connection, table: Table) -> Any:  # noqa: ANN401 - two unrelated classes with one shape
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _write_positions(connection: Connection, positions: Mapping[tuple[str, int], int]) -> None:
    rows = [
        {"topic": topic, "partition": partition, "next_offset": offset}
        for (topic, partition), offset in positions.items()
    ]
    if rows:
        statement = _insert(connection, tables.positions)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["topic", "partition"],
                set_={"next_offset": statement.excluded.next_offset},
                where=statement.excluded.next_offset > tables.positions.c.next_offset,
            ),
            rows,
        )


def _write_alerts(connection: Connection, rows: Sequence[AlertEventRow]) -> None:
    """Keep each event once, then move the alerts of the new ones on; repeats move nothing."""
    events: dict[str, AlertEventRow] = {}
    for row in rows:
        events.setdefault(event_id(row), row)
    known = _known(connection, tables.alert_events.c.event_id, events)
    new = {key: row for key, row in events.items() if key not in known}
    if not new:
        return
    statement = _insert(connection, tables.alert_events).on_conflict_do_nothing()
    connection.execute(statement, [_clean(_event(key, row)) for key, row in new.items()])
    _upsert(connection, tables.alerts, map(_alert, new.values()), ("updated_at", "position"))


def _known(connection: Connection, column: Column[Any], keys: Iterable[str]) -> set[str]:
    wanted, known = list(keys), set[str]()
    for start in range(0, len(wanted), _LONGEST_IN):
        question = select(column).where(column.in_(wanted[start : start + _LONGEST_IN]))
        known.update(connection.execute(question).scalars())
    return known


def event_id(row: AlertEventRow) -> str:
    """The same for the same event at whatever offset: what it says, not what it rests on."""
    event = row.event
    parts = (event.alert_id, event.event, event.raised_at, event.severity, event.person, event.text)
    return hashlib.blake2b(_encoder.encode(parts), digest_size=16).hexdigest()


def _instance(row: InstanceRow) -> Values:
    return msgspec.structs.asdict(row) | {"stages": _encoder.encode(row.stages).decode()}


def _notification(row: NotificationRow) -> Values:
    return msgspec.structs.asdict(row)


def _indicator(row: IndicatorRow) -> Values:
    value = row.value
    return {
        "indicator": value.indicator,
        "org_no": value.org_no,
        "date": value.date,
        "dims": dims_key(value.dims),
        "document": _encoder.encode(value).decode(),
        "at": value.at,
        "position": row.position,
    }


def _task(row: TaskRow) -> Values:
    task = row.task
    names = ("number", "kind", "state", "alert_id", "rule", "instance", "org_no", "person_no", "is_overdue")
    return {
        **{name: getattr(task, name) for name in names},
        "document": _encoder.encode(task).decode(),
        "updated_at": task.updated_at,
        "position": row.position,
    }


def dims_key(dims: Mapping[str, str]) -> str:
    """Dimensions as canonical JSON: the same ones give the same text."""
    return msgspec.json.encode(dict(dims), order="sorted").decode()


def _event(key: str, row: AlertEventRow) -> Values:
    return {
        "event_id": key,
        "alert_id": row.event.alert_id,
        "event": row.event.event,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "at": row.at,
        "document": _encoder.encode(row.event).decode(),
    }


def _alert(row: AlertEventRow) -> Values:
    event = row.event
    return {
        "alert_id": event.alert_id,
        "state": event.event,
        "rule": event.rule,
        "severity": event.severity,
        "process": event.process,
        "instance": event.instance,
        "org_no": event.org_no,
        "person": event.person,
        "raised_at": event.raised_at,
        "due_at": event.due_at,
        "document": _encoder.encode(event).decode(),
        "first_at": row.at,
        "updated_at": row.at,
        "position": row.offset,
    }


def _clean(row: Values) -> Values:
    """What both databases can hold: text without NUL and lone surrogates, integers of 64 bits."""
    for name, value in row.items():
        if isinstance(value, str):
            if not value.isprintable():
                row[name] = value.encode(errors="replace").decode().replace("\x00", "\ufffd")
        elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
            row[name] = _LARGEST if value > 0 else -_LARGEST
    return row
