"""S0-08: a year of history by snapshot rows, by file and in a replay: right states and totals, and nobody is told.

Beside a running worker, as a backfill is, and by a worker that runs for the first time. A live application of the same
district shows that people would be told.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from connectors import SHIPPED_SOURCES
from schemas import AlertEvent
from sinks.store import Store
from stagewatch.published import published_alerts
from stagewatch.receivers import SmsReceiver
from tests.helpers.brokers import make_topics, running_tansu
from tests.helpers.ingesting import write_csv
from tests.helpers.replaying import replayed
from tests.helpers.simulate import World
from tests.helpers.whole_system import PATIENCE_S, POLL_S, Row, WholeSystem, example
from tests.helpers.worker import running_worker

SHANGHAI = timezone(timedelta(hours=8))
STAGES = {
    "ACCEPT": 0, "SURVEY": 4, "SCHEME": 12, "DESIGN": 30, "DESIGN_REVIEW": 9, "BUILD": 25, "TEST": 6, "COMPLETE": 4,
    "CONNECT": 3, "ARCHIVE": 2,
}  # fmt: skip
"""Days that each takes; where an application is late, five times as long."""
A_MONTH = 10
MONTHS = 12
ROADS = {"snapshot": "3349901", "file": "3349902"}
"""Each road brings the same lives to a unit of its own."""
DISTRICT, MANAGER, MOBILE = "TGH1", "MH1", "13900000777"
OPEN = "open"


def lives(road: str) -> tuple[list[Row], list[Row]]:
    """The year's applications and their stages, all over but one, whose survey has been open since November."""
    apps, visits = [], []
    for month in range(1, MONTHS + 1):
        for number in range(A_MONTH):
            at = datetime(2024, month, 2 + 2 * number, 10, tzinfo=SHANGHAI)
            key = f"H{road}{month:02d}{number}"
            slowness = 5 if number % 3 == 0 else 1
            accepted = at
            for stage, days in STAGES.items():
                end = at + timedelta(days=days * slowness)
                visits.append(visit(key, stage, at, end))
                at = end
            apps.append(application(road, key, accepted, at))
    accepted = datetime(2025, 11, 3, 10, tzinfo=SHANGHAI)
    apps.append(application(road, f"H{road}{OPEN}", accepted, None))
    visits.append(visit(f"H{road}{OPEN}", "SURVEY", accepted, None))
    return apps, visits


def application(road: str, key: str, accepted: datetime, archived: datetime | None) -> Row:
    state = {"status_code": "archived" if archived else "running", "archived_at": archived and archived.isoformat()}
    where = {"org_no": ROADS[road], "tg_no": DISTRICT, "line_no": None, "mgr_no": MANAGER, "parent_app_no": None}
    return example("mkt", "mkt_app", app_no=key, accepted_at=accepted.isoformat(), **state, **where)


def visit(key: str, stage: str, entered: datetime, finished: datetime | None) -> Row:
    empty = dict.fromkeys(("suspend_from", "suspend_to", "suspend_reason", "remark"))
    times = {"entered_at": entered.isoformat(), "finished_at": finished and finished.isoformat()}
    changes = {"progress_id": f"{key}{stage}", "app_no": key, "stage_code": stage, **times, **empty}
    return example("mkt", "mkt_app_progress", **changes)


