"""`stagewatch bench memory`: resident memory per open instance of which three stages are known.

The worker as shipped reads in half as many instances first, so that its code, clients and buffers are there;
then these. What its resident memory grew by meanwhile, divided by their number, is the figure. Beside it
stands what one instance takes on the changelog: key and value of its newest record.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.connector import BY_INSTANCE, Connector
from bench.report import Goal, Report, machine
from bench.standing import quiet
from bench.trial import trial_on
from schemas import Recorded
from stagewatch import Output, read_topic

INSTANCES = 100_000
ENDED = 2
"""Stages before the open one: three are known."""
RECORDS_EACH = 2 + ENDED
GOALS: dict[str, Goal] = {"bytes_per_instance": ("<=", 1_200)}
_OWN_KEY = b"\0"
"""How keys on the changelog begin that are no instance's."""


def run(bootstrap: str | None, output: Output, *, data_dir: Path, instances: int = INSTANCES) -> Report:
    """Measure; raises StagewatchError when it cannot."""
    about, first = machine(), instances // 2
    with trial_on(bootstrap, data_dir, output) as trial:
        trial.lay_out(BY_INSTANCE)
        connector, group = Connector(BY_INSTANCE), trial.fresh("memory")
        with trial.worker(group) as worker:
            worker.take_in(_known(connector, range(first)), RECORDS_EACH * first)
            before = worker.process.rss_mb()
            worker.take_in(_known(connector, range(first, first + instances)), RECORDS_EACH * instances)
            after = worker.process.rss_mb()
        kept = changelog_sizes(trial.broker.bootstrap, f"{group}-track-changelog")
    figures: dict[str, float] = {
        "instances": instances, "bytes_per_instance": (after - before) * 1e6 / instances,
        "rss_mb": after, "changelog_bytes_per_instance": sum(kept.values()) / max(len(kept), 1),
    }  # fmt: skip
    return Report(name="memory", figures=figures, goals=GOALS, machine=about)


def _known(connector: Connector, numbers: range) -> Iterator[Recorded]:
    return quiet(connector, numbers, at=int(time.time() * 1000), ended=ENDED)


def changelog_sizes(bootstrap: str, topic: str) -> dict[bytes, int]:
    """Give the bytes of the newest record of each instance, by its key."""
    found: dict[bytes, int] = {}
    for record in read_topic(bootstrap, topic):
        if record.key is not None and not record.key.startswith(_OWN_KEY):
            found[record.key] = len(record.key) + len(record.value or b"")
    return found
