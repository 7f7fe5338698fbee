"""Debezium's connectors as types, and the traps that production found in their settings."""

from connectors.debezium.base import REFERENCE, Debezium, Trap
from connectors.debezium.db2 import Db2
from connectors.debezium.history import WithHistory
from connectors.debezium.mysql import MariaDb, MySql
from connectors.debezium.oracle import Oracle
from connectors.debezium.postgres import Postgres
from connectors.debezium.sqlserver import SqlServer

MODELS: dict[str, type[Debezium]] = {
    "io.debezium.connector.db2.Db2Connector": Db2,
    "io.debezium.connector.mariadb.MariaDbConnector": MariaDb,
    "io.debezium.connector.mysql.MySqlConnector": MySql,
    "io.debezium.connector.oracle.OracleConnector": Oracle,
    "io.debezium.connector.postgresql.PostgresConnector": Postgres,
    "io.debezium.connector.sqlserver.SqlServerConnector": SqlServer,
}
"""By `connector.class`."""

__all__ = ["MODELS", "REFERENCE", "Debezium", "Trap", "WithHistory"]
