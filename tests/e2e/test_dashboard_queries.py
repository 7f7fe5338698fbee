"""Every query of every dashboard answers on a real Prometheus that scrapes a real worker on real Kafka."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml
from kafka import KafkaProducer

from bench.kafka_server import KafkaServer
from tests.helpers.brokers import make_topics
from tests.helpers.dashboards import queries
from tests.helpers.prometheus import Prometheus
from tests.helpers.worker import WorkerProcess, running_worker

METRICS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "metrics.yml"
DEADLINE_S = 60
APPLICATION, ITEM, TRANSFORMER, DISTRICT = "332699990001", "NL99990001", "T9001", "TG9001"


def rows(now: datetime) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    """A listed transformer, then an application under it: R-N01 is raised and its manager is told."""
    at = now.isoformat()
    earlier = (now - timedelta(days=1)).isoformat()
    district = {"trans_no": TRANSFORMER, "line_no": "L01", "org_no": "3340101", "is_public": True, "upd_at": earlier}
    manager = {
        "mgr_no": "M001",
        "mgr_name": "经理",
        "mobile": "13800000000",
        "sup_method": "sms",
        "valid_from": earlier,
    }
    item = {"org_no": "3340101", "trans_no": TRANSFORMER, "tg_no": DISTRICT, "limit_level": "3"}
    times = {"determined_at": earlier, "published_at": earlier, "cleared_at": None, "upd_at": at}
    application = {"org_no": "3340101", "app_type": "new", "volt_class": "HV", "source_count": 1, "tg_no": DISTRICT}
    stage = {"app_no": APPLICATION, "stage_code": "ACCEPT", "visit_no": 1, "entered_at": at, "upd_at": at}
    return [
        ("cdc.ymd.ymd_tg", {"tg_no": DISTRICT}, district),
        ("cdc.mkt.tg_manager", {"tg_no": DISTRICT}, manager),
        ("cdc.lean.lean_neg_trans", {"nl_no": ITEM}, {**item, **times}),
        ("cdc.mkt.mkt_app", {"app_no": APPLICATION}, {**application, "accepted_at": at, "upd_at": at}),
        ("cdc.mkt.mkt_app_progress", {"progress_id": "1"}, {**stage, "finished_at": None}),
    ]


def feed(bootstrap: str) -> None:
    """Write the rows in order, and one record that nobody can read."""
    now = datetime.now(UTC)
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    try:
        for position, (topic, key, row) in enumerate(rows(now)):
            schema, table = topic.split(".")[1:]
            source = {"connector": "postgresql", "schema": schema, "table": table, "lsn": position + 1}
            change = {"before": None, "after": {**key, **row}, "source": source, "op": "c"}
            producer.send(topic, json.dumps(change).encode(), json.dumps(key).encode()).get(DEADLINE_S)
        producer.send("cdc.mkt.mkt_app", b"{not json", b'{"app_no": "0"}').get(DEADLINE_S)
    finally:
        producer.close()


def wait_until(is_so: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def exposed(worker: WorkerProcess) -> str:
    return requests.get(worker.metrics_url, timeout=10).text


def has_seen_it_all(worker: WorkerProcess) -> bool:
    """Whether the alert, its message and the dead letter have been counted."""
    text = exposed(worker)
    counted = ("stagewatch_alerts_raised_total{", "stagewatch_dead_letters_total{", "stagewatch_notifications_total{")
    return all(name in text for name in counted)


def test_a_worker_exposes_every_metric_and_every_dashboard_query_answers(
    own_kafka: KafkaServer, prometheus: Prometheus, tmp_path: Path
) -> None:
    make_topics(own_kafka.bootstrap, sorted({topic for topic, _, _ in rows(datetime.now(UTC))}), partitions=2)
    with running_worker(own_kafka.url, tmp_path) as worker:
        feed(own_kafka.bootstrap)
        wait_until(lambda: has_seen_it_all(worker), lambda: f"{exposed(worker)}\n{worker.log_tail()}")
        typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", exposed(worker), re.MULTILINE))
        declared = yaml.safe_load(METRICS.read_text(encoding="utf-8"))
        assert {name: typed.get(name) for name in declared} == {name: each["type"] for name, each in declared.items()}

        prometheus.scrape(worker.metrics_address)
        asked = [query for query in queries() if must_answer(query.panel)]

        def silent() -> list[str]:
            return [str(query) for query in asked if not prometheus.query(query.expression)]

        wait_until(lambda: not silent(), lambda: f"{silent()}\n{exposed(worker)}")


def must_answer(panel: str) -> bool:
    """Panels that are empty in a healthy, quiet world may be so here."""
    without_carriers = {"Carriers up", "SMS by carrier", "Window in use", "Flow control", "Reports of carriers"}
    return panel not in {"Left out on purpose", "Timer lag", "Outbox", "Reports overdue", *without_carriers}
