"""`stagewatch instances history`, `instances get --at`, `alerts explain`: from recorded events, without a broker."""

import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from schemas import AlertEvent, epoch_ms, iso
from stagewatch.__main__ import run
from stagewatch.history import Historian, alert_entry, elapsed, mark_published
from stagewatch.published import PublishedAlert
from stagewatch.recording import FileRecording
from stagewatch.replay import Replay
from stagewatch.travel import Travel, known_of
from tests.helpers.builders import ms, shipped
from tests.helpers.capture import CAPTURE, capture
from tests.helpers.replaying import replayed, sources

Said = pytest.CaptureFixture[str]
UNTIL = "2026-06-25T00:00:00+08:00"
EVENTS = ("--events", str(CAPTURE))
APP = "332600000010"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    return tmp_path


@lru_cache
def whole() -> Replay:
    return replayed(capture(), ms(UNTIL))


def alerts_of(key: str) -> list[AlertEvent]:
    return [each for each in whole().outcome.alerts if each.instance == key]


def lines(capsys: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def an_alert(rule: str, severity: str = "WARN") -> AlertEvent:
    return next(a for a in whole().outcome.alerts if (a.rule, a.severity, a.event) == (rule, severity, "raised"))


def walked(key: str) -> tuple[Travel, list[dict[str, Any]]]:
    known = known_of(FileRecording([CAPTURE]), sources(), key, lambda _: None)
    travel = Travel(shipped(), sources(), key, mail_domain="stagewatch.local")
    return travel, list(Historian().entries(travel.walk(known.changes, ms(UNTIL))))


# -- history


@pytest.mark.parametrize("rule", ["R-T03", "R-N04", "R-N06", "R-N08"])
def test_a_life_walked_alone_is_the_life_among_all(rule: str) -> None:
    key = next(a.instance for a in whole().outcome.alerts if a.rule == rule)
    travel, entries = walked(key)
    expected = [(a.alert_id, a.event, a.rule, a.text) for a in alerts_of(key)]
    assert [(e["alert_id"], e["event"], e["rule"], e["text"]) for e in entries if e["kind"] == "alert"] == expected
    state = travel.state() or {}
    assert state.pop("golden")["disagreements"] == []
    assert state == next(doc for doc in whole().instances() if doc["instance"] == key)
    notices = Counter((n.alert_id, n.recipient.no) for n in whole().outcome.notices if n.instance == key)
    assert Counter((e["alert_id"], e["recipient"]) for e in entries if e["kind"] == "notice") == notices


def test_changes_alerts_and_time_come_in_order(capsys: Said) -> None:
    assert run(["instances", "history", APP, *EVENTS, "-o", "json"]) == 0
    entries = lines(capsys)
    assert [e["at"] for e in entries] == sorted(e["at"] for e in entries)
    fired = next(n for n, e in enumerate(entries) if e["kind"] == "alert")
    assert entries[fired - 1]["kind"] == "clock"
    assert entries[fired - 1]["passed"] == "6d 15h"
    assert entries[fired]["at"] == iso(alerts_of(APP)[0].raised_at)
    assert entries[fired + 1]["kind"] == "notice"


def test_a_change_tells_from_what_to_what_by_whom_and_where(capsys: Said) -> None:
    assert run(["instances", "history", APP, *EVENTS, "-o", "json"]) == 0
    entries = [e for e in lines(capsys) if e["kind"] == "change" and e["entity"] == "visit"]
    created, updated = entries[:2]
    assert (created["op"], created["dept"], created["by"]) == ("c", "MKT", "H029")
    assert {"field": "stage", "from": None, "to": "ACCEPT"} in created["changed"]
    assert [(c["field"], c["from"], c["to"]) for c in updated["changed"]] == [
        ("finished_at", None, "2026-02-05T23:24:00.917Z"),
        ("result", None, "ok"),
    ]
    assert updated["place"]["topic"] == "cdc.mkt.mkt_app_progress"


def test_no_telephone_number_is_shown(capsys: Said) -> None:
    assert run(["instances", "history", APP, *EVENTS]) == 0
    text = capsys.readouterr().out
    assert "131****46" in text
    assert "13119182146" not in text
    assert run(["instances", "history", APP, *EVENTS, "-o", "json"]) == 0
    assert "13119182146" not in capsys.readouterr().out


def test_an_unknown_instance_fails_and_says_where_was_looked(capsys: Said) -> None:
    assert run(["instances", "history", "A404", *EVENTS]) == 1
    assert f"nothing is recorded about 'A404' in {CAPTURE.name}" in capsys.readouterr().err


def test_old_news_is_marked_and_changes_nothing(tmp_path: Path, capsys: Said) -> None:
    def line(offset: int, lsn: int, org_no: str) -> str:
        row = {"app_no": "A1", "org_no": org_no, "volt_class": "HV"}
        value = {"before": None, "after": row, "op": "u", "source": {"lsn": lsn}}
        at = 1_772_413_200_000 + offset
        place = {"topic": "cdc.mkt.mkt_app", "partition": 0, "offset": offset, "timestamp": at}
        return json.dumps({**place, "key": {"app_no": "A1"}, "value": value})

    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([line(0, 5, "new"), line(1, 4, "old"), line(2, 6, "newer")]), encoding="utf-8")
    assert run(["instances", "history", "A1", "--events", str(file), "-o", "json"]) == 0
    entries = [e for e in lines(capsys) if e["kind"] == "change"]
    assert [e["is_news"] for e in entries] == [True, False, True]
    assert entries[2]["changed"] == [{"field": "org_no", "from": "new", "to": "newer"}]


