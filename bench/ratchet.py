"""`stagewatch bench ratchet`: the tracking worker against the raw limit, which may not fall behind what it reached.

`bench track` in small and `bench limit` take turns on the same records of the same broker; the ratio of their
events per CPU second says how much the engine costs, whatever the machine. It must reach `SHARE` of the last entry
of `bench/baseline.json`. That file only rises: `--raise-baseline` appends an entry, and only a higher one.
"""

from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from bench.connector import BY_INSTANCE
from bench.limit import raw_limit
from bench.plan import Plan
from bench.report import Report, machine
from bench.track import AGENTS
from bench.trial import lay_out_plan, plan_figures, trial_on
from schemas import StagewatchError
from stagewatch import Output

BASELINE = Path(__file__).parent / "baseline.json"
EVENTS, PAIRS = 150_000, 3
SHARE = 0.7
"""Of the baseline: what two machines, or a busy one, may differ by."""
RATIO = "track_to_limit"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was reached once."""

    date: str
    ratio: float
    """Events per CPU second of the tracking worker, divided by those of the raw limit."""


def run(
    bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, raise_baseline: bool = False
) -> Report:
    """Measure; raises StagewatchError when it cannot, or when work was lost."""
    plan, about, reached = Plan(events), machine(), read_baseline()
    ratios, figures = [], {}
    with trial_on(bootstrap, data_dir, output) as trial:
        truth = lay_out_plan(trial, plan, BY_INSTANCE)
        for _ in range(PAIRS):
            trial.broker.delete_own_topics()
            tracked = trial.catch_up(trial.fresh("track"), AGENTS)
            trial.check(truth)
            raw = raw_limit(trial)
            ratios.append(tracked.measured.per_core / raw.measured.per_core)
            figures = tracked.figures("track") | raw.figures("limit")
    ratio = median(ratios)
    if raise_baseline and raised(reached, ratio):
        output.done(f"raised {BASELINE.name} to {ratio:.3f}")
    goals = {RATIO: (">=", SHARE * reached[-1].ratio)} if reached else {}
    figures |= plan_figures(plan, truth) | {"baseline": reached[-1].ratio if reached else 0.0}
    return Report(name="ratchet", figures=figures, ratios={RATIO: ratio}, goals=goals, machine=about)


def read_baseline(file: Path = BASELINE) -> list[Entry]:
    """Give what was reached, the newest last; none without the file. Raises StagewatchError if it does not rise."""
    try:
        entries = msgspec.json.decode(file.read_bytes(), type=list[Entry]) if file.exists() else []
    except msgspec.DecodeError as error:
        raise StagewatchError(f"{file}: {error}") from error
    ratios = [entry.ratio for entry in entries]
    if ratios != sorted(set(ratios)):
        raise StagewatchError(f"{file} may only rise: each entry must be higher than the one before")
    return entries


def raised(reached: list[Entry], ratio: float, file: Path = BASELINE) -> bool:
    """Append an entry if the ratio is higher than the last; whether it was."""
    if reached and ratio <= reached[-1].ratio:
        return False
    entry = Entry(datetime.now(UTC).date().isoformat(), round(ratio, 3))
    file.write_bytes(msgspec.json.format(msgspec.json.encode([*reached, entry]), indent=2) + b"\n")
    return True
