"""A file is checked and journalled in constant memory: ten times the rows take no more.

With the writing, and with a million rows: `stagewatch bench ingest`.
"""

from pathlib import Path

from bench.ingest import load, write_rows


def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    peaks_mb = [
        load(write_rows(tmp_path / f"{rows}.csv", rows), tmp_path / "data", "embedded", "--dry-run").peak_mb
        for rows in (10_000, 100_000)
    ]
    assert peaks_mb[1] / peaks_mb[0] < 1.3, peaks_mb
