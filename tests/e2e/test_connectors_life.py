"""`stagewatch connectors` on real parts: PostgreSQL and MariaDB, captured by Debezium in a real Kafka Connect.

Whatever happens to the connector or the tables, in the end the topics, read by the product's own decoder, tell
exactly the rows that the database holds.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from kafka.admin import KafkaAdminClient

from bench.kafka_server import KafkaServer
from connectors import load_sources
from connectors.connect import Desired, topic_warnings
from connectors.debezium import MODELS
from rules import load_definitions
from schemas.yaml_places import Places
from stagewatch.__main__ import run
from stagewatch.replay import Replay
from tests.helpers.brokers import make_topics
from tests.helpers.connect import Connect
from tests.helpers.connect_sources import COMPARED, DECLARATION, Mirror, Source, mariadb_source, postgres_source
from tests.helpers.mariadb import PASSWORD, running_mariadb
from tests.helpers.postgres import Postgres
from tests.helpers.requirements import needs

Said = pytest.CaptureFixture[str]
PATIENCE_S = 90.0
NOW = "2026-03-02 09:00:00"


@dataclass(frozen=True)
class Life:
    """A captured source, and what its topics tell."""

    source: Source
    connect: Connect
    mirror: Mirror
    file: Path
    config: dict[str, Any]

    @property
    def name(self) -> str:
        return self.source.name

    def write(self, **changed: str) -> None:
        """Write the connector's file, with other settings."""
        content = {
            "version": "connector/v1",
            "name": self.name,
            "capture": {"source": "mkt", "schema": "mkt"},
            "config": self.config | changed,
        }
        self.file.write_text(yaml.safe_dump(content), encoding="utf-8")

    def agrees(self) -> None:
        """Wait until the topics tell what the database holds, row by row."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.mirror.catch_up()
            told = {table: self.mirror.rows(table) for table in ("mkt_app", "mkt_app_progress")}
            held = {table: self.source.rows(table) for table in told}
            if told == held:
                return
            if time.monotonic() > deadline:
                for table, rows in held.items():
                    assert told[table] == rows, f"{table} differs"

    def insert(self, first: int, count: int, **more: str) -> None:
        """Insert applications and their first stage, in one transaction a table."""
        apps = ", ".join(f"('{number:08d}', '3340101', 'HV', 12.50, '{NOW}')" for number in range(first, first + count))
        self.source.run(
            f"insert into mkt.mkt_app (app_no, org_no, volt_class, apply_cap_kva, accepted_at) values {apps}"
        )
        visits = ", ".join(
            f"({number}, '{number:08d}', 'ACCEPT', 1, '{NOW}')" for number in range(first, first + count)
        )
        self.source.run(
            f"insert into mkt.mkt_app_progress (progress_id, app_no, stage_code, visit_no, entered_at) values {visits}"
        )

    @contextmanager
    def writing(self, first: int) -> Iterator[Callable[[], int]]:
        """Keep inserting and updating; gives what tells how many applications there are by now."""
        done, count, failed = threading.Event(), [0], list[BaseException]()

        def write() -> None:
            try:
                while not done.wait(0.02):
                    number = first + count[0]
                    self.insert(number, 1)
                    done_at = f"finished_at = '{NOW}', remark = 'done'"
                    self.source.run(f"update mkt.mkt_app_progress set {done_at} where progress_id = {number}")
                    count[0] += 1
            except BaseException as error:  # noqa: BLE001 - told to the test
                failed.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield lambda: count[0]
        finally:
            done.set()
            thread.join()
        assert failed == []


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def life(
    request: pytest.FixtureRequest, kafka: KafkaServer, connect: Connect, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Life]:
    folder = tmp_path_factory.mktemp(f"life-{request.param}")
    with ExitStack() as stack:
        source = _source(request.param, stack, kafka, request)
        sources = folder / "sources"
        sources.mkdir()
        (sources / "mkt.yaml").write_text(DECLARATION.format(prefix=source.name), encoding="utf-8")
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for key, value in {
            "CONNECT_URL": connect.url, "CONNECTORS": folder / "connectors", "SOURCES": sources,
            "BROKER": kafka.url, "DATA_DIR": folder / "data",
        }.items():  # fmt: skip
            environment.setenv(f"STAGEWATCH_{key}", str(value))
        mirror = Mirror(kafka.bootstrap, load_sources([sources]))
        stack.callback(mirror.close)
        config = dict(source.config) | {
            "topic.prefix": source.name,
            "heartbeat.interval.ms": "1000",
            "decimal.handling.mode": "string",
            "signal.data.collection": "mkt.debezium_signal",
            "signal.enabled.channels": "source,kafka",
            "signal.kafka.bootstrap.servers": kafka.bootstrap,
            "incremental.snapshot.chunk.size": "100",
        }
        (folder / "connectors").mkdir()
        life = Life(source, connect, mirror, folder / "connectors" / f"{source.name}.yaml", config)
        life.write()
        life.insert(1, 20)
        assert run(["connectors", "apply"]) == 0
        stack.callback(lambda: _let_go(life))
        life.agrees()
        yield life


def _source(kind: str, stack: ExitStack, kafka: KafkaServer, request: pytest.FixtureRequest) -> Source:
    if kind == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return postgres_source(stack.enter_context(server.database()))
    # Not in pytest's own folder: a socket's path must be short.
    folder = stack.enter_context(TemporaryDirectory(prefix="stagewatch-"))
    stack.enter_context(needs("mariadb"))
    return mariadb_source(stack.enter_context(running_mariadb(Path(folder))), kafka.bootstrap)


def _let_go(life: Life) -> None:
    """Delete the connector: its database cannot be dropped while it reads."""
    assert run(["connectors", "delete", life.name]) == 0


def plan(capsys: Said, *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["connectors", "plan", "-o", "json", *more]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def state(capsys: Said, name: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run(["connectors", "get", name, "-o", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_snapshot_was_read_and_a_second_apply_has_nothing_to_do(life: Life, capsys: Said) -> None:
    assert {change.op for change in life.mirror.changes} == {"r"}
    capsys.readouterr()
    assert run(["connectors", "plan"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"= {life.name}: nothing\n", "nothing: 1\n")  # and no warning, of topics either
    assert run(["connectors", "apply"]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert run(["connectors", "validate"]) == 0


def test_records_are_keyed_as_the_declaration_says(life: Life) -> None:
    keys = {record.topic.rpartition(".")[2]: record.key for record in life.mirror.records}
    assert json.loads(keys["mkt_app_progress"] or b"").keys() == {"app_no"}
    assert json.loads(keys["mkt_app"] or b"").keys() == {"app_no"}


def test_no_command_prints_the_secret(life: Life, capsys: Said) -> None:
    for command in (["plan"], ["describe", life.name], ["get"], ["validate"], ["describe", life.name, "-o", "json"]):
        run(["connectors", *command])
    said = capsys.readouterr()
    assert PASSWORD not in said.out + said.err
    assert "secrets.properties" not in said.out


def test_a_setting_changed_by_hand_is_drift_and_the_file_wins(life: Life, capsys: Said) -> None:
    live = life.connect.get(f"/connectors/{life.name}/config")
    life.connect.apply(life.name, {**live, "heartbeat.interval.ms": "5000", "max.batch.size": "512"})
    found = plan(capsys)
    assert found["actions"] == ["update"]
    assert found["changes"] == [{"setting": "heartbeat.interval.ms", "before": "5000", "after": "1000"}]
    assert "changed by hand" in found["notes"][0]
    assert run(["connectors", "apply"]) == 0
    assert plan(capsys)["actions"] == ["drift"]
    assert run(["connectors", "apply", "--replace"]) == 0
    assert plan(capsys)["actions"] == ["nothing"]


def test_what_cannot_work_is_refused_before_anything_is_changed(life: Life, capsys: Said) -> None:
    before = life.connect.get(f"/connectors/{life.name}/config")
    life.write(**{"database.port": "1"})
    assert run(["connectors", "apply"]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert life.connect.get(f"/connectors/{life.name}/config") == before
    life.write()


def test_a_failed_task_is_restarted(life: Life, capsys: Said) -> None:
    if life.name != "postgres":
        pytest.skip("a connection lost to MariaDB is mended by its client library; the task does not fail")
    life.source.query("select pg_terminate_backend(active_pid) from pg_replication_slots where active")
    _wait(lambda: state(capsys, life.name)[0] == 1, "the failure")
    assert "failed" in state(capsys, life.name)[1]["failure"]
    assert plan(capsys)["actions"] == ["restart"]
    assert run(["connectors", "apply"]) == 0
    assert "restarted connector postgres" in capsys.readouterr().err
    life.insert(100, 1)
    life.agrees()


def test_paused_resumed_and_stopped_connectors_lose_nothing(life: Life, capsys: Said) -> None:
    assert run(["connectors", "pause", life.name]) == 0
    assert plan(capsys)["actions"] == ["resume"]
    life.insert(200, 5)
    assert run(["connectors", "resume", life.name]) == 0
    life.agrees()
    assert run(["connectors", "stop", life.name]) == 0
    life.insert(210, 5)
    assert run(["connectors", "apply"]) == 0
    life.agrees()


def test_offsets_are_saved_forgotten_and_put_back(life: Life, capsys: Said, tmp_path: Path) -> None:
    assert run(["connectors", "offsets", "reset", life.name]) == 1  # it runs
    assert run(["connectors", "stop", life.name]) == 0
    capsys.readouterr()
    assert run(["connectors", "offsets", "export", life.name]) == 0
    saved = tmp_path / "offsets.json"
    saved.write_text(capsys.readouterr().out, encoding="utf-8")
    assert run(["connectors", "offsets", "reset", life.name]) == 0
    assert run(["connectors", "offsets", "get", life.name, "-o", "json"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["connectors", "offsets", "import", life.name, str(saved)]) == 0
    capsys.readouterr()
    assert run(["connectors", "offsets", "export", life.name]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(saved.read_text("utf-8"))
    snapshots = sum(change.op == "r" for change in life.mirror.changes)
    life.insert(220, 5)
    assert run(["connectors", "resume", life.name]) == 0
    life.agrees()
    assert sum(change.op == "r" for change in life.mirror.changes) == snapshots  # it went on, it did not begin anew


def test_a_killed_worker_loses_no_row_and_doubles_none(life: Life) -> None:
    with life.writing(1_000) as written:
        _wait(lambda: written() >= 20, "rows before the kill")
        life.connect.worker.kill()
        held = written()
        _wait(lambda: written() >= held + 20, "rows during the stop")
        life.connect.worker.start()
        _wait(lambda: written() >= held + 60, "rows after it")
    life.agrees()
    _agrees_in_state(life)


def test_tables_change_their_form_while_rows_flow(life: Life) -> None:
    """The columns that are renamed and dropped are declared ones: their rows go on without them."""
    with life.writing(2_000) as written:
        for number, statement in enumerate(
            (
                "alter table mkt.mkt_app add column contact varchar(20)",
                life.source.widen,
                "alter table mkt.mkt_app rename column spare to spare_no",
                "alter table mkt.mkt_app drop column unread",
            )
        ):
            _wait(lambda: written() >= 10 * (number + 1), "rows")  # noqa: B023 - called at once
            life.source.run(statement)
        life.source.run(f"update mkt.mkt_app set addr = '{'x' * 300}', contact = 'new' where app_no = '00002000'")
    life.agrees()


def test_a_row_that_changes_its_key_is_one_row(life: Life) -> None:
    life.insert(3_000, 2)
    life.agrees()
    seen = len(life.mirror.changes)
    life.source.run("update mkt.mkt_app set app_no = '00003998' where app_no = '00003001'")
    life.source.run("delete from mkt.mkt_app_progress where progress_id = 3001")
    life.agrees()
    told = [(change.op, change.row) for change in life.mirror.changes[seen:] if change.entity == "application"]
    assert told == [("d", "00003001"), ("c", "00003998")]


def test_every_row_of_a_transaction_of_10_000_arrives_once(life: Life) -> None:
    seen = len(life.mirror.changes)
    rows = ", ".join(f"({number}, 'A{number % 100}', 'SURVEY', 1)" for number in range(100_000, 110_000))
    life.source.run(f"insert into mkt.mkt_app_progress (progress_id, app_no, stage_code, visit_no) values {rows}")
    life.agrees()
    created = [change.row for change in life.mirror.changes[seen:] if change.op == "c"]
    assert len(created) == len(set(created)) == 10_000


def test_tables_are_read_again_beside_live_changes(life: Life, capsys: Said) -> None:
    seen = len(life.mirror.changes)
    with life.writing(4_000) as written:
        assert run(["connectors", "snapshot", "mkt.mkt_app"]) == 0
        wanted = life.source.rows("mkt_app").keys() - {f"{number:08d}" for number in range(4_000, 5_000)}

        def is_read() -> bool:
            life.mirror.catch_up()
            return wanted <= {change.row for change in life.mirror.changes[seen:] if change.entity == "application"}

        _wait(is_read, "the rows of the snapshot")
        assert written() > 0
    life.agrees()
    read = [change.row for change in life.mirror.changes[seen:] if change.op == "r"]
    assert len(read) == len(set(read))
    capsys.readouterr()
    assert run(["connectors", "snapshot", "mkt_app", "--channel", "source"]) == 0
    statement = capsys.readouterr().out
    assert statement.startswith("insert into mkt.debezium_signal (id, type, data) values ('stagewatch-")
    seen = len(life.mirror.changes)
    life.source.run(statement.rstrip().rstrip(";"))
    _wait(is_read, "the rows of the second snapshot")
    life.agrees()
    _agrees_in_state(life)


def test_changes_of_one_transaction_leave_what_the_database_holds(life: Life) -> None:
    def app(number: int, addr: str) -> str:
        return (
            f"insert into mkt.mkt_app (app_no, org_no, volt_class, addr) values ('{number:08d}', '1', 'HV', '{addr}')"
        )

    progress = "insert into mkt.mkt_app_progress (progress_id, app_no, stage_code, visit_no) values"
    life.source.together(
        app(5_000, "one"), "update mkt.mkt_app set addr = 'two' where app_no = '00005000'",
        f"{progress} (5000, '00005000', 'ACCEPT', 1)",
        f"update mkt.mkt_app_progress set finished_at = '{NOW}' where progress_id = 5000",
    )  # fmt: skip
    life.source.together(app(5_001, "here"), "delete from mkt.mkt_app where app_no = '00005001'")
    life.source.run(app(5_002, "first"))
    life.source.together("delete from mkt.mkt_app where app_no = '00005002'", app(5_002, "second"))
    life.agrees()
    _agrees_in_state(life)


def test_a_row_that_differs_is_repaired_by_reading_its_table_again(life: Life) -> None:
    life.insert(6_000, 2)
    life.agrees()
    life.source.unseen("update mkt.mkt_app set addr = 'unseen' where app_no = '00006000'")
    late = life.source.connect()
    with late.cursor() as cursor:
        cursor.execute("update mkt.mkt_app set addr = 'late' where app_no = '00006001'")
    life.insert(6_002, 1)
    seen = len(life.mirror.changes)
    assert run(["connectors", "snapshot", "mkt.mkt_app"]) == 0

    def is_read() -> bool:
        life.mirror.catch_up()
        return {"00006000", "00006001"} <= {change.row for change in life.mirror.changes[seen:] if change.op == "r"}

    _wait(is_read, "the rows of the snapshot")
    late.commit()
    late.close()
    life.agrees()
    _agrees_in_state(life)


def test_a_transaction_that_is_open_at_a_snapshot_counts_when_it_commits(life: Life) -> None:
    if life.name != "postgres":
        pytest.skip("MariaDB's log holds a transaction only once it has committed")
    life.insert(7_000, 3)
    life.agrees()
    assert run(["connectors", "stop", life.name]) == 0
    late = life.source.connect()
    late.execute("update mkt.mkt_app set addr = 'late' where app_no = '00007000'")
    late.execute("delete from mkt.mkt_app where app_no = '00007001'")
    life.source.run("update mkt.mkt_app set addr = 'soon' where app_no = '00007002'")
    seen = len(life.mirror.changes)
    assert run(["connectors", "offsets", "reset", life.name]) == 0
    assert run(["connectors", "resume", life.name]) == 0

    def is_read() -> bool:
        life.mirror.catch_up()
        return "00007002" in {change.row for change in life.mirror.changes[seen:] if change.op == "r"}

    _wait(is_read, "the snapshot")
    late.commit()
    late.close()
    life.agrees()
    _agrees_in_state(life)


def test_topics_that_would_break_a_connector_are_warned_of(kafka: KafkaServer) -> None:
    config = {
        "connector.class": "io.debezium.connector.mariadb.MariaDbConnector", "topic.prefix": "p",
        "database.hostname": "db", "database.user": "u", "signal.enabled.channels": "kafka",
        "schema.history.internal.kafka.topic": "history.wrong",
        "schema.history.internal.kafka.bootstrap.servers": kafka.bootstrap,
    }  # fmt: skip
    model = MODELS[config["connector.class"]].model_validate(config)
    desired = Desired("maria", "f", "running", config, model, None, {}, Places("f"))
    assert topic_warnings(kafka.bootstrap, [desired]) == []  # not there yet: Debezium makes it right
    make_topics(kafka.bootstrap, ["p-signal"], partitions=2)
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    settings = {"cleanup.policy": "compact", "retention.ms": "3600000"}
    admin.create_topics({"history.wrong": {"num_partitions": 3, "replication_factor": 1, "configs": settings}})
    admin.close()
    assert topic_warnings(kafka.bootstrap, [desired]) == [
        "maria: topic history.wrong has 3 partitions, but its order is its meaning: it must have one",
        "maria: topic history.wrong is compacted, which loses the history; set cleanup.policy=delete",
        "maria: topic history.wrong forgets the history (retention.ms); set retention.ms to -1",
        "maria: topic p-signal has 2 partitions, but its order is its meaning: it must have one",
    ]


def _agrees_in_state(life: Life) -> None:
    """Compare what the engine makes of all records so far with the tables, column by column."""
    replay = Replay(load_definitions(), load_sources([life.file.parents[1] / "sources"]), mail_domain="test.local")
    replay.feed(sorted(life.mirror.records, key=lambda record: record.timestamp))
    assert replay.outcome.dead_letters == []
    instances = {each["instance"]: each for each in replay.instances()}
    apps, columns = life.source.rows("mkt_app"), COMPARED["mkt_app"]
    assert {
        key: {name: each["fields"].get(name) for name in columns} for key, each in instances.items() if key in apps
    } == {key: {name: None if row[name] is None else str(row[name]) for name in columns} for key, row in apps.items()}
    assert all(each["status"] != "running" for key, each in instances.items() if key not in apps)
    visits = life.source.query("select app_no, stage_code, visit_no, finished_at is not null from mkt.mkt_app_progress")
    told = [
        (key, visit["stage"], visit["visit"], visit["finished_at"] is not None)
        for key, each in instances.items()
        for visit in each["visits"]
    ]
    assert sorted(told) == sorted((app, stage, number, bool(done)) for app, stage, number, done in visits)


def _wait(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE_S:g} s"
        time.sleep(0.1)
