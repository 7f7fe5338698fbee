"""How each carrier is doing, for Prometheus: worked out when it is asked for."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sinks import RoadFigures, Sink, SmsRoutes


class Carriers(Collector):
    """One for a worker; without accounts at carriers its families are empty."""

    def __init__(self) -> None:
        self.figures: Callable[[], Mapping[str, RoadFigures]] = dict

    def follow(self, sink: Sink | None) -> None:
        """Show the carriers of a sink, if it sends over any."""
        if isinstance(sink, SmsRoutes):
            self.figures = sink.figures

    def collect(self) -> Iterable[Metric]:
        """Give all families."""
        figures = self.figures()
        yield from self._counted(figures)
        yield from self._standing(figures)

    def _counted(self, figures: Mapping[str, RoadFigures]) -> Iterable[Metric]:
        sent = CounterMetricFamily(
            "stagewatch_sms_submitted", "SMS handed to a carrier, by what it made of them.",
            labels=["carrier", "result"],
        )  # fmt: skip
        reported = CounterMetricFamily(
            "stagewatch_sms_reports", "Delivery reports of a carrier.", labels=["carrier", "result"]
        )
        throttled = CounterMetricFamily(
            "stagewatch_sms_throttled", "Answers of a carrier that it has no room now.", labels=["carrier"]
        )
        for carrier, each in figures.items():
            for result, count in each.submitted.items():
                sent.add_metric([carrier, result], count)
            for result, count in each.reported.items():
                reported.add_metric([carrier, result], count)
            throttled.add_metric([carrier], each.state.throttled)
        return sent, reported, throttled

    def _standing(self, figures: Mapping[str, RoadFigures]) -> Iterable[Metric]:
        up = GaugeMetricFamily("stagewatch_sms_up", "1 while SMS may leave over a carrier.", labels=["carrier"])
        window = GaugeMetricFamily(
            "stagewatch_sms_window_ratio", "Share of a carrier's window that waits for answers.", labels=["carrier"]
        )
        overdue = GaugeMetricFamily(
            "stagewatch_sms_reports_overdue", "SMS that left over an hour ago and were not reported on.",
            labels=["carrier"],
        )  # fmt: skip
        for carrier, each in figures.items():
            up.add_metric([carrier], float(each.state.is_up))
            if each.state.window:
                window.add_metric([carrier], each.state.in_flight / each.state.window)
            overdue.add_metric([carrier], each.overdue)
        return up, window, overdue
