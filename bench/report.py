"""What a benchmark has to say: figures beside their goals, for people and as the last line of JSON."""

import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from stagewatch import Output, Value

Goal = tuple[str, float]
"""`>=` or `<=`, and the figure to reach."""
_REACHES: dict[str, Callable[[float, float], bool]] = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b}


class Report(msgspec.Struct, kw_only=True):
    """One run of one benchmark."""

    name: str
    figures: dict[str, float]
    """By name; the unit is the end of the name (`_ms`, `_per_second`)."""
    goals: dict[str, Goal]
    """By the name of a figure or ratio; one without a figure is not met."""
    ratios: dict[str, float] = msgspec.field(default_factory=dict)
    machine: Mapping[str, Value] = msgspec.field(default_factory=dict)

    def is_met(self, name: str) -> bool:
        """Whether a goal is reached."""
        sign, wanted = self.goals[name]
        found = self.figures.get(name, self.ratios.get(name))
        return found is not None and _REACHES[sign](found, wanted)

    @property
    def met(self) -> bool:
        """Whether all goals are."""
        return all(map(self.is_met, self.goals))

    def show(self, output: Output) -> None:
        """Print it: with `-o json` one object, the last line; else a table."""
        if output.is_json:
            output.line_of_json({
                "name": self.name,
                "figures": {name: _rounded(value) for name, value in self.figures.items()},
                "ratios": {name: _rounded(value) for name, value in self.ratios.items()},
                "goals": {name: f"{sign} {_rounded(wanted)}" for name, (sign, wanted) in self.goals.items()},
                "met": self.met,
                "machine": self.machine,
            })  # fmt: skip
            return
        rows = [
            [name, f"{_rounded(value):,}", *self._goal(name)] for name, value in (self.figures | self.ratios).items()
        ]
        output.table(["figure", "value", "goal", "met"], rows)
        output.say(", ".join(f"{name} {value}" for name, value in self.machine.items()))

    def _goal(self, name: str) -> tuple[str, str]:
        if name not in self.goals:
            return "", ""
        sign, wanted = self.goals[name]
        return f"{sign} {_rounded(wanted):,}", "yes" if self.is_met(name) else "no"


def machine() -> dict[str, Value]:
    """What the figures were taken on, and what else it was doing: `load_1m` is that before the run."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "memory_gb": _gigabytes(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_1m": round(os.getloadavg()[0], 2),
    }


def _gigabytes() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1)


def _first(path: str, name: str) -> str | None:
    file = Path(path)
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _rounded(value: float) -> float:
    """Three digits are more than a shared machine can promise; whole numbers above a thousand."""
    return round(value) if abs(value) >= 1000 else round(value, 3)  # noqa: PLR2004 - as said
