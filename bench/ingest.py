"""`stagewatch bench ingest`: a file of a million rows loaded as a batch, and the memory that it takes.

The command as a user starts it, in a process of its own: its peak of resident memory (`ru_maxrss`) with all the rows
beside that with a tenth of them. Rows, journal and what is under way to Kafka are held in portions, so the ratio of the
peaks must stay near 1. Both look back on a topic that tells of rows already: what a client holds of that (20 to 40 MB)
is no matter of the file. Where the topic ends says that every row has arrived.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench.broker import broker_for
from bench.expectation import WorkLost
from bench.report import Goal, Report, machine
from connectors import read_flows
from schemas import StagewatchError
from stagewatch import Output

INSTANCES = 1_000_000
SHARE = 10
"""The smaller file has so many times fewer rows."""
TABLE, TOPIC = "mkt.mkt_app", "cdc.mkt.mkt_app"
GOALS: dict[str, Goal] = {"peak_to_tenth": ("<=", 1.3)}
"""A quarter above 1 for what SQLite and the allocator keep; held rows would make it several."""


class Load(NamedTuple):
    """What one load took."""

    seconds: float
    peak_mb: float


def run(bootstrap: str | None, output: Output, *, data_dir: Path, instances: int = INSTANCES) -> Report:
    """Measure; raises StagewatchError if a load fails or rows are missing."""
    with broker_for(bootstrap, data_dir) as (broker, folder):
        small, large = instances // SHARE, instances
        loads, filled = {}, small + 1
        load(write_rows(folder / "before.csv", filled), folder / "data", broker.url)
        for rows in (small, large):
            output.say(f"loading {rows} rows")
            loads[rows] = load(write_rows(folder / f"rows-{rows}.csv", rows), folder / "data", broker.url)
        arrived = read_flows(broker.bootstrap, [TOPIC], group="")[TOPIC].records  # the ends as fetches tell them
    if arrived != filled + small + large:
        raise WorkLost(f"{arrived} of {filled + small + large} rows are in {TOPIC}")
    figures = {
        "rows_per_second": large / loads[large].seconds, "seconds": loads[large].seconds,
        "peak_mb": loads[large].peak_mb, "peak_of_tenth_mb": loads[small].peak_mb,
    }  # fmt: skip
    ratios = {"peak_to_tenth": loads[large].peak_mb / loads[small].peak_mb}
    return Report(name="ingest", figures=figures, goals=GOALS, ratios=ratios, machine=machine())


def write_rows(path: Path, rows: int) -> Path:
    """Write a file of so many applications."""
    with path.open("w", encoding="utf-8") as file:
        file.write("app_no,org_no,cust_name,volt_class,accepted_at,source_count\n")
        for number in range(rows):
            file.write(f"F{number:09d},33401{number % 97:02d},客户{number},HV,2026-03-02 09:00:00,{1 + number % 2}\n")
    return path


def load(path: Path, data_dir: Path, broker: str, *more: str) -> Load:
    """Load a file as a user does; raises StagewatchError if that fails. `more`: further options."""
    command = [sys.executable, "-m", "stagewatch", "ingest", "file", str(path), "--table", TABLE, *more]
    settings: Mapping[str, str] = {"STAGEWATCH_BROKER": broker, "STAGEWATCH_DATA_DIR": str(data_dir)}
    said = path.with_suffix(".log")
    began = time.monotonic()
    with said.open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise StagewatchError(f"the load failed: {said.read_text(encoding='utf-8').strip()[-500:]}")
    return Load(time.monotonic() - began, usage.ru_maxrss / 1024)
