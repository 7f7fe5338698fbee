"""A real worker killed while a real gateway holds its messages: nothing is told twice, nothing lost in silence."""

import json
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from bench.kafka_server import KafkaServer
from stagewatch.receivers import Fault, SmsReceiver
from tests.helpers.brokers import make_topics
from tests.helpers.worker import STAGEWATCH, WorkerProcess, running_worker

TOPICS = ("cdc.mkt.tg_manager", "cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress")
PATIENCE_S = 90.0
SETTLED = {"delivered", "unknown"}


def _send(bootstrap: str, topic: str, row: dict[str, Any]) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
    value = {"op": "c", "before": None, "after": row, "source": {"lsn": 1}}
    producer.send(topic, key=json.dumps(next(iter(row.values()))).encode(), value=json.dumps(value).encode())
    producer.flush()
    producer.close()


def _notifications(worker: WorkerProcess) -> list[dict[str, Any]]:
    command = ["env", f"STAGEWATCH_DATA_DIR={worker.data_dir}", str(STAGEWATCH), "notifications", "list", "-o", "json"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return [json.loads(line) for line in found.stdout.splitlines()]


def _wait(is_done: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.2)


def test_a_worker_killed_in_the_middle_of_a_send_tells_nobody_twice(own_kafka: KafkaServer, tmp_path: Path) -> None:
    make_topics(own_kafka.bootstrap, TOPICS)
    long_ago = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    with SmsReceiver() as gateway:
        gateway.fault = Fault.HANG
        with running_worker(own_kafka.url, tmp_path, sms_url=gateway.url) as worker:
            manager = {"tg_no": "TG1", "mgr_no": "M1", "mobile": "13800000001", "sup_method": "sms"}
            _send(own_kafka.bootstrap, TOPICS[0], manager)
            application = {"app_no": "A1", "volt_class": "HV", "tg_no": "TG1", "accepted_at": long_ago}
            _send(own_kafka.bootstrap, TOPICS[1], application)
            visit = {"progress_id": 1, "app_no": "A1", "stage_code": "SURVEY", "visit_no": 1, "entered_at": long_ago}
            _send(own_kafka.bootstrap, TOPICS[2], visit)
            _wait(lambda: gateway.received, "a message at the gateway")
            worker.kill()
        gateway.fault = Fault.NONE
        with running_worker(own_kafka.url, tmp_path, sms_url=gateway.url) as worker:
            _wait(lambda: "unknown" in {n["state"] for n in _notifications(worker)}, "the unknown outcome")
            _wait(lambda: {n["state"] for n in _notifications(worker)} <= SETTLED, "an end of every notice")
            listed = _notifications(worker)
        texts = Counter(message.text for message in gateway.received)
    assert set(texts.values()) == {1}
    assert {n["text"] for n in listed} >= set(texts)
    assert {n["text"] for n in listed if n["state"] == "delivered"} <= set(texts)