def test_what_the_workers_wrote_is_told_from_what_is_judged_now() -> None:
    alert = alerts_of(APP)[0]
    entries = [alert_entry(alert, alert.raised_at)]
    assert [e["published"] for e in mark_published(entries, [], ())] == [False]
    published = PublishedAlert(alert, 5, 0, 0)
    assert [e["published"] for e in mark_published(entries, [published], ())] == [True]
    marked = mark_published([], [published], ())
    assert [(e["published"], e["is_judged_otherwise_now"]) for e in marked] == [(True, True)]


@pytest.mark.parametrize(
    ("passed", "said"),
    [(None, None), (59_000, None), (60_000, "1min"), (7_200_000, "2h"), (86_400_000, "1d"), (90_000_000, "1d 1h")],
)
def test_short_times_are_not_worth_a_word(passed: int | None, said: str | None) -> None:
    assert elapsed(passed) == said


# -- get --at


def test_the_state_of_then_knows_nothing_of_later(capsys: Said) -> None:
    assert run(["instances", "get", APP, "--at", "2026-02-12T23:59:59+08:00", *EVENTS, "-o", "json"]) == 0
    before = lines(capsys)[0]
    assert (before["stages"], before["alerts"]) == (["SURVEY"], [])
    assert run(["instances", "get", APP, "--at", "2026-02-13T00:00:00+08:00", *EVENTS, "-o", "json"]) == 0
    at_the_moment = lines(capsys)[0]
    assert [(a["rule"], a["open"]) for a in at_the_moment["alerts"]] == [("R-T03", True)]


def test_before_its_first_record_nothing_was_known(capsys: Said) -> None:
    assert run(["instances", "get", APP, "--at", "2026-01-20", *EVENTS]) == 1
    assert "nothing was known" in capsys.readouterr().err


# -- explain


def explained(alert: AlertEvent, capsys: Said) -> dict[str, Any]:
    assert run(["alerts", "explain", alert.alert_id, *EVENTS, "--until", UNTIL, "-o", "json"]) == 0
    return lines(capsys)[0]


def test_a_deadline_in_workdays_is_counted_day_by_day(capsys: Said) -> None:
    alert = an_alert("R-T03", "ALARM")
    document = explained(alert, capsys)
    deadline = document["deadline"]
    assert document["alert"]["text"] == alert.text
    assert deadline["due_at"] == iso(alert.due_at or 0)
    assert deadline["limit"] == "5wd"
    assert deadline["limit_from"] == "limits/default, line 7"
    assert deadline["days"][0]["why"] == "entry"
    assert [day["counted"] for day in deadline["days"] if day["counted"]] == [1, 2, 3, 4, 5]
    assert deadline["days"][-1]["reached"] == "ALARM"
    assert [each["says"] for each in deadline["rungs"]] == ["before 1wd", "deadline"]


def test_holidays_make_up_days_and_suspensions_are_named(capsys: Said) -> None:
    rules = ("R-T03", "R-T04", "R-T11")
    stopped = next(a for a in whole().outcome.alerts if a.rule in rules and _was_raised_after_a_stop(a))
    deadlines = [explained(alert, capsys)["deadline"] for alert in (an_alert("R-T14"), stopped)]
    whys = {day["why"]: (day, deadline) for deadline in deadlines for day in deadline["days"]}
    assert whys["holiday"][0]["name"] == "春节"
    assert whys["make_up"][0]["weekday"] in ("Sat", "Sun")
    day, deadline = whys["suspended"]
    span = next(each for each in deadline["suspended"] if each["from"] == day["suspended_from"])
    assert span["place"]["topic"] == "cdc.mkt.mkt_app_progress"


