"""`stagewatch bench change`: a limit changed under a flow of events, with a worker as it is shipped.

In the midst of an open-loop flow `stagewatch rules apply` publishes another limit for surveys, under which those that
were entered yesterday are late too: those that wait, and those that come. Afterwards everything is counted again from
the topics: each survey raised once per rung, by the rules of its time; each visit in the state; the indicators that
count visits. A worker that cannot hold the rate judges what it has not read yet later, by the clock of the records:
then `switched_s` has its backlog in it, and `held` says so. Running instances are judged anew in portions, so that
`taken_up_s` grows with their number; whatever touches one meanwhile is judged by the changed limit.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from bench.change_recount import (
    Recount,
    Switch,
    alerts_of,
    effective_at,
    kept_visits,
    recount,
    switch_of,
    totals_of,
    unlike_state,
    unlike_totals,
    visits_of,
)
from bench.connector import BY_INSTANCE, Connector
from bench.expectation import WorkLost
from bench.live import LATE_DAYS, Flow, live_records, warm_up
from bench.lives import DAY_MS, HOUR_MS, Neighbourhood, new_application
from bench.openloop import make_alert_topic, send, start_of
from bench.progress import Job
from bench.report import Goal, Report, machine
from bench.rows import Happening, Progress, iso
from bench.trial import AtWork, Trial, trial_on
from rules import SHIPPED
from schemas import Recorded, StagewatchError
from stagewatch import Output, progress_bar

RATE, SECONDS, INSTANCES = 20_000, 30, 5_000
GOALS: dict[str, Goal] = {
    "rate": (">=", RATE), "held": (">=", 1), "switched_s": ("<=", 5), "lost": ("<=", 0), "twice": ("<=", 0),
    "misjudged": ("<=", 0),
}  # fmt: skip
YESTERDAY_MS = 26 * HOUR_MS
"""Since a survey was entered: in time by five workdays, late by none."""
AGES_MS = (LATE_DAYS * DAY_MS, YESTERDAY_MS)
HELD_S = 2.0
"""So many seconds' records may be left when the last one goes out, for a rate that is held: a few transactions'."""
APPLY_S = 120
"""Longest time for the command and its answer: a worker far behind takes the set up late."""
_SURVEY = re.compile(r"(stage: SURVEY,( given: \{\},)? limit: )5wd")


class Under(NamedTuple):
    """What a change under a flow came to."""

    recount: Recount
    switch: Switch
    events: int
    told_s: float
    """As `rules apply` says itself: until the slowest worker had taken all up, after the news."""
    left: int
    """Records not judged when the last one went out."""
    behind_s: float
    """From the last record's time until all was judged."""

    @property
    def faults(self) -> list[str]:
        """A line for each event that was not judged exactly once by the rules of its time."""
        return [*self.recount.lost, *self.recount.twice, *self.recount.misjudged]


def run(  # noqa: PLR0913 - its options
    bootstrap: str | None, output: Output, *, data_dir: Path, rate: int = RATE, seconds: int = SECONDS,
    instances: int = INSTANCES,
) -> Report:  # fmt: skip
    """Measure; `instances` surveys wait when the limit changes. Raises StagewatchError when it cannot, or WorkLost."""
    about, flow = machine(), Flow(rate, seconds)
    with trial_on(bootstrap, data_dir, output) as trial:
        under = change_under(trial, flow, instances)
    if under.faults:
        raise WorkLost(f"{len(under.faults)} events, such as: {'; '.join(under.faults[:3])}")
    figures = {
        "rate": float(rate), "held": float(under.left <= HELD_S * rate), "events": float(under.events),
        "judged_per_second": under.events / (flow.seconds + under.behind_s), "left": float(under.left),
        "behind_s": under.behind_s,
        "partitions": float(under.switch.partitions), "switched_s": under.switch.switched_s,
        "taken_up_s": under.switch.taken_up_s, "told_s": under.told_s,
        "alerts_before": float(under.recount.before), "alerts_after": float(under.recount.after),
        **{name: float(len(getattr(under.recount, name))) for name in ("lost", "twice", "misjudged")},
    }  # fmt: skip
    return Report(name="change", figures=figures, goals=GOALS, machine=about)


