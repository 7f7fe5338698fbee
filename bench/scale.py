"""`stagewatch bench scale`: what an event costs with more workers, more instances, more partitions.

The tracking worker on records keyed by the instance, as in `bench track`; cost is CPU of the workers per event.
Workers: the same records by one worker and by two, in turns, each median of its runs; two workers share two cores
with the broker, so the wall time says little and is given with the broker's CPU. Instances: what was there before
(the snapshot) is read in and the worker stopped; then only the flow that follows is timed. Partitions: the same
records over one partition and over 64. Every run's alerts are compared with the replay.
"""

from itertools import islice
from pathlib import Path
from statistics import median

from bench.connector import BY_INSTANCE, Layout
from bench.expectation import expected_alerts
from bench.plan import Plan, records
from bench.report import Goal, Report, machine
from bench.track import AGENTS
from bench.trial import Caught, Trial, Truth, lay_out_plan, trial_on
from stagewatch import Output

EVENTS, INSTANCES, FEW_INSTANCES = 600_000, 1_000_000, 10_000
RUNS = 3
PARTITIONS = (1, 64)
GOALS: dict[str, Goal] = {
    "two_workers": (">=", 0.9), "cost_of_instances": ("<=", 1.3), "cost_of_partitions": ("<=", 1.1),
    "gain_of_partitions": ("<=", 1.1),
}  # fmt: skip


def run(
    bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, instances: int = INSTANCES
) -> Report:
    """Measure; raises StagewatchError when it cannot, or when work was lost."""
    about, plan = machine(), Plan(events, FEW_INSTANCES)
    with trial_on(bootstrap, data_dir, output) as trial:
        figures, two_workers = _workers(trial, plan)
        costs = {count: _partitions(trial, plan, count) for count in PARTITIONS}
        few, many = (_instances(trial, events, count) for count in (FEW_INSTANCES, instances))
    one, most = (costs[count] for count in PARTITIONS)
    figures |= {
        "events": float(events), "few_instances": FEW_INSTANCES, "many_instances": float(instances),
        "few_instances_us_per_event": _us(few), "many_instances_us_per_event": _us(many),
        **{f"partitions_{count}_us_per_event": _us(caught) for count, caught in costs.items()},
    }  # fmt: skip
    ratios = {
        "two_workers": two_workers, "cost_of_instances": _us(many) / _us(few),
        "cost_of_partitions": _us(most) / _us(one), "gain_of_partitions": _us(one) / _us(most),
    }  # fmt: skip
    return Report(name="scale", figures=figures, ratios=ratios, goals=GOALS, machine=about)


def _us(caught: Caught) -> float:
    """Microseconds of the workers' CPU per event."""
    return 1e6 / caught.measured.per_core


def _checked(trial: Trial, truth: Truth, workers: int = 1) -> Caught:
    """Work off what lies there with fresh workers, from nothing."""
    trial.broker.delete_own_topics()
    caught = trial.catch_up(trial.fresh("scale"), AGENTS, workers=workers)
    trial.check(truth)
    return caught


def _workers(trial: Trial, plan: Plan) -> tuple[dict[str, float], float]:
    truth = lay_out_plan(trial, plan, BY_INSTANCE)
    pairs = [[_checked(trial, truth, workers) for workers in (1, 2)] for _ in range(RUNS)]
    figures: dict[str, float] = {}
    for name, runs in zip(("one_worker", "two_workers"), zip(*pairs, strict=True), strict=True):
        taken = [caught.figures() for caught in runs]
        figures |= {f"{name}_{figure}": median(each[figure] for each in taken) for figure in taken[0]}
    return figures, median(two.measured.per_core / one.measured.per_core for one, two in pairs)


def _partitions(trial: Trial, plan: Plan, count: int) -> Caught:
    truth = lay_out_plan(trial, plan, Layout(is_keyed=BY_INSTANCE.is_keyed, spread=count))
    return sorted((_checked(trial, truth) for _ in range(RUNS)), key=_us)[RUNS // 2]


def _instances(trial: Trial, events: int, instances: int) -> Caught:
    """Time the flow alone, over so many instances."""
    plan = Plan(Plan(0, instances).backlog + events, instances)
    trial.lay_out(BY_INSTANCE)
    group, flow = trial.fresh("instances"), records(plan, BY_INSTANCE)
    with trial.worker(group, AGENTS) as worker:
        worker.take_in(islice(flow, plan.backlog), plan.backlog)
    until = trial.write(flow, events)
    caught = trial.catch_up(group, AGENTS)
    trial.check(Truth(expected_alerts(plan), until))
    return caught
