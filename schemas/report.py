"""What a report mail is to show: an order for an analysis of one unit and one period.

`rules` writes it into a notice when the report's time has come; `sinks` reads the figures and makes the mail of it.
"""

from typing import Literal

import msgspec


class ReportIndicator(msgspec.Struct, frozen=True, gc=False):
    """A column of figures."""

    code: str
    title: str
    unit: str
    """`%`: the value is a share of 1 and shown in hundredths."""
    is_ratio: bool
    """Without a denominator there is no value."""


class ReportUnit(msgspec.Struct, frozen=True, gc=False):
    """A unit that the figures are drilled down to; its number begins those of all units below it."""

    org_no: str
    name: str
    level: int
    """Below the unit that the report is about: 1, 2, ..."""


class ReportOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that the mail rests on besides the figures themselves."""

    report: str
    title: str
    org_no: str
    name: str
    """Of the unit."""
    period: str
    """As people call it: `2026-03-02`, `2026-W10`, `2026-03`, `2026-Q1`."""
    first: str
    last: str
    """Local dates, both included."""
    begin: int
    end: int
    """Epoch ms; `end` does not belong to it."""
    indicators: tuple[ReportIndicator, ...]
    units: tuple[ReportUnit, ...]
    """In the order of the table, each before those below it; may be empty."""
    anomalies: Literal["raised", "open"]
    """Alerts that were raised in the period, or all that stand open when the mail is made."""
    rows: int
    """Most anomalies in the mail itself; the workbook has more."""
    link: str
    """Where the figures can be looked at; may be empty."""

    @property
    def place(self) -> str:
        """Unit and period, as they name a mail and a file."""
        return f"{self.name or self.org_no} {self.period}"
