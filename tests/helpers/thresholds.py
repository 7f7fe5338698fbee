"""A judge of thresholds with nothing around it: differences in, alerts out."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from rules import (
    SHIPPED,
    Definitions,
    DefinitionSet,
    Reference,
    ThresholdJudge,
    Totals,
    compiled,
    read_definitions,
    with_files,
)
from schemas import AlertEvent, Change, IndicatorDelta, Number, epoch_ms

DIMS = '{"process":"hv_connection"}'
RULE = """\
version: rules/v1
id: trial
rules:
  - code: X-TRIAL
    title: 试
    kind: indicator
    processes: [hv_connection, line_loss]
    execution: EXECUTION
    thresholds: THRESHOLDS
    tell: [unit_supervisor]
    text: indicator_breach
"""


@lru_cache
def _shipped() -> DefinitionSet:
    return read_definitions([SHIPPED])


def ms(text: str) -> int:
    """Read a local time of the year 2026 (`03-02T09:00`), or one with its year."""
    return epoch_ms(f"{text if text[4] == '-' else f'2026-{text}'}+08:00")


def definitions(folder: Path, thresholds: str, execution: str = "{frequency: realtime}", **files: str) -> Definitions:
    """Give the shipped definitions with one rule of kind `indicator`, and more files by name."""
    text = RULE.replace("EXECUTION", execution).replace("THRESHOLDS", thresholds)
    for name, content in {"trial": text, **files}.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    loaded = with_files(_shipped(), [folder])
    assert not loaded.faults, "\n".join(map(str, loaded.faults))
    return compiled(loaded)


def delta(
    code: str, numerator: Number, denominator: Number = 0, *, at: str, date: str = "", org: str = "3340101",
    dims: str = DIMS,
) -> IndicatorDelta:  # fmt: skip
    return IndicatorDelta(code, org, date, dims, numerator, denominator, ms(at))


class Court:
    """One judge, its totals, and all that it said."""

    def __init__(self, rules: Definitions, reference: Reference | None = None) -> None:
        self.reference = reference or Reference(frozenset({"org", "stakeholder", "tg_manager", "customer_manager"}))
        self.rules = rules
        self.totals = Totals()
        self.judge = ThresholdJudge(rules, self.reference, self.totals)
        self.alerts: list[AlertEvent] = []
        self.kept: dict[str, bytes] = {}

    def take(self, deltas: Iterable[IndicatorDelta]) -> None:
        for each in deltas:
            self.judge.note(self.totals.add(each), each)

    def until(self, at: str | int) -> None:
        """Let the clock run; keep what a changelog would."""
        self.judge.advance(ms(at) if isinstance(at, str) else at)
        self.alerts += self.judge.take_alerts()[0]
        for key, data in self.judge.take_rows():
            self.kept.pop(key, None)
            if data is not None:
                self.kept[key] = data

    def recovered(self) -> "Court":
        """Give another owner that goes on where this one stopped."""
        other = Court(self.rules, self.reference)
        other.totals.rows = self.totals.rows
        other.judge.use(self.rules)
        other.judge.load(self.kept, self.judge.clock)
        assert len(other.judge) == len(self.kept)
        other.alerts, other.kept = list(self.alerts), dict(self.kept)
        return other

    @property
    def said(self) -> list[tuple[str, str, str]]:
        """Event, instance and item of all alerts, in order."""
        return [(a.event, a.instance, a.text.partition("：")[2]) for a in self.alerts]

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(a.event, a.instance) for a in self.alerts]


def unit(org_no: str, parent: str | None) -> Change:
    """Give a row of the units' table."""
    fields = {"org_no": org_no, "parent_org_no": parent}
    return Change("org", "", org_no, "c", 1, 1, "ymd_org", 0, int(org_no), fields)  # type: ignore[arg-type]
