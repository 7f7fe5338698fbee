"""`stagewatch rules backtest`: what it compares, how it counts, and what it says."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rules import SHIPPED
from schemas import AlertEvent, Recorded
from stagewatch.__main__ import run
from stagewatch.backtest_compare import Compared, Outcome, Window, compare, load_of, tallied
from stagewatch.backtest_decode import ShareDecoder, ShareFiles, read_share
from stagewatch.backtest_html import page
from stagewatch.backtest_judge import Both, Judged
from stagewatch.backtest_report import Report, examples_of, span, tally_row
from stagewatch.backtest_versions import Change as BacktestChange
from stagewatch.backtest_versions import books_of
from stagewatch.settings import load_settings
from tests.helpers.builders import ms, shipped
from tests.helpers.capture import CAPTURE, capture
from tests.helpers.replaying import replayed, sources

Said = pytest.CaptureFixture[str]
END = "2026-06-20T00:00:00+08:00"
DAY = 86_400_000


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    return tmp_path


def alert(key: str, at: str, rule: str = "R-T03", **changes: Any) -> AlertEvent:
    fields = {
        "alert_id": key, "event": "raised", "rule": rule, "rule_version": 1, "severity": "WARN",
        "process": "hv_connection", "instance": f"A-{key}", "stage": "SURVEY", "visit": 1, "raised_at": ms(at),
        "due_at": ms(at) + DAY, "org_no": "3340101", "dept": None, "person": "M1", "object": None,
        "text": f"申请{key}<b>到期", "evidence": (), **changes,
    }  # fmt: skip
    return AlertEvent(**fields)


def judged(*alerts: AlertEvent) -> Judged:
    return Judged({each.alert_id: each for each in alerts})


def both_of(running: list[AlertEvent], changed: list[AlertEvent]) -> Both:
    return Both(judged(*running), judged(*changed))


ALWAYS = Window(0, ms("2030-01-01"))


def test_each_alert_has_one_outcome() -> None:
    running = [alert("same", "2026-03-02"), alert("spared", "2026-03-02"), alert("earlier", "2026-03-05"),
               alert("later", "2026-03-02")]  # fmt: skip
    changed = [alert("same", "2026-03-02"), alert("raised", "2026-03-02"), alert("earlier", "2026-03-03"),
               alert("later", "2026-03-04")]  # fmt: skip
    found = {each.alert.alert_id: (each.outcome, each.moved_ms) for each in compare(both_of(running, changed), ALWAYS)}
    assert found == {
        "same": (Outcome.SAME, 0),
        "spared": (Outcome.SPARED, 0),
        "raised": (Outcome.RAISED, 0),
        "earlier": (Outcome.EARLIER, -2 * DAY),
        "later": (Outcome.LATER, 2 * DAY),
    }


def test_an_alert_counts_if_either_version_raised_it_in_the_window() -> None:
    window = Window(ms("2026-03-03"), ms("2026-03-05"))
    running = [alert("moved-in", "2026-03-10"), alert("before", "2026-03-02"), alert("at-the-end", "2026-03-05")]
    changed = [alert("moved-in", "2026-03-04"), alert("before", "2026-03-02"), alert("at-the-end", "2026-03-05")]
    found = compare(both_of(running, changed), window)
    assert {each.alert.alert_id for each in found} == {"moved-in", "at-the-end"}


def test_what_several_shares_raise_counts_once_and_at_its_first_time() -> None:
    found = judged(alert("x", "2026-03-04"))
    found.add(alert("x", "2026-03-02"))
    found.add(alert("x", "2026-03-05"))
    assert [each.raised_at for each in found.alerts.values()] == [ms("2026-03-02")]


def test_sums_begin_with_what_differs_most() -> None:
    running = [alert(f"s{n}", "2026-03-02", "R-T02") for n in range(5)] + [alert("later", "2026-03-02")]
    changed = [*running[:5], alert("later", "2026-03-03T06:00")]
    tallies = tallied(compare(both_of(running, changed), ALWAYS), lambda each: each.rule)
    assert [(t.name, t.running, t.changed, t.differing) for t in tallies] == [("R-T03", 1, 1, 1), ("R-T02", 5, 5, 0)]
    assert tally_row("rule", tallies[0])["moved"] == "+1d 6h"


@pytest.mark.parametrize(
    ("moved", "said"),
    [(0, ""), (-1, "-0.001s"), (90_000, "+1min"), (-3_600_000, "-1h"), (DAY, "+1d"), (-DAY - 3_600_000, "-1d 1h")],
)
def test_a_shift_of_time_is_said_shortly(moved: int, said: str) -> None:
    assert span(moved) == said


def test_messages_are_counted_by_local_day_person_and_channel() -> None:
    late_in_the_day = ms("2026-03-02T23:59")
    running = Judged(messages={("sms", "M1", "a", late_in_the_day), ("mail", "M2", "b", late_in_the_day + 120_000)})
    load = load_of(Both(running, Judged()), ALWAYS, shipped().calendar)
    assert [(day.name, day.running) for day in load.by_day] == [
        ("2026-03-02", Counter(sms=1)),
        ("2026-03-03", Counter(mail=1)),
    ]
    assert {(person.name, person.running.total(), person.changed.total()) for person in load.by_person} == {
        ("M1", 1, 0),
        ("M2", 1, 0),
    }


def test_examples_are_spread_over_the_rules() -> None:
    many = [Compared(None, alert(f"a{n}", "2026-03-02", "R-T02")) for n in range(20)]
    one = [Compared(None, alert("b", "2026-03-02", "R-T13"))]
    found = examples_of([*many, *one], 3)
    assert [each["rule"] for each in found["raised"]] == ["R-T02", "R-T13", "R-T02"]


def test_a_page_shows_data_as_text_and_asks_for_nothing_else() -> None:
    found = [Compared(alert("a", "2026-03-02"), None)]
    row = tally_row("rule", tallied(found, lambda _: "<script>alert(1)</script>")[0])
    report = Report(
        changed=["/somewhere/limits.yaml"], judged=None, events="x.jsonl", begin="", end="", records=1, refused=0,
        alerts=row, by_rule=[row], by_org=[], by_person=[], messages={}, messages_by_day=[], messages_by_person=[],
        examples=examples_of(found, 10),
    )  # fmt: skip
    text = page(report)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "申请a&lt;b&gt;到期" in text
    assert "<details>" in text
    assert not any(word in text for word in ("http:", "https:", "src=", "@import"))
    assert "$" not in text


def test_a_row_that_moves_to_another_instance_is_told_to_both_shares(tmp_path: Path) -> None:
    decoder, files = ShareDecoder(sources(), 2), ShareFiles(tmp_path, 2)
    names = {decoder.share_of(f"A{n}"): f"A{n}" for n in range(20)}
    before, after = ({"progress_id": 7, "app_no": names[n]} for n in (0, 1))
    value = json.dumps({"before": before, "after": after, "op": "u", "source": {"lsn": 5}}).encode()
    record = Recorded("cdc.mkt.mkt_app_progress", 0, 1, 5, b'{"progress_id": 7}', value, {})
    files.write(decoder.decode([record]).pieces)
    files.close()
    found = [[(c.instance, c.op, c.left) for piece in read_share(path) for c in piece] for path in files.paths]
    assert found == [[(names[0], "d", "")], [(names[1], "u", "")]]


def test_rows_that_no_judged_rule_is_about_are_not_read() -> None:
    row = {"before": None, "after": {"progress_id": 7, "app_no": "A1"}, "op": "c", "source": {"lsn": 5}}
    record = Recorded("cdc.mkt.mkt_app_progress", 0, 1, 5, b'{"progress_id": 7}', json.dumps(row).encode(), {})
    mapping = sources().mapping_for(record.topic)
    assert mapping is not None
    assert ShareDecoder(sources(), 1).decode([record]).changes == 1
    assert ShareDecoder(sources(), 1, {mapping.entity}).decode([record]).changes == 0


# -- the command


def limits(folder: Path, *changes: tuple[str, str], name: str = "limits.yaml") -> Path:
    text = (SHIPPED / "limits" / "default.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def backtest(*arguments: object) -> int:
    return run(["rules", "backtest", *map(str, arguments), "--events", str(CAPTURE), "--jobs", "1"])


def test_the_same_definitions_differ_in_nothing(tmp_path: Path, capsys: Said) -> None:
    assert backtest(limits(tmp_path), "--to", END, "-o", "json") == 0
    report = json.loads(capsys.readouterr().out)
    replay = replayed([r for r in capture() if r.timestamp <= ms(END)], ms(END))
    raised = sum(each.event == "raised" for each in replay.outcome.alerts)
    assert report["alerts"]["same"] == report["alerts"]["running"] == report["alerts"]["changed"] == raised
    assert not any(report["examples"].values())
    messages = Counter(each["channel"] for each in replay.notifications())
    assert {c: report["messages"][f"{c}_running"] for c in ("sms", "mail")} == {c: messages[c] for c in ("sms", "mail")}


def test_a_changed_limit_is_shown_on_the_terminal_and_on_a_page(tmp_path: Path, capsys: Said) -> None:
    changed = limits(tmp_path, ("SURVEY, limit: 5wd", "SURVEY, limit: 4wd"))
    html = tmp_path / "report.html"
    assert backtest(changed, "--from", "2026-03-01", "--to", END, "--html", html) == 0
    said = capsys.readouterr()
    assert "R-T03" in said.out.splitlines()[2]
    assert "Examples: earlier" in said.out
    assert "0 spared" in said.err
    assert "\x1b" not in said.out
    assert html.read_text(encoding="utf-8").count("<details>") >= 10


def test_only_rules_that_the_change_touches_are_judged_unless_all_are_asked_for(tmp_path: Path, capsys: Said) -> None:
    changed = limits(tmp_path, ("SURVEY, limit: 5wd", "SURVEY, limit: 4wd"))
    found = []
    for options in ([], ["--all-rules"]):
        assert backtest(changed, "--to", END, *options, "-o", "json") == 0
        said = capsys.readouterr()
        found.append(json.loads(said.out))
        assert ("judging R-T03: " in said.err) is not bool(options)
    touched, whole = found
    assert (touched["judged"], whole["judged"]) == (["R-T03"], None)
    assert touched["by_rule"] == [row for row in whole["by_rule"] if row["rule"] == "R-T03"]
    assert touched["examples"] == whole["examples"]
    assert len(whole["by_rule"]) > 3


def test_codes_that_a_source_lists_are_known_to_both_versions(tmp_path: Path, capsys: Said) -> None:
    settings = load_settings(None, {"STAGEWATCH_DATA_DIR": str(tmp_path)})
    books = books_of(settings, BacktestChange((limits(tmp_path, ("SURVEY, limit: 5wd", "SURVEY, limit: 4wd")),)))
    assert books.running.choice.known_codes == books.changed.choice.known_codes
    assert books.running.choice.known_codes


def test_a_window_leaves_out_what_lies_outside(tmp_path: Path, capsys: Said) -> None:
    window = ("--from", "2026-04-01T00:00", "--to", "2026-05-01T00:00")
    assert backtest(limits(tmp_path), *window, "-o", "json") == 0
    report = json.loads(capsys.readouterr().out)
    replay = replayed(capture(), ms(END))
    begin, end = ms("2026-04-01"), ms("2026-05-01")
    inside = [a for a in replay.outcome.alerts if a.event == "raised" and begin <= a.raised_at <= end]
    assert report["alerts"]["running"] == len(inside)


def test_a_broken_definition_fails_with_its_place(tmp_path: Path, capsys: Said) -> None:
    changed = limits(tmp_path, ("SURVEY, limit: 5wd", "SURVEY, limit: five"))
    assert backtest(changed) == 1
    assert f"{changed}:" in capsys.readouterr().err


def test_a_limit_template_that_nobody_uses_is_said(tmp_path: Path, capsys: Said) -> None:
    changed = limits(tmp_path, ("id: default", "id: stricter"), ("SURVEY, limit: 5wd", "SURVEY, limit: 1wd"))
    assert backtest(changed, "--to", "2026-02-10") == 0
    assert "--limits stricter" in capsys.readouterr().err
    assert backtest(changed, "--limits", "stricter", "--to", "2026-03-10", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["alerts"]["earlier"] > 0


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--from", "2026-05-01", "--to", "2026-04-01"], 2, "--from lies after --to"),
        (["--to", "1999-01-01"], 1, "no record arrived by then"),
        (["--to", "soon"], 2, "is no time"),
        (["--limits", "none"], 1, "known are default, older"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], code: int, said: str, tmp_path: Path, capsys: Said) -> None:
    assert backtest(limits(tmp_path), *options) == code
    assert said in capsys.readouterr().err


def test_without_files_and_broker_it_says_what_to_give(tmp_path: Path, capsys: Said) -> None:
    assert run(["rules", "backtest", str(limits(tmp_path))]) == 1
    assert "--events FILE" in capsys.readouterr().err
