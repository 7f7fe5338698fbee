"""How the benchmarks' records are keyed, and what of it the worker is told."""

from pathlib import Path

import pytest

from bench.captured_keys import keyed_sources, with_key
from bench.connector import BY_INSTANCE, BY_ROW, TABLES, Connector, Layout
from bench.rows import Happening, ListItem
from bench.standing import DEADLINES_EACH, QUIET_AGE_MS, RULE, WARNS_AFTER_MS, quiet, standing
from connectors import load_sources
from schemas import StagewatchError
from stagewatch.cli_replay import load_everything
from stagewatch.replay import Replay
from stagewatch.settings import load_settings

NOW = 1_780_000_000_000
DAY_MS = 86_400_000


def test_the_tables_of_instances_are_declared_as_keyed_and_no_others(tmp_path: Path) -> None:
    catalog = load_sources([keyed_sources(tmp_path)])
    keyed = {mapping.topic for mapping in catalog.mappings if mapping.message_key == "json"}
    assert keyed == BY_INSTANCE.direct
    assert catalog.topics == load_sources([keyed_sources(tmp_path)]).topics


def test_a_table_that_is_not_declared_as_expected_is_told() -> None:
    with pytest.raises(StagewatchError, match="do not declare mkt_app "):
        with_key("tables:\n  mkt_app_progress:\n    key: [x]\n", "mkt_app")


def test_keyed_by_the_instance_all_its_topics_are_spread_alike() -> None:
    layout = Layout(is_keyed=True, spread=64)
    assert {layout.partitions[topic] for topic in layout.direct} == {64}
    assert BY_ROW.direct == frozenset()


def test_a_lists_item_is_keyed_by_its_number_either_way() -> None:
    row = ListItem("NL1", "1", "n", "t", "T1", "TG1", "2026-01-01T00:00:00.000000Z", 1, "1", 1, "0.9", None, None, "x")
    for layout in (BY_ROW, BY_INSTANCE):
        assert Connector(layout).record(Happening(NOW, "c", row)).key == b'{"nl_no":"NL1"}'
    assert TABLES[ListItem].topic in BY_INSTANCE.direct


def _replay() -> Replay:
    return Replay(*load_everything(load_settings(None, {})), mail_domain="example.com")


@pytest.mark.parametrize("ended", [0, 2])
def test_a_standing_application_warns_when_it_was_made_to_and_is_silent_before(ended: int) -> None:
    replay, due = _replay(), NOW + 5_000
    replay.feed(standing(Connector(BY_INSTANCE), 7, at=NOW, entered=due - WARNS_AFTER_MS, ended=ended))
    replay.advance(due - 1)
    assert replay.outcome.alerts == []
    replay.advance(due)
    assert [(a.rule, a.severity, a.raised_at) for a in replay.outcome.alerts] == [(RULE, "WARN", due)]


def test_a_quiet_application_has_its_deadlines_weeks_away() -> None:
    replay = _replay()
    replay.feed(quiet(Connector(BY_INSTANCE), range(1), at=NOW))
    replay.advance(NOW + WARNS_AFTER_MS - QUIET_AGE_MS - DAY_MS)
    assert replay.outcome.alerts == []
    replay.advance(NOW + 200 * DAY_MS)
    raised = [a for a in replay.outcome.alerts if a.event == "raised"]
    assert len(raised) == DEADLINES_EACH
