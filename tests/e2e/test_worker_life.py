"""A worker's manners: start with nothing, find new topics, refuse bad input, fire on time, end when asked."""

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from bench.kafka_server import KafkaServer
from schemas import decode_alert, decode_dead_letter
from tests.helpers.brokers import Broker, make_topics
from tests.helpers.capture import capture, committed_values, feed, replayed, wait_for_alerts
from tests.helpers.figures import hold
from tests.helpers.worker import running_worker

FOUND_WITHIN_S = 30.0
ENDS_WITHIN_S = 10.0
TIMER_LAG_S = 1.0
"""Contract, section 8: printed, and held on a quiet machine."""
PATIENCE_S = 90.0


def test_later_topics_are_found_and_the_worker_ends_when_asked(own_kafka: KafkaServer, tmp_path: Path) -> None:
    with running_worker(own_kafka.url, tmp_path) as worker:
        feed(own_kafka.bootstrap, capture())
        expected = Counter(replayed(capture()))
        fed = time.monotonic()
        wait_for_alerts(own_kafka.bootstrap, 1, PATIENCE_S)
        hold("later topics are found, s", time.monotonic() - fed, FOUND_WITHIN_S)
        found = Counter(wait_for_alerts(own_kafka.bootstrap, expected.total(), PATIENCE_S))
        assert found == expected
        process = worker.server._process  # noqa: SLF001 - its exit code is what is asked
        started = time.monotonic()
        worker.stop()
        assert process is not None
        assert process.returncode == 0
        hold("a worker that is asked ends, s", time.monotonic() - started, ENDS_WITHIN_S)


def test_without_transactions_nothing_is_lost(tansu: Broker, tmp_path: Path) -> None:
    feed(tansu.bootstrap, capture(), partitions=2)
    expected = Counter(replayed(capture()))
    with running_worker(tansu.url, tmp_path) as worker:
        time.sleep(1.0)
        worker.kill()
    with running_worker(tansu.url, tmp_path) as worker:
        found = Counter(wait_for_alerts(tansu.bootstrap, expected.total(), PATIENCE_S))
        assert "at least once" in worker.said
    assert set(found) == set(expected)


def test_bad_input_is_refused_and_the_next_record_is_processed(own_kafka: KafkaServer, tmp_path: Path) -> None:
    topic = "cdc.mkt.mkt_app"
    make_topics(own_kafka.bootstrap, [topic])
    producer: Any = KafkaProducer(bootstrap_servers=own_kafka.bootstrap)
    for value in (b"", b"nonsense", b"\xff\xfe", b'{"op":"c"}', b"[" * 500, b'{"op":"x","after":{}}'):
        producer.send(topic, key=b"k", value=value)
    producer.send(topic, key=b'{"app_no":"A1"}', value=_application("A1", datetime.now(UTC) - timedelta(days=90)))
    producer.flush()
    with running_worker(own_kafka.url, tmp_path):
        wait_for_alerts(own_kafka.bootstrap, 1, PATIENCE_S)
        values = committed_values(own_kafka.bootstrap, "stagewatch.deadletters")
        letters = [decode_dead_letter(value) for value in values]
    assert sorted(letter.offset for letter in letters) == list(range(6))
    assert {letter.topic for letter in letters} == {topic}


def test_a_timer_fires_in_time_without_any_further_event(own_kafka: KafkaServer, tmp_path: Path) -> None:
    make_topics(own_kafka.bootstrap, ["cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress"])
    with running_worker(own_kafka.url, tmp_path):
        # R-T05: designed for 45 days without a result warns exactly 45 × 24 h after it was entered.
        due = datetime.now(UTC) + timedelta(seconds=6)
        producer: Any = KafkaProducer(bootstrap_servers=own_kafka.bootstrap)
        producer.send("cdc.mkt.mkt_app", key=b'{"app_no":"A2"}', value=_application("A2", datetime.now(UTC)))
        entered = due - timedelta(days=45)
        producer.send("cdc.mkt.mkt_app_progress", key=b'{"progress_id":1}', value=_visit(1, "A2", "DESIGN", entered))
        producer.flush()
        seen = None
        while seen is None and datetime.now(UTC) < due + timedelta(seconds=PATIENCE_S):
            alerts = [decode_alert(value) for value in committed_values(own_kafka.bootstrap, "stagewatch.alerts")]
            if any(a.rule == "R-T05" and a.severity == "WARN" for a in alerts):
                seen = datetime.now(UTC)
            time.sleep(0.05)
    assert seen is not None
    lag_s = (seen - due).total_seconds()
    assert lag_s > -0.1, "not before its time"
    hold("a timer after its time, with half a second for the reader, s", lag_s, TIMER_LAG_S + 0.5)


def _application(app_no: str, accepted_at: datetime) -> bytes:
    row = {"app_no": app_no, "org_no": "3340101", "volt_class": "HV", "source_count": 1, "status_code": "running",
           "accepted_at": _iso(accepted_at)}  # fmt: skip
    return json.dumps({"before": None, "after": row, "source": {"lsn": 1}, "op": "c", "ts_ms": 1}).encode()


def _visit(number: int, app_no: str, stage: str, entered_at: datetime) -> bytes:
    row = {"progress_id": number, "app_no": app_no, "stage_code": stage, "visit_no": 1, "entered_at": _iso(entered_at)}
    return json.dumps({"before": None, "after": row, "source": {"lsn": 1}, "op": "c", "ts_ms": 1}).encode()


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
