"""`stagewatch bench rules`: what an event costs with 200 rules loaded, against those that come with the product.

The tracking worker on records keyed by the instance, as in `bench track`, in turns with the shipped definitions and
with a folder that has more. The further rules are deadlines, as most rules are: a third of them on the stages of
the connection processes, a third about whole instances by columns that these events do not change, a third on items
of the negative list. Their limits are years away: the alerts must stay those of the replay.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from bench.connector import BY_INSTANCE
from bench.lives import HV_STAGES
from bench.plan import Plan
from bench.report import Goal, Report, machine
from bench.track import AGENTS
from bench.trial import lay_out_plan, plan_figures, trial_on
from rules import SHIPPED, RuleFile, read_definitions
from stagewatch import Output

EVENTS, RUNS, MANY = 200_000, 3, 200
GOALS: dict[str, Goal] = {"cost": ("<=", 1.3), "rules_many": (">=", MANY)}
_CODES = [f"R-{kind}{number:02d}" for kind in "TND" for number in range(20, 100)]
"""Numbers that no rule of the domain has."""
_STAGE = (
    "stage: {stage}, start: entered_at, rungs: {{WARN: {{after: 4000d}}, ALARM: {{after: 5000d}}}}, text: stage_idle"
)
_WHOLE = "start: {column}, spans: none, until: [archived_at], rungs: {{WARN: {{after: 4000d}}}}, text: whole_late"
_ITEM = "start: determined_at, spans: none, until: [cleared_at], rungs: {{WARN: {{after: 4000d}}}}, text: fix_overdue"
_HEAD = "version: rules/v1\nid: generated\nrules:\n"


def run(bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, instances: int = 0) -> Report:
    """Measure; raises StagewatchError when it cannot, or when work was lost."""
    plan, about = Plan(events, instances), machine()
    with trial_on(bootstrap, data_dir, output) as trial:
        folders = {
            "few": [SHIPPED],
            "many": [SHIPPED, with_rules(trial.folder / "rules", MANY - rule_count([SHIPPED]))],
        }
        truth = lay_out_plan(trial, plan, BY_INSTANCE)
        costs: dict[str, list[float]] = {name: [] for name in folders}
        for _ in range(RUNS):
            for name, chosen in folders.items():
                trial.broker.delete_own_topics()
                caught = trial.catch_up(
                    trial.fresh(name), AGENTS, settings={"definitions": os.pathsep.join(map(str, chosen))}
                )  # fmt: skip
                trial.check(truth)
                costs[name].append(1e6 / caught.measured.per_core)
        few, many = (rule_count(chosen) for chosen in folders.values())
    figures = plan_figures(plan, truth) | {
        "rules_few": few, "rules_many": many, **{f"{name}_us_per_event": median(cost) for name, cost in costs.items()},
    }  # fmt: skip
    cost = median(after / before for before, after in zip(costs["few"], costs["many"], strict=True))
    return Report(name="rules", figures=figures, ratios={"cost": cost}, goals=GOALS, machine=about)


def rule_count(folders: Sequence[Path]) -> int:
    """Give how many rules folders of definitions have."""
    return sum(len(file.rules) for file in read_definitions(folders).of(RuleFile))


def with_rules(folder: Path, count: int) -> Path:
    """Write a folder of definitions with so many further rules; give it."""
    folder.mkdir()
    (folder / "generated.yaml").write_text(_HEAD + "".join(further_rules(count)), encoding="utf-8")
    return folder


def further_rules(count: int) -> Iterator[str]:
    """Give rules as lines of a file."""
    stages = cycle(stage.code for stage in HV_STAGES)
    columns = cycle(("req_energise_at", "archived_at"))
    for number, code in enumerate(islice(_CODES, count)):
        processes = ("hv_connection", "hv_connection, lv_connection", "negative_list")[number % 3]
        body = (_STAGE.format(stage=next(stages)), _WHOLE.format(column=next(columns)), _ITEM.format())[number % 3]
        yield f"  - {{code: {code}, title: {code}, kind: deadline, processes: [{processes}], tell: [], {body}}}\n"
