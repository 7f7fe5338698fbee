"""A real MariaDB of its own for a test: row-based binary log on, empty, on a free port."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from bench.java_artifacts import ToolMissing
from bench.server_process import HOST, ServerProcess, free_ports

USER, PASSWORD = "capture", "hunter2"
"""The connector's user, and a secret that must never be printed."""


@dataclass(frozen=True, slots=True)
class MariaDb:
    """The server. `secrets`: a properties file that holds the password, for Connect's file provider."""

    port: int
    socket: Path
    secrets: Path

    def connect(self) -> "pymysql.Connection[Any]":
        """A connection of the administrator's, which commits each statement."""
        return pymysql.connect(unix_socket=str(self.socket), user="root", autocommit=True, charset="utf8mb4")

    def execute(self, *statements: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def connector_settings(self, bootstrap: str) -> Mapping[str, str]:
        """What a Debezium connector has to know to capture this server."""
        return {
            "connector.class": "io.debezium.connector.mariadb.MariaDbConnector",
            "database.hostname": HOST,
            "database.port": str(self.port),
            "database.user": USER,
            "database.password": f"${{file:{self.secrets}:password}}",
            "schema.history.internal.kafka.bootstrap.servers": bootstrap,
        }


@contextmanager
def running_mariadb(folder: Path) -> Iterator[MariaDb]:
    """A fresh server; raises `ToolMissing` where MariaDB is not installed."""
    data, port = folder / "data", free_ports(1)[0]
    server, install = (_program(name) for name in ("mariadbd", "mariadb-install-db"))
    common = ["--no-defaults", f"--datadir={data}", "--user=root"]
    making = [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(making, check=True, capture_output=True, cwd=folder)
    found = MariaDb(port, folder / "mariadb.sock", folder / "secrets.properties")
    found.secrets.write_text(f"password={PASSWORD}\n", encoding="utf-8")
    command = [
        server, *common, f"--socket={found.socket}", f"--port={port}", f"--bind-address={HOST}", "--skip-name-resolve",
        "--server-id=1", "--log-bin=binlog", "--binlog-format=ROW", "--binlog-row-image=FULL",
        "--character-set-server=utf8mb4", "--default-time-zone=+08:00", "--innodb-flush-log-at-trx-commit=0",
    ]  # fmt: skip
    process = ServerProcess(command, folder / "mariadb.log", lambda: _answers(found))
    process.start()
    try:
        rights = "select, reload, lock tables, show databases, replication slave, replication client, insert"
        found.execute(f"grant {rights} on *.* to {USER}@'{HOST}' identified by '{PASSWORD}'")
        yield found
    finally:
        process.stop()


def _program(name: str) -> str:
    """Debian keeps the server where only root's path looks."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise ToolMissing(f"MariaDB ({name}) is not installed")
    return path


def _answers(server: MariaDb) -> bool:
    try:
        server.connect().close()
    except pymysql.MySQLError:
        return False
    return True
