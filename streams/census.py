"""How much state a worker holds, counted when somebody asks: instances, open alerts, notices not sent.

Called from the thread that answers scrapes while the event loop goes on: what changes during the count is counted
as it was.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from rules import InstanceSummary, Partition, rung_parts
from sinks import OPEN_STATES, Outbox, State

KEPT_S = 5.0
"""A count of a million instances takes half a second; nobody needs it more often than this."""


class Census:
    """Counts what the partitions of one worker hold."""

    def __init__(self, partitions: Callable[[], Iterable[Partition]], outboxes: Callable[[], Iterable[Outbox]]) -> None:
        self._partitions, self._outboxes = partitions, outboxes
        self._counted_at = 0.0
        self._instances: Counter[str] = Counter()
        self._alerts: Counter[tuple[str, str, str]] = Counter()

    def instances(self) -> Mapping[str, int]:
        """Instances by process; "" for those whose own row has not come yet."""
        self._count()
        return self._instances

    def open_alerts(self) -> Mapping[tuple[str, str, str], int]:
        """Open alerts by rule, severity and unit."""
        self._count()
        return self._alerts

    def pending(self) -> Mapping[str, int]:
        """Notices not sent yet, by channel; what is held on purpose waits for nothing of ours."""
        found: Counter[str] = Counter()
        for outbox in self._outboxes():
            found.update(row.channel for row in outbox.notifications() if row.state in OPEN_STATES - {State.HELD})
        return found

    def _count(self) -> None:
        if time.monotonic() - self._counted_at < KEPT_S:
            return
        instances, alerts = Counter[str](), Counter[tuple[str, str, str]]()
        for partition in self._partitions():
            for summary in partition.instances.summaries():
                instances[summary.process or ""] += 1
                if summary.raised and (found := _open_alerts(summary)):
                    main = partition.instances[summary.key].main
                    org = str(main.fields.get("org_no") or "") if main else ""
                    alerts.update((code, severity, org) for code, severity in found)
        self._instances, self._alerts, self._counted_at = instances, alerts, time.monotonic()


def _open_alerts(summary: InstanceSummary) -> list[tuple[str, str]]:
    return [
        (code.partition("@")[0], rung_parts(key)[3])
        for code, rungs in (summary.raised or {}).items()
        for key, raised in rungs.items()
        if raised.is_open
    ]
