"""The whole path on real parts: SQL in PostgreSQL, Debezium in Kafka Connect, Kafka, a worker, SMTP and SMS."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import psycopg
import pytest
from kafka import KafkaConsumer

from bench.kafka_server import KafkaServer
from stagewatch.receivers import SmsReceiver, SmtpReceiver
from tests.helpers.connect import Connect, deployed_connector
from tests.helpers.figures import hold
from tests.helpers.postgres import Postgres
from tests.helpers.worker import STAGEWATCH, WorkerProcess, running_worker

T = TypeVar("T")
PATIENCE_S = 90.0
APPEARS_WITHIN_S = 5.0
"""Row S0-10 of domain.md section 8."""


@dataclass(frozen=True, slots=True)
class Route:
    """Everything between a source table and a person."""

    sql: psycopg.Connection[Any]
    worker: WorkerProcess
    bootstrap: str
    mail: SmtpReceiver
    sms: SmsReceiver


@pytest.fixture(scope="module")
def path(
    kafka: KafkaServer, connect: Connect, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Route]:
    """A source with its tables and managers, captured; a worker that sends to receivers."""
    folder = tmp_path_factory.mktemp("people")
    with postgres.database() as source, SmtpReceiver() as mail, SmsReceiver() as sms:
        source.make_sample_tables()
        with psycopg.connect(source.dsn, autocommit=True) as sql:
            _make_people(sql)
            config = deployed_connector("sample-postgres") | source.connector_settings() | {"topic.prefix": "cdc"}
            settings = {"smtp_url": mail.url, "sms_url": sms.url, "mail_digest_s": "1", "group_wait_s": "1"}
            with (
                connect.running("people", config),
                running_worker(kafka.url, folder, application_id="people", **settings) as worker,
            ):
                route = Route(sql, worker, kafka.bootstrap, mail, sms)
                _warm_up(route)
                yield route


def _warm_up(path: Route) -> None:
    """Let every captured topic come into being and be found: Debezium makes one with its first record."""
    now = datetime.now(UTC)
    _insert_application(path.sql, "332600000001", "TG0001", now)
    _enter_stage(path, 1, "332600000001", "ACCEPT", now)
    path.sql.execute("insert into lean.lean_neg_trans (nl_no, org_no) values ('NL0', '3340101')")
    _wait(lambda: "ACCEPT" in _stages(path, "332600000001"), "the first stage")


def _make_people(sql: psycopg.Connection[Any]) -> None:
    now = datetime.now(UTC) - timedelta(days=30)
    for tg, manager, mobile, method in (("TG0001", "M001", "13800000001", "sms"), ("TG0002", "M002", None, "online")):
        sql.execute("insert into ymd.ymd_tg (tg_no, trans_no, line_no) values (%s, %s, 'L01')", (tg, f"T{tg}"))
        sql.execute(
            "insert into mkt.tg_manager (tg_no, mgr_no, mgr_name, mobile, sup_method, valid_from) "
            "values (%s, %s, '经理', %s, %s, %s)",
            (tg, manager, mobile, method, now),
        )


def _insert_application(sql: psycopg.Connection[Any], app_no: str, tg_no: str, accepted_at: datetime) -> None:
    sql.execute(
        "insert into mkt.mkt_app (app_no, org_no, volt_class, source_count, tg_no, accepted_at, status_code) "
        "values (%s, '3340101', 'HV', 1, %s, %s, 'running')",
        (app_no, tg_no, accepted_at),
    )


def _enter_stage(path: Route, number: int, app_no: str, stage: str, entered_at: datetime) -> None:
    path.sql.execute(
        "insert into mkt.mkt_app_progress (progress_id, app_no, stage_code, visit_no, entered_at) "
        "values (%s, %s, %s, 1, %s)",
        (number, app_no, stage, entered_at),
    )


def _instance(worker: WorkerProcess, app_no: str) -> dict[str, Any] | None:
    command = ["env", f"STAGEWATCH_DATA_DIR={worker.data_dir}", str(STAGEWATCH)]
    found = subprocess.run(
        [*command, "instances", "get", app_no, "-o", "json"], capture_output=True, text=True, check=False
    )
    return json.loads(found.stdout) if found.returncode == 0 else None


def _stages(path: Route, app_no: str) -> list[str]:
    return (_instance(path.worker, app_no) or {}).get("stages") or []


def _wait(look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE_S} s"
        time.sleep(0.1)
    return found


def _alerts(bootstrap: str) -> list[dict[str, Any]]:
    consumer = KafkaConsumer(
        "stagewatch.alerts",
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        consumer_timeout_ms=2000,
    )
    try:
        return [json.loads(record.value) for record in consumer]
    finally:
        consumer.close()


def test_s0_10_a_stage_event_appears_in_the_instance_state(path: Route) -> None:
    _enter_stage(path, 10, "332600000001", "SURVEY", datetime.now(UTC))
    inserted = time.monotonic()
    _wait(lambda: "SURVEY" in _stages(path, "332600000001"), "the stage")
    hold("S0-10: from the insert to the state, s", time.monotonic() - inserted, APPEARS_WITHIN_S)


def test_a_late_stage_reaches_the_alert_topic_and_one_sms(path: Route) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=40)
    _insert_application(path.sql, "332600000002", "TG0001", long_ago)
    _enter_stage(path, 20, "332600000002", "SURVEY", long_ago)
    _wait(lambda: [m for m in path.sms.received if "332600000002现场勘查" in m.text], "the SMS")
    raised = {
        (a["rule"], a["severity"]): a
        for a in _alerts(path.bootstrap)
        if a["instance"] == "332600000002" and a["event"] == "raised"
    }
    assert {("R-T03", "WARN"), ("R-T03", "ALARM")} <= set(raised)
    assert raised["R-T03", "ALARM"]["person"] == "M001"
    assert {m.mobile for m in path.sms.received if "332600000002" in m.text} == {"13800000001"}


def test_a_manager_who_works_online_gets_a_mail(path: Route) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=40)
    _insert_application(path.sql, "332600000003", "TG0002", long_ago)
    _enter_stage(path, 30, "332600000003", "COMPLETE", long_ago)
    mails = _wait(lambda: [m for m in path.mail.received if "332600000003" in m.text], "the mail")
    assert {m.recipient for m in mails} == {"M002@stagewatch.local"}


def test_a_new_list_item_tells_the_manager_of_running_applications_once(path: Route) -> None:
    for number in (4, 5):
        _insert_application(path.sql, f"33260000000{number}", "TG0001", datetime.now(UTC))
        _wait(partial(_instance, path.worker, f"33260000000{number}"), "the application")
    now = datetime.now(UTC)
    path.sql.execute(
        "insert into lean.lean_neg_trans (nl_no, org_no, trans_no, tg_no, determined_at, plan_finish_at, limit_level, "
        "published_at) values ('NL1', '3340101', 'TTG0001', 'TG0001', %s, %s, '2', %s)",
        (now, (now + timedelta(days=60)).date(), now),
    )
    told = _wait(lambda: [m for m in path.sms.received if "列入负面清单" in m.text], "the message")
    raised = [a for a in _alerts(path.bootstrap) if a["rule"] == "R-N04" and a["event"] == "raised"]
    assert {"332600000004", "332600000005"} <= {a["instance"] for a in raised}
    assert len(told) == 1
    assert "332600000004" in told[0].text
    assert "332600000005" in told[0].text
