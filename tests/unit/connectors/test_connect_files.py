"""Connector files: what they become, every fault with its place, and what they say beside a source's declaration."""

from pathlib import Path

import pytest

from connectors import SourceCatalog, load_sources
from connectors.connect import Desired, load_connectors, warnings_of
from schemas import DefinitionError

SOURCE = """\
version: source/v1
source: mkt
tables:
  mkt_app:
    entity: application
    key: [app_no]
    instance: app_no
    columns: {app_no: text}
  mkt_app_progress:
    entity: visit
    key: [progress_id]
    instance: app_no
    message_key: json
    columns: {app_no: text}
"""
CLEAN = """\
version: connector/v1
name: mkt
config:
  connector.class: io.debezium.connector.postgresql.PostgresConnector
  database.hostname: db
  database.user: capture
  database.password: ${env:PASSWORD}
  database.dbname: mkt
  topic.prefix: cdc
  plugin.name: pgoutput
  slot.name: mkt
  publication.name: mkt
  publication.autocreate.mode: filtered
  replica.identity.autoset.values: mkt\\..*:FULL
  heartbeat.interval.ms: 10000
  heartbeat.action.query: select 1
  decimal.handling.mode: string
  table.include.list: [mkt\\.mkt_app, mkt\\.mkt_app_progress]
  message.key.columns: mkt\\.mkt_app_progress:app_no
"""
IN_THE_CLEAR = "a secret in the clear; write a reference such as ${env:NAME} or ${file:/path:key}"


@pytest.fixture
def catalog(tmp_path: Path) -> SourceCatalog:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "mkt.yaml").write_text(SOURCE, encoding="utf-8")
    return load_sources([folder])


def load(tmp_path: Path, catalog: SourceCatalog, *texts: str) -> list[Desired]:
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"c{number}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    return load_connectors(files, catalog)


def faults(tmp_path: Path, catalog: SourceCatalog, *texts: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, catalog, *texts)
    return [str(fault).replace(f"{tmp_path}/", "") for fault in caught.value.faults]


def warnings(tmp_path: Path, catalog: SourceCatalog, *texts: str) -> list[str]:
    found = warnings_of(load(tmp_path, catalog, *texts), catalog)
    return [str(fault).replace(f"{tmp_path}/", "") for fault in found]


def without(text: str, *keys: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.strip().partition(":")[0] not in keys)


def captured(text: str, capture: str) -> str:
    text = without(text, "table.include.list", "message.key.columns")
    return text.replace("config:", f"capture: {capture}\nconfig:")


def test_values_become_text_as_connect_has_them(tmp_path: Path, catalog: SourceCatalog) -> None:
    text = CLEAN + "  slot.drop.on.stop: false\n  some.number: 1.5\n"
    config = load(tmp_path, catalog, text)[0].config
    assert config["heartbeat.interval.ms"] == "10000"
    assert config["slot.drop.on.stop"] == "false"
    assert config["some.number"] == "1.5"
    assert config["table.include.list"] == r"mkt\.mkt_app,mkt\.mkt_app_progress"


def test_the_name_is_the_files_unless_it_says_its_own(tmp_path: Path, catalog: SourceCatalog) -> None:
    assert [each.name for each in load(tmp_path, catalog, without(CLEAN, "name"))] == ["c0"]
    assert [each.name for each in load(tmp_path, catalog, CLEAN)] == ["mkt"]


def test_a_file_in_order_has_no_warning(tmp_path: Path, catalog: SourceCatalog) -> None:
    assert warnings(tmp_path, catalog, CLEAN) == []


def test_captured_tables_and_keys_follow_from_the_declaration(tmp_path: Path, catalog: SourceCatalog) -> None:
    text = captured(CLEAN, "{source: mkt}")
    config = load(tmp_path, catalog, text)[0].config
    assert config["table.include.list"] == r"mkt\.mkt_app,mkt\.mkt_app_progress"
    assert config["message.key.columns"] == r"mkt\.mkt_app_progress:app_no"
    assert warnings(tmp_path, catalog, text) == []


