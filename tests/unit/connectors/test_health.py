"""What is concluded about a source from what the broker knows: running, silent, stopped; and its usual rhythm."""

from dataclasses import replace

import pytest

from connectors import SourceHealth, State, TopicFlow, late_limit_ms, short_span, source_health
from connectors.source_models import SourceModel

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_772_413_200_000
TABLES = {"x_a": "cdc.x.x_a", "x_b": "cdc.x.x_b"}


def model(quiet_after: str | None = None, of_a: str | None = None) -> SourceModel:
    table = {"entity": "thing", "key": ["id"], "columns": {"id": "text"}}
    a = {**table, "quiet_after": of_a} if of_a else table
    return SourceModel.model_validate(
        {"version": "source/v1", "source": "x", "quiet_after": quiet_after, "tables": {"x_a": a, "x_b": table}}
    )


def flow(silent_ms: int | None, *, gap: int = MINUTE, gaps: int = 30, unread: int | None = 0) -> TopicFlow:
    last = None if silent_ms is None else NOW - silent_ms
    return TopicFlow(records=0 if last is None else 100, unread=unread, last_at=last, gaps=(gap,) * gaps)


def health(flows: dict[str, TopicFlow], source: SourceModel | None = None, *connectors: str) -> SourceHealth:
    return source_health(source or model("1h"), TABLES, flows, now=NOW, connectors=connectors)


@pytest.mark.parametrize(("silent_ms", "state"), [(HOUR, State.RUNNING), (HOUR + 1, State.SILENT)])
def test_source_is_silent_beyond_its_declared_gap_and_not_before(silent_ms: int, state: State) -> None:
    assert health({"cdc.x.x_a": flow(silent_ms)}).state == state


def test_one_speaking_table_is_enough_for_a_source() -> None:
    found = health({"cdc.x.x_a": flow(9 * HOUR), "cdc.x.x_b": flow(MINUTE)})
    assert (found.state, found.last_at) == (State.RUNNING, NOW - MINUTE)


def test_table_is_judged_by_a_limit_of_its_own_only() -> None:
    flows = {"cdc.x.x_a": flow(2 * HOUR), "cdc.x.x_b": flow(30 * MINUTE)}
    found = health(flows, model("1h", of_a="1h"))
    assert [(table.table, table.state) for table in found.tables] == [("x_a", State.SILENT), ("x_b", State.RUNNING)]
    assert (found.state, found.why) == (State.RUNNING, "R-D01: x_a silent")


@pytest.mark.parametrize(
    ("gap", "silent_ms", "state"),
    [
        (10 * MINUTE, 30 * MINUTE, State.RUNNING),
        (10 * MINUTE, 31 * MINUTE, State.SILENT),
        (1, 14 * MINUTE, State.RUNNING),  # a burst is no rhythm
        (1, 16 * MINUTE, State.SILENT),
    ],
)
def test_without_a_declared_gap_three_times_the_longest_that_was_seen_counts(
    gap: int, silent_ms: int, state: State
) -> None:
    assert health({"cdc.x.x_a": flow(silent_ms, gap=gap)}, model()).state == state


def test_few_records_make_no_rhythm() -> None:
    found = health({"cdc.x.x_a": flow(999 * HOUR, gaps=5)}, model())
    assert (found.state, found.limit_ms, found.usual_gap_ms) == (State.RUNNING, None, None)


def test_source_whose_connector_does_not_run_is_stopped_at_once() -> None:
    found = health({"cdc.x.x_a": flow(0)}, None, "connector x: STOPPED, no tasks")
    assert (found.state, found.why) == (State.STOPPED, "connector x: STOPPED, no tasks")


def test_source_without_topics_is_absent_and_without_records_empty() -> None:
    assert health({}).state == State.ABSENT
    assert health({"cdc.x.x_a": flow(None)}).state == State.EMPTY


def test_counts_of_the_tables_add_up() -> None:
    found = health({"cdc.x.x_a": flow(0, unread=3), "cdc.x.x_b": flow(0, unread=None)})
    assert (found.records, found.unread, [table.unread for table in found.tables]) == (200, 3, [3, None])


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, ""), (0, "0s"), (59_999, "59s"), (12 * MINUTE, "12m"), (16 * HOUR, "16h"), (76 * HOUR, "3d 4h")],
)
def test_span_for_people(ms: int | None, text: str) -> None:
    assert short_span(ms) == text


@pytest.mark.parametrize(
    ("of_source", "of_table", "limit"),
    [({}, {}, DAY), ({"late_after": "2h"}, {}, 2 * HOUR), ({"late_after": "2h"}, {"late_after": "off"}, None),
     ({"late_after": "off"}, {"late_after": "3h"}, 3 * HOUR), ({"late_after": "off"}, {}, None)],
)  # fmt: skip
def test_a_tables_allowed_lateness_is_its_own_or_its_sources_or_a_day(
    of_source: dict[str, str], of_table: dict[str, str], limit: int | None
) -> None:
    said = {"entity": "thing", "key": ["id"], "columns": {"id": "text"}, **of_table}
    source = {"version": "source/v1", "source": "x", "tables": {"X_A": said}, **of_source}
    assert late_limit_ms(SourceModel.model_validate(source), "x_a") == limit


def test_a_record_dated_in_the_future_keeps_nothing_running() -> None:
    found = health({"cdc.x.x_a": flow(-70 * 365 * DAY), "cdc.x.x_b": flow(2 * HOUR)})
    assert (found.state, found.last_at) == (State.SILENT, NOW - 2 * HOUR)
    assert found.why == "R-D01: nothing for 2h"


def test_where_every_record_is_dated_in_the_future_nothing_shows_that_a_source_speaks() -> None:
    ahead = replace(flow(-2 * HOUR), ahead=50)
    found = health({"cdc.x.x_a": ahead})
    assert (found.state, found.last_at) == (State.SILENT, None)
    assert found.why.startswith("R-D01: x_a silent; x_a: records dated in the future")


def test_a_clock_that_is_a_little_ahead_tells_of_now_at_the_latest() -> None:
    found = health({"cdc.x.x_a": flow(-5 * MINUTE)})
    assert (found.state, found.last_at, found.tables[0].last_at) == (State.RUNNING, NOW, NOW)


@pytest.mark.parametrize("ahead_ms", [5 * MINUTE + 1, 50 * MINUTE])
def test_a_record_dated_some_minutes_ahead_keeps_nothing_running_either(ahead_ms: int) -> None:
    found = health({"cdc.x.x_a": flow(-ahead_ms), "cdc.x.x_b": flow(2 * HOUR)})
    assert (found.state, found.last_at) == (State.SILENT, NOW - 2 * HOUR)
