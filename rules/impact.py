"""What a changed set would mean right now: taken up by a copy of what partitions hold, and nothing written.

Used by `stagewatch rules diff` and `apply`. The same code that a worker runs when a set comes into effect, so what it
says is what happens, as of the clocks that it finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.compiler import Definitions
from rules.engine.engine import Engine
from rules.engine.instances import Instances
from rules.engine.partition import Partition, Step
from rules.state import Instance
from rules.threshold_judge import ThresholdJudge
from schemas import AlertEvent, Notice

EXAMPLES = 5
"""Of each rule and kind: enough to see what it is about."""


class Example(NamedTuple):
    """One instance that a change touches."""

    what: str
    """`raised`, `spared`, `earlier` or `later`."""
    rule: str
    severity: str
    instance: str
    due_at: int | None


@dataclass(slots=True)
class Impact:
    """What would come of a change at once."""

    running: int = 0
    touched: int = 0
    """Running instances about which anything is raised, cleared, or falls due at another time."""
    raised: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By rule and severity."""
    spared: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Alerts that are open and would be cleared."""
    earlier: int = 0
    """Deadlines ahead that would be sooner, of a stage or of the whole."""
    later: int = 0
    """Deadlines ahead that would come later, or not at all."""
    messages: int = 0
    """Messages to people, what one gets being one."""
    examples: list[Example] = field(default_factory=list)


def measure(impact: Impact, before: Engine, after: Engine, partition: Partition) -> None:
    """Add what the change means for one partition, whose state is changed by it and must not be used again."""
    old = Instances()
    old.rows = dict(partition.instances.rows)
    step = Step()
    after.take_up(partition, before)
    while after.carry_on(partition, step, limit=1 << 30):
        pass
    touched = {alert.instance for alert in step.alerts}
    for key, was in old.items():
        if was.over_at is not None or was.process is None:
            continue
        impact.running += 1
        if key in step.rows and _moved(impact, was, partition.instances[key]):
            touched.add(key)
    impact.touched += len(touched)
    _tell(impact, step.alerts, step.notices)


def measure_values(impact: Impact, judge: ThresholdJudge, after: Definitions) -> None:
    """Add what the change means for the values of one owner, which must not be used again."""
    judge.go_over(after)
    _tell(impact, *judge.take_alerts())


def _tell(impact: Impact, alerts: Sequence[AlertEvent], notices: Sequence[Notice]) -> None:
    impact.messages += len({(notice.recipient.no, notice.channel) for notice in notices})
    shown: Counter[tuple[str, str]] = Counter()
    for alert in alerts:
        what = "raised" if alert.event in {"raised", "reopened"} else "spared"
        (impact.raised if what == "raised" else impact.spared)[alert.rule, alert.severity] += 1
        shown[what, alert.rule] += 1
        if shown[what, alert.rule] <= EXAMPLES:
            impact.examples.append(Example(what, alert.rule, alert.severity, alert.instance, alert.due_at))


def _moved(impact: Impact, was: Instance, now: Instance) -> bool:
    """Count the times at which something falls due next that are not as they were."""
    dues = [(was.due, now.due), *((a.due, b.due) for a, b in zip(was.visits, now.visits, strict=True))]
    earlier = sum(after is not None and (before is None or after < before) for before, after in dues)
    later = sum(before is not None and (after is None or after > before) for before, after in dues)
    impact.earlier += earlier
    impact.later += later
    return bool(earlier or later)