def change_under(trial: Trial, flow: Flow, waiting: int) -> Under:
    """Change a limit in the midst of a flow, and count again what came of it. Raises StagewatchError."""
    trial.lay_out(BY_INSTANCE)
    make_alert_topic(trial.broker, BY_INSTANCE.spread)
    connector = Connector(BY_INSTANCE)
    now = int(time.time() * 1000)
    before = [*warm_up(flow, connector, now), *_surveys(flow, connector, waiting, now)]
    changed, application_id = tightened(trial.folder), trial.fresh("change")
    with trial.worker(application_id) as worker, ThreadPoolExecutor(1) as beside:
        worker.take_in(before, len(before))
        records = list(live_records(flow, connector, start_of(flow.records), AGES_MS))
        midst = records[len(records) // 2].timestamp / 1000
        applying = beside.submit(_apply_at, midst, trial, application_id, changed)
        left = _send(trial, worker, application_id, records)
        behind_s = time.time() - records[-1].timestamp / 1000
        told = applying.result()
        worker.settle("taking up the changed rules")
    trial.output.say("counting again from the topics")
    recounted, switch = _recount(trial, f"{application_id}-track-changelog", told["serial"])
    return Under(recounted, switch, len(records), told["seconds"], left, max(behind_s, 0.0))


def tightened(folder: Path) -> Path:
    """Write the shipped limits with none for the survey; give the file."""
    text, count = _SURVEY.subn(r"\g<1>0wd", (SHIPPED / "limits" / "default.yaml").read_text(encoding="utf-8"))
    if not count:
        raise StagewatchError("the shipped limits have no survey of five workdays any more")
    path = folder / "limits.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _surveys(flow: Flow, connector: Connector, count: int, now: int) -> Iterator[Recorded]:
    """Give surveys that wait since yesterday; their numbers are beyond those of the flow."""
    for number in range(flow.records, flow.records + count):
        app_no = new_application(number % flow.pool, Neighbourhood(0), now, is_hv=True).app_no
        entered = iso(now - YESTERDAY_MS)
        row = Progress(
            number, app_no, "SURVEY", 1 + number, "MKT", "H001", entered, None, None, None, None, None, None, entered
        )
        yield connector.record(Happening(now, "c", row))


def _send(trial: Trial, worker: AtWork, application_id: str, records: list[Recorded]) -> int:
    """Send the flow and wait until all is judged; give how many records were not when the last one went out."""
    with progress_bar(trial.output.err, "the limit changes in the midst of the flow", len(records)) as progress:
        send(trial.broker.bootstrap, records, progress)
    left = Job(trial.broker, application_id, trial.layout).left()
    worker.settle("waiting until all is judged")
    return left


def _apply_at(moment: float, trial: Trial, application_id: str, changed: Path) -> dict[str, float]:
    """Publish the changed limits as a user does, at a time (epoch s); give what the command says."""
    time.sleep(max(moment - time.time(), 0))
    program = str(Path(sys.executable).with_name("stagewatch"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STAGEWATCH_")}
    environment |= {"STAGEWATCH_BROKER": trial.broker.url, "STAGEWATCH_APPLICATION_ID": application_id}
    command = [program, "rules", "apply", str(changed), "--wait", str(APPLY_S), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=3 * APPLY_S, check=False)
    if done.returncode:
        raise StagewatchError(f"the limit could not be changed: {done.stderr.strip()[-500:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _recount(trial: Trial, changelog: str, serial: float) -> tuple[Recount, Switch]:
    bootstrap, number = trial.broker.bootstrap, int(serial)
    visits = visits_of(bootstrap)
    found = recount(visits, alerts_of(bootstrap), effective_at(bootstrap, number))
    found.misjudged.extend(unlike_state(visits.values(), kept_visits(bootstrap, changelog)))
    found.misjudged.extend(unlike_totals(visits.values(), totals_of(bootstrap)))
    return found, switch_of(bootstrap, changelog, number)
