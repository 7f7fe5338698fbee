"""A backtest says what the engine says: of any share of the instances, and of any limit."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import (
    SHIPPED,
    Definitions,
    LimitFile,
    compiled,
    load_definitions,
    only,
    read_definitions,
    touched_rules,
)
from schemas import Recorded
from stagewatch.backtest_compare import Compared, Outcome, Window, compare
from stagewatch.backtest_decode import ShareDecoder, ShareFiles
from stagewatch.backtest_judge import Both, judge_share, merged
from stagewatch.backtest_values import judge_values
from stagewatch.backtest_versions import Versions
from stagewatch.replay import Replay
from tests.helpers.builders import shipped
from tests.helpers.recount import DAY
from tests.helpers.replaying import replayed, sources
from tests.helpers.rulebooks import LOOSE, TIGHT, Edit, edited
from tests.helpers.simulate import END, World

UNTIL = int(END.timestamp() * 1000) + 60 * DAY
DEFAULTS = SHIPPED / "limits" / "default.yaml"
SCHEME = "- {process: hv_connection, stage: SCHEME, limit: 15wd}"
TOTAL = "- {process: hv_connection, total: true, limit: 46wd}"
SCHEME_LIMIT: Edit = ("limits/default", SCHEME, SCHEME.replace("15wd", "6wd"))
TOTAL_LIMIT: Edit = ("limits/default", TOTAL, TOTAL.replace("46wd", "20wd"))
CLOCK = "rungs: {WARN: {after: 45d}, ALARM: {after: 60d}}"
CLOCK_LIMIT: Edit = ("rules/connection", CLOCK, "rungs: {WARN: {after: 5d}, ALARM: {after: 9d}}")
OFF = "  - code: R-T11\n    enabled: false\n"
seeds = st.integers(0, 400)
few = settings(max_examples=8)


@lru_cache(maxsize=64)
def recorded(seed: int) -> tuple[Recorded, ...]:
    """The records of a small world, those of one moment together and by place, as a backtest reads them."""
    records = World(seed, 8).records()
    return tuple(sorted(records, key=lambda r: (r.timestamp, r.topic, r.partition, r.offset)))


def backtested(
    records: Sequence[Recorded], changed: Definitions, *, shares: int = 1, pieces: int = 1,
    running: Definitions | None = None,
) -> Both:  # fmt: skip
    versions = Versions(running or shipped(), changed, sources())
    with TemporaryDirectory() as folder:
        files, decoder = ShareFiles(Path(folder), shares), ShareDecoder(sources(), shares)
        for piece in _pieces(records, pieces):
            files.write(decoder.decode(piece).pieces)
        files.close()
        both = merged(
            judge_share(path, versions, UNTIL, mail_domain="stagewatch.local", told=lambda _: None)
            for path in files.paths
        )
        judge_values(both, files.paths[0], versions, UNTIL, mail_domain="stagewatch.local")
        return both


def _pieces(records: Sequence[Recorded], count: int) -> Iterable[Sequence[Recorded]]:
    """Cut the records, but never within a moment."""
    cuts = [
        i for i in range(1, len(records))
        if i % max(len(records) // count, 1) == 0 and records[i - 1].timestamp != records[i].timestamp
    ]  # fmt: skip
    return [records[a:b] for a, b in zip([0, *cuts], [*cuts, len(records)], strict=True)]


@few
@given(seeds, st.integers(1, 4), st.integers(1, 5))
def test_a_backtest_of_the_running_version_raises_what_replay_raises(seed: int, shares: int, pieces: int) -> None:
    both = backtested(recorded(seed), shipped(), shares=shares, pieces=pieces)
    replay = replayed(recorded(seed), UNTIL)
    expected = {a.alert_id: a.raised_at for a in replay.outcome.alerts if a.event == "raised"}
    assert {a.alert_id: a.raised_at for a in both.running.alerts.values()} == expected
    assert len(both.running.messages) == len(list(replay.notifications()))


THRESHOLDS = """\
version: rules/v1
id: trial
rules:
  - code: X-TRIAL
    title: 试
    kind: indicator
    processes: [hv_connection, lv_connection, negative_list]
    execution: EXECUTION
    thresholds:
      - {indicator: I122, severity: ALARM, operator: lt, value: VALUE, unit: "%"}
      - {indicator: I111, severity: WARN, operator: ge, value: 2}
      - {indicator: I223, severity: WARN, operator: ge, value: 1}
      - {indicator: I251, severity: WARN, operator: gt, value: 0}
    tell: [unit_supervisor]
    text: indicator_breach
