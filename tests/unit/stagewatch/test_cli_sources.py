"""`sources`: what is declared, and how each source is doing. S0-01: one that stops turns only itself red."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from schemas import DeadLetter, encode_dead_letter, iso
from stagewatch.__main__ import run
from stagewatch.embedded import EmbeddedBroker
from tests.helpers.brokers import make_topics
from tests.helpers.connect_front import running_front
from tests.helpers.connect_standin import POSTGRES, StandIn
from tests.helpers.decoding import catalog

Said = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "schemas" / "registry" / "examples"
EIGHT = {
    "mkt": "mkt_app", "opm": "opm_eval_detail", "lean": "lean_neg_trans", "ymd": "ymd_tg", "erp": "erp_wbs",
    "mob": "mob_task", "ech": "ech_app", "chn": "chn_inter",
}  # fmt: skip
WEEK_MS = 7 * 86_400_000
CONNECTOR = f"""\
version: connector/v1
capture: {{source: x}}
config:
  connector.class: {POSTGRES}
  database.hostname: db
  database.user: capture
  database.dbname: x
  topic.prefix: x
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker") / "broker.log") as broker:
        make_topics(broker.bootstrap, [topic(s, t) for s, t in EIGHT.items()] + ["stagewatch.deadletters"])
        write(broker, EIGHT, at=int(time.time() * 1000))
        yield broker


@pytest.fixture(autouse=True)
def settings(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAGEWATCH_BROKER", broker.url)
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))


def topic(source: str, table: str) -> str:
    return f"cdc.{source}.{table}"