def test_oracle_has_its_names_in_upper_case(tmp_path: Path, catalog: SourceCatalog) -> None:
    text = """\
version: connector/v1
capture: {source: mkt, schema: app, tables: [MKT_APP_PROGRESS]}
config:
  connector.class: io.debezium.connector.oracle.OracleConnector
  database.user: c
  database.dbname: CDB
  topic.prefix: cdc
  schema.history.internal.kafka.topic: h
  schema.history.internal.kafka.bootstrap.servers: kafka:9092
"""
    config = load(tmp_path, catalog, text)[0].config
    assert config["table.include.list"] == r"APP\.MKT_APP_PROGRESS"
    assert config["message.key.columns"] == r"APP\.MKT_APP_PROGRESS:APP_NO"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CLEAN.replace("${env:PASSWORD}", "hunter2"),
         f"c0.yaml:7:22: database.password: {IN_THE_CLEAR}"),
        (CLEAN + "  signal.consumer.sasl.jaas.config: 'Login required password=\"hunter2\";'\n",
         f"c0.yaml:20:37: signal.consumer.sasl.jaas.config: {IN_THE_CLEAR}"),
        (CLEAN + "  other.url: jdbc:oracle://scott:tiger@db\n",
         f"c0.yaml:20:14: other.url: {IN_THE_CLEAR}"),
        (CLEAN.replace("heartbeat.interval.ms: 10000", "heartbeat.interval.ms: soon"),
         "c0.yaml:15:26: heartbeat.interval.ms: Input should be a valid integer, unable to parse string as an integer"),
        (CLEAN.replace("decimal.handling.mode: string", "decimal.handling.mode: text"),
         "c0.yaml:17:26: decimal.handling.mode: Input should be 'precise', 'double' or 'string'"),
        (without(CLEAN, "database.dbname"), "c0.yaml:3:1: field 'database.dbname' is missing"),
        (without(CLEAN, "connector.class"), "c0.yaml:3:1: field 'connector.class' is missing"),
        (CLEAN + "  name: other\n", "c0.yaml:20:3: 'name' is set by `stagewatch connectors` itself"),
        (CLEAN + "colour: red\n", "c0.yaml:20:1: unknown field 'colour'"),
        (CLEAN.replace("config:", "state: asleep\nconfig:"),
         "c0.yaml:3:8: state: Input should be 'running', 'paused' or 'stopped'"),
        (CLEAN.replace("config:", "capture: {source: mkt}\nconfig:"),
         "c0.yaml:19:3: table.include.list is derived from `capture`; leave out one of them"),
        (captured(CLEAN, "{source: mtk}"), "c0.yaml:3:19: no source 'mtk' is declared; known: mkt"),
        (captured(CLEAN, "{source: mkt, tables: [mkt_apps]}"),
         "c0.yaml:3:33: source 'mkt' declares no table 'mkt_apps'; known: mkt_app, mkt_app_progress"),
    ],
)  # fmt: skip
def test_a_fault_and_its_place(tmp_path: Path, catalog: SourceCatalog, text: str, expected: str) -> None:
    assert expected in faults(tmp_path, catalog, text)


def test_references_in_other_places_than_secrets_are_no_secrets(tmp_path: Path, catalog: SourceCatalog) -> None:
    text = CLEAN.replace("database.hostname: db", "database.hostname: ${env:HOST}\n  database.port: ${env:PORT}")
    jaas = '  signal.consumer.sasl.jaas.config: \'Login required username="u" password="${file:/etc/s:p}";\'\n'
    assert load(tmp_path, catalog, text + jaas)[0].config["database.port"] == "${env:PORT}"