def day(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%Y-%m-%d")


def counted(road: str) -> dict[str, Counter[str]]:
    """The year's totals by day, counted from the rows themselves."""
    apps, visits = lives(road)
    over = {row["app_no"] for row in apps if row["archived_at"]}
    return {
        "I111": Counter(day(row["accepted_at"]) for row in apps),
        "I151": Counter(day(v["finished_at"]) for v in visits if v["stage_code"] == "CONNECT" and v["app_no"] in over),
        "I161": Counter(day(row["archived_at"]) for row in apps if row["archived_at"]),
    }


# -- the roads


def by_snapshot(system: WholeSystem) -> None:
    apps, visits = lives("snapshot")
    system.capture("mkt", "mkt_app_progress", *visits, op="r", key="progress_id")
    system.capture("mkt", "mkt_app", *apps, op="r", key="app_no")


def by_file(system: WholeSystem) -> None:
    for table, rows in zip(("mkt_app", "mkt_app_progress"), lives("file"), strict=True):
        path = write_csv(system.folder / f"history-{table}.csv", rows)
        system.done("ingest", "file", str(path), "--table", f"mkt.{table}", "--history", "--no-undo")


@contextmanager
def store_of(system: WholeSystem) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{system.worker.data_dir}/stagewatch.db")) as store:
        yield store


def totals(system: WholeSystem, org_no: str) -> dict[str, Counter[str]]:
    """What the worker has summed for the unit, by indicator and day."""
    found: dict[str, Counter[str]] = {"I111": Counter(), "I151": Counter(), "I161": Counter()}
    with store_of(system) as store:
        for row in store.indicators(limit=100_000, org_no=org_no):
            if row.value.indicator in found:
                found[row.value.indicator][row.value.date] += int(row.value.numerator)
    return found


def until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(POLL_S)


@pytest.fixture(scope="module")
def filled(system: WholeSystem) -> WholeSystem:
    """Both histories are in, and after them a live application of the district has been told of."""
    manager = {"tg_no": DISTRICT, "mgr_no": MANAGER, "mobile": MOBILE, "sup_method": "sms", "valid_to": None}
    system.capture("mkt", "tg_manager", example("mkt", "tg_manager", **manager))
    by_snapshot(system)
    by_file(system)
    for road, org_no in ROADS.items():
        until(lambda road=road, org_no=org_no: totals(system, org_no) == counted(road))  # type: ignore[misc]
    apps, visits = lives("snapshot")
    live = [row | {"app_no": "HLIVE"} for row in (apps[-1], visits[-1])]
    system.capture("mkt", "mkt_app", live[0] | {"org_no": "3349903"})
    system.capture("mkt", "mkt_app_progress", live[1] | {"progress_id": "HLIVE1"})
    until(lambda: any(sms.mobile == MOBILE and "HLIVE" in sms.text for sms in system.sms.received))
    system.catch_up()
    return system


@pytest.mark.parametrize("road", ROADS)
def test_s0_08_a_year_gives_the_right_totals_and_every_state_is_over(filled: WholeSystem, road: str) -> None:
    assert totals(filled, ROADS[road]) == counted(road)
    with store_of(filled) as store:
        found = {row.instance: row for row in store.instances(limit=1_000, org_no=ROADS[road])}
    assert len(found) == A_MONTH * MONTHS + 1
    assert {row.status for key, row in found.items() if not key.endswith(OPEN)} == {"over"}
    assert {len(json.loads(r.state)["visits"]) for k, r in found.items() if not k.endswith(OPEN)} == {len(STAGES)}
    assert found[f"H{road}{OPEN}"].stages == ("SURVEY",)


@pytest.mark.parametrize("road", ROADS)
def test_s0_08_what_is_over_raises_nothing_and_what_is_still_late_is_raised_but_nobody_is_told(
    filled: WholeSystem, road: str
) -> None:
    raised = filled.ask("alerts", "list", "--org", ROADS[road], "--limit", "10000")
    assert {(each["rule"], each["severity"], each["instance"]) for each in raised} == {
        (rule, severity, f"H{road}{OPEN}") for rule in ("R-T03", "R-T14") for severity in ("WARN", "ALARM")
    }
    with store_of(filled) as store:
        assert [row for row in store.notifications(limit=100_000) if row.instance.startswith(f"H{road}")] == []
    assert [sms.text for sms in filled.sms.received if f"H{road}" in sms.text] == []


def test_s0_08_replay_of_the_same_rows_ends_with_the_same_states_and_totals(filled: WholeSystem) -> None:
    events, out = filled.folder / "history.jsonl", filled.folder / "history"
    now_ms = int(time.time() * 1000)
    apps, visits = lives("snapshot")
    rows = [("mkt_app_progress", row) for row in visits] + [("mkt_app", row) for row in apps]
    events.write_text("".join(recorded(n, table, row, now_ms) for n, (table, row) in enumerate(rows)), "utf-8")
    filled.done("replay", str(events), "--until", "now", "-o", str(out), sources=str(SHIPPED_SOURCES))
    states = {each["instance"]: each for each in read(out / "instances.jsonl")}
    with store_of(filled) as store:
        kept = {row.instance: json.loads(row.state) for row in store.instances(limit=1_000, org_no=ROADS["snapshot"])}
    over = [key for key in states if not key.endswith(OPEN)]
    assert len(over) == A_MONTH * MONTHS
    assert [key for key in over if {**kept[key], "golden": None} != {**states[key], "golden": None}] == []
    assert {each["instance"] for each in read(out / "alerts.jsonl")} == {f"Hsnapshot{OPEN}"}
    assert read(out / "notifications.jsonl") == []
    summed: dict[str, Counter[str]] = {name: Counter() for name in counted("snapshot")}
    for each in read(out / "indicators.jsonl"):
        if each["indicator"] in summed:
            summed[each["indicator"]][each["date"]] += each["numerator"]
    assert summed == counted("snapshot")


def recorded(offset: int, table: str, row: Row, at: int) -> str:
    value = {"op": "r", "before": None, "after": row, "source": {"connector": "postgresql", "lsn": 10}}
    place = {"topic": f"cdc.mkt.{table}", "partition": 0, "offset": offset, "timestamp": at}
    return json.dumps({**place, "key": None, "value": value}, ensure_ascii=False) + "\n"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# -- a first run over the changes themselves


def test_s0_08_first_run_over_recorded_changes_raises_what_the_replay_does_and_tells_nobody(tmp_path: Path) -> None:
    records = World(seed=8, applications=25).records()
    with running_tansu(tmp_path) as broker, SmsReceiver() as sms:
        make_topics(broker.bootstrap, {record.topic for record in records})
        producer: Any = KafkaProducer(bootstrap_servers=broker.bootstrap)
        for each in records:
            producer.send(each.topic, each.value, key=each.key, timestamp_ms=each.timestamp)
        producer.flush()
        with running_worker(broker.url, tmp_path, sms_url=sms.url):
            expected = raised(replayed(records, int(time.time() * 1000)).outcome.alerts)
            assert len(expected) > 50
            until(lambda: len(published_raised(broker.bootstrap)) >= len(expected))
            assert published_raised(broker.bootstrap) == expected
            # News of today about a district of then: told, and nothing else ever was.
            manager = next(json.loads(each.value or b"{}")["after"] for each in records if "tg_manager" in each.topic)
            apps, _ = lives("snapshot")
            live = apps[-1] | {"app_no": "HLIVE", "tg_no": manager["tg_no"]}
            value = {"op": "c", "after": live, "source": {"connector": "postgresql", "lsn": 9_000_000}}
            producer.send("cdc.mkt.mkt_app", json.dumps(value).encode())
            producer.close()
            assert sms.wait_for(1, PATIENCE_S)
            assert [each.text for each in sms.received if "HLIVE" not in each.text] == []


def raised(events: Iterable[AlertEvent]) -> dict[str, int]:
    return {event.alert_id: event.raised_at for event in events if event.event == "raised"}


def published_raised(bootstrap: str) -> dict[str, int]:
    return raised(each.event for each in published_alerts(bootstrap))


# -- after a cutover of codes

CUTOVER = """
codes:
  volt_level:
    - {code: 10KV, to: AC00101, valid_to: 2025-12-31}
    - {code: K10, to: AC00101, valid_from: 2026-01-01}
    - {code: "1", to: AC00351, valid_to: 2025-12-31}
    - {code: "1", to: AC00021, valid_from: 2026-01-01}
tests:
"""


@pytest.fixture
def after_cutover(tmp_path: Path) -> Path:
    """The marketing system has changed its codes at the turn of the year, and one now means something else."""
    text = (SHIPPED_SOURCES / "mkt.yaml").read_text("utf-8")
    dated = text.replace(
        "{type: text, codes: volt_level}", "{type: text, codes: {list: volt_level, by: accepted_at}}", 1
    )
    (tmp_path / "mkt.yaml").write_text(dated.replace("\ntests:\n", CUTOVER, 1), "utf-8")
    return tmp_path


def test_s0_08_old_code_view_still_answers_after_the_cutover(
    system: WholeSystem, after_cutover: Path, tmp_path: Path
) -> None:
    def answer(*arguments: str) -> list[tuple[str, str]]:
        rows = system.ask("sources", "codes", "mkt", *arguments, sources=str(after_cutover))
        return [(row["code"], row["standard"]) for row in rows]

    assert answer("--standard", "AC00101") == [("K10", "AC00101")]
    assert answer("--standard", "AC00101", "--at", "2025-06-01") == [("10KV", "AC00101")]
    assert answer("--code", "10KV") == [("10KV", "AC00101")]
    assert answer("--code", "1") == [("1", "AC00021")]
    assert answer("--code", "1", "--at", "2025-06-01") == [("1", "AC00351")]

    accepted = {"2025-06-02T10:00:00+08:00": "10KV", "2026-06-02T10:00:00+08:00": "K10"}
    old = {"2025-06-03T10:00:00+08:00": "1", "2026-06-03T10:00:00+08:00": "1"}
    rows = [
        example("mkt", "mkt_app", app_no=f"C{n}", accepted_at=at, volt_level_code=code)
        for n, (at, code) in enumerate((accepted | old).items())
    ]
    events, out = tmp_path / "codes.jsonl", tmp_path / "out"
    events.write_text("".join(recorded(n, "mkt_app", row, 1_780_000_000_000) for n, row in enumerate(rows)), "utf-8")
    system.done("replay", str(events), "-o", str(out), sources=str(after_cutover))
    states = {each["instance"]: each["fields"]["volt_level_code"] for each in read(out / "instances.jsonl")}
    assert states == {"C0": "AC00101", "C1": "AC00101", "C2": "AC00351", "C3": "AC00021"}
