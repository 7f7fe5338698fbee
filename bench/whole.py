"""`stagewatch bench whole`: the worker as it is shipped, all agents and the store, on records keyed by the row."""

from pathlib import Path

from bench.connector import BY_ROW
from bench.plan import Plan
from bench.report import Goal, Report, machine
from bench.trial import lay_out_plan, plan_figures, trial_on
from stagewatch import Output

EVENTS = 1_000_000
GOALS: dict[str, Goal] = {"events_per_second_per_core": (">=", 60_000)}


def run(bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, instances: int = 0) -> Report:
    """Measure; raises StagewatchError when it cannot, or when work was lost."""
    plan, about = Plan(events, instances), machine()
    with trial_on(bootstrap, data_dir, output) as trial:
        truth = lay_out_plan(trial, plan, BY_ROW)
        caught = trial.catch_up(trial.fresh("whole"))
        trial.check(truth)
    figures = plan_figures(plan, truth) | caught.figures() | {"rss_mb": caught.rss_mb}
    return Report(name="whole", figures=figures, goals=GOALS, machine=about)
