"""What Prometheus may scrape: names with units, labels from bounded sets.

One object per worker, made by `worker.py`; served from a thread of prometheus-client, so a scrape is
answered while the event loop is busy.
"""

import os
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from schemas import AlertEvent, TryLater
from sinks.store import NotificationRow
from streams.carriers import Carriers

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 0.75, 1, 2.5, 5, 10, 30, 60, 300, 3600)
_LIVE_S = 3600.0
"""Older events are retained history that is being caught up with; their latency says nothing about us."""
_FINAL = {"delivered", "refused", "unknown", "failed", "no_channel", "unroutable", "muted", "cancelled"}

Counts = Mapping[str, int]
OpenAlerts = Mapping[tuple[str, str, str], int]


class _Live(Collector):
    """Gauges worked out when they are asked for: how much state there is."""

    def __init__(self) -> None:
        self.instances: Callable[[], Counts] = dict
        self.open_alerts: Callable[[], OpenAlerts] = dict
        self.outbox: Callable[[], Counts] = dict
        self.silence: Callable[[], Mapping[str, float]] = dict

    def collect(self) -> Iterable[Metric]:
        instances = GaugeMetricFamily("stagewatch_instances", "Process instances in state.", labels=["process"])
        for process, count in self.instances().items():
            instances.add_metric([process], count)
        yield instances
        alerts = GaugeMetricFamily(
            "stagewatch_alerts_open", "Alerts raised, neither cleared nor closed.", labels=["rule", "severity", "org"]
        )
        for labels, count in self.open_alerts().items():
            alerts.add_metric(labels, count)
        yield alerts
        outbox = GaugeMetricFamily("stagewatch_outbox_pending", "Notices not yet sent.", labels=["channel"])
        for channel, count in self.outbox().items():
            outbox.add_metric([channel], count)
        yield outbox
        yield from self._sources()

    def _sources(self) -> Iterable[Metric]:
        """How each source speaks that this worker has heard; several workers hear parts of one."""
        running = GaugeMetricFamily(
            "stagewatch_source_running", "1 while a source speaks within its rhythm, 0 when it is silent (R-D01).",
            labels=["source"],
        )  # fmt: skip
        ratio = GaugeMetricFamily(
            "stagewatch_source_gap_ratio", "Time since a source last spoke, as a share of its longest normal silence.",
            labels=["source"],
        )  # fmt: skip
        for source, share in self.silence().items():
            running.add_metric([source], float(share <= 1))
            ratio.add_metric([source], share)
        yield running
        yield ratio


