"""S0-03: one application change by seven roads gives the same canonical rows, and its stages are counted once.

One worker; the roads are walked as a user would: four captures' records in their topics, `ingest file`, `ingest pull`
from an HTTP server, POST to `ingest serve`.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from bench.server_process import ServerProcess
from schemas import decode_change
from stagewatch.topic_reader import read_topic
from tests.helpers.ingesting import write_csv
from tests.helpers.whole_system import Row, WholeSystem
from tests.helpers.worker import STAGEWATCH

TOKEN = "losung"
ROADS = ("debezium", "ogg", "canal", "maxwell", "file", "pull", "push")
APP, VISIT = "mkt_app", "mkt_app_progress"
KEYS = {APP: "app_no", VISIT: "progress_id"}


def rows_of(app_no: str, first_id: int) -> dict[str, list[Row]]:
    """An application that was accepted, and whose survey has been open for months; times as ISO 8601 in UTC."""
    app = {
        "app_no": app_no, "cons_no": "3301000129", "org_no": "3340103", "app_type": "new", "volt_class": "HV",
        "volt_level_code": "AC00101", "source_count": 1, "apply_cap_kva": "630.50", "addr": "衢州市柯城区示范路129号",
        "accepted_at": "2026-03-02T01:00:00Z", "status_code": "running", "archived_at": None,
    }  # fmt: skip
    visit: Row = {"app_no": app_no, "visit_no": 1, "dept_code": "MKT", "handler_no": "H007"}
    accept: Row = {"stage_code": "ACCEPT", "entered_at": "2026-03-02T01:00:00Z", "finished_at": "2026-03-02T02:30:00Z",
              "result_code": "ok"}  # fmt: skip
    survey: Row = {
        "stage_code": "SURVEY",
        "entered_at": "2026-03-03T01:00:00Z",
        "finished_at": None,
        "result_code": None,
    }
    visits = [{"progress_id": first_id + n, **visit, **each} for n, each in enumerate((accept, survey))]
    return {APP: [app], VISIT: visits}


# -- the roads


def local(row: Row) -> Row:
    """Times as a database prints them in Shanghai."""

    def shown(name: str, value: Any) -> Any:
        if value is None or not name.endswith("_at"):
            return value
        return (datetime.fromisoformat(value).replace(tzinfo=None) + timedelta(hours=8)).isoformat(" ")

    return {name: shown(name, value) for name, value in row.items()}


def by_debezium(system: WholeSystem, table: str, rows: list[Row]) -> None:
    system.capture("mkt", table, *rows, key=KEYS[table])


def by_ogg(system: WholeSystem, table: str, rows: list[Row]) -> None:
    for number, row in enumerate(rows):
        value = {
            "table": f"MKT.{table.upper()}", "op_type": "I", "op_ts": "2026-03-03 01:00:00.000123",
            "current_ts": "2026-03-03T09:00:03.615000", "pos": f"{3:010}{number:010}",
            "primary_keys": [KEYS[table].upper()], "after": {name.upper(): each for name, each in local(row).items()},
        }  # fmt: skip
        system.send(f"ogg.mkt.{table}", json.dumps(value).encode(), str(row[KEYS[table]]).encode())
    system.settle()


def by_canal(system: WholeSystem, table: str, rows: list[Row]) -> None:
    texts = [{name: None if each is None else str(each) for name, each in local(row).items()} for row in rows]
    value = {
        "id": 6, "database": "mkt", "table": table, "pkNames": [KEYS[table]], "isDdl": False, "type": "INSERT",
        "es": 1_772_413_200_000, "ts": 1_772_413_200_823, "sql": "", "sqlType": {}, "mysqlType": {}, "data": texts,
        "old": None,
    }  # fmt: skip
    system.send(f"canal.mkt.{table}", json.dumps(value, ensure_ascii=False).encode())
    system.settle()


def by_maxwell(system: WholeSystem, table: str, rows: list[Row]) -> None:
    for number, row in enumerate(rows):
        value = {
            "database": "mkt", "table": table, "type": "insert", "ts": 1_772_413_200, "xid": 23396, "commit": True,
            "position": f"mysql-bin.000006:{number + 4}", "data": local(row),
        }  # fmt: skip
        key = {"database": "mkt", "table": table, f"pk.{KEYS[table]}": row[KEYS[table]]}
        system.send(f"maxwell.mkt.{table}", json.dumps(value).encode(), json.dumps(key).encode())
    system.settle()


def by_file(system: WholeSystem, table: str, rows: list[Row]) -> None:
    path = write_csv(system.folder / f"{rows[0]['app_no']}-{table}.csv", [local(row) for row in rows])
    system.done("ingest", "file", str(path), "--table", f"mkt.{table}", "--operator", "li")


def by_pull(system: WholeSystem, table: str, rows: list[Row]) -> None:
    with serving(json.dumps({"data": rows}).encode()) as url:
        name = f"{rows[0]['app_no']}-{table}"
        definition = system.folder / f"{name}.yaml"
        definition.write_text(f"version: pull/v1\nname: {name}\ntable: mkt.{table}\nurl: {url}\nrows: data\n")
        system.done("ingest", "pull", str(definition), "--once")


def by_push(system: WholeSystem, table: str, rows: list[Row]) -> None:
    with listening(system) as url:
        answer = requests.post(
            f"{url}/ingest/mkt/{table}", json=rows, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )
    assert (answer.status_code, answer.json()) == (202, {"accepted": len(rows)})


@contextmanager
def serving(answer: bytes) -> Iterator[str]:
    """A web service that gives the rows to whoever asks."""

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/rows"
        server.shutdown()


@contextmanager
def listening(system: WholeSystem) -> Iterator[str]:
    """The push endpoint as a user starts it."""
    log = system.folder / "push.log"
    log.unlink(missing_ok=True)
    settings = {"STAGEWATCH_PUSH_PORT": "0", "STAGEWATCH_PUSH_TOKENS": "{mkt: env:MKT_TOKEN}", "MKT_TOKEN": TOKEN}
    variables = [f"{name}={value}" for name, value in (system.environment | settings).items()]
    process = ServerProcess(
        ["env", *variables, str(STAGEWATCH), "ingest", "serve"], log, lambda: "ready: " in log.read_text("utf-8")
    )
    process.start()
    try:
        yield log.read_text("utf-8").partition("ready: ")[2].partition("/ingest")[0]
    finally:
        process.stop()


Road = Callable[[WholeSystem, str, list[Row]], None]
BY: dict[str, Road] = {
    "debezium": by_debezium, "ogg": by_ogg, "canal": by_canal, "maxwell": by_maxwell, "file": by_file,
    "pull": by_pull, "push": by_push,
}  # fmt: skip


def walk(system: WholeSystem, road: str, app_no: str, first_id: int) -> None:
    for table, rows in rows_of(app_no, first_id).items():
        BY[road](system, table, rows)


# -- what came of it


def seen(system: WholeSystem, app_no: str) -> Any:
    """The instance with what was raised about it, without its own number."""
    document = system.wait_for(
        app_no, lambda found: found["stages"] == ["SURVEY"] and len(found["alerts"]) >= len(RAISED)
    )
    canonical = {name: document[name] for name in ("process", "status", "org_no", "stages", "fields", "visits", "rows")}
    alerts = [[each["rule"], each["severity"], each["stage"], each["due_at"]] for each in document["alerts"]]
    return json.loads(json.dumps([canonical, sorted(alerts, key=str)]).replace(app_no, "APP"))


RAISED = [
    ["R-T03", "ALARM", "SURVEY"], ["R-T03", "WARN", "SURVEY"], ["R-T14", "ALARM", None], ["R-T14", "WARN", None],
    ["R-T19", "ALARM", "ACCEPT"], ["R-T19", "ALARM", "SURVEY"],
]  # fmt: skip
"""The survey and the whole are late, and the news of both stages came months after them."""


def canonical_changes(system: WholeSystem, app_no: str) -> dict[str, list[dict[str, Any]]]:
    """What each row was told to be on the way to the judgement, by entity and row: `stagewatch.changes`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in read_topic(system.bootstrap, "stagewatch.changes"):
        if app_no.encode() not in (record.key or b"") or not record.value:
            continue
        change = decode_change(record.value)
        found.setdefault(f"{change.entity}:{change.row}", []).append(dict(change.fields))
    return found


