"""The load of S2-13 as captured records, and what must come of it, counted while it is made.

No engine of ours takes part: the truth is what was generated.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from schemas import Recorded

PARTITIONS = 4
READINGS, METERS = "cdc.ami.meter_task", "cdc.ami.meter"
STOPS, RESTORES = "cdc.srs.stop_order", "cdc.srs.restore_order"
MANAGERS = "cdc.mkt.tg_manager"
TOPICS = (READINGS, METERS, STOPS, RESTORES, MANAGERS)
BUREAUS = [f"23{number:02d}" for number in range(1, 15)]
"""Fourteen power bureaus (S2)."""
DISTRICTS = 2_000
CONNECTED_SHARE = 0.81
"""Of the meters: 79 of 98 supply bureaus were fully covered."""
SLOW_SHARE = 0.25
"""Restores that are heard of after their five minutes."""
_STOP_STEPS = ("ordered_at", "noticed_at", "checked_at", "sent_at", "acked_at", "recorded_at")
_RESTORE_STEPS = ("settled_at", "ordered_at", "sent_at", "closed_at", "told_customer_at", "told_reader_at")
_HOUR_MS, _SLOW_MS = 3_600_000, 310_000
_SHANGHAI = ZoneInfo("Asia/Shanghai")

Key = tuple[str, str, str]
"""Indicator, unit, local date."""


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def local_date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, _SHANGHAI).date().isoformat()


class Load:
    """Makes records, numbered through, and keeps count of what they say."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.counts: Counter[Key] = Counter()
        """What each indicator must be."""
        self.missing: dict[str, int] = {}
        """Readings that must be told to somebody, by task, with the time that their record is due to be sent."""
        self.slow: dict[str, int] = {}
        """Restores that must raise WARN on arrival, likewise."""
        self._serial = 0

    def managers(self, at: int) -> Iterator[Recorded]:
        """One for each district, told by SMS."""
        for number in range(DISTRICTS):
            row = {"tg_no": f"D{number}", "mgr_no": f"M{number}", "mobile": f"138{number:08d}", "sup_method": "sms"}
            yield self._record(MANAGERS, at, row, "tg_no")

    def meters(self, count: int, at: int) -> Iterator[Recorded]:
        """Meters of which most are connected."""
        for number in range(count):
            is_connected = self.rng.random() < CONNECTED_SHARE
            row = {"meter_no": f"E{number}", "org_no": self._bureau(number), "installed_at": iso(at - _HOUR_MS)}
            self._count("I214D", row, at - _HOUR_MS)
            if is_connected:
                row["connected_at"] = iso(at - 1)
                self._count("I214", row, at - 1)
            yield self._record(METERS, at, row, "meter_no")

    def readings(self, times: Iterable[int], *, missing_share: float) -> Iterator[Recorded]:
        """One reading at each time; some are missed, an hour after they were planned."""
        for at in times:
            number = self._serial
            row: dict[str, Any] = {
                "task_no": f"R{number}", "meter_no": f"E{number}", "org_no": self._bureau(number),
                "tg_no": f"D{number % DISTRICTS}", "planned_at": iso(at - _HOUR_MS), "arrived_at": None,
            }  # fmt: skip
            self._count("I213D", row, at - _HOUR_MS)
            if self.rng.random() < missing_share:
                self.missing[row["task_no"]] = at
            else:
                row["arrived_at"] = iso(at)
                self._count("I213", row, at)
            yield self._record(READINGS, at, row, "task_no")

    def orders(self, times: Iterable[int]) -> Iterator[Recorded]:
        """Stop and restore orders in turns, a step of one at each time."""
        steps: Iterator[Recorded] = iter(())
        number, pending = 0, iter(times)
        for at in pending:
            found = next(steps, None)
            if found is None:
                steps = self._order(number, at)
                number += 1
                found = next(steps)
            yield self._moved(found, at)

    def _order(self, number: int, at: int) -> Iterator[Recorded]:
        is_stop = number % 2 == 0
        topic, steps = (STOPS, _STOP_STEPS) if is_stop else (RESTORES, _RESTORE_STEPS)
        name = f"{'S' if is_stop else 'T'}{self._serial}"
        row: dict[str, Any] = {"order_no": name, "org_no": self._bureau(number), "tg_no": f"D{number % DISTRICTS}"}
        begun = at
        if not is_stop and self.rng.random() < SLOW_SHARE:
            begun = at - _SLOW_MS
            self.slow[name] = at
        for step in steps:
            row[step] = iso(begun)
            if step in ("acked_at", "closed_at"):
                self._count("I207" if is_stop else "I208", row, begun)
            yield self._record(topic, at, row, "order_no")
            begun += 1

    def _moved(self, record: Recorded, at: int) -> Recorded:
        return Recorded(record.topic, record.partition, 0, at, record.key, record.value, {})

    def _bureau(self, number: int) -> str:
        return BUREAUS[number % len(BUREAUS)]

    def _count(self, code: str, row: dict[str, Any], at: int) -> None:
        self.counts[code, row["org_no"], local_date(at)] += 1

    def _record(self, topic: str, at: int, row: dict[str, Any], key_name: str) -> Recorded:
        self._serial += 1
        key = json.dumps({key_name: row[key_name]}).encode()
        value = {"before": None, "after": row, "source": {"lsn": self._serial}, "op": "u", "ts_ms": at}
        return Recorded(topic, crc32(key) % PARTITIONS, 0, at, key, json.dumps(value).encode(), {})


def every(rate: int, seconds: int, start: int) -> Iterator[int]:
    """Times, epoch ms: so many a second, evenly."""
    return (start + number * 1000 // rate for number in range(rate * seconds))
