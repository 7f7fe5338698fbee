from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from bench.java_artifacts import ToolMissing, kept
from bench.peer_engines import OUR_TOPIC, Engine, Launch, Raised, engines, our_engine
from bench.peer_feed import Late
from bench.peer_records import PARTITIONS, changes, share
from bench.peer_run import Run, TooShort, WrongAlerts, compare, expected, steady
from bench.peers import figures, ratios
from bench.worker_process import Measured, Moment
from schemas import Recorded, encode_alert
from stagewatch import Replay, load_everything, load_settings

EACH = 16_000
"""Records of a partition: most of its instances have changed before, some too late."""
LATE = [Late(0, 5, "A1"), Late(1, 3, "A2"), Late(0, 40, "A1")]


def _theirs(name: str = "quix") -> Engine:
    return Engine(name, 1_000, lambda _launch: [])


def _run(per_second: float, *, span_s: float = 21.0) -> Run:
    return Run(Measured(per_second, per_second / 2), span_s, alerts=7)


def test_a_ratio_is_the_median_of_the_rounds_each_paired() -> None:
    runs = {"stagewatch": [_run(200), _run(100), _run(400)], "quix": [_run(50), _run(50), _run(50)]}
    assert ratios(runs) == {"quix": 4.0}


def test_figures_show_median_spread_and_the_shortest_work() -> None:
    found = figures({"quix": [_run(100), _run(140), _run(110, span_s=20.5)]})
    assert found == {
        "quix_events_per_second": 110,
        "quix_events_per_second_per_core": 55,
        "quix_spread": pytest.approx(40 / 110),
        "quix_steady_s": 20.5,
        "quix_alerts": 7,
    }


def test_steady_work_ends_with_the_last_commit_but_one() -> None:
    moments = [Moment(float(second), 0.0, 10.0 * second) for second in range(1, 6)]
    assert steady(moments) == (moments[0], moments[3])


def test_a_run_of_few_commits_is_too_short_to_measure() -> None:
    with pytest.raises(TooShort, match="3 commits"):
        steady([Moment(1.0, 1.0, 1.0)] * 3)


def test_an_engine_must_raise_what_lies_in_its_beginning_of_the_stream() -> None:
    events = next(n for n in range(1, 1_000) if share(n, 0) == 6 and share(n, 1) > 3)
    assert expected(_theirs(), events, LATE) == Counter([Raised("A1", None), Raised("A2", None)])


def test_ours_must_tell_the_records_as_well() -> None:
    assert expected(our_engine(), 1_000, LATE) == Counter([
        Raised("A1", (0, 5)), Raised("A2", (1, 3)), Raised("A1", (0, 40)),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("raised", "says"),
    [(["A1"], "flink_sql raised 1 .* demand 2: 1 are missing .*A2"), (["A1", "A2", "A2"], "1 are too many .*A2")],
)
def test_an_engine_with_other_alerts_fails_the_run_by_its_name(raised: list[str], says: str) -> None:
    truth = Counter([Raised("A1", None), Raised("A2", None)])
    compare("flink_sql", truth, truth)
    with pytest.raises(WrongAlerts, match=says):
        compare("flink_sql", truth, Counter(Raised(app_no, None) for app_no in raised))


def test_a_peers_alert_is_read_by_its_instance() -> None:
    assert _theirs().raised(b'{"app_no":"A1","stage":"plan","ms":390000001}') == Raised("A1", None)


def test_our_definition_raises_exactly_the_late_records(tmp_path: Path) -> None:
    engine = our_engine()
    command = engine.command(Launch("127.0.0.1:1", engine.topic, engine.alerts("g"), "g", tmp_path))
    settings = load_settings(Path(command[command.index("-c") + 1]), {})
    replay = Replay(*load_everything(settings), mail_domain=settings.mail_domain)
    streams = {partition: list(islice(changes(partition), EACH)) for partition in range(PARTITIONS)}
    replay.feed(
        Recorded(OUR_TOPIC, partition, offset, 1_780_000_000_000 + offset, change.key, change.value, {})
        for offset in range(EACH)
        for partition, stream in streams.items()
        for change in stream[offset : offset + 1]
    )
    found = Counter(raised for alert in replay.outcome.alerts if (raised := engine.raised(encode_alert(alert))))
    late = [(p, o, c.key.decode()) for p, stream in streams.items() for o, c in enumerate(stream) if c.is_late]
    assert late
    assert found == Counter(Raised(app_no, (partition, offset)) for partition, offset, app_no in late)
    assert replay.outcome.dead_letters == []


def test_without_java_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(ToolMissing, match="java is not on the path"):
        engines(lambda _text: None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_made_once_and_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    made: list[str] = []

    def make(target: Path, *, is_whole: bool) -> None:
        target.mkdir()
        made.append(target.name)
        if not is_whole:
            raise ToolMissing("the line was cut")

    with pytest.raises(ToolMissing):
        kept("java", "flink-1", lambda target: make(target, is_whole=False))
    assert not (tmp_path / "java" / "flink-1").exists()
    assert kept("java", "flink-1", lambda target: make(target, is_whole=True)).is_dir()
    assert kept("java", "flink-1", lambda target: make(target, is_whole=True)) == tmp_path / "java" / "flink-1"
    assert len(made) == 2