class Metrics:
    """All metrics of one worker, each in a registry of its own."""

    def __init__(self, *, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.live = _Live()
        registry.register(self.live)
        self.carriers = Carriers()
        registry.register(self.carriers)
        self._server: WSGIServer | None = None
        self._flow(registry)
        self._alerting(registry)
        Gauge("stagewatch_build_info", "Always 1.", ["version"], registry=registry).labels(version).set(1)
        self.last_progress = 0
        self._source_of: Mapping[str, str] = {}
        self._rhythms: Mapping[str, float] = {}
        self._heard: dict[str, float] = {}
        self.live.silence = self._silence

    def _silence(self) -> dict[str, float]:
        now = time.time()
        return {
            source: max(now - at, 0.0) / self._rhythms[source]
            for source, at in list(self._heard.items())
            if source in self._rhythms
        }

    def _flow(self, registry: CollectorRegistry) -> None:
        self._events = Counter("stagewatch_events_total", "Captured records read.", ["topic"], registry=registry)
        self._changes = Counter("stagewatch_changes_total", "Changes understood.", ["entity"], registry=registry)
        self._letters = Counter(
            "stagewatch_dead_letters_total", "Records refused.", ["reason", "source"], registry=registry
        )
        self._dropped = Counter(
            "stagewatch_dropped_total", "What was dropped or passed, and why.", ["reason"], registry=registry
        )
        self._lag = Gauge(
            "stagewatch_source_lag_records", "Captured records not yet read.", ["topic"], registry=registry
        )
        self._last_event = Gauge(
            "stagewatch_source_last_event_timestamp_seconds", "When the newest captured record arrived.", ["topic"],
            registry=registry,
        )  # fmt: skip
        self._unknown_codes = Counter(
            "stagewatch_unknown_codes_total", "Codes that their column's list does not have.", ["topic", "column"],
            registry=registry,
        )  # fmt: skip
        self._transactions = Counter(
            "stagewatch_transactions_total", "Transactions committed.", ["agent"], registry=registry
        )
        self._transaction_s = Histogram(
            "stagewatch_transaction_seconds", "Time to write and commit.", ["agent"], registry=registry,
            buckets=_LATENCY,
        )  # fmt: skip
        self._behind = Gauge(
            "stagewatch_partition_clock_behind_seconds", "Wall clock less the slowest partition's clock.",
            registry=registry,
        )  # fmt: skip

    def _alerting(self, registry: CollectorRegistry) -> None:
        self._raised = Counter(
            "stagewatch_alerts_raised_total", "Alerts raised.", ["rule", "severity", "org"], registry=registry
        )
        self._timer_lag = Histogram(
            "stagewatch_timer_lag_seconds", "How late timers fire.", registry=registry, buckets=_LATENCY
        )
        self._latency = Histogram(
            "stagewatch_alert_latency_seconds", "Arrival of an event to commit of the alert it raised.",
            registry=registry, buckets=_LATENCY,
        )  # fmt: skip
        self._notifications = Counter(
            "stagewatch_notifications_total", "Notices by what became of them.", ["channel", "result"],
            registry=registry,
        )  # fmt: skip
        self._horizon = Gauge(
            "stagewatch_calendar_horizon_days", "Days until the published calendar ends.", registry=registry
        )

    def serve(self, port: int) -> int:
        """Serve `/metrics` on all addresses; give the port that was taken (0 asks for any free one).

        Raises TryLater where the port is another's: who holds it may go.
        """
        try:
            self._server, _ = start_http_server(port, registry=self.registry)
        except OSError as exc:
            what = f"cannot serve /metrics on port {port}: {os.strerror(exc.errno or 0)}"
            raise TryLater(f"{what}; set `metrics_port` to another, or to 0 for any free one") from exc
        return self._server.server_port

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    # -- told by the worker

    def on_captured(self, source_of: Mapping[str, str], rhythms: Mapping[str, float]) -> None:
        """Topics are captured: each with its source, and per source its longest normal silence, seconds."""
        self._source_of, self._rhythms = source_of, rhythms

    # -- told by the agents

    def on_events(self, topic: str, count: int, entities: Tally[str]) -> None:
        """Captured records were read; by entity, those that were understood."""
        self._events.labels(topic).inc(count)
        for entity, number in entities.items():
            self._changes.labels(entity).inc(number)

    def on_last_event(self, topic: str, at: int) -> None:
        """The newest record of a topic that was read arrived at `at` (epoch ms): now, if it is dated ahead."""
        arrived = min(at / 1000, time.time())
        self._last_event.labels(topic).set(arrived)
        source = self._source_of.get(topic, "")
        self._heard[source] = max(arrived, self._heard.get(source, 0.0))

    def on_unknown_codes(self, topic: str, counts: dict[str, int]) -> None:
        """Take over how many codes no list has, by column; the counts begin anew."""
        for column in list(counts):
            self._unknown_codes.labels(topic, column).inc(counts.pop(column))

    def on_dead_letter(self, reason: str, topic: str) -> None:
        """A record of a topic was refused."""
        self._letters.labels(reason, self._source_of.get(topic, "")).inc()

    def on_dropped(self, reason: str, count: int) -> None:
        """Something was dropped or passed."""
        self._dropped.labels(reason).inc(count)

    def on_lag(self, lag: Counts) -> None:
        """Captured records not yet read, by topic."""
        for topic, count in lag.items():
            self._lag.labels(topic).set(count)

    def on_transaction(self, agent: str, seconds: float) -> None:
        """A transaction was committed."""
        self._transactions.labels(agent).inc()
        self._transaction_s.labels(agent).observe(seconds)
        self.last_progress += 1

    def on_alert(self, alert: AlertEvent) -> None:
        """An alert event is visible to others."""
        if alert.event == "raised":
            self._raised.labels(alert.rule, alert.severity, alert.org_no or "").inc()

    def on_alert_latency(self, seconds: float) -> None:
        """An event's alert is visible to others, so long after the event arrived."""
        if seconds < _LIVE_S:
            self._latency.observe(max(seconds, 0.0))

    def on_timer_lag(self, seconds: float) -> None:
        """A timer fired, so long after it was due."""
        if seconds < _LIVE_S:
            self._timer_lag.observe(max(seconds, 0.0))

    def on_notifications(self, rows: Iterable[NotificationRow]) -> None:
        """Notices moved; those that came to an end are counted."""
        for row in rows:
            if row.state in _FINAL:
                self._notifications.labels(row.channel, row.state).inc()

    def on_clock_behind(self, seconds: float) -> None:
        """The slowest partition's clock is so far behind."""
        self._behind.set(max(seconds, 0.0))

    def on_calendar_horizon(self, days: float) -> None:
        """The published calendar ends in so many days."""
        self._horizon.set(days)
