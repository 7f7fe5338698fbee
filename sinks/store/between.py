"""What a report asks the store: the figures of some dates, and the anomalies of a span, of a unit and all below it.

Numbers of lower units begin with the upper one's, so a unit with those below it is a prefix.
"""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, select

from schemas.alert import AlertEvent
from schemas.indicator import IndicatorValue
from schemas.report import ReportOrder
from sinks.store import tables

_OPEN = ("raised", "reopened", "escalated", "acknowledged")
_events = msgspec.json.Decoder(AlertEvent)
_values = msgspec.json.Decoder(IndicatorValue)


def read_figures(connection: Connection, order: ReportOrder) -> Iterator[IndicatorValue]:
    """Give the values of a report's indicators: those of its dates, and what stands now and has no date."""
    columns = tables.indicators.c
    question = select(columns.document).where(
        columns.indicator.in_([each.code for each in order.indicators]),
        columns.org_no.startswith(order.org_no, autoescape=True),
        columns.date.between(order.first, order.last) | (columns.date == ""),
    )
    for (document,) in connection.execute(question):
        yield _values.decode(document)


def read_places(connection: Connection, order: ReportOrder) -> Sequence[tuple[str, int]]:
    """Give unit and time (epoch ms) of every anomaly of a report: it may have more than anybody lists."""
    columns = tables.alerts.c
    found = connection.execute(select(columns.org_no, columns.raised_at).where(_is_anomaly(order)))
    return [(org_no, raised_at) for org_no, raised_at in found]


def read_anomalies(connection: Connection, order: ReportOrder, limit: int) -> list[AlertEvent]:
    """Give the last events of a report's anomalies, the last raised first."""
    columns = tables.alerts.c
    question = select(columns.document).where(_is_anomaly(order)).order_by(columns.raised_at.desc(), columns.alert_id)
    return [_events.decode(document) for (document,) in connection.execute(question.limit(limit))]


def _is_anomaly(order: ReportOrder) -> ColumnElement[bool]:
    columns = tables.alerts.c
    when = (
        columns.state.in_(_OPEN)
        if order.anomalies == "open"
        else and_(columns.raised_at >= order.begin, columns.raised_at < order.end)
    )
    return and_(columns.org_no.startswith(order.org_no, autoescape=True), columns.severity != "INFO", when)
