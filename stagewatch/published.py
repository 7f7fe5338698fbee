"""What the workers wrote about an instance or an alert into their own topics. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from schemas import AlertEvent, BadInput, Notice, decode_alert, decode_notice
from stagewatch.topic_reader import read_topic

ALERTS, NOTICES = "stagewatch.alerts", "stagewatch.notices"


class PublishedAlert(NamedTuple):
    """One alert event as it stands in its topic."""

    event: AlertEvent
    at: int
    """The record's timestamp, epoch ms."""
    partition: int
    offset: int


def published_alerts(
    bootstrap: str, *, instance: str | None = None, alert_id: str | None = None
) -> list[PublishedAlert]:
    """Give the alert events of an instance, or of an alert, in the order in which they were written."""
    found = []
    for record in read_topic(bootstrap, ALERTS):
        value = record.value or b""
        if any(
            wanted is not None and wanted.isascii() and wanted.encode() not in value for wanted in (instance, alert_id)
        ):
            continue
        try:
            event = decode_alert(value)
        except BadInput:  # anyone can write there
            continue
        if instance in (None, event.instance) and alert_id in (None, event.alert_id):
            found.append(PublishedAlert(event, record.timestamp, record.partition, record.offset))
    return found


def published_notices(bootstrap: str, instance: str) -> Iterator[Notice]:
    """Give the notices about an instance: what the outbox was told to send."""
    for record in read_topic(bootstrap, NOTICES):
        value = record.value or b""
        if instance.isascii() and instance.encode() not in value:
            continue
        try:
            notice = decode_notice(value)
        except BadInput:
            continue
        if notice.instance == instance:
            yield notice
