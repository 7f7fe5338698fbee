"""Days that are over, for tests on a real worker: records that carry the times at which they came."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from kafka import KafkaProducer

from schemas import AlertEvent, IndicatorValue, decode_alert, decode_indicator
from tests.helpers.capture import committed_values

ZONE = ZoneInfo("Asia/Shanghai")
PATIENCE_S = 90.0
"""A laden machine is slow; alone it takes some seconds."""


def at(day: date, clock: str) -> int:
    """Give a local time of a day, epoch ms."""
    return round(datetime.fromisoformat(f"{day.isoformat()}T{clock}").replace(tzinfo=ZONE).timestamp() * 1000)


def today() -> date:
    """Give the local date."""
    return datetime.now(ZONE).date()


def days_ago(days: int) -> date:
    return today() - timedelta(days=days)


class Past:
    """Writes rows as Debezium does, each with the time at which it came."""

    def __init__(self, bootstrap: str) -> None:
        self._producer: Any = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
        self._position = 0

    def row(self, topic: str, row: dict[str, Any], came: int | None = None) -> None:
        """Write the row as it is after a change; the key is its first column. `came` None: now."""
        self._position += 1
        envelope = {"op": "c", "before": None, "after": row, "source": {"lsn": self._position}, "ts_ms": 1}
        name = next(iter(row))
        key = json.dumps({name: row[name]}).encode()
        self._producer.send(topic, key=key, value=json.dumps(envelope).encode(), timestamp_ms=came)

    def rows(self, topic: str, rows: Sequence[dict[str, Any]], came: int | None = None) -> None:
        for row in rows:
            self.row(topic, row, came)

    def flush(self) -> None:
        self._producer.flush()

    def close(self) -> None:
        self._producer.close()


def alerts_of(bootstrap: str, *rules: str) -> list[AlertEvent]:
    """Give the alert events of some rules that a read-committed reader sees."""
    found = [decode_alert(value) for value in committed_values(bootstrap, "stagewatch.alerts")]
    return [alert for alert in found if alert.rule in rules]


def values_of(bootstrap: str) -> dict[tuple[str, str, str], IndicatorValue]:
    """Give the last value of each indicator by code, date and the thing (or the unit) that it is of."""
    found: dict[tuple[str, str, str], IndicatorValue] = {}
    for data in committed_values(bootstrap, "stagewatch.indicators"):
        value = decode_indicator(data)
        things = [name for dim, name in value.dims.items() if dim != "process"]
        found[value.indicator, value.date, things[0] if things else value.org_no] = value
    return found


def wait_for(what: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.3)
