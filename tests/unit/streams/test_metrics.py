"""What a scrape says of sources."""

import json
import logging
import socket
import time
from collections import Counter

import pytest

from schemas import TryLater
from sinks import RoadFigures
from sinks.sms import ChannelState
from streams.log import JsonLines
from streams.metrics import Metrics


def scraped(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_source_runs_while_it_speaks_within_its_rhythm() -> None:
    metrics, now_ms = Metrics(version="0"), int(time.time() * 1000)
    metrics.on_captured({"cdc.a.x": "a", "cdc.a.y": "a", "cdc.b.x": "b"}, {"a": 100.0, "b": 100.0, "c": 100.0})
    metrics.on_last_event("cdc.a.x", now_ms - 500_000)
    metrics.on_last_event("cdc.a.y", now_ms - 50_000)  # a source speaks when one of its tables does
    metrics.on_last_event("cdc.b.x", now_ms - 250_000)
    assert [scraped(metrics, "stagewatch_source_running", source=source) for source in "abc"] == [1.0, 0.0, None]
    share = scraped(metrics, "stagewatch_source_gap_ratio", source="b")
    assert share is not None
    assert 2.5 <= share < 2.6


def test_a_record_dated_in_the_future_came_when_it_was_read() -> None:
    metrics, before = Metrics(version="0"), time.time()
    metrics.on_captured({"cdc.a.x": "a"}, {"a": 100.0})
    metrics.on_last_event("cdc.a.x", int(before * 1000) + 86_400_000)
    said = scraped(metrics, "stagewatch_source_last_event_timestamp_seconds", topic="cdc.a.x")
    assert said is not None
    assert before <= said <= time.time()


def test_dead_letters_are_counted_by_reason_and_source() -> None:
    metrics = Metrics(version="0")
    metrics.on_captured({"cdc.a.x": "a"}, {})
    metrics.on_events("cdc.a.x", 2, Counter())
    metrics.on_dead_letter("not-json", "cdc.a.x")
    assert scraped(metrics, "stagewatch_dead_letters_total", reason="not-json", source="a") == 1.0


def test_carriers_are_counted_by_what_they_made_of_sms_and_nothing_is_shown_without_any() -> None:
    metrics = Metrics(version="0")
    assert scraped(metrics, "stagewatch_sms_up", carrier="mobile") is None
    state = ChannelState(links=1, in_flight=4, window=16, throttled=3)
    figures = RoadFigures(state, {"taken": 7, "unknown": 1}, {"delivered": 6}, 2)
    down = RoadFigures(ChannelState(links=0, in_flight=0), {}, {}, 0)
    metrics.carriers.figures = lambda: {"mobile": figures, "unicom": down}
    found = {
        name: scraped(metrics, f"stagewatch_sms_{name}", carrier="mobile")
        for name in ("up", "window_ratio", "throttled_total", "reports_overdue")
    }
    assert found == {"up": 1, "window_ratio": 0.25, "throttled_total": 3, "reports_overdue": 2}
    assert scraped(metrics, "stagewatch_sms_submitted_total", carrier="mobile", result="taken") == 7
    assert scraped(metrics, "stagewatch_sms_reports_total", carrier="mobile", result="delivered") == 6
    assert scraped(metrics, "stagewatch_sms_up", carrier="unicom") == 0
    assert scraped(metrics, "stagewatch_sms_window_ratio", carrier="unicom") is None


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(TryLater) as caught:
            Metrics(version="0").serve(port)
    assert str(caught.value) == (
        f"cannot serve /metrics on port {port}: Address already in use; "
        "set `metrics_port` to another, or to 0 for any free one"
    )


@pytest.mark.parametrize("is_verbose", [False, True])
def test_an_error_is_logged_with_its_traceback_only_where_that_was_asked_for(is_verbose: bool) -> None:  # noqa: FBT001
    lines = JsonLines()
    lines.is_verbose = is_verbose
    try:
        int("x\ny")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.CRITICAL, "", 0, "broken", (), (type(error), error, error.__traceback__)
        )
    said = json.loads(lines.format(record))["error"]
    assert ("Traceback" in said) is is_verbose
    if not is_verbose:
        assert said.startswith(f"ValueError: invalid literal for int() with base 10: 'x\\ny' (at {__file__}:")
