"""A backtest says what the engine says: of any share of the instances, and of any limit."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import SHIPPED, Definitions, LimitFile, compiled, load_definitions, read_definitions
from schemas import Recorded
from stagewatch.backtest_compare import Compared, Outcome, Window, compare
from stagewatch.backtest_decode import ShareDecoder, ShareFiles
from stagewatch.backtest_judge import Both, judge_share, merged
from stagewatch.backtest_versions import Versions
from tests.helpers.builders import shipped
from tests.helpers.recount import DAY
from tests.helpers.replaying import replayed, sources
from tests.helpers.simulate import END, World

UNTIL = int(END.timestamp() * 1000) + 60 * DAY
DEFAULTS = SHIPPED / "limits" / "default.yaml"
seeds = st.integers(0, 400)
few = settings(max_examples=8)


@lru_cache(maxsize=64)
def recorded(seed: int) -> tuple[Recorded, ...]:
    """The records of a small world, those of one moment together and by place, as a backtest reads them."""
    records = World(seed, 8).records()
    return tuple(sorted(records, key=lambda r: (r.timestamp, r.topic, r.partition, r.offset)))


def backtested(records: Sequence[Recorded], changed: Definitions, *, shares: int = 1, pieces: int = 1) -> Both:
    versions = Versions(shipped(), changed, sources())
    with TemporaryDirectory() as folder:
        files, decoder = ShareFiles(Path(folder), shares), ShareDecoder(sources(), shares)
        for piece in _pieces(records, pieces):
            files.write(decoder.decode(piece).pieces)
        files.close()
        return merged(
            judge_share(path, versions, UNTIL, mail_domain="stagewatch.local", told=lambda _: None)
            for path in files.paths
        )


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


LIMITS = next(each for each in read_definitions([SHIPPED]).of(LimitFile) if each.id == "default")


@few
@given(seeds, st.integers(0, len(LIMITS.rows) - 1), st.floats(0, 1))
def test_a_tightened_limit_removes_no_alert_and_delays_none(seed: int, row: int, factor: float) -> None:
    both = backtested(recorded(seed), tightened(row, factor))
    found = compare(both, Window(0, UNTIL))
    assert [_said(each) for each in found if each.outcome in (Outcome.SPARED, Outcome.LATER)] == []


def _said(compared: Compared) -> tuple[str, str, str, str]:
    return compared.alert.rule, compared.alert.severity, compared.alert.instance, compared.outcome.value
