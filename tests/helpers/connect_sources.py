"""Two source databases with the same tables, as the end-to-end tests of connectors write to them, and what came of it.

Both kinds hold `mkt.mkt_app` and `mkt.mkt_app_progress`; what differs between their SQL is in `Source`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from connectors import SourceCatalog
from schemas import Change, Decoder, Recorded
from stagewatch.topic_reader import TopicTail
from tests.helpers.mariadb import MariaDb
from tests.helpers.postgres import Postgres

Rows = dict[str, dict[str, Any]]
"""Row key to the fields that are compared."""

TABLES = {
    "mkt_app": "app_no varchar(20) primary key, org_no varchar(20), volt_class varchar(8), addr varchar(20), "
    "apply_cap_kva numeric(12, 2), accepted_at {time}, archived_at {time}, spare varchar(20), unread varchar(20)",
    "mkt_app_progress": "progress_id bigint primary key, app_no varchar(20), stage_code varchar(20), visit_no int, "
    "entered_at {time}, finished_at {time}, remark varchar(40)",
    "debezium_signal": "id varchar(64) primary key, type varchar(32), data varchar(2048)",
}
COMPARED = {
    "mkt_app": ("app_no", "org_no", "volt_class", "addr", "apply_cap_kva"),
    "mkt_app_progress": ("progress_id", "app_no", "stage_code", "visit_no", "remark"),
}
DECLARATION = """
version: source/v1
source: mkt
topic: "{prefix}.{{source}}.{{table}}"
tables:
  mkt_app:
    entity: application
    key: [app_no]
    instance: app_no
    columns: {{app_no: text, org_no: text, volt_class: text, addr: text, apply_cap_kva: decimal,
              accepted_at: timestamp, archived_at: timestamp, spare: text, unread: text}}
  mkt_app_progress:
    entity: visit
    key: [progress_id]
    instance: app_no
    message_key: json
    columns: {{progress_id: int, app_no: text, stage_code: {{field: stage, type: text}},
              visit_no: {{field: visit, type: int}}, entered_at: timestamp, finished_at: timestamp, remark: text}}
"""


@dataclass(frozen=True)
class Source:
    """One database: how to write to it, and what its connector has to be told."""

    name: str
    run: Callable[..., None]
    """Statements, each committed by itself."""
    together: Callable[..., None]
    """Statements of one transaction."""
    unseen: Callable[[str], None]
    """A statement of which the capture learns nothing."""
    connect: Callable[[], Any]
    """A connection of one's own, which commits when it is told to."""
    query: Callable[[str], list[tuple[Any, ...]]]
    config: Mapping[str, str]
    widen: str
    """ALTER TABLE that gives `addr` 400 characters."""

    def make_tables(self, time: str) -> None:
        for table, columns in TABLES.items():
            self.run(f"create table mkt.{table} ({columns.format(time=time)})")

    def rows(self, table: str) -> Rows:
        """The table as it stands."""
        names = COMPARED[table]
        found = self.query(f"select {', '.join(names)} from mkt.{table}")
        return {str(row[0]): dict(zip(names, row, strict=True)) for row in found}


def postgres_source(database: Postgres) -> Source:
    def query(text: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            return connection.execute(text.encode()).fetchall()

    def run(*statements: str) -> None:
        for statement in statements:
            database.execute(statement)

    config = database.connector_settings() | {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.password": "${env:NO_PASSWORD_NEEDED}",
        "plugin.name": "pgoutput",
        "slot.name": "life",
        "publication.name": "life",
        "publication.autocreate.mode": "filtered",
        "replica.identity.autoset.values": "mkt\\..*:FULL",
        "heartbeat.action.query": "select pg_logical_emit_message(false, 'heartbeat', now()::text)",
        "message.prefix.exclude.list": "heartbeat",
        # A lost connection shall fail the task, so that there is one to restart.
        "errors.max.retries": "0",
    }

    def together(*statements: str) -> None:
        database.execute("; ".join(statements))  # what is sent at once is one transaction

    def unseen(statement: str) -> None:
        run("alter publication life drop table mkt.mkt_app", statement)
        run("alter publication life add table mkt.mkt_app")

    source = Source(
        "postgres", run, together, unseen, lambda: psycopg.connect(database.dsn), query, config,
        "alter table mkt.mkt_app alter column addr type varchar(400)",
    )  # fmt: skip
    run("create schema mkt")
    source.make_tables("timestamptz")
    return source


def mariadb_source(server: MariaDb, bootstrap: str) -> Source:
    config = dict(server.connector_settings(bootstrap)) | {
        "database.server.id": "55001",
        "database.include.list": "mkt",
        "bigint.unsigned.handling.mode": "precise",
        "schema.history.internal.kafka.topic": "schema-history.maria",
        "schema.history.internal.store.only.captured.tables.ddl": "true",
    }

    def together(*statements: str) -> None:
        server.execute("begin", *statements, "commit")

    def unseen(statement: str) -> None:
        server.execute("set sql_log_bin = 0", statement)

    def connect() -> Any:
        connection = server.connect()
        connection.autocommit(value=False)
        return connection

    source = Source(
        "mariadb", server.execute, together, unseen, connect, server.rows, config,
        "alter table mkt.mkt_app modify addr varchar(400)",
    )  # fmt: skip
    server.execute("create database mkt")
    source.make_tables("datetime(6)")
    return source


class Mirror:
    """The captured tables as the topics tell them: every record through the product's own decoder, the last one wins.

    Records of one row are in one partition, in the order of their commits; what a restarted connector repeats ends
    with the newest again. This says what has come, and when all has; what the engine makes of it, by its own order,
    is compared with the tables apart.
    """

    def __init__(self, bootstrap: str, catalog: SourceCatalog) -> None:
        self._decoders = {mapping.topic: Decoder(mapping) for mapping in catalog.mappings}
        self._tails = [TopicTail(bootstrap, topic) for topic in self._decoders]
        self.records: list[Recorded] = []
        self.changes: list[Change] = []
        self._rows: dict[str, dict[str, Change]] = {mapping.table: {} for mapping in catalog.mappings}
        self._tables = {mapping.topic: mapping for mapping in catalog.mappings}
        for tail in self._tails:
            tail.__enter__()

    def close(self) -> None:
        for tail in self._tails:
            tail.__exit__()

    def catch_up(self) -> None:
        for tail in self._tails:
            for record in tail.poll(100):
                self._take(
                    Recorded(
                        tail.topic, record.partition, record.offset, record.timestamp, record.key, record.value, {}
                    )
                )

    def _take(self, record: Recorded) -> None:
        self.records.append(record)
        rows = self._rows[self._tables[record.topic].table]
        for change in self._decoders[record.topic].decode_all(
            key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp,
            topic=record.topic, partition=record.partition, offset=record.offset,
        ):  # fmt: skip
            self.changes.append(change)
            if change.op == "d":
                rows.pop(change.row, None)
            else:
                rows[change.row] = change

    def rows(self, table: str) -> Rows:
        """The table as it is known by now, under the source's own column names."""
        mapping = next(each for each in self._tables.values() if each.table == table)
        fields = {column: mapping.columns[column].name for column in COMPARED[table]}
        return {
            row: {column: change.fields.get(field) for column, field in fields.items()}
            for row, change in self._rows[table].items()
        }