def test_two_files_of_one_connector_are_a_fault(tmp_path: Path, catalog: SourceCatalog) -> None:
    assert faults(tmp_path, catalog, CLEAN, CLEAN) == [
        "c1.yaml:2:7: a connector named 'mkt' is described twice, here and in c0.yaml"
    ]


def test_what_two_connectors_must_not_share_is_named_in_both(tmp_path: Path, catalog: SourceCatalog) -> None:
    other = CLEAN.replace("name: mkt\n", "name: other\n", 1)
    assert warnings(tmp_path, catalog, CLEAN, other)[:3] == [
        "c0.yaml:9:3: topic.prefix: cdc is used by other too; give each its own [shared]",
        "c0.yaml:11:3: slot.name: mkt on db:5432 is used by other too; give each its own [shared]",
        "c0.yaml:12:3: publication.name: mkt in mkt on db:5432 is used by other too; give each its own [shared]",
    ]
    assert len(warnings(tmp_path, catalog, CLEAN, other)) == 6


def test_a_warning_is_accepted_with_a_reason_and_only_while_it_is_one(tmp_path: Path, catalog: SourceCatalog) -> None:
    text = without(CLEAN, "heartbeat.interval.ms")
    assert "[heartbeat]" in warnings(tmp_path, catalog, text)[0]
    accepted = "accepted: {heartbeat: the tables are never quiet}\nconfig:"
    assert warnings(tmp_path, catalog, text.replace("config:", accepted)) == []
    assert warnings(tmp_path, catalog, CLEAN.replace("config:", accepted)) == [
        "c0.yaml:3:12: nothing to accept: no warning 'heartbeat'"
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"message.key.columns": ""}, "cdc.mkt.mkt_app_progress is declared as keyed by app_no (`message_key`), but"),
        ({"message.key.columns": r"mkt\.(.*):app_no"}, "cdc.mkt.mkt_app will be keyed by app_no; declare the table"),
        ({"message.key.columns": r"mkt\.mkt_app_progress:app_no,visit_no"}, "keyed by app_no, visit_no, which its"),
    ],
)
def test_another_key_than_the_declared_is_said(
    tmp_path: Path, catalog: SourceCatalog, changes: dict[str, str], expected: str
) -> None:
    text = without(CLEAN, *changes) + "".join(f"  {key}: '{value}'\n" for key, value in changes.items())
    assert any(expected in line and "[message-key]" in line for line in warnings(tmp_path, catalog, text))


def test_topics_are_followed_through_routers(tmp_path: Path, catalog: SourceCatalog) -> None:
    text = captured(CLEAN, "{source: mkt, schema: sales}")
    assert "goes to the topic cdc.sales.mkt_app, which no source declares" in warnings(tmp_path, catalog, text)[0]
    routed = text + (
        "  transforms: short\n"
        "  transforms.short.type: org.apache.kafka.connect.transforms.RegexRouter\n"
        "  transforms.short.regex: cdc\\.sales\\.(.*)\n"
        "  transforms.short.replacement: cdc.mkt.$1\n"
    )
    assert warnings(tmp_path, catalog, routed) == []


def test_times_in_another_unit_than_the_declared_are_said(tmp_path: Path, catalog: SourceCatalog) -> None:
    text = CLEAN + "  time.precision.mode: connect\n  value.converter.schemas.enable: false\n"
    assert (
        "times come as milliseconds, but cdc.mkt.mkt_app is declared with timestamp_unit us"
        in (warnings(tmp_path, catalog, text)[0])
    )
    assert warnings(tmp_path, catalog, text.replace("enable: false", "enable: true")) == []


def test_a_connector_of_another_make_is_taken_as_it_is(tmp_path: Path, catalog: SourceCatalog) -> None:
    text = "version: connector/v1\nconfig: {connector.class: org.example.Files, path: /data}\n"
    assert load(tmp_path, catalog, text)[0].model is None
    assert warnings(tmp_path, catalog, text) == []
