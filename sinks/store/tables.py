"""The tables of the store, for SQLite and PostgreSQL alike. Version 2.

Documents are text, not JSON columns: the store never looks into them, and PostgreSQL's jsonb refuses
the NUL that JSON allows. Times are epoch ms.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text

SCHEMA_VERSION = 2
"""Raise it with every change here, and add the step from the version before to `schema.MIGRATIONS`."""

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

positions = Table(
    "positions",
    metadata,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)

instances = Table(
    "instances",
    metadata,
    Column("process", String, primary_key=True),
    Column("instance", String, primary_key=True),
    Column("org_no", String),
    Column("status", String, nullable=False),
    Column("stages", Text, nullable=False),  # JSON array of codes
    Column("entered_at", BigInteger),
    Column("state", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Index("instances_by_key", "instance"),
    Index("instances_by_unit", "org_no", "status"),
)

alert_events = Table(
    "alert_events",
    metadata,
    # Hash of the event's content: a repeat at another offset (at least once) is the same event.
    Column("event_id", String, primary_key=True),
    Column("alert_id", String, nullable=False),
    Column("event", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Index("alert_events_by_alert", "alert_id", "at", "offset"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("process", String, nullable=False),
    Column("instance", String, nullable=False),
    Column("org_no", String),
    Column("person", String),
    Column("raised_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("document", Text, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Index("alerts_by_time", "raised_at"),
    Index("alerts_by_unit", "org_no", "state", "raised_at"),
    Index("alerts_by_instance", "instance"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("key", String, primary_key=True),
    Column("alert_id", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("process", String, nullable=False),
    Column("instance", String, nullable=False),
    Column("org_no", String),
    Column("recipient_no", String, nullable=False),
    Column("recipient_name", String),
    Column("channel", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("is_late", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("msg_id", String, nullable=False),
    Column("receipt", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("notifications_by_alert", "alert_id"),
    Index("notifications_by_state", "state", "added_at"),
    Index("notifications_by_message", "msg_id"),
)

indicators = Table(
    "indicators",
    metadata,
    Column("indicator", String, primary_key=True),
    Column("org_no", String, primary_key=True),
    Column("date", String, primary_key=True),
    Column("dims", String, primary_key=True),  # canonical JSON
    Column("document", Text, nullable=False),
    Column("at", String, nullable=False),  # ISO 8601 UTC with milliseconds: sorts as text
    Column("position", BigInteger, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("number", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("alert_id", String),
    Column("rule", String),
    Column("instance", String),
    Column("org_no", String),
    Column("person_no", String),
    Column("is_overdue", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Index("tasks_by_person", "person_no", "state"),
    Index("tasks_by_unit", "org_no", "state"),
    Index("tasks_by_instance", "instance"),
)
