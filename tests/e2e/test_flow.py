"""`stagewatch flow --from-topics`: the topics of a broker tell the same flow as the file they were filled from."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.helpers.brokers import Broker
from tests.helpers.capture import CAPTURE, capture, feed
from tests.helpers.worker import STAGEWATCH

TO = "2026-06-22"


def test_topics_tell_the_flow_of_their_file(tansu: Broker, tmp_path: Path) -> None:
    feed(tansu.bootstrap, capture())
    environment = {"STAGEWATCH_BROKER": tansu.url, "STAGEWATCH_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def told(*arguments: object) -> Any:
        command = [str(STAGEWATCH), "flow", *map(str, arguments), "--to", TO, "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    of_topics, of_file = told("--from-topics"), told(CAPTURE)
    assert of_topics["of"].pop("source") != of_file["of"].pop("source")
    for report in (of_topics, of_file):  # places differ: the broker has its own partitions
        assert report["conformance"].pop("deviations") == []
    assert of_topics == of_file
    assert of_file["of"]["events"] == 1345
