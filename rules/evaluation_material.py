"""What an evaluation reads, and what it finds: the nouns of `rules.evaluation_findings` and `rules.evaluation`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

import msgspec

from rules.evaluation_models import Catalogue
from rules.evaluation_units import Units
from rules.workdays import WorkCalendar
from schemas import AlertEvent, IndicatorValue


class VisitRecord(msgspec.Struct, frozen=True):
    """A visit as it stands in an instance's document (`rules.description`)."""

    stage: str | None = None
    visit: int | None = None
    entered_at: datetime | None = None
    finished_at: datetime | None = None
    suspend_from: datetime | None = None
    suspend_to: datetime | None = None
    dept: str | None = None
    handler: str | None = None


class Dossier(msgspec.Struct, frozen=True):
    """What an evaluation reads of an instance's final document; the rest of it is left out."""

    instance: str
    process: str | None
    status: str
    org_no: str | None = None
    fields: dict[str, object] = {}
    visits: tuple[VisitRecord, ...] = ()


class Finding(NamedTuple):
    """One thing that went wrong, and who answers for it."""

    item: str
    org_no: str
    instance: str
    """Empty: the unit as such."""
    stage: str
    visit: int
    rule: str
    dept: str
    person: str
    late_ms: int
    """How long after the deadline it ended; 0 where there is none."""
    reason: str
    weight: Fraction
    """Its share among those of the same item."""


@dataclass(slots=True)
class Measured:
    """What was found in a period: by item code and unit the sums, by item code the findings."""

    sums: dict[str, dict[str, tuple[Fraction, Fraction]]] = field(default_factory=dict)
    findings: dict[str, list[Finding]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ground:
    """What does not change from period to period: the definitions spoken of, the calendar, and the tree of units."""

    catalogue: Catalogue
    calendar: WorkCalendar
    """Tells local dates, and workdays for mean times."""
    units: Units


@dataclass(frozen=True, slots=True)
class Material:
    """What is evaluated, in any order."""

    values: Sequence[IndicatorValue] = ()
    """Last value per key; those outside the period are passed over."""
    dossiers: Sequence[Dossier] = ()
    alerts: Sequence[AlertEvent] = ()
    """The last event of each alert."""


def last_events(alerts: Iterable[AlertEvent]) -> list[AlertEvent]:
    """Give the last event of each alert; `alerts` in the order in which they happened."""
    return list({alert.alert_id: alert for alert in alerts}.values())
