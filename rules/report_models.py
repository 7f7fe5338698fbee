"""The shape of a report: figures and anomalies of a unit and those below it, told at set times (P24, domain.md 6.4).

Files are `version: report/v1`; read by `rules.loader`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from rules.indicator_models import IndicatorFile
from rules.rule_base import Model
from rules.threshold_models import Execution
from schemas import Fault, Places


class ReportTest(Model):
    """One example of when it leaves, run by `stagewatch rules test`."""

    name: str = Field(description="The fact that the example shows.")
    after: AwareDatetime = Field(description="The first time after this one.")
    leaves: AwareDatetime = Field(description="When it must leave, with zone.")
    period: str = Field(description="What it must be about: `2026-W10`.")


class ReportFile(Model):
    """One analysis that people with certain roles get by mail, each about the unit in which they have the role."""

    version: Literal["report/v1"]
    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(description="What the mail is called; a name for people.", min_length=1)
    execution: Execution = Field(
        default=Execution(frequency="monthly", at="08:00"),
        description="when it leaves; it is about the last period that is over, by the hour about the day so far",
    )
    roles: list[str] = Field(min_length=1, description="roles in the table of stakeholders: all who have one get it")
    channel: Literal["mail", "sms"] = Field(
        default="mail", description="sms: one short message with the figures of the unit, held by quiet hours"
    )
    units: list[str] = Field(default=[], description="only about these units; none: wherever somebody has the role")
    indicators: list[str] = Field(
        default=[], max_length=12, description="columns of the tables; the first is drawn. None: anomalies alone"
    )  # fmt: skip
    depth: int = Field(default=1, ge=0, le=3, description="levels of units below its own that it is drilled down to")
    anomalies: Literal["raised", "open"] = Field(
        default="raised", description="raised: those of the period; open: all that stand when the mail is made"
    )
    rows: int = Field(default=50, ge=0, le=500, description="most anomalies in the mail; the workbook has up to 5000")
    link: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="page with the same figures; {org_no} is filled in"
    )
    tests: list[ReportTest] = Field(default=[], description="Examples, run by `stagewatch rules test`.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.execution.frequency == "realtime":
            raise ValueError("a report leaves at set times: its frequency is hourly, daily, weekly, monthly, quarterly")
        return self


def report_faults(files: Sequence[tuple[BaseModel, Places]], broken: Collection[str]) -> Iterator[Fault]:
    """Give the columns of reports that no indicator fills."""
    if "indicators/v1" in broken:
        return
    known = {each.code for model, _ in files if isinstance(model, IndicatorFile) for each in model.indicators}
    for model, places in files:
        for number, code in enumerate(model.indicators if isinstance(model, ReportFile) else ()):
            if code not in known:
                said = f"no indicator {code!r}; known are {', '.join(sorted(known))}"
                yield places.fault(("indicators", number), said)