tests: []
"""


@lru_cache
def with_thresholds(execution: str, value: int) -> Definitions:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trial.yaml"
        path.write_text(THRESHOLDS.replace("EXECUTION", execution).replace("VALUE", str(value)), encoding="utf-8")
        return compiled(read_definitions([SHIPPED, path]))


@few
@given(seeds, st.integers(1, 4), st.sampled_from(["{frequency: realtime}", "{frequency: daily, at: '08:00'}"]))
def test_a_backtest_judges_values_as_replay_does(seed: int, shares: int, execution: str) -> None:
    running, changed = with_thresholds(execution, 90), with_thresholds(execution, 50)
    both = backtested(recorded(seed), changed, shares=shares, running=running)
    for judged, definitions in ((both.running, running), (both.changed, changed)):
        replay = Replay(definitions, sources(), mail_domain="stagewatch.local")
        replay.feed(recorded(seed))
        replay.advance(UNTIL)
        expected = {a.alert_id: a.raised_at for a in replay.outcome.alerts if a.event == "raised"}
        assert {a.alert_id: a.raised_at for a in judged.alerts.values()} == expected
        assert len(judged.messages) == len(list(replay.notifications()))
        assert any(a.rule == "X-TRIAL" for a in judged.alerts.values())


@few
@given(seeds, st.integers(1, 4))
def test_a_version_differs_from_itself_in_nothing(seed: int, shares: int) -> None:
    both = backtested(recorded(seed), load_definitions(), shares=shares)
    assert {each.outcome for each in compare(both, Window(0, UNTIL))} <= {Outcome.SAME}
    assert both.running.messages == both.changed.messages


def tightened(row: int, factor: float) -> Definitions:
    """The shipped definitions with one limit smaller."""
    document = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    amount = int(document["rows"][row]["limit"].removesuffix("wd"))
    document["rows"][row]["limit"] = f"{int(amount * factor)}wd"
    document["tests"] = []
    with TemporaryDirectory() as folder:
        changed = Path(folder) / "limits.yaml"
        changed.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return compiled(read_definitions([SHIPPED, changed]))


CHANGES: tuple[Edit, ...] = (
    TIGHT, LOOSE, SCHEME_LIMIT, TOTAL_LIMIT, CLOCK_LIMIT, ("rules/connection", "  - code: R-T11\n", OFF),
)  # fmt: skip


@few
@given(seeds, st.integers(1, 3), st.sampled_from(CHANGES))
def test_rules_that_a_change_does_not_touch_make_no_difference(seed: int, shares: int, edit: Edit) -> None:
    base, changed = read_definitions([SHIPPED]), edited(edit)
    codes = touched_rules((base, LIMITS.id), (changed, LIMITS.id))
    assert codes
    whole = backtested(recorded(seed), compiled(changed), shares=shares)
    running = compiled(only(base, codes))
    part = backtested(recorded(seed), compiled(only(changed, codes)), shares=shares, running=running)
    for mine, all_of_them in ((part.running, whole.running), (part.changed, whole.changed)):
        assert mine.alerts == {key: a for key, a in all_of_them.alerts.items() if a.rule in codes}
        assert mine.messages <= all_of_them.messages
    differing = {each.alert.rule for each in compare(whole, Window(0, UNTIL)) if each.outcome is not Outcome.SAME}
    assert differing <= codes
    assert part.changed.messages ^ part.running.messages == whole.changed.messages ^ whole.running.messages


LIMITS = next(each for each in read_definitions([SHIPPED]).of(LimitFile) if each.id == "default")


@few
@given(seeds, st.integers(0, len(LIMITS.rows) - 1), st.floats(0, 1))
def test_a_tightened_limit_removes_no_alert_and_delays_none(seed: int, row: int, factor: float) -> None:
    both = backtested(recorded(seed), tightened(row, factor))
    found = compare(both, Window(0, UNTIL))
    assert [_said(each) for each in found if each.outcome in (Outcome.SPARED, Outcome.LATER)] == []


def _said(compared: Compared) -> tuple[str, str, str, str]:
    return compared.alert.rule, compared.alert.severity, compared.alert.instance, compared.outcome.value
