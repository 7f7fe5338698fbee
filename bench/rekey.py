"""`stagewatch bench rekey`: the re-keying agent alone, on records keyed by the row.

What it wrote is then worked off by the tracking agent and compared with the replay, so that a figure stands only
for work of which nothing was lost.
"""

from pathlib import Path

from bench.connector import BY_ROW
from bench.plan import Plan
from bench.report import Goal, Report, machine
from bench.trial import lay_out_plan, plan_figures, trial_on
from stagewatch import Output

EVENTS = 1_000_000
"""Ten seconds of work at the goal's speed; more is steadier."""
GOALS: dict[str, Goal] = {"events_per_second_per_core": (">=", 150_000)}


def run(bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, instances: int = 0) -> Report:
    """Measure; raises StagewatchError when it cannot, or when work was lost."""
    plan, about = Plan(events, instances), machine()
    with trial_on(bootstrap, data_dir, output) as trial:
        truth = lay_out_plan(trial, plan, BY_ROW)
        caught = trial.catch_up(trial.fresh("rekey"), "rekey")
        after = trial.catch_up(trial.fresh("track"), "track,totals", events=events)
        trial.check(truth)
    figures = plan_figures(plan, truth) | caught.figures() | after.figures("track_rekeyed")
    return Report(name="rekey", figures=figures, goals=GOALS, machine=about)