@pytest.fixture(scope="module")
def walked(system: WholeSystem) -> WholeSystem:
    for number, road in enumerate(ROADS):
        walk(system, road, f"S03-{road}", 31_000 + 10 * number)
    return system


def test_s0_03_seven_roads_give_identical_rows_stages_and_alerts(walked: WholeSystem) -> None:
    found = {road: seen(walked, f"S03-{road}") for road in ROADS}
    canonical, alerts = found["debezium"]
    assert canonical["fields"]["accepted_at"] == "2026-03-02T01:00:00.000Z"
    assert canonical["fields"]["apply_cap_kva"] == "630.50"
    assert [each[:3] for each in alerts] == RAISED
    assert {road: each for road, each in found.items() if each != found["debezium"]} == {}


def test_s0_03_canonical_changes_are_identical(walked: WholeSystem) -> None:
    found = {}
    for number, road in enumerate(ROADS):
        app_no, first_id = f"S03-{road}", 31_000 + 10 * number
        text = json.dumps(canonical_changes(walked, app_no), default=str, sort_keys=True)
        found[road] = text.replace(app_no, "APP").replace(str(first_id + 1), "V2").replace(str(first_id), "V1")
    assert json.loads(found["debezium"]).keys() == {"application:APP", "visit:V1", "visit:V2"}
    assert {road: each for road, each in found.items() if each != found["debezium"]} == {}


def test_s0_03_one_application_told_by_all_roads_has_each_stage_and_alert_once(walked: WholeSystem) -> None:
    for road in ROADS:
        walk(walked, road, "S03-all", 31_900)
    assert seen(walked, "S03-all") == seen(walked, "S03-debezium")
    walked.catch_up()
    raised = walked.ask("alerts", "list", "--instance", "S03-all")
    assert sorted(([each["rule"], each["severity"], each["stage"]] for each in raised), key=str) == RAISED
