"""The CI step of `bench ratchet`: what the engine costs over the raw limit may not grow unnoticed."""

import io
from pathlib import Path

from bench import ratchet
from bench.kafka_server import KafkaServer
from stagewatch.output import Output


def test_the_tracking_worker_keeps_its_share_of_the_raw_limit(own_kafka: KafkaServer, tmp_path: Path) -> None:
    talk = io.StringIO()
    report = ratchet.run(own_kafka.bootstrap, Output(out=talk, err=talk), data_dir=tmp_path)
    assert report.goals
    assert report.met, f"{report.ratios} does not reach {report.goals}:\n{talk.getvalue()}"
