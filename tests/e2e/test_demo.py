"""`stagewatch demo`: ends by itself, and what it counts twice comes out the same both times."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.figures import hold

STAGEWATCH = Path(sys.executable).with_name("stagewatch")
LIMIT_S = 90.0
"""Contract, section 2."""
FIGURES = {
    "events_in", "instances", "alerts_raised", "alerts_by_rule", "sms_sent", "emails_sent", "indicator_updates",
    "dead_letters", "lost", "duplicates", "p50_ms", "p99_ms", "events_per_second",
}  # fmt: skip


@pytest.mark.timeout(330)
def test_the_demo_ends_by_itself_and_loses_nothing(tmp_path: Path) -> None:
    # Settings of whoever runs it must not reach the demo.
    environment = {**os.environ, "TMPDIR": str(tmp_path), "STAGEWATCH_BROKER": "kafka://127.0.0.1:9"}
    begun = time.monotonic()
    done = subprocess.run(
        [str(STAGEWATCH), "demo", "--json"], capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    took_s = time.monotonic() - begun
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert set(figures) >= FIGURES
    assert (figures["lost"], figures["duplicates"], figures["unexpected"]) == (0, 0, 0)
    hold("the demo, s", took_s, LIMIT_S)
    assert figures["alerts_raised"] == sum(figures["alerts_by_rule"].values())
    assert figures["sms_sent"] >= 24
    assert figures["emails_sent"] >= 5
    assert figures["dead_letters"] >= 1
    assert list(tmp_path.iterdir()) == []
