"""A real PostgreSQL of its own for a test session: logical replication on, empty, on a free port."""

import os
import pwd
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.java_artifacts import ToolMissing
from bench.server_process import HOST, ServerProcess, free_ports

SAMPLE_TABLES = Path(__file__).resolve().parents[2] / "deploy" / "postgres" / "init.sql"
USER = "postgres"
DATABASE = "postgres"
SLOT_RELEASE_S = 20


@dataclass(frozen=True, slots=True)
class Postgres:
    """One database of a server on 127.0.0.1, where everybody is trusted."""

    port: int
    name: str = DATABASE

    @property
    def dsn(self) -> str:
        """For psycopg."""
        return f"postgresql://{USER}@{HOST}:{self.port}/{self.name}"

    @property
    def url(self) -> str:
        """For SQLAlchemy: the setting `store`."""
        return f"postgresql+psycopg://{USER}@{HOST}:{self.port}/{self.name}"

    def execute(self, sql: str) -> None:
        """Run statements, committed."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.encode())

    def make_sample_tables(self) -> None:
        """The source tables of the deployment, empty."""
        self.execute(SAMPLE_TABLES.read_text(encoding="utf-8"))

    def connector_settings(self) -> dict[str, str]:
        """What a Debezium connector has to know to capture this database; the slot is its own."""
        return {
            "database.hostname": HOST,
            "database.port": str(self.port),
            "database.user": USER,
            "database.password": "trusted",
            "database.dbname": self.name,
            "slot.name": f"slot_{self.name}",
        }

    @contextmanager
    def database(self) -> Iterator["Postgres"]:
        """A new, empty database; dropped at the end with its replication slots. Stop its connectors before."""
        own = Postgres(self.port, f"db_{uuid.uuid4().hex[:8]}")
        self.execute(f"create database {own.name}")
        try:
            yield own
        finally:
            own._drop_slots()
            self.execute(f"drop database {own.name} with (force)")

    def _drop_slots(self) -> None:
        """A slot can be dropped once its reader is gone, which a stopped connector takes a moment for."""
        ours = f"from pg_replication_slots where database = '{self.name}'"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            deadline = time.monotonic() + SLOT_RELEASE_S
            while time.monotonic() < deadline:
                connection.execute(f"select pg_drop_replication_slot(slot_name) {ours} and not active".encode())
                if connection.execute(f"select 1 {ours}".encode()).fetchone() is None:
                    return
                time.sleep(0.2)


@contextmanager
def running_postgres(folder: Path) -> Iterator[Postgres]:
    """A fresh cluster; raises `ToolMissing` where PostgreSQL is not installed."""
    bin_folder, port = _bin_folder(), free_ports(1)[0]
    data = folder / "data"
    data.mkdir(parents=True)
    prefix = _as_ordinary_user(folder)
    initdb = [*prefix, f"{bin_folder}/initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
    subprocess.run([*initdb, "--no-sync"], check=True, capture_output=True, cwd=folder)
    options = {"wal_level": "logical", "unix_socket_directories": str(data), "listen_addresses": HOST, "fsync": "off"}
    arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    command = [*prefix, f"{bin_folder}/postgres", "-D", str(data), "-p", str(port), *arguments]
    # SIGINT is its "fast" shutdown; SIGTERM would wait for Debezium to disconnect.
    server = ServerProcess(command, folder / "postgres.log", lambda: _answers(port), stop_signal=signal.SIGINT)
    server.start()
    try:
        yield Postgres(port)
    finally:
        server.stop()


def _bin_folder() -> Path:
    """Debian keeps the server's programs off the path, one folder a version."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise ToolMissing("PostgreSQL (initdb) is not installed")
    return versions[-1].parent


def _as_ordinary_user(folder: Path) -> list[str]:
    """What to put before a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(USER)
    for each in (folder, folder / "data"):
        os.chown(each, user.pw_uid, user.pw_gid)
    for parent in folder.parents:  # pytest's folders are closed to others
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _answers(port: int) -> bool:
    try:
        psycopg.connect(Postgres(port).dsn, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