def _was_raised_after_a_stop(alert: AlertEvent) -> bool:
    """The stage was suspended for more than two days, some of them workdays, and the alert came after that."""
    document = next(doc for doc in whole().instances() if doc["instance"] == alert.instance)
    stops = [
        (epoch_ms(v["suspend_from"]), epoch_ms(v["suspend_to"]))
        for v in document["visits"]
        if v["suspend_to"] and (v["stage"], v["visit"]) == (alert.stage, alert.visit)
    ]
    return any(end - begin > 3 * 86_400_000 and end < alert.raised_at for begin, end in stops)


def test_a_rule_that_runs_by_the_clock_shows_its_stretches(capsys: Said) -> None:
    deadline = explained(an_alert("R-T05"), capsys)["deadline"]
    assert sum(each["hours"] for each in deadline["stretches"] if each["why"] == "runs") == 45 * 24
    assert deadline["limit"] is None


def test_a_deadline_that_a_column_states_says_which(capsys: Said) -> None:
    deadline = explained(an_alert("R-N05"), capsys)["deadline"]
    assert deadline["limit_from"] == "column plan_finish_at of the instance"
    assert "days" not in deadline


def test_a_rule_without_a_deadline_has_its_evidence(capsys: Said) -> None:
    alert = an_alert("R-N01", "ALARM")
    document = explained(alert, capsys)
    assert document["deadline"] is None
    evidence = document["evidence"][0]
    assert (evidence["topic"], evidence["fields"]["app_no"]) == ("cdc.mkt.mkt_app", alert.instance)
    assert "*" in evidence["fields"]["cust_mobile"]


def test_every_alert_names_records_of_the_capture_that_are_of_its_instance_or_its_item() -> None:
    about = {}
    for record in capture():
        row = json.loads(record.value or b"null")
        row = (row.get("payload") or row).get("after") or {}
        about[record.topic, record.partition, record.offset] = {
            str(row[name]) for name in ("app_no", "nl_no", "tg_no") if row.get(name) is not None
        }
    for alert in whole().outcome.alerts:
        places = [(each.topic, each.partition, each.offset) for each in alert.evidence]
        mine = {alert.instance, *((alert.object.item,) if alert.object else ())}
        assert places, alert
        assert len(set(places)) == len(places), alert
        for place in places:
            assert about[place] & mine or place[0] == "cdc.ymd.ymd_tg", (alert, place, about[place])


@pytest.mark.parametrize(
    ("rule", "severity", "topics"),
    [
        ("R-N01", "ALARM", ["cdc.mkt.mkt_app", "cdc.lean.lean_neg_trans"]),
        ("R-N04", "ALARM", ["cdc.lean.lean_neg_trans", "cdc.mkt.mkt_app"]),
        ("R-T03", "WARN", ["cdc.mkt.mkt_app_progress"]),
        ("R-T04", "WARN", ["cdc.mkt.mkt_app_progress", "cdc.mkt.mkt_app"]),
    ],
)
def test_an_explanation_shows_every_record_that_the_alert_names(
    rule: str, severity: str, topics: list[str], capsys: Said
) -> None:
    alert = an_alert(rule, severity)
    shown = explained(alert, capsys)["evidence"]
    named = [{"topic": e.topic, "partition": e.partition, "offset": e.offset} for e in alert.evidence]
    assert [{name: each[name] for name in ("topic", "partition", "offset")} for each in shown] == named
    assert [each["topic"] for each in shown][: len(topics)] == topics
    assert all(each["fields"] for each in shown)


def test_who_was_told_and_what_followed(capsys: Said) -> None:
    alert = next(a for a in whole().outcome.alerts if a.event == "closed")
    document = explained(alert, capsys)
    assert [each["event"] for each in document["events"]] == ["raised", "closed"]
    assert document["events"][-1]["text"] == alert.text
    told = {(n.recipient.no, n.channel) for n in whole().outcome.notices if n.alert_id == alert.alert_id}
    assert {(each["recipient"], each["channel"]) for each in document["told"]} == told


def test_people_read_it_in_their_own_time(capsys: Said) -> None:
    alert = an_alert("R-T03")
    assert run(["alerts", "explain", alert.alert_id, *EVENTS]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0] == alert.text
    assert "Day by day" in text
    assert "day of entry, not counted" in text
    assert "00:00:00" in text
    assert "\x1b" not in text


def test_an_unknown_alert_fails(capsys: Said) -> None:
    assert run(["alerts", "explain", "0" * 32, *EVENTS]) == 1
    assert "no alert" in capsys.readouterr().err
    assert run(["alerts", "explain", "0" * 32]) == 1
    assert "alerts list" in capsys.readouterr().err
