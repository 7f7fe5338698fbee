"""A file is loaded in constant memory: ten times the rows take no more. A million: `stagewatch bench ingest`."""

from pathlib import Path

from bench.ingest import TOPIC, load, write_rows
from stagewatch.topic_reader import read_topic
from tests.helpers.brokers import Broker


def test_ten_times_the_rows_take_no_more_memory(tansu: Broker, tmp_path: Path) -> None:
    peaks_mb = [
        load(write_rows(tmp_path / f"{rows}.csv", rows), tmp_path / "data", tansu.url, "--no-undo").peak_mb
        for rows in (10_000, 100_000)
    ]
    assert peaks_mb[1] / peaks_mb[0] < 1.3, peaks_mb
    assert sum(1 for _ in read_topic(tansu.bootstrap, TOPIC)) == 110_000
