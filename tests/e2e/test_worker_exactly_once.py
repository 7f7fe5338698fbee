"""Real workers on real Kafka, killed at bad moments: each alert event once, and the same ones as `replay`."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.kafka_server import KafkaServer
from tests.helpers.capture import capture, feed, replayed, wait_for_alerts
from tests.helpers.worker import WorkerProcess, start_worker

COPIES = 12
"""Enough work that a kill after a second or two hits the middle of it."""
PATIENCE_S = 90.0
SESSION_S = 10.0


def _start(kafka: KafkaServer, folder: Path) -> WorkerProcess:
    return start_worker(kafka.url, folder)


def _assert_each_once(kafka: KafkaServer) -> None:
    expected = Counter(replayed(capture(COPIES)))
    found = Counter(wait_for_alerts(kafka.bootstrap, expected.total(), PATIENCE_S))
    assert found - expected == Counter()
    assert expected - found == Counter()


def test_a_killed_worker_and_a_second_one_that_joins_raise_each_alert_once(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    feed(own_kafka.bootstrap, capture(COPIES))
    first = _start(own_kafka, tmp_path)
    time.sleep(1.0)
    second = _start(own_kafka, tmp_path)
    first.kill()
    third = _start(own_kafka, tmp_path)
    try:
        _assert_each_once(own_kafka)
    finally:
        for worker in (second, third):
            worker.stop()


@pytest.mark.parametrize("seed", [1])
def test_random_kills_and_stops_lose_and_repeat_nothing(own_kafka: KafkaServer, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    feed(own_kafka.bootstrap, capture(COPIES))
    workers = [_start(own_kafka, tmp_path)]
    for _ in range(6):
        time.sleep(rng.uniform(0.2, 2.0))
        victim = workers.pop(rng.randrange(len(workers)))
        if rng.random() < 0.7:
            victim.kill()
        else:
            victim.stop()
        while len(workers) < 2:
            workers.append(_start(own_kafka, tmp_path))
    try:
        _assert_each_once(own_kafka)
    finally:
        for worker in workers:
            worker.kill()


def test_a_frozen_worker_that_wakes_writes_nothing(own_kafka: KafkaServer, tmp_path: Path) -> None:
    feed(own_kafka.bootstrap, capture(COPIES))
    zombie = _start(own_kafka, tmp_path)
    pid = zombie.server.pid
    assert pid is not None
    time.sleep(1.5)
    os.kill(pid, signal.SIGSTOP)
    heir = _start(own_kafka, tmp_path)
    time.sleep(SESSION_S + 3)
    os.kill(pid, signal.SIGCONT)
    try:
        _assert_each_once(own_kafka)
    finally:
        heir.kill()
        zombie.kill()
