"""`stagewatch bench limit`: what aiokafka and msgspec alone reach on the records of `bench track` (`bench.raw_limit`).

No goal: it says how far from the ground our figures are, on the machine that they were taken on.
"""

import subprocess
import sys
from pathlib import Path

import msgspec

from bench.connector import BY_INSTANCE, Layout
from bench.plan import Plan, records
from bench.raw_limit import Spent
from bench.report import Report, machine
from bench.trial import Caught, Trial, trial_on
from schemas import StagewatchError
from stagewatch import Output

EVENTS = 1_000_000
TIMEOUT_S = 300.0
"""Ten million records take a minute."""


def run(bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, instances: int = 0) -> Report:
    """Measure; raises StagewatchError when it cannot."""
    plan, about = Plan(events, instances), machine()
    with trial_on(bootstrap, data_dir, output) as trial:
        trial.lay_out(BY_INSTANCE)
        trial.write(records(plan, BY_INSTANCE), plan.events)
        caught = raw_limit(trial)
    figures = {"events": float(caught.events), "open_instances": plan.open_lives} | caught.figures()
    return Report(name="limit", figures=figures, goals={}, machine=about)


def raw_limit(trial: Trial) -> Caught:
    """Let the raw limit work off what lies in the topics keyed by the instance. Raises StagewatchError."""
    group, layout = trial.fresh("limit"), Layout(is_keyed=True)
    events = sum(trial.broker.ends(layout.direct).values())
    trial.broker.make_topics({f"{group}-changelog": trial.layout.spread}, {"cleanup.policy": "compact"})
    before = trial.broker.cpu_s()
    command = [sys.executable, "-m", "bench.raw_limit", trial.broker.bootstrap, group, str(events)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as late:
        raise StagewatchError(f"the raw limit has not come to its end in {TIMEOUT_S:.0f} s") from late
    if done.returncode != 0:
        raise StagewatchError(f"the raw limit failed: {done.stderr.strip()[-500:]}")
    spent = msgspec.json.decode(done.stdout.splitlines()[-1], type=Spent)
    caught = Caught(spent.wall_s, spent.cpu_s, trial.broker.cpu_s() - before, spent.events, rss_mb=0)
    speed = caught.measured
    trial.output.say(f"the raw limit: {speed.per_second:,.0f} events/s, {speed.per_core:,.0f} per CPU second")
    return caught
