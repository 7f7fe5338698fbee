"""`bench ratchet` measures the engine against the raw limit of one machine; a quiet one holds it to the goal."""

import io
from pathlib import Path

from bench import ratchet
from bench.kafka_server import KafkaServer
from stagewatch.output import Output
from tests.helpers.figures import hold


def test_the_ratchet_measures_the_tracking_workers_share_of_the_raw_limit(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    talk = io.StringIO()
    report = ratchet.run(own_kafka.bootstrap, Output(out=talk, err=talk), data_dir=tmp_path)
    assert report.goals
    for name, (_, goal) in report.goals.items():
        hold(f"{name}: the goal over the share", goal / report.ratios[name], 1.0)