def write(broker: EmbeddedBroker, tables: dict[str, str], *, at: int) -> None:
    """One change of one table of each source."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for source, table in tables.items():
        row = json.loads((EXAMPLES / source / f"{table}.json").read_text("utf-8"))
        producer.send(topic(source, table), msgspec.json.encode({"op": "c", "after": row}), timestamp_ms=at)
    producer.close()


def rows(capsys: Said, *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["sources", *arguments, "-o", "json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_s0_01_the_eight_sources_run_and_show_their_last_event(capsys: Said) -> None:
    found = {row["source"]: row for row in rows(capsys)}
    assert {name: found[name]["state"] for name in EIGHT} == dict.fromkeys(EIGHT, "running")
    assert all(found[name]["last_event"] and found[name]["silent_for"] < 600 for name in EIGHT)
    assert {row["state"] for name, row in found.items() if name not in EIGHT} == {"absent"}


def test_s0_01_a_source_that_stops_turns_only_itself_red(
    capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedBroker(tmp_path / "broker.log") as other:
        make_topics(other.bootstrap, [topic(s, t) for s, t in EIGHT.items()])
        now = int(time.time() * 1000)
        write(other, {s: t for s, t in EIGHT.items() if s != "erp"}, at=now)
        write(other, {"erp": "erp_wbs"}, at=now - WEEK_MS)
        monkeypatch.setenv("STAGEWATCH_BROKER", other.url)
        found = {row["source"]: row for row in rows(capsys, "health")}
    assert {name for name in EIGHT if found[name]["state"] != "running"} == {"erp"}
    assert (found["erp"]["state"], found["erp"]["why"]) == ("silent", "R-D01: nothing for 7d")


def test_tables_of_a_source_show_records_unread_and_refused(capsys: Said, broker: EmbeddedBroker) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    letter = DeadLetter.of(
        "not-json", "line 1", topic="cdc.mkt.mkt_app", partition=0, offset=0, timestamp=0, key=None, value=b"{"
    )
    producer.send("stagewatch.deadletters", encode_dead_letter(letter))
    producer.close()
    found = {row["table"]: row for row in rows(capsys, "health", "mkt")}
    assert found.keys() == {mapping.table for mapping in catalog().mappings if mapping.source == "mkt"}
    assert (found["mkt_app"]["state"], found["mkt_app"]["records"], found["mkt_app"]["refused"]) == ("running", 1, 1)
    assert found["mkt_app"]["unread"] is None  # no worker has read it
    assert (found["mkt_bill"]["state"], found["mkt_bill"]["records"]) == ("absent", 0)


def test_health_of_an_unknown_source_lists_the_known(capsys: Said) -> None:
    assert run(["sources", "health", "leen"]) == 1
    assert "no source 'leen' (did you mean lean?); known: acq, " in capsys.readouterr().err


def test_every_table_is_listed_with_who_holds_it(capsys: Said) -> None:
    found = {row["table"]: row for row in rows(capsys, "list")}
    assert found.keys() == {mapping.table for mapping in catalog().mappings}
    assert (found["mkt_app"]["group"], found["mkt_app"]["held"]) == ("业务数据", "state (`app_no`)")
    assert (found["mkt_cons"]["held"], found["mkt_bill"]["held"]) == ("look-up", "checked")


def test_named_data_items_are_listed(capsys: Said) -> None:
    found = rows(capsys, "list", "--items")
    assert {"source": "lean", "table": "lean_res_district", "group": "住宅小区工程", "item": "住宅小区入住率"} in found


def test_columns_of_a_table_are_described(capsys: Said) -> None:
    found = {row["column"]: row for row in rows(capsys, "describe", "lean.lean_neg_subs")}
    assert (found["bus_volt_level"]["title"], found["bus_volt_level"]["codes"]) == ("母线电压等级", "volt_level")
    assert (found["nl_no"]["key"], found["bay_no"]["joins"]) == ("key", "ymd_bay")


def test_further_views_of_a_table_are_described(capsys: Said) -> None:
    found = [row for row in rows(capsys, "describe", "mkt.mkt_payment") if "view" in row]
    views = {(row["view"], row["instance"], row["of"]) for row in found}
    assert ("payment", "billing:{cons_no}", "billing_account") in views
    told = {row["instance"]: (row["columns"], row["beside"]) for row in found}
    assert told["billing:{cons_no}"] == ("all kept", "mkt_bill, mkt_reading")
    assert "paid_at" in told["dunning:{bill_no}"][0]


def test_relations_are_measured_over_what_was_captured(capsys: Said) -> None:
    found = {(row["table"], row["column"]): row for row in rows(capsys, "relations", "--measure")}
    assert (found["mkt_app", "tg_no"]["rows"], found["mkt_app", "tg_no"]["rate"]) == (1, 1.0)
    assert (found["mob_task", "app_no"]["matched"], found["mob_task", "wo_no"]["matched"]) == (1, 0)


def test_findings_name_silent_sources_unknown_codes_refusals_and_districts_of_nobody(
    capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedBroker(tmp_path / "broker.log") as other:
        make_topics(other.bootstrap, ["cdc.ymd.ymd_tg", "cdc.lean.lean_app_detail", "stagewatch.deadletters"])
        now = int(time.time() * 1000)
        write(other, {"ymd": "ymd_tg"}, at=now - WEEK_MS)
        producer = KafkaProducer(bootstrap_servers=other.bootstrap)
        row = {"app_no": "A1", "volt_level_code": "99"}
        producer.send("cdc.lean.lean_app_detail", msgspec.json.encode({"op": "c", "after": row}))
        letter = DeadLetter.of(
            "not-json", "", topic="cdc.ymd.ymd_tg", partition=0, offset=9, timestamp=now, key=None, value=b""
        )
        producer.send("stagewatch.deadletters", encode_dead_letter(letter))
        producer.close()
        monkeypatch.setenv("STAGEWATCH_BROKER", other.url)
        found = [(row["rule"], row["where"], row["count"]) for row in rows(capsys, "findings")]
    assert found == [
        ("R-D01", "ymd", 1), ("R-D02", "cdc.lean.lean_app_detail.volt_level_code", 1),
        ("R-D05", "cdc.ymd.ymd_tg", 1), ("R-D07", "TG0036", 1),
    ]  # fmt: skip


def test_a_silent_table_and_a_source_whose_connector_is_gone_are_findings_too(
    capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "{entity: application, key: [app_no], instance: app_no, columns: {app_no: text}%s}"
    tables = f"{{x_app: {table % ', quiet_after: 1h'}, x_log: {table % ''}}}"
    path = tmp_path / "sources" / "x.yaml"
    path.parent.mkdir()
    path.write_text(f"version: source/v1\nsource: x\nquiet_after: 1d\ntables: {tables}\n", encoding="utf-8")
    now = int(time.time() * 1000)
    with EmbeddedBroker(tmp_path / "broker.log") as other, running_front(StandIn().answer) as front:
        make_topics(other.bootstrap, ["cdc.x.x_app", "cdc.x.x_log"])
        monkeypatch.setenv("STAGEWATCH_BROKER", other.url)
        monkeypatch.setenv("STAGEWATCH_SOURCES", str(path))
        producer = KafkaProducer(bootstrap_servers=other.bootstrap)
        row = msgspec.json.encode({"op": "c", "after": {"app_no": "A1"}})
        producer.send("cdc.x.x_app", row, timestamp_ms=now - WEEK_MS)
        producer.send("cdc.x.x_log", row, timestamp_ms=now)
        producer.flush()
        silent = [(row["rule"], row["where"]) for row in rows(capsys, "findings")]
        state = rows(capsys)[0]["state"]
        producer.close()
        (tmp_path / "x.yaml").write_text(CONNECTOR, encoding="utf-8")
        monkeypatch.setenv("STAGEWATCH_CONNECT_URL", front.url)
        monkeypatch.setenv("STAGEWATCH_CONNECTORS", str(tmp_path / "x.yaml"))
        stopped = [(row["state"], row["why"]) for row in rows(capsys)]
        found = [(row["rule"], row["where"]) for row in rows(capsys, "findings")]
    assert (state, silent) == ("running", [("R-D01", "x.x_app")])
    assert (stopped, found) == ([("stopped", "connector x: Kafka Connect has none")], silent)


def test_a_sink_that_is_called_after_a_source_does_not_turn_it_red(
    capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin = StandIn()
    for method, path, body in (
        ("POST", "/connectors", {"name": "mkt-archive", "config": {"connector.class": "x.JdbcSinkConnector"}}),
        ("PUT", "/connectors/mkt-archive/stop", None),
        ("POST", "/connectors", {"name": "lean-own", "config": {"connector.class": POSTGRES}}),
        ("PUT", "/connectors/lean-own/stop", None),
    ):
        assert standin.answer(method, path, body)[0] < 300
    with running_front(standin.answer) as front:
        monkeypatch.setenv("STAGEWATCH_CONNECT_URL", front.url)
        found = {row["source"]: row["state"] for row in rows(capsys)}
    assert (found["mkt"], found["lean"]) == ("running", "stopped")


def test_findings_warn_of_a_log_that_began_anew(capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedBroker(tmp_path / "broker.log") as other:
        make_topics(other.bootstrap, ["cdc.mkt.mkt_app"])
        now, producer = int(time.time() * 1000), KafkaProducer(bootstrap_servers=other.bootstrap)
        for n, lsn in enumerate((9_000, *range(1, 121))):
            value = msgspec.json.encode({"op": "u", "after": {"app_no": "A1"}, "source": {"lsn": lsn}})
            producer.send("cdc.mkt.mkt_app", value, timestamp_ms=now - WEEK_MS + n * 60_000)
        producer.close()
        monkeypatch.setenv("STAGEWATCH_BROKER", other.url)
        assert run(["sources", "findings", "-o", "json"]) == 0
    assert "if it began anew (fail-over, restore): `format: {log_resets: ['" in capsys.readouterr().err


def test_r_d06_records_later_than_their_tables_limit_are_counted_and_a_snapshots_are_not(
    capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedBroker(tmp_path / "broker.log") as other:
        make_topics(other.bootstrap, ["cdc.mkt.mkt_app"])
        now = int(time.time() * 1000)
        producer = KafkaProducer(bootstrap_servers=other.bootstrap)
        for op, late_ms in (("c", 0), ("r", WEEK_MS), ("u", WEEK_MS), ("u", 2 * WEEK_MS)):
            source = {"lsn": 1, "ts_ms": now - late_ms}
            value = msgspec.json.encode({"op": op, "after": {"app_no": "A1"}, "source": source})
            producer.send("cdc.mkt.mkt_app", value, timestamp_ms=now)
        producer.close()
        monkeypatch.setenv("STAGEWATCH_BROKER", other.url)
        (found,) = [row for row in rows(capsys, "findings") if row["rule"] == "R-D06"]
        assert run(["sources", "findings"]) == 0
        assert "R-D06" in capsys.readouterr().out
    assert (found["severity"], found["where"], found["count"]) == ("WARN", "cdc.mkt.mkt_app", 2)
    assert found["finding"] == "later than 1d, up to 14d after their own time"
    assert found["first"].startswith("cdc.mkt.mkt_app/0/2 20")


def test_r_d06_a_row_from_outside_is_late_by_its_own_time_whatever_the_topics_dialect(
    capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGEWATCH_DIALECTS", "{'cdc.mkt.mkt_app': {dialect: ogg-json}}")
    path = tmp_path / "apps.csv"
    now = iso(int(time.time() * 1000))
    path.write_text(f"app_no,_src_ts\nA1,2020-03-02T09:00:00+08:00\nA2,{now}\n", "utf-8")
    with EmbeddedBroker(tmp_path / "broker.log") as other:
        monkeypatch.setenv("STAGEWATCH_BROKER", other.url)
        assert run(["ingest", "file", str(path), "--table", "mkt.mkt_app"]) == 0
        (found,) = [row for row in rows(capsys, "findings") if row["rule"] == "R-D06"]
    assert (found["where"], found["count"]) == ("cdc.mkt.mkt_app", 1)


def test_r_d08_a_refused_batch_is_a_finding_until_it_is_loaded(capsys: Said, tmp_path: Path) -> None:
    bad, empty = tmp_path / "bad.csv", tmp_path / "empty.csv"
    bad.write_text("app_no,source_count\nA1,1\nA2,zwei\nA3,drei\n", "utf-8")
    empty.write_text("app_no\n", "utf-8")
    into = ["--table", "mkt.mkt_app", "--operator", "li"]
    assert run(["ingest", "file", str(bad), "--batch", "b1", *into]) == 1
    assert run(["ingest", "file", str(empty), "--batch", "b2", "--full", *into]) == 1
    assert run(["ingest", "file", str(bad), "--batch", "b3", "--dry-run", *into]) == 1  # nobody meant to load it
    found = {row["where"]: row for row in rows(capsys, "findings") if row["rule"] == "R-D08"}
    assert found.keys() == {"b1", "b2"}
    assert (found["b1"]["severity"], found["b1"]["count"]) == ("WARN", 2)
    assert found["b1"]["finding"] == f"{bad} for mkt.mkt_app: 2 bad rows"
    assert found["b1"]["first"].startswith(f"{bad}:3:source_count: ")
    assert "0 rows, and a full load deletes what a file lacks that was cut short" in found["b2"]["finding"]
    capsys.readouterr()
    assert run(["ingest", "list", "-o", "json"]) == 0
    assert {json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()} == {"refused"}
    assert run(["ingest", "file", str(bad), "--batch", "b1", "--skip-bad", *into]) == 0
    assert [row["where"] for row in rows(capsys, "findings") if row["rule"] == "R-D08"] == ["b2"]


def test_reference_page_is_up_to_date(capsys: Said) -> None:
    assert run(["sources", "docs"]) == 0
    page = capsys.readouterr().out
    assert (ROOT / "docs" / "sources.md").read_text("utf-8") == page, (
        "run `stagewatch sources docs --out docs/sources.md`"
    )


def test_reference_page_is_written_once(capsys: Said, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "sources.md"
    assert run(["sources", "docs", "--out", str(page), "--dry-run"]) == 0
    assert not page.exists()
    assert [run(["sources", "docs", "--out", str(page)]) for _ in range(2)] == [0, 0]
    assert "up to date" in capsys.readouterr().err
