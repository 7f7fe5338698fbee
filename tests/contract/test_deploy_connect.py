"""What the shipped connector promises to the worker. That Connect itself accepts it: `tests/e2e/test_services.py`."""

from pathlib import Path

import yaml

from tests.helpers.connect import deployed_connector

ROOT = Path(__file__).resolve().parents[2]
CONFIG = deployed_connector("sample-postgres")


def test_topics_follow_the_canonical_pattern() -> None:
    assert CONFIG["topic.prefix"] == "cdc"
    assert not [key for key in CONFIG if key.startswith("transforms")]


def test_fractions_arrive_as_text_never_as_floats() -> None:
    assert CONFIG["decimal.handling.mode"] == "string"


def test_it_has_a_slot_and_a_publication_of_its_own_for_its_tables_only() -> None:
    assert CONFIG["slot.name"] == CONFIG["publication.name"] == "stagewatch_sample"
    assert CONFIG["publication.autocreate.mode"] == "filtered"


def test_a_quiet_source_still_lets_go_of_its_log() -> None:
    assert int(CONFIG["heartbeat.interval.ms"]) > 0
    assert CONFIG["message.prefix.exclude.list"] == "heartbeat"
    assert "pg_logical_emit_message(false, 'heartbeat'" in CONFIG["heartbeat.action.query"]


def test_captured_topics_keep_records_of_any_age() -> None:
    assert CONFIG["topic.creation.default.retention.ms"] == "-1"


def test_it_names_no_address_and_no_password() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert CONFIG["database.hostname"] in compose
    assert CONFIG["database.dbname"] == compose["postgres"]["environment"]["POSTGRES_DB"]
    assert CONFIG["database.user"] == compose["postgres"]["environment"]["POSTGRES_USER"]
    assert CONFIG["database.password"] == "${env:SOURCE_PASSWORD}"
    assert "SOURCE_PASSWORD" in compose["connect"]["environment"]
